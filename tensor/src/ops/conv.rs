//! Convolutions.
//!
//! `⟨x ⋆ w, g⟩` is one number, linear in the input `x`, the weight `w` and the output's gradient `g`. Its
//! derivative in each is a product of the other two, and each of these three products has the two
//! others for derivatives: that closes the family at any order.

use super::window::{ConvOptions, Padding};
use crate::error::{Error, Result, ok};
use crate::operand::AsTensor;
use crate::tensor::{Meta, Tensor};
use taper_autograd::{Value, op};
use taper_kernels::{Activation, Backend, ConvOp, ConvParams, Dims, Layout, ViewMut};

/// One kernel call into a new tensor like `a`; not recorded.
fn run(a: &Tensor, shape: &[usize], p: ConvParams, what: ConvOp) -> Result<Tensor> {
    let kernel = |k: &'static dyn Backend, out: ViewMut| k.conv(what, p, out);
    a.produce_like("conv", shape, a.dtype(), kernel)
}

/// `x ⋆ w + bias`.
#[track_caller]
fn forward(
    name: &'static str,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    p: ConvParams,
    shape: &[usize],
) -> Result<Tensor> {
    let (vx, vw, vb) = (x.as_view(), w.as_view(), bias.map(|b| b.as_view()));
    let y = run(x, shape, p, ConvOp::Forward { x: vx, w: vw, bias: vb, activation: Activation::None })?;
    let (sx, sw) = (Dims::from(x.shape()), Dims::from(w.shape()));
    let y = op(name, y)
        .wrt(x, || {
            let w = w.clone();
            move |g: &Tensor| input_grad(g, &w, p, &sx)
        })
        .wrt(w, || {
            let x = x.clone();
            move |g: &Tensor| weight_grad(g, &x, p, &sw)
        });
    Ok(match bias {
        Some(b) => y.wrt(b, || |g: &Tensor| g.sum_dim([0, 2, 3], false)).done(),
        None => y.done(),
    })
}

/// The forward product in a rule, where everything fits.
#[track_caller]
fn again(x: &Tensor, w: &Tensor, p: ConvParams, shape: &[usize]) -> Tensor {
    ok(forward("conv", x, w, None, p, shape))
}

/// The derivative in `x`.
#[track_caller]
fn input_grad(g: &Tensor, w: &Tensor, p: ConvParams, shape: &[usize]) -> Tensor {
    ok(transposed("conv_input_grad", g, w, p, shape))
}

/// The derivative of a convolution in its input, whose shape is given: a transposed convolution of `g`.
#[track_caller]
pub(super) fn transposed(
    name: &'static str,
    g: &Tensor,
    w: &Tensor,
    p: ConvParams,
    shape: &[usize],
) -> Result<Tensor> {
    let y = run(g, shape, p, ConvOp::InputGrad { g: g.as_view(), w: w.as_view() })?;
    let (sg, sw) = (Dims::from(g.shape()), Dims::from(w.shape()));
    let y = op(name, y)
        .wrt(g, || {
            let w = w.clone();
            move |h: &Tensor| again(h, &w, p, &sg)
        })
        .wrt(w, || {
            let g = g.clone();
            move |h: &Tensor| weight_grad(&g, h, p, &sw)
        })
        .done();
    Ok(y)
}

/// The derivative in `w`.
#[track_caller]
fn weight_grad(g: &Tensor, x: &Tensor, p: ConvParams, shape: &[usize]) -> Tensor {
    let y = ok(run(g, shape, p, ConvOp::WeightGrad { g: g.as_view(), x: x.as_view() }));
    let (sg, sx) = (Dims::from(g.shape()), Dims::from(x.shape()));
    op("conv_weight_grad", y)
        .wrt(g, || {
            let x = x.clone();
            move |h: &Tensor| again(&x, h, p, &sg)
        })
        .wrt(x, || {
            let g = g.clone();
            move |h: &Tensor| input_grad(&g, h, p, &sx)
        })
        .done()
}

/// Refuses dtypes and devices that do not fit.
pub(super) fn check_kinds(name: &'static str, x: &Tensor, w: &Tensor, bias: Option<&Tensor>) -> Result<()> {
    for t in [Some(w), bias].into_iter().flatten() {
        if t.dtype() != x.dtype() {
            let message = format!(
                "input, weight and bias must have one dtype, got {} and {}; convert one with to_dtype",
                x.dtype(),
                t.dtype()
            );
            return Err(Error::dtype(name, message));
        }
        if t.device() != x.device() {
            return Err(Error::Device { op: name, a: x.device(), b: t.device() });
        }
    }
    if !x.dtype().is_float() {
        return Err(Error::dtype(name, format!("expected floating-point tensors, got {}", x.dtype())));
    }
    Ok(())
}

/// Refuses what does not fit; the message names both shapes.
fn check(name: &'static str, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, o: &ConvOptions) -> Result<()> {
    let shape = |message: String| Err(Error::shape(name, message));
    check_kinds(name, x, w, bias)?;
    if o.stride.contains(&0) || o.dilation.contains(&0) || o.groups == 0 {
        return shape("stride, dilation and groups must be at least 1".into());
    }
    let (channels, out) = (x.shape()[1], w.shape()[0]);
    if channels != w.shape()[1] * o.groups {
        return shape(format!(
            "the input of shape {:?} has {channels} channels, the weight of shape {:?} with {} group(s) takes {}",
            x.shape(),
            w.shape(),
            o.groups,
            w.shape()[1] * o.groups
        ));
    }
    if out % o.groups != 0 {
        return shape(format!("{out} output channels do not divide into {} groups", o.groups));
    }
    if let Some(b) = bias
        && b.shape() != [out]
    {
        return shape(format!("a bias of shape {:?} for a weight of shape {:?}", b.shape(), w.shape()));
    }
    Ok(())
}

/// A convolution of four-dimensional operands.
#[track_caller]
fn convolve(
    name: &'static str,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    o: ConvOptions,
) -> Result<Tensor> {
    check(name, x, w, bias, &o)?;
    // How far the kernel reaches, less one.
    let reach = [0, 1].map(|d| o.dilation[d] * w.shape()[2 + d].saturating_sub(1));
    let (x, padding) = match o.padding {
        Padding::Zeros(p) => (x.clone(), p),
        Padding::Same if o.stride != [1, 1] => {
            return Err(Error::shape(name, "padding to the same size needs a stride of 1"));
        }
        Padding::Same => (pad_end(x, reach.map(|r| r % 2)), reach.map(|r| r / 2)),
    };
    let mut shape = Dims::from_slice(&[x.shape()[0], w.shape()[0], 0, 0]);
    for d in 0..2 {
        let padded = x.shape()[2 + d] + 2 * padding[d];
        if padded <= reach[d] || w.shape()[2 + d] == 0 {
            let message = format!(
                "the kernel of shape {:?} (reaching over {} with its dilation) is larger than the padded input: shape {:?}, padding {padding:?}",
                &w.shape()[2..],
                reach[d] + 1,
                x.shape()
            );
            return Err(Error::shape(name, message));
        }
        shape[2 + d] = (padded - reach[d] - 1) / o.stride[d] + 1;
    }
    let p = ConvParams { stride: o.stride, padding, dilation: o.dilation, groups: o.groups };
    forward(name, &x, w, bias, p, &shape)
}

/// Zeros after the last row and column.
#[track_caller]
fn pad_end(x: &Tensor, by: [usize; 2]) -> Tensor {
    if by == [0, 0] {
        return x.clone();
    }
    let [n, c, h, w] = [0, 1, 2, 3].map(|d| x.shape()[d]);
    let meta = Meta { shape: Dims::from_slice(&[n, c, h + by[0], w + by[1]]), ..x.meta() };
    x.place(meta, move |l: &Layout| l.slice(2, 0, h, 1).slice(3, 0, w, 1))
}

/// The first two dimensions of a weight.
const LAYOUT: &str = "out, channels/groups";

/// The input with a batch dimension, and whether it had none.
#[track_caller]
pub(super) fn batched(
    name: &'static str,
    x: &Tensor,
    w: &Tensor,
    spatial: usize,
    channels: &str,
) -> Result<(Tensor, bool)> {
    let dims = spatial + 2;
    if w.ndim() != dims || !(dims - 1..=dims).contains(&x.ndim()) {
        let sizes = &["length", "height, width"][spatial - 1];
        let message = format!(
            "expected an input [batch, channels, {sizes}] (or without batch) and a weight [{channels}, {sizes}], got shapes {:?} and {:?}",
            x.shape(),
            w.shape()
        );
        return Err(Error::shape(name, message));
    }
    let single = x.ndim() < dims;
    Ok((if single { x.unsqueeze(0) } else { x.clone() }, single))
}

#[track_caller]
fn conv2d(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, o: ConvOptions) -> Result<Tensor> {
    let name = "conv2d";
    let (x, single) = batched(name, x, w, 2, LAYOUT)?;
    let y = convolve(name, &x, w, bias, o)?;
    Ok(if single { y.squeeze(0) } else { y })
}

/// A sequence is an image of height 1.
#[track_caller]
fn conv1d(x: &Tensor, w: &Tensor, bias: Option<&Tensor>, o: ConvOptions) -> Result<Tensor> {
    let name = "conv1d";
    let (x, single) = batched(name, x, w, 1, LAYOUT)?;
    let padding = match o.padding {
        Padding::Zeros(p) => Padding::Zeros([0, p[1]]),
        Padding::Same => Padding::Same,
    };
    let o = ConvOptions { stride: [1, o.stride[1]], padding, dilation: [1, o.dilation[1]], ..o };
    let y = convolve(name, &x.unsqueeze(2), &w.unsqueeze(2), bias, o)?.squeeze(2);
    Ok(if single { y.squeeze(0) } else { y })
}

impl Tensor {
    /// Convolution over an image (`torch.nn.functional.conv2d`): this is `[batch, channels, height, width]`
    /// or without the batch, `weight` is `[out, channels/groups, kernel height, kernel width]`, `bias`
    /// `[out]`.
    ///
    /// # Panics
    /// Where shapes or dtypes do not fit.
    #[track_caller]
    pub fn conv2d(&self, weight: impl AsTensor, bias: Option<&Tensor>, options: ConvOptions) -> Tensor {
        ok(conv2d(self, &weight.as_tensor(), bias, options))
    }

    /// As [`conv2d`](Self::conv2d), or an error.
    #[track_caller]
    pub fn try_conv2d(
        &self,
        weight: impl AsTensor,
        bias: Option<&Tensor>,
        options: ConvOptions,
    ) -> Result<Tensor> {
        conv2d(self, &weight.as_tensor(), bias, options)
    }

    /// Convolution over a sequence (`torch.nn.functional.conv1d`): this is `[batch, channels, length]` or
    /// without the batch, `weight` is `[out, channels/groups, kernel length]`, `bias` `[out]`.
    ///
    /// # Panics
    /// Where shapes or dtypes do not fit.
    #[track_caller]
    pub fn conv1d(&self, weight: impl AsTensor, bias: Option<&Tensor>, options: ConvOptions) -> Tensor {
        ok(conv1d(self, &weight.as_tensor(), bias, options))
    }

    /// As [`conv1d`](Self::conv1d), or an error.
    #[track_caller]
    pub fn try_conv1d(
        &self,
        weight: impl AsTensor,
        bias: Option<&Tensor>,
        options: ConvOptions,
    ) -> Result<Tensor> {
        conv1d(self, &weight.as_tensor(), bias, options)
    }
}
