//! Transposed convolution layers.

use super::conv::{check_groups, misfit};
use super::{forward, linear::draw};
use crate::options::builder;
use crate::parameter::Parameter;
use crate::python::tuple;
use taper_nn_derive::Module;
use taper_tensor::{AsTensor, ConvTransposeOptions, IntoPair};

/// Transposed convolution over sequences: `[batch, in_channels, length]` (or without batch) to
/// `[batch, out_channels, …]`, longer by the stride's factor.
///
/// The weight is `[in_channels, out_channels/groups, kernel_size]`; it and the bias start uniform in
/// `±1/√(out_channels/groups·kernel_size)`, as in PyTorch.
#[derive(Module, Debug)]
#[module(extra_repr = ConvTranspose1d::extra)]
pub struct ConvTranspose1d {
    /// `[in_channels, out_channels/groups, kernel_size]`.
    pub weight: Parameter,
    /// `[out_channels]`.
    pub bias: Option<Parameter>,
    #[module(skip)]
    options: ConvTransposeOptions,
}

builder! {
    ConvTranspose1dOptions => ConvTranspose1d(in_channels: usize, out_channels: usize, kernel_size: usize) {
        /// Distance in the output of neighbours in the input; 1 by default.
        stride: usize = 1,
        /// Positions that the output loses on each side; 0 by default.
        padding: usize = 0,
        /// Positions that the output has more at its end; 0 by default.
        output_padding: usize = 0,
        /// Channel groups that do not see each other; 1 by default.
        groups: usize = 1,
        /// Whether a bias is added; true by default.
        bias: bool = true,
        /// Distance of the kernel's taps; 1 by default.
        dilation: usize = 1,
    }
}

/// Transposed convolution over images: `[batch, in_channels, height, width]` (or without batch) to
/// `[batch, out_channels, …]`, larger by the stride's factor.
///
/// The weight is `[in_channels, out_channels/groups, height, width]` of the kernel; it and the bias start
/// uniform in `±1/√(out_channels/groups·kernel elements)`, as in PyTorch.
///
/// ```
/// use taper_nn::{ConvTranspose2d, Forward};
/// use taper_tensor::Tensor;
/// let layer = ConvTranspose2d::builder(8, 1, 3).stride(2).padding(1).output_padding(1).build();
/// assert_eq!(layer.forward(&Tensor::zeros([4, 8, 14, 14])).shape(), [4, 1, 28, 28]);
/// ```
#[derive(Module, Debug)]
#[module(extra_repr = ConvTranspose2d::extra)]
pub struct ConvTranspose2d {
    /// `[in_channels, out_channels/groups, height, width]`.
    pub weight: Parameter,
    /// `[out_channels]`.
    pub bias: Option<Parameter>,
    #[module(skip)]
    options: ConvTransposeOptions,
}

builder! {
    ConvTranspose2dOptions => ConvTranspose2d(in_channels: usize, out_channels: usize, kernel_size: [usize; 2] as impl IntoPair) {
        /// Distance in the output of neighbours in the input; 1 by default.
        stride: [usize; 2] as impl IntoPair = [1, 1],
        /// Rows and columns that the output loses on each side; 0 by default.
        padding: [usize; 2] as impl IntoPair = [0, 0],
        /// Rows and columns that the output has more at its end; 0 by default.
        output_padding: [usize; 2] as impl IntoPair = [0, 0],
        /// Channel groups that do not see each other; 1 by default.
        groups: usize = 1,
        /// Whether a bias is added; true by default.
        bias: bool = true,
        /// Distance of the kernel's taps; 1 by default.
        dilation: [usize; 2] as impl IntoPair = [1, 1],
    }
}

/// `from_options` and the text of a layer, whose kernel sizes are these.
macro_rules! made {
    ($layer:ident, $options:ident, |$o:ident| $kernel:expr) => {
        impl $layer {
            #[track_caller]
            fn from_options($o: $options) -> Self {
                check_groups(stringify!($layer), $o.in_channels, $o.out_channels, $o.groups);
                let mut shape = vec![$o.in_channels, $o.out_channels / $o.groups];
                shape.extend($kernel);
                let (weight, bias) = draw(&shape, $o.bias.then_some($o.out_channels));
                let options = ConvTransposeOptions::default()
                    .stride($o.stride)
                    .padding($o.padding)
                    .output_padding($o.output_padding)
                    .dilation($o.dilation)
                    .groups($o.groups);
                $layer { weight, bias, options }
            }
            fn extra(&self) -> String {
                describe(&self.weight, &self.options, self.bias.is_some())
            }
        }
    };
}
made!(ConvTranspose1d, ConvTranspose1dOptions, |o| [o.kernel_size]);
made!(ConvTranspose2d, ConvTranspose2dOptions, |o| o.kernel_size);

fn describe(weight: &Parameter, o: &ConvTransposeOptions, bias: bool) -> String {
    let shape = weight.shape();
    let spatial = shape.len() - 2;
    let part = |v: [usize; 2]| tuple(&v[2 - spatial..]);
    let mut text = format!(
        "{}, {}, kernel_size={}, stride={}",
        shape[0],
        shape[1] * o.groups,
        tuple(&shape[2..]),
        part(o.stride)
    );
    let pairs =
        [("padding", o.padding, 0), ("dilation", o.dilation, 1), ("output_padding", o.output_padding, 0)];
    for (name, pair, usual) in pairs {
        if pair[2 - spatial..].iter().any(|&n| n != usual) {
            text += &format!(", {name}={}", part(pair));
        }
    }
    if o.groups > 1 {
        text += &format!(", groups={}", o.groups);
    }
    if bias { text } else { text + ", bias=False" }
}

forward! { ConvTranspose1d, check |self, x| misfit(self, &self.weight, self.weight.shape()[0], x), |self, x| {
    x.conv_transpose1d(&self.weight, self.bias.as_ref().map(|b| b.as_tensor()).as_deref(), self.options)
} }
forward! { ConvTranspose2d, check |self, x| misfit(self, &self.weight, self.weight.shape()[0], x), |self, x| {
    x.conv_transpose2d(&self.weight, self.bias.as_ref().map(|b| b.as_tensor()).as_deref(), self.options)
} }
