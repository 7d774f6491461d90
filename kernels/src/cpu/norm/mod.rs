//! Layer norm ([`layer`]) and batch norm ([`batch`]).
//!
//! Variances are taken in two passes around a mean, over pieces whose size depends on the shape
//! alone; pieces are merged in order and in f64. So nothing cancels, and no bit depends on the threads.

mod batch;
mod columns;
mod kernels;
mod layer;
mod sums;

use crate::{backend::*, *};

pub fn norm(op: NormOp, out: Option<ViewMut>) -> Result {
    let dtype = match &op {
        NormOp::Layer { x, .. }
        | NormOp::LayerGrad { x, .. }
        | NormOp::BatchStats { x, .. }
        | NormOp::BatchApply { x, .. }
        | NormOp::BatchGrad { x, .. } => x.dtype,
    };
    let refuse = Error::Unsupported { op: "norm", dtype, device: Device::Cpu };
    dispatch_dtype!(dtype, floats T => run::<T>(op, out), else return Err(refuse));
    Ok(())
}

fn run<T: super::real::Computed>(op: NormOp, out: Option<ViewMut>) {
    match op {
        NormOp::Layer { x, weight, bias, eps, mean, rstd } => {
            layer::forward::<T>(x, weight, bias, eps, mean, rstd, out.expect("layer norm has an output"))
        }
        NormOp::LayerGrad { g, x, weight, mean, rstd, dweight, dbias } => layer::grad::<T>(
            [g, x],
            weight,
            [mean, rstd],
            [dweight, dbias],
            out.expect("a gradient has an output"),
        ),
        NormOp::BatchStats { x, mean, var } => batch::stats::<T>(x, mean, var),
        NormOp::BatchApply { x, mean, rstd, weight, bias } => {
            batch::apply::<T>(x, [mean, rstd], weight, bias, out.expect("batch norm has an output"))
        }
        NormOp::BatchGrad { g, x, weight, mean, rstd, dweight, dbias } => batch::grad::<T>(
            [g, x],
            weight,
            [mean, rstd],
            [dweight, dbias],
            out.expect("a gradient has an output"),
        ),
    }
}
