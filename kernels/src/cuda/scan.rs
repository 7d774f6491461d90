//! Running sums and products: scan.cu.

use super::context::Context;
use super::driver::THREADS;
use super::launch::*;
use crate::{DType, Layout, Result, ScanOp, View, ViewMut};

/// Lines of at least this length are scanned by a block, unless there are so many of them that a thread for
/// each keeps the device busy.
const LONG: usize = 256;
const MANY: usize = 1 << 14;

pub(super) fn scan(cx: &Context, op: ScanOp, x: View, axis: usize, out: ViewMut) -> Result {
    let name = match op {
        ScanOp::Sum => "cumsum",
        ScanOp::Prod => "cumprod",
    };
    let result = if x.dtype.is_float() { x.dtype } else { DType::I64 };
    if out.dtype != result {
        return Err(cx.unsupported(name, out.dtype));
    }
    if x.layout.numel() == 0 {
        return Ok(());
    }
    let length = x.layout.shape()[axis];
    if length > 1 << 30 {
        return Err(cx.unsupported("running sums of more than 2³⁰ elements", x.dtype));
    }
    let along = [out.layout.strides()[axis] as i64, x.layout.strides()[axis] as i64];
    let head = |l: &Layout| l.slice(axis, 0, 1, 1);
    let (head_x, head_out) = (head(x.layout), head(out.layout));
    let from = Operand::At { address: cx.address(&x)?, layout: &head_x, size: x.dtype.size() };
    let to = Operand::At { address: cx.address_mut(&out)?, layout: &head_out, size: out.dtype.size() };
    let lines = x.layout.numel() / length;
    let team = if length >= LONG && lines < MANY { THREADS } else { 1 };
    // A block has one line, or one for each thread.
    Walk::<1, 2>::new(to, [from], Order::Any).launches(1, |map, _| {
        let lines = Lines { map: *map, along, length: length as u32, team };
        // SAFETY: kernels of scan.cu take Lines<1> of views of this device's memory.
        unsafe { cx.launch(("scan", name, tag(x.dtype)), lines.blocks(), &[arg(&lines)]) }
    })
}
