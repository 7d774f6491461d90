//! Softmax, its logarithm and their gradients (`kernels/cuda/softmax.cu`).

use super::context::Context;
use super::launch::{Order, arg, tag};
use super::lines::each_launch;
use crate::{Result, SoftmaxOp, ViewMut};

pub(super) fn softmax(cx: &Context, op: SoftmaxOp, log: bool, axis: usize, out: ViewMut) -> Result {
    let dtype = out.dtype;
    if !dtype.is_float() {
        return Err(cx.unsupported("softmax", dtype));
    }
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let log = log as u32;
    match op {
        SoftmaxOp::Forward { x } => each_launch::<1, 2>(cx, &out, [x], axis, Order::Any, |lines, _| {
            // SAFETY: softmax.cu takes a Lines<1> and whether logarithms are wanted.
            unsafe { cx.launch(("softmax", "softmax", tag(dtype)), lines.blocks(), &[arg(lines), arg(&log)]) }
        }),
        SoftmaxOp::Grad { y, g } => each_launch::<2, 3>(cx, &out, [y, g], axis, Order::Any, |lines, _| {
            // SAFETY: as above, with a Lines<2>.
            unsafe {
                cx.launch(("softmax", "softmax_grad", tag(dtype)), lines.blocks(), &[arg(lines), arg(&log)])
            }
        }),
    }
}
