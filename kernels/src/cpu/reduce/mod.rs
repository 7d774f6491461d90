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

use super::real::{Computed, narrowed, widened};
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

fn through_f32<T: Computed<In = f32>>(op: ReduceOp, x: View, axes: &[usize], mut out: ViewMut) {
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
