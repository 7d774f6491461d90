//! Layer norm over rows, and its gradients.

use super::context::Context;
use super::launch::{Lines, Order, Parameter, arg, tag};
use super::lines::each_launch;
use super::norm::{spare, sums};
use super::temp::{Fitting, Landing, side_by_side};
use crate::{Layout, Result, Scalar, Storage, View, ViewMut};

/// `LayerNorm` of `norm.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Forward {
    lines: Lines<1, 2>,
    weight: u64,
    bias: u64,
    mean: u64,
    rstd: u64,
    eps: f64,
}
// SAFETY: the members of norm.cu in its order.
unsafe impl Parameter for Forward {}

/// `LayerNormGrad` of `norm.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Grad {
    lines: Lines<2, 3>,
    weight: u64,
    mean: u64,
    rstd: u64,
}
// SAFETY: the members of norm.cu in its order.
unsafe impl Parameter for Grad {}

/// `LayerNormWeights` of `norm.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Weights {
    g: u64,
    x: u64,
    steps: [i64; 4],
    mean: u64,
    rstd: u64,
    weight: u64,
    bias: u64,
    rows: u32,
    cols: u32,
    chunk: u32,
    across: u32,
}
// SAFETY: the members of norm.cu in its order.
unsafe impl Parameter for Weights {}

pub(super) fn forward(
    cx: &'static Context,
    x: View,
    [weight, bias]: [Option<View>; 2],
    eps: f64,
    [mean, rstd]: [ViewMut; 2],
    out: ViewMut,
) -> Result {
    let (dtype, compute) = (x.dtype, x.dtype.compute());
    if mean.layout.numel() == 0 {
        return Ok(());
    }
    let weight = weight.map(|v| Fitting::new(cx, v, compute, side_by_side)).transpose()?;
    let bias = bias.map(|v| Fitting::new(cx, v, compute, side_by_side)).transpose()?;
    let mut mean = Landing::new(cx, mean, compute, side_by_side)?;
    let mut rstd = Landing::new(cx, rstd, compute, side_by_side)?;
    let at = |f: &Option<Fitting>| f.as_ref().map_or(Ok(0), |f| f.address(cx));
    let (weight, bias) = (at(&weight)?, at(&bias)?);
    let (to_mean, to_rstd) = (mean.address(cx)?, rstd.address(cx)?);
    if out.layout.numel() > 0 {
        each_launch::<1, 2>(cx, &out, [x], 1, Order::RowMajor, |lines, first| {
            let first = (first * compute.size()) as u64;
            let p =
                Forward { lines: *lines, weight, bias, mean: to_mean + first, rstd: to_rstd + first, eps };
            // SAFETY: norm.cu takes a LayerNorm; weights are as long as lines, statistics as many as lines.
            unsafe { cx.launch(("norm", "layer_norm", tag(dtype)), lines.blocks(), &[arg(&p)]) }
        })?;
    }
    mean.finish(cx)?;
    rstd.finish(cx)
}

pub(super) fn grad(
    cx: &'static Context,
    [g, x]: [View; 2],
    weight: Option<View>,
    [mean, rstd]: [View; 2],
    [dweight, dbias]: [Option<ViewMut>; 2],
    out: ViewMut,
) -> Result {
    let (dtype, compute) = (x.dtype, x.dtype.compute());
    let wanted = dweight.is_some() || dbias.is_some();
    if out.layout.numel() == 0 {
        for d in [dweight, dbias].into_iter().flatten() {
            super::copy::fill(cx, d, Scalar::from(0.0))?;
        }
        return Ok(());
    }
    let weight = weight.map(|v| Fitting::new(cx, v, compute, side_by_side)).transpose()?;
    let mean = Fitting::new(cx, mean, compute, side_by_side)?;
    let rstd = Fitting::new(cx, rstd, compute, side_by_side)?;
    let weight = weight.as_ref().map_or(Ok(0), |f| f.address(cx))?;
    let (mean, rstd) = (mean.address(cx)?, rstd.address(cx)?);
    each_launch::<2, 3>(cx, &out, [g, x], 1, Order::RowMajor, |lines, first| {
        let first = (first * compute.size()) as u64;
        let p = Grad { lines: *lines, weight, mean: mean + first, rstd: rstd + first };
        // SAFETY: norm.cu takes a LayerNormGrad; as for the forward pass.
        unsafe { cx.launch(("norm", "layer_norm_grad", tag(dtype)), lines.blocks(), &[arg(&p)]) }
    })?;
    if !wanted {
        return Ok(());
    }
    let (rows, cols) = (x.layout.shape()[0], x.layout.shape()[1]);
    assert!(rows < 1 << 31 && cols < 1 << 31, "layer norm of {rows} rows of {cols}");
    let across = cols.div_ceil(32);
    // Two blocks for each multiprocessor, of at least 64 rows.
    let chunks = (2 * cx.driver.multiprocessors() as usize / across).clamp(1, rows.div_ceil(64));
    let chunk = rows.div_ceil(chunks);
    let chunks = rows.div_ceil(chunk);
    let layout = Layout::contiguous(&[cols]);
    let mut spare_weight = spare(cx, dweight.is_some(), cols, compute)?;
    let mut spare_bias = spare(cx, dbias.is_some(), cols, compute)?;
    let dweight = dweight.unwrap_or_else(|| ViewMut::new(&mut spare_weight, compute, &layout));
    let dbias = dbias.unwrap_or_else(|| ViewMut::new(&mut spare_bias, compute, &layout));
    let fits = |l: &Layout| chunks > 1 || side_by_side(l);
    let mut dweight = Landing::new(cx, dweight, compute, fits)?;
    let mut dbias = Landing::new(cx, dbias, compute, fits)?;
    // One chunk's sums are the result.
    let room = || cx.alloc(if chunks > 1 { chunks * cols * compute.size() } else { 0 });
    let partial = [room()?, room()?];
    let (to_weight, to_bias) = match chunks {
        1 => (dweight.address(cx)?, dbias.address(cx)?),
        _ => (partial[0].address(), partial[1].address()),
    };
    let steps = |v: &View| v.layout.strides().iter().map(|&s| s as i64).collect::<Vec<_>>();
    let (of_g, of_x) = (steps(&g), steps(&x));
    let p = Weights {
        g: cx.address(&g)?,
        x: cx.address(&x)?,
        steps: [of_g[0], of_g[1], of_x[0], of_x[1]],
        mean,
        rstd,
        weight: to_weight,
        bias: to_bias,
        rows: rows as u32,
        cols: cols as u32,
        chunk: chunk as u32,
        across: across as u32,
    };
    // SAFETY: norm.cu takes a LayerNormWeights; there is room for the sums of every chunk.
    unsafe { cx.launch(("norm", "layer_norm_weights", tag(dtype)), (across * chunks) as u32, &[arg(&p)]) }?;
    if chunks > 1 {
        let [of_weight, of_bias] = partial.map(Storage::Cuda);
        sums(cx, &of_weight, [chunks, cols], 0, dweight.view_mut())?;
        sums(cx, &of_bias, [chunks, cols], 0, dbias.view_mut())?;
    }
    dweight.finish(cx)?;
    dbias.finish(cx)
}
