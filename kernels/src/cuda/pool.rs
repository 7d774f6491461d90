//! Pooling (`kernels/cuda/pool.cu`): a thread for each element of the output.

use super::context::Context;
use super::launch::{Divisor, Parameter, arg, blocks, tag};
use crate::{DType, Layout, PoolOp, PoolParams, Result, Scalar, View, ViewMut};

/// `Pool` of `pool.cu`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Params {
    out: u64,
    input: u64,
    positions: u64,
    out_step: [i64; 4],
    in_step: [i64; 4],
    positions_step: [i64; 4],
    c: Divisor,
    h: Divisor,
    w: Divisor,
    count: u32,
    height: u32,
    width: u32,
    pooled_height: u32,
    pooled_width: u32,
    kernel: [u32; 2],
    stride: [u32; 2],
    padding: [u32; 2],
    dilation: [u32; 2],
    include_padding: u32,
}

// SAFETY: the members of pool.cu in its order.
unsafe impl Parameter for Params {}

pub(super) fn pool(cx: &Context, op: PoolOp, params: PoolParams, out: ViewMut) -> Result {
    let dtype = out.dtype;
    let maximum = matches!(op, PoolOp::Max { .. });
    if dtype == DType::Bool || !maximum && !dtype.is_float() {
        return Err(cx.unsupported("pool2d", dtype));
    }
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let (name, input, positions) = match &op {
        PoolOp::Max { x, indices } => ("max_pool", *x, Some(indices.as_view())),
        PoolOp::MaxGrad { g, indices } => ("max_pool_grad", *g, Some(*indices)),
        PoolOp::Avg { x } => ("avg_pool", *x, None),
        PoolOp::AvgGrad { g } => ("avg_pool_grad", *g, None),
        PoolOp::AdaptiveAvg { x } => ("adaptive_pool", *x, None),
        PoolOp::AdaptiveAvgGrad { g } => ("adaptive_pool_grad", *g, None),
    };
    let gradient =
        matches!(op, PoolOp::MaxGrad { .. } | PoolOp::AvgGrad { .. } | PoolOp::AdaptiveAvgGrad { .. });
    if gradient && input.layout.numel() == 0 {
        // Nothing to add up.
        return super::copy::fill(cx, out, Scalar::from(0.0));
    }
    let sides = [out.layout, input.layout].into_iter().flat_map(Layout::shape);
    let strides = [params.kernel, params.stride, params.padding, params.dilation];
    if out.layout.numel() >= 1 << 31 || sides.chain(strides.as_flattened()).any(|&n| n >= 1 << 31) {
        return Err(cx.unsupported("pooling of 2³¹ elements or more", dtype));
    }
    // What is pooled, and the pooled.
    let (from, to) = if gradient { (out.layout, input.layout) } else { (input.layout, out.layout) };
    let [.., height, width] = sizes(from);
    let [.., pooled_height, pooled_width] = sizes(to);
    let [_, c, h, w] = sizes(out.layout);
    let p = Params {
        out: cx.address_mut(&out)?,
        input: cx.address(&input)?,
        positions: positions.map_or(Ok(0), |v| cx.address(&v))?,
        out_step: steps(out.layout),
        in_step: steps(input.layout),
        positions_step: positions.map_or([0; 4], |v: View| steps(v.layout)),
        c: Divisor::new(c as usize),
        h: Divisor::new(h as usize),
        w: Divisor::new(w as usize),
        count: size(out.layout.numel()),
        height,
        width,
        pooled_height,
        pooled_width,
        kernel: params.kernel.map(size),
        stride: params.stride.map(size),
        padding: params.padding.map(size),
        dilation: params.dilation.map(size),
        include_padding: params.count_include_pad as u32,
    };
    // SAFETY: `Params` is the kernels' parameter; the views reach no further than their memory.
    unsafe { cx.launch(("pool", name, tag(dtype)), blocks(p.count, 1), &[arg(&p)]) }
}

/// As was checked before.
fn size(n: usize) -> u32 {
    n as u32
}
fn sizes(l: &Layout) -> [u32; 4] {
    std::array::from_fn(|d| size(l.shape()[d]))
}
fn steps(l: &Layout) -> [i64; 4] {
    std::array::from_fn(|d| l.strides()[d] as i64)
}
