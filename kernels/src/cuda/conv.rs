//! Convolution and its gradients as matrix products that gather their right factor
//! (`kernels/cuda/conv.cu` has the table of rows, columns and k).

use super::context::Context;
use super::gemm::{Epilogue, activation_number, grid, has_large_tiles, partial_sums};
use super::launch::{Divisor, Parameter, arg, tag};
use super::temp::{Fitting, Landing};
use super::tiles::{Sizes, cut};
use crate::{ConvOp, ConvParams, DType, Layout, Result, Scalar, View, ViewMut};

/// `Conv` of `conv.cu`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Params {
    left: u64,
    picture: u64,
    out: Epilogue,
    left_row: i64,
    left_far: i64,
    left_near: i64,
    image: i64,
    channel: i64,
    line: i64,
    column: i64,
    left_group: i64,
    picture_group: i64,
    out_group: i64,
    bias_group: i64,
    partial: u64,
    near: Divisor,
    taps: Divisor,
    tap_line: Divisor,
    places: Divisor,
    place_line: Divisor,
    stride_h: Divisor,
    stride_w: Divisor,
    height: u32,
    width: u32,
    padding_h: u32,
    padding_w: u32,
    dilation_h: u32,
    dilation_w: u32,
    k: u32,
    groups: u32,
    tiles_down: u32,
    tiles_across: u32,
    splits: u32,
    chunk: u32,
}

// SAFETY: the members of conv.cu in its order.
unsafe impl Parameter for Params {}

pub(super) fn conv(cx: &'static Context, op: ConvOp, params: ConvParams, out: ViewMut) -> Result {
    let dtype = out.dtype;
    if !dtype.is_float() {
        return Err(cx.unsupported("conv2d", dtype));
    }
    if out.layout.numel() == 0 {
        return Ok(());
    }
    // The left factor and the output have one step for the last two dimensions together.
    let left = match op {
        ConvOp::Forward { w, .. } | ConvOp::InputGrad { w, .. } => w,
        ConvOp::WeightGrad { g, .. } => g,
    };
    let fits = |l: &Layout| plane_step(l).is_some();
    let left = Fitting::new(cx, left, dtype, fits)?;
    let mut landing = Landing::new(cx, out, dtype, fits)?;
    products(cx, op, left.view(), params, landing.view_mut())?;
    landing.finish(cx)
}

fn sizes(l: &Layout) -> [usize; 4] {
    l.shape().try_into().expect("convolutions take four dimensions")
}
fn steps(l: &Layout) -> [i64; 4] {
    std::array::from_fn(|d| l.strides()[d] as i64)
}

/// The one step of the last two dimensions, where there is one.
fn plane_step(l: &Layout) -> Option<i64> {
    let ([.., h, w], [.., line, column]) = (sizes(l), steps(l));
    match (h, w) {
        (_, 1) => Some(line),
        (1, _) => Some(column),
        _ => (line == w as i64 * column).then_some(column),
    }
}

fn size(n: usize) -> u32 {
    assert!(n < 1 << 31, "a convolution over {n} elements of a dimension is too large for a CUDA kernel");
    n as u32
}

fn products(cx: &'static Context, op: ConvOp, left: View, params: ConvParams, out: ViewMut) -> Result {
    let (ConvParams { stride, padding, dilation, groups }, dtype) = (params, out.dtype);
    let mut p = Params {
        left: cx.address(&left)?,
        stride_h: Divisor::new(stride[0]),
        stride_w: Divisor::new(stride[1]),
        padding_h: size(padding[0]),
        padding_w: size(padding[1]),
        dilation_h: size(dilation[0]),
        dilation_w: size(dilation[1]),
        groups: size(groups),
        ..Params::default()
    };
    p.out.out = cx.address_mut(&out)?;
    let (name, picture, kernel, places) = match op {
        ConvOp::Forward { x, w, bias, activation } => {
            if let Some(bias) = bias {
                p.out.bias = cx.address(&bias)?;
                p.out.bias_row = bias.layout.strides()[0] as i64;
            }
            p.out.activation = activation_number(activation);
            ("forward", x, sizes(w.layout), sizes(out.layout))
        }
        ConvOp::InputGrad { g, w } => ("inputs", g, sizes(w.layout), sizes(out.layout)),
        ConvOp::WeightGrad { g, x } => ("weights", x, sizes(out.layout), sizes(g.layout)),
    };
    p.picture = cx.address(&picture)?;
    [p.image, p.channel, p.line, p.column] = steps(picture.layout);
    let [_, _, height, width] = sizes(picture.layout);
    (p.height, p.width) = (size(height), size(width));
    let [outputs, inputs_of_group, kh, kw] = kernel;
    let (outputs_of_group, taps) = (outputs / groups, kh * kw);
    let [images, .., lines, columns] = places;
    let area = lines * columns;
    let near = |l: &Layout| plane_step(l).expect("made so");
    let ([l0, l1, ..], [o0, o1, ..]) = (steps(left.layout), steps(out.layout));
    p.left_near = near(left.layout);
    p.out.out_near = near(out.layout);
    let of_group = |n: usize, step: i64| n as i64 * step;
    let (rows, cols, k) = match op {
        ConvOp::Forward { .. } => {
            (p.left_row, p.left_far, p.left_group) = (l0, l1, of_group(outputs_of_group, l0));
            p.picture_group = of_group(inputs_of_group, p.channel);
            (p.out.out_row, p.out.out_far, p.out_group) = (o1, o0, of_group(outputs_of_group, o1));
            p.bias_group = of_group(outputs_of_group, p.out.bias_row);
            (outputs_of_group, images * area, inputs_of_group * taps)
        }
        ConvOp::InputGrad { .. } => {
            (p.left_row, p.left_far, p.left_group) = (l1, l0, of_group(outputs_of_group, l0));
            p.picture_group = of_group(outputs_of_group, p.channel);
            (p.out.out_row, p.out.out_far, p.out_group) = (o1, o0, of_group(inputs_of_group, o1));
            (inputs_of_group, images * area, outputs_of_group * taps)
        }
        ConvOp::WeightGrad { .. } => {
            (p.left_row, p.left_far, p.left_group) = (l1, l0, of_group(outputs_of_group, l1));
            p.picture_group = of_group(inputs_of_group, p.channel);
            (p.out.out_row, p.out.out_far, p.out_group) = (o0, o1, of_group(outputs_of_group, o0));
            (outputs_of_group, inputs_of_group * taps, images * area)
        }
    };
    if k == 0 && matches!(op, ConvOp::WeightGrad { .. }) {
        return super::copy::fill(cx, out, Scalar::from(0.0));
    }
    // What is near in the left factor's k, and in the output's columns.
    let (near_k, near_cols) = match op {
        ConvOp::WeightGrad { .. } => (area, taps),
        _ => (taps, area),
    };
    p.near = Divisor::new(near_k);
    p.out.inner = Divisor::new(near_cols);
    (p.taps, p.tap_line) = (Divisor::new(taps), Divisor::new(kw));
    (p.places, p.place_line) = (Divisor::new(area), Divisor::new(columns));
    (p.out.rows, p.out.cols, p.k) = (size(rows), size(cols), size(k));
    launch(cx, name, p, dtype)
}

fn launch(cx: &'static Context, product: &'static str, mut p: Params, dtype: DType) -> Result {
    let sizes = Sizes { rows: p.out.rows, cols: p.out.cols, k: p.k, batches: p.groups };
    let how = cut(sizes, has_large_tiles(dtype), cx.driver.multiprocessors());
    [p.tiles_down, p.tiles_across] = how.tiles(sizes);
    (p.splits, p.chunk) = (how.splits, how.chunk);
    let results = sizes.results();
    let partial = partial_sums(cx, how, results, dtype)?;
    p.partial = partial.as_ref().map_or(0, |s| s.address());
    let name = match (product, how.tile == 128) {
        ("forward", true) => "conv_forward",
        ("forward", false) => "conv_small_forward",
        ("inputs", true) => "conv_inputs",
        ("inputs", false) => "conv_small_inputs",
        (_, true) => "conv_weights",
        (_, false) => "conv_small_weights",
    };
    // SAFETY: `Params` is the kernels' parameter; the views reach no further than their memory, and the
    // partial products have theirs.
    unsafe {
        let blocks = [grid(how.blocks(sizes)), 1, 1];
        cx.launch_grid(("conv", name, tag(dtype)), blocks, how.threads(), &[arg(&p)])?;
        if how.splits > 1 {
            cx.launch(("conv", "conv_combine", tag(dtype)), grid(results.div_ceil(256)), &[arg(&p)])?;
        }
    }
    Ok(())
}
