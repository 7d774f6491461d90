//! Convolution layers.

use super::{forward, linear::draw};
use crate::options::builder;
use crate::parameter::Parameter;
use crate::python::tuple;
use taper_nn_derive::Module;
use taper_tensor::{AsTensor, ConvOptions, IntoPair, Padding, Tensor};

/// Convolution over sequences: `[batch, in_channels, length]` (or without batch) to
/// `[batch, out_channels, …]`.
///
/// The weight is `[out_channels, in_channels/groups, kernel_size]`; it and the bias start uniform in
/// `±1/√(in_channels/groups·kernel_size)`.
#[derive(Module, Debug)]
#[module(extra_repr = Conv1d::extra)]
pub struct Conv1d {
    /// `[out_channels, in_channels/groups, kernel_size]`.
    pub weight: Parameter,
    /// `[out_channels]`.
    pub bias: Option<Parameter>,
    #[module(skip)]
    options: ConvOptions,
}

builder! {
    Conv1dOptions => Conv1d(in_channels: usize, out_channels: usize, kernel_size: usize) {
        /// Steps of the kernel; 1 by default.
        stride: usize = 1,
        /// Zeros on each side, or [`Padding::Same`]; 0 by default.
        padding: Padding as impl Into<Padding> = Padding::Zeros([0, 0]),
        /// Distance of the kernel's taps; 1 by default.
        dilation: usize = 1,
        /// Channel groups that do not see each other; 1 by default.
        groups: usize = 1,
        /// Whether a bias is added; true by default.
        bias: bool = true,
    }
}

/// Convolution over images: `[batch, in_channels, height, width]` (or without batch) to
/// `[batch, out_channels, …]`.
///
/// The weight is `[out_channels, in_channels/groups, height, width]` of the kernel; it and the bias start
/// uniform in `±1/√(in_channels/groups·kernel elements)`.
///
/// ```
/// use taper_nn::{Conv2d, Forward};
/// use taper_tensor::Tensor;
/// let layer = Conv2d::builder(1, 8, 3).stride(2).padding(1).bias(false).build();
/// assert_eq!(layer.forward(&Tensor::zeros([4, 1, 28, 28])).shape(), [4, 8, 14, 14]);
/// ```
#[derive(Module, Debug)]
#[module(extra_repr = Conv2d::extra)]
pub struct Conv2d {
    /// `[out_channels, in_channels/groups, height, width]`.
    pub weight: Parameter,
    /// `[out_channels]`.
    pub bias: Option<Parameter>,
    #[module(skip)]
    options: ConvOptions,
}

builder! {
    Conv2dOptions => Conv2d(in_channels: usize, out_channels: usize, kernel_size: [usize; 2] as impl IntoPair) {
        /// Steps of the kernel; 1 by default.
        stride: [usize; 2] as impl IntoPair = [1, 1],
        /// Zeros on each side, or [`Padding::Same`]; 0 by default.
        padding: Padding as impl Into<Padding> = Padding::Zeros([0, 0]),
        /// Distance of the kernel's taps; 1 by default.
        dilation: [usize; 2] as impl IntoPair = [1, 1],
        /// Channel groups that do not see each other; 1 by default.
        groups: usize = 1,
        /// Whether a bias is added; true by default.
        bias: bool = true,
    }
}

#[track_caller]
pub(super) fn check_groups(layer: &str, in_channels: usize, out_channels: usize, groups: usize) {
    assert!(
        groups > 0 && in_channels.is_multiple_of(groups) && out_channels.is_multiple_of(groups),
        "{layer}: {in_channels} input and {out_channels} output channels do not divide into {groups} groups"
    );
}

impl Conv1d {
    #[track_caller]
    fn from_options(o: Conv1dOptions) -> Self {
        check_groups("Conv1d", o.in_channels, o.out_channels, o.groups);
        let (weight, bias) = draw(
            &[o.out_channels, o.in_channels / o.groups, o.kernel_size],
            o.bias.then_some(o.out_channels),
        );
        let options =
            ConvOptions::default().stride(o.stride).padding(o.padding).dilation(o.dilation).groups(o.groups);
        Conv1d { weight, bias, options }
    }
    fn extra(&self) -> String {
        describe(&self.weight, &self.options, self.bias.is_some())
    }
}

impl Conv2d {
    #[track_caller]
    fn from_options(o: Conv2dOptions) -> Self {
        check_groups("Conv2d", o.in_channels, o.out_channels, o.groups);
        let [height, width] = o.kernel_size;
        let (weight, bias) = draw(
            &[o.out_channels, o.in_channels / o.groups, height, width],
            o.bias.then_some(o.out_channels),
        );
        let options =
            ConvOptions::default().stride(o.stride).padding(o.padding).dilation(o.dilation).groups(o.groups);
        Conv2d { weight, bias, options }
    }
    fn extra(&self) -> String {
        describe(&self.weight, &self.options, self.bias.is_some())
    }
}

fn describe(weight: &Parameter, o: &ConvOptions, bias: bool) -> String {
    let shape = weight.shape();
    let spatial = shape.len() - 2;
    let part = |v: [usize; 2]| tuple(&v[2 - spatial..]);
    let mut text = format!(
        "{}, {}, kernel_size={}, stride={}",
        shape[1] * o.groups,
        shape[0],
        tuple(&shape[2..]),
        part(o.stride)
    );
    match o.padding {
        Padding::Same => text += ", padding=same",
        Padding::Zeros(p) if p[2 - spatial..].iter().any(|&n| n > 0) => {
            text += &format!(", padding={}", part(p))
        }
        Padding::Zeros(_) => {}
    }
    if o.dilation[2 - spatial..].iter().any(|&n| n > 1) {
        text += &format!(", dilation={}", part(o.dilation));
    }
    if o.groups > 1 {
        text += &format!(", groups={}", o.groups);
    }
    if bias { text } else { text + ", bias=False" }
}

/// Why an input of so many channels does not fit.
pub(super) fn misfit(
    layer: &dyn crate::Module,
    weight: &Parameter,
    channels: usize,
    x: &Tensor,
) -> Result<(), String> {
    let weight = weight.value();
    let ndim = weight.ndim();
    let fits = (ndim - 1..=ndim).contains(&x.ndim())
        && x.size(1 - ndim as isize) == channels
        && x.dtype() == weight.dtype();
    if fits {
        return Ok(());
    }
    let sizes = if ndim == 3 { "length" } else { "height, width" };
    Err(format!(
        "{layer}: expected an input [batch, {channels}, {sizes}] (or without batch) of {}, got shape {:?} of {} \
         (the weight has shape {:?})",
        weight.dtype(),
        x.shape(),
        x.dtype(),
        weight.shape()
    ))
}

/// The channels of an input.
fn channels(weight: &Parameter, o: &ConvOptions) -> usize {
    weight.shape()[1] * o.groups
}

forward! { Conv1d, check |self, x| misfit(self, &self.weight, channels(&self.weight, &self.options), x), |self, x| {
    x.conv1d(&self.weight, self.bias.as_ref().map(|b| b.as_tensor()).as_deref(), self.options)
} }
forward! { Conv2d, check |self, x| misfit(self, &self.weight, channels(&self.weight, &self.options), x), |self, x| {
    x.conv2d(&self.weight, self.bias.as_ref().map(|b| b.as_tensor()).as_deref(), self.options)
} }
