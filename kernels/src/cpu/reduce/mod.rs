//! Reductions over any axes of any strides.
//!
//! Float sums follow PyTorch's order exactly ([`sum`]); everything else is a [`fold`](fold::Fold).
//! f16 and bf16 are widened to f32 first.

mod cascade;
mod deviations;
mod fold;
mod ops;
mod plan;
mod sum;

use super::real::{Computed, Real, narrowed, widened};
use crate::{backend::*, *};

pub fn reduce(op: ReduceOp, x: View, axes: &[usize], out: ViewMut) -> Result {
    use DType::*;
    match x.dtype {
        F16 => through_f32::<f16>(op, x, axes, out),
        BF16 => through_f32::<bf16>(op, x, axes, out),
        F32 if matches!(op, ReduceOp::Sum | ReduceOp::Mean) => sum::sum::<f32>(op, x, axes, out),
        F64 if matches!(op, ReduceOp::Sum | ReduceOp::Mean) => sum::sum::<f64>(op, x, axes, out),
        _ => ops::reduce(op, x, axes, out),
    }
    Ok(())
}

/// Elements that are widened at a time: their f32 stay in the second-level cache.
const WIDENED: usize = if cfg!(miri) { 1 << 8 } else { 1 << 17 };

/// Sums of contiguous lines are made a few lines at a time, which leaves their order as it is.
fn through_f32<T: Computed<In = f32>>(op: ReduceOp, x: View, axes: &[usize], out: ViewMut) {
    let shape = x.layout.shape();
    let sum = matches!(op, ReduceOp::Sum | ReduceOp::Mean);
    let lines = |n: &usize| *n >= f32::WIDE && !axes.contains(&0) && axes.contains(&(shape.len() - 1));
    if x.layout.numel() <= WIDENED || !(sum && x.layout.is_contiguous() && shape.last().is_some_and(lines)) {
        return widen_all::<T>(op, x, axes, out);
    }
    let some = (WIDENED * shape[0] / x.layout.numel()).max(1);
    for first in (0..shape[0]).step_by(some) {
        let part = |l: &Layout| l.slice(0, first, some.min(shape[0] - first), 1);
        let (from, to) = (part(x.layout), part(out.layout));
        let to = ViewMut::new(&mut *out.storage, out.dtype, &to);
        widen_all::<T>(op, View::new(x.storage, x.dtype, &from), axes, to);
    }
}

fn widen_all<T: Computed<In = f32>>(op: ReduceOp, x: View, axes: &[usize], mut out: ViewMut) {
    let (wide, layout) = widened::<T>(x);
    let wide = View::new(&wide, DType::F32, &layout);
    let run = |out: ViewMut| match op {
        ReduceOp::Sum | ReduceOp::Mean => sum::sum::<f32>(op, wide, axes, out),
        _ => ops::reduce(op, wide, axes, out),
    };
    if out.dtype != x.dtype {
        return run(out.reborrow());
    }
    let shape = Layout::contiguous(out.layout.shape());
    let mut result = Storage::Cpu(Buffer::new(shape.numel() * 4));
    run(ViewMut::new(&mut result, DType::F32, &shape));
    narrowed::<T>(View::new(&result, DType::F32, &shape).data(), out);
}
