//! Transposed convolutions: the derivative of a convolution in its input, as an operation of its own.
//! A convolution with the same weight goes the other way, from the result's shape to the input's.

use super::conv::{batched, check_kinds, transposed};
use super::window::IntoPair;
use crate::error::{Error, Result, ok};
use crate::operand::AsTensor;
use crate::tensor::Tensor;
use taper_kernels::{ConvParams, Dims};

/// Stride 1, no padding, dilation 1, one group, unless set otherwise. In one dimension the last number
/// of each pair counts.
///
/// ```
/// use taper_tensor::{ConvTransposeOptions, Tensor};
/// let (x, w) = (Tensor::ones([1, 4, 4, 4]), Tensor::ones([4, 3, 3, 3]));
/// let options = ConvTransposeOptions::default().stride(2).padding(1).output_padding(1);
/// assert_eq!(x.conv_transpose2d(&w, None, options).shape(), [1, 3, 8, 8]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvTransposeOptions {
    /// Distance in the result of neighbours in the input.
    pub stride: [usize; 2],
    /// Rows and columns that the result loses on each side.
    pub padding: [usize; 2],
    /// Rows and columns that the result has more at its end: of the sizes that a convolution with this
    /// stride shrinks to the input's, which one is meant.
    pub output_padding: [usize; 2],
    /// Distance of the kernel's taps.
    pub dilation: [usize; 2],
    /// Channel groups that do not see each other.
    pub groups: usize,
}

impl Default for ConvTransposeOptions {
    fn default() -> Self {
        ConvTransposeOptions {
            stride: [1, 1],
            padding: [0, 0],
            output_padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
        }
    }
}

impl ConvTransposeOptions {
    /// Sets the stride.
    pub fn stride(self, stride: impl IntoPair) -> Self {
        ConvTransposeOptions { stride: stride.into_pair(), ..self }
    }
    /// Sets the padding.
    pub fn padding(self, padding: impl IntoPair) -> Self {
        ConvTransposeOptions { padding: padding.into_pair(), ..self }
    }
    /// Sets the padding of the result.
    pub fn output_padding(self, output_padding: impl IntoPair) -> Self {
        ConvTransposeOptions { output_padding: output_padding.into_pair(), ..self }
    }
    /// Sets the dilation.
    pub fn dilation(self, dilation: impl IntoPair) -> Self {
        ConvTransposeOptions { dilation: dilation.into_pair(), ..self }
    }
    /// Sets the number of groups.
    pub fn groups(self, groups: usize) -> Self {
        ConvTransposeOptions { groups, ..self }
    }
}

const LAYOUT: &str = "channels, out/groups";

/// Four-dimensional operands.
#[track_caller]
fn convolve(
    name: &'static str,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    o: ConvTransposeOptions,
) -> Result<Tensor> {
    let fail = |message: String| Err(Error::shape(name, message));
    check_kinds(name, x, w, bias)?;
    if o.stride.contains(&0) || o.dilation.contains(&0) || o.groups == 0 {
        return fail("stride, dilation and groups must be at least 1".into());
    }
    let (channels, out) = (x.shape()[1], w.shape()[1] * o.groups);
    if channels != w.shape()[0] || channels % o.groups != 0 {
        return fail(format!(
            "the input of shape {:?} has {channels} channels, the weight of shape {:?} takes {}, in {} group(s)",
            x.shape(),
            w.shape(),
            w.shape()[0],
            o.groups
        ));
    }
    if let Some(b) = bias
        && b.shape() != [out]
    {
        return fail(format!(
            "a bias of shape {:?} for a weight of shape {:?} and {} group(s); expected [{out}]",
            b.shape(),
            w.shape(),
            o.groups
        ));
    }
    let mut shape = Dims::from_slice(&[x.shape()[0], out, 0, 0]);
    for d in 0..2 {
        if o.output_padding[d] >= o.stride[d].max(o.dilation[d]) {
            return fail(format!(
                "the output padding must be smaller than stride or dilation, got {:?} for {:?} and {:?}",
                o.output_padding, o.stride, o.dilation
            ));
        }
        let (n, k) = (x.shape()[2 + d], w.shape()[2 + d]);
        let full = (n.max(1) - 1) * o.stride[d] + o.dilation[d] * (k.max(1) - 1) + o.output_padding[d] + 1;
        if n == 0 || k == 0 || full <= 2 * o.padding[d] {
            return fail(format!(
                "nothing is left of an input of shape {:?}, a weight of shape {:?} and {o:?}",
                x.shape(),
                w.shape()
            ));
        }
        shape[2 + d] = full - 2 * o.padding[d];
    }
    let p = ConvParams { stride: o.stride, padding: o.padding, dilation: o.dilation, groups: o.groups };
    let y = transposed(name, x, w, p, &shape)?;
    Ok(match bias {
        Some(b) => y + b.reshape([out, 1, 1].as_slice()),
        None => y,
    })
}

#[track_caller]
fn conv_transpose2d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    o: ConvTransposeOptions,
) -> Result<Tensor> {
    let name = "conv_transpose2d";
    let (x, single) = batched(name, x, w, 2, LAYOUT)?;
    let y = convolve(name, &x, w, bias, o)?;
    Ok(if single { y.squeeze(0) } else { y })
}

/// A sequence is an image of height 1.
#[track_caller]
fn conv_transpose1d(
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    o: ConvTransposeOptions,
) -> Result<Tensor> {
    let name = "conv_transpose1d";
    let (x, single) = batched(name, x, w, 1, LAYOUT)?;
    let o = ConvTransposeOptions {
        stride: [1, o.stride[1]],
        padding: [0, o.padding[1]],
        output_padding: [0, o.output_padding[1]],
        dilation: [1, o.dilation[1]],
        ..o
    };
    let y = convolve(name, &x.unsqueeze(2), &w.unsqueeze(2), bias, o)?.squeeze(2);
    Ok(if single { y.squeeze(0) } else { y })
}

impl Tensor {
    /// Transposed convolution over an image (`torch.nn.functional.conv_transpose2d`): this is
    /// `[batch, channels, height, width]` or without the batch, `weight` is
    /// `[channels, out/groups, kernel height, kernel width]`, `bias` `[out]`. Each side of the result has
    /// `(n − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1`.
    ///
    /// # Panics
    /// Where shapes or dtypes do not fit.
    #[track_caller]
    pub fn conv_transpose2d(
        &self,
        weight: impl AsTensor,
        bias: Option<&Tensor>,
        options: ConvTransposeOptions,
    ) -> Tensor {
        ok(conv_transpose2d(self, &weight.as_tensor(), bias, options))
    }

    /// As [`conv_transpose2d`](Self::conv_transpose2d), or an error.
    #[track_caller]
    pub fn try_conv_transpose2d(
        &self,
        weight: impl AsTensor,
        bias: Option<&Tensor>,
        options: ConvTransposeOptions,
    ) -> Result<Tensor> {
        conv_transpose2d(self, &weight.as_tensor(), bias, options)
    }

    /// Transposed convolution over a sequence (`torch.nn.functional.conv_transpose1d`): this is
    /// `[batch, channels, length]` or without the batch, `weight` is `[channels, out/groups, kernel length]`,
    /// `bias` `[out]`.
    ///
    /// # Panics
    /// Where shapes or dtypes do not fit.
    #[track_caller]
    pub fn conv_transpose1d(
        &self,
        weight: impl AsTensor,
        bias: Option<&Tensor>,
        options: ConvTransposeOptions,
    ) -> Tensor {
        ok(conv_transpose1d(self, &weight.as_tensor(), bias, options))
    }

    /// As [`conv_transpose1d`](Self::conv_transpose1d), or an error.
    #[track_caller]
    pub fn try_conv_transpose1d(
        &self,
        weight: impl AsTensor,
        bias: Option<&Tensor>,
        options: ConvTransposeOptions,
    ) -> Result<Tensor> {
        conv_transpose1d(self, &weight.as_tensor(), bias, options)
    }
}
