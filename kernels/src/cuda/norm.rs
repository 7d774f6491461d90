//! Layer norm and batch norm (`kernels/cuda/norm.cu`). Kernels take statistics and weights in the compute
//! dtype; the few numbers that are of another are cast on the device.

use super::context::Context;
use super::{batch_norm, layer_norm};
use crate::{DType, Layout, NormOp, ReduceOp, Result, Storage, View, ViewMut};

pub(super) fn norm(cx: &'static Context, op: NormOp, out: Option<ViewMut>) -> Result {
    let (NormOp::Layer { x, .. }
    | NormOp::LayerGrad { x, .. }
    | NormOp::BatchStats { x, .. }
    | NormOp::BatchApply { x, .. }
    | NormOp::BatchGrad { x, .. }) = &op;
    if !x.dtype.is_float() {
        return Err(cx.unsupported("norm", x.dtype));
    }
    match op {
        NormOp::Layer { x, weight, bias, eps, mean, rstd } => {
            let out = out.expect("layer norm has an output");
            layer_norm::forward(cx, x, [weight, bias], eps, [mean, rstd], out)
        }
        NormOp::LayerGrad { g, x, weight, mean, rstd, dweight, dbias } => {
            let out = out.expect("a gradient has an output");
            layer_norm::grad(cx, [g, x], weight, [mean, rstd], [dweight, dbias], out)
        }
        NormOp::BatchStats { x, mean, var } => batch_norm::stats(cx, x, mean, var),
        NormOp::BatchApply { x, mean, rstd, weight, bias } => {
            let out = out.expect("batch norm has an output");
            batch_norm::apply(cx, x, [mean, rstd], weight, bias, out)
        }
        NormOp::BatchGrad { g, x, weight, mean, rstd, dweight, dbias } => {
            let out = out.expect("a gradient has an output");
            batch_norm::grad(cx, [g, x], weight, [mean, rstd], [dweight, dbias], out)
        }
    }
}

/// Memory in place of an output that nobody wants.
pub(super) fn spare(cx: &'static Context, wanted: bool, n: usize, dtype: DType) -> Result<Storage> {
    Ok(Storage::Cuda(cx.alloc(if wanted { 0 } else { n * dtype.size() })?))
}

/// Sums over one of two dimensions, in order, of partial sums that a kernel left in memory.
pub(super) fn sums(
    cx: &'static Context,
    partial: &Storage,
    shape: [usize; 2],
    axis: usize,
    out: ViewMut,
) -> Result {
    let layout = Layout::contiguous(&shape);
    let x = View::new(partial, out.dtype, &layout);
    let with_one = out.layout.unsqueeze(axis);
    let out = ViewMut::new(out.storage, out.dtype, &with_one);
    super::reduce::reduce(cx, ReduceOp::Sum, x, &[axis], out)
}
