//! Batch norm over the channels of `[N, C, L]`, and its gradients.

use super::context::Context;
use super::launch::{Divisor, Operand, Order, Parameter, Walk, arg, blocks, tag, vector_of};
use super::norm::{spare, sums};
use super::temp::{Fitting, Landing, side_by_side};
use crate::{Layout, Result, Storage, Strides, View, ViewMut};

/// Fewest elements of a channel that are worth a block of their own.
const LEAST: usize = 2048;
/// Channels of a block where they lie side by side; fewest elements of each, and fewest channels, that are worth
/// such a block.
const BESIDE: usize = 32;
const LEAST_BESIDE: usize = 256;
const FEWEST_BESIDE: usize = 8;

/// `Channels` of `norm.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Channels {
    x: u64,
    g: u64,
    x_step: [i64; 3],
    g_step: [i64; 3],
    length: Divisor,
    channels: u32,
    count: u32,
    chunk: u32,
    chunks: u32,
    mean: u64,
    rstd: u64,
    first: u64,
    second: u64,
}
// SAFETY: the members of norm.cu in its order.
unsafe impl Parameter for Channels {}

/// How all elements of the channels are read once.
struct Reading {
    channels: Channels,
    /// By kernels whose lanes walk neighbouring channels.
    beside: bool,
    blocks: u32,
}

/// Whether neighbouring channels lie side by side and elements of one do not.
fn beside(x: &View) -> bool {
    let (shape, strides) = (x.layout.shape(), x.layout.strides());
    shape[1] >= FEWEST_BESIDE && strides[1] == 1 && (shape[2] == 1 || strides[2] != 1)
}

impl Reading {
    fn new(cx: &Context, x: &View, g: Option<&View>) -> Result<Reading> {
        let (n, c, l) = (x.layout.shape()[0], x.layout.shape()[1], x.layout.shape()[2]);
        let count = n * l;
        assert!(count < 1 << 31 && c < 1 << 31, "batch norm of {c} channels of {count} elements");
        let beside = beside(x) && g.is_none_or(beside);
        let (groups, least) = if beside { (c.div_ceil(BESIDE), LEAST_BESIDE) } else { (c, LEAST) };
        // Two blocks for each multiprocessor.
        let wanted = (2 * cx.driver.multiprocessors() as usize).div_ceil(groups.max(1));
        let chunk = count.div_ceil(wanted.clamp(1, count.div_ceil(least).max(1))).max(1);
        // So that chunks begin where vectors can.
        let chunk = chunk.next_multiple_of(4);
        let steps = |v: &View| std::array::from_fn(|d| v.layout.strides()[d] as i64);
        let channels = Channels {
            x: cx.address(x)?,
            g: g.map_or(Ok(0), |g| cx.address(g))?,
            x_step: steps(x),
            g_step: g.map_or([0; 3], steps),
            length: Divisor::new(l.max(1)),
            channels: c as u32,
            count: count as u32,
            chunk: chunk as u32,
            chunks: count.div_ceil(chunk) as u32,
            mean: 0,
            rstd: 0,
            first: 0,
            second: 0,
        };
        let blocks = groups as u64 * channels.chunks as u64;
        assert!(blocks < 1 << 31, "batch norm of {c} channels is too large for a CUDA kernel");
        Ok(Reading { channels, beside, blocks: blocks as u32 })
    }
}

pub(super) fn stats(cx: &'static Context, x: View, mean: ViewMut, var: ViewMut) -> Result {
    let (dtype, compute, c) = (x.dtype, x.dtype.compute(), x.layout.shape()[1]);
    if c == 0 {
        return Ok(());
    }
    let Reading { channels: mut p, beside, blocks: readers } = Reading::new(cx, &x, None)?;
    let bytes = c * p.chunks as usize * compute.size();
    let (first, second) = (cx.alloc(bytes)?, cx.alloc(bytes)?);
    (p.first, p.second) = (first.address(), second.address());
    let mut mean = Landing::new(cx, mean, compute, side_by_side)?;
    let mut var = Landing::new(cx, var, compute, side_by_side)?;
    let (to_mean, to_var) = (mean.address(cx)?, var.address(cx)?);
    // SAFETY: norm.cu takes a Channels with room for two numbers of each chunk, and then these.
    unsafe {
        let name = if beside { "batch_norm_stats_beside" } else { "batch_norm_stats" };
        cx.launch(("norm", name, tag(dtype)), readers, &[arg(&p)])?;
        let addresses = [arg(&p.first), arg(&p.second), arg(&to_mean), arg(&to_var)];
        let numbers = [arg(&p.channels), arg(&p.count), arg(&p.chunk), arg(&p.chunks)];
        let name = ("norm", "batch_norm_finish", tag(dtype));
        cx.launch(name, blocks(p.channels, 1), &[addresses, numbers].concat())?;
    }
    mean.finish(cx)?;
    var.finish(cx)
}

/// Numbers of the channels, seen over all of `[N, C, L]`.
fn over(shape: &[usize], step: isize) -> Layout {
    let strides: Strides = [0, step, 0].into_iter().collect();
    Layout::new(shape, strides, 0)
}

/// What the elementwise kernels need of each channel: `w·rstd`, and for a gradient the mean of g and the
/// slope, from the sums of g and g·x̂.
struct Scales {
    scale: Storage,
    mean_g: Storage,
    slope: Storage,
}

impl Scales {
    fn new(
        cx: &'static Context,
        x: &View,
        weight: Option<View>,
        rstd: u64,
        sums: Option<[u64; 2]>,
    ) -> Result<Scales> {
        let (dtype, compute, shape) = (x.dtype, x.dtype.compute(), x.layout.shape());
        let room = |wanted: bool| spare(cx, !wanted, shape[1], compute);
        let scales =
            Scales { scale: room(true)?, mean_g: room(sums.is_some())?, slope: room(sums.is_some())? };
        let weight = weight.map(|v| Fitting::new(cx, v, compute, side_by_side)).transpose()?;
        let weight = weight.as_ref().map_or(Ok(0), |w| w.address(cx))?;
        let at = |s: &Storage| s.as_cuda().map_or(0, |b| b.address());
        let [sum, product] = sums.unwrap_or([0; 2]);
        let results = [at(&scales.scale), at(&scales.mean_g), at(&scales.slope)];
        let (channels, count) = (shape[1] as u32, (shape[0] * shape[2]) as f64);
        // SAFETY: norm.cu takes these; each is as long as there are channels, or null.
        unsafe {
            let name = ("norm", "batch_norm_scales", tag(dtype));
            let inputs = [arg(&weight), arg(&rstd), arg(&sum), arg(&product)];
            let outputs = [arg(&results[0]), arg(&results[1]), arg(&results[2])];
            let all = [&inputs[..], &outputs, &[arg(&channels), arg(&count)]].concat();
            cx.launch(name, blocks(channels, 1), &all)?;
        }
        Ok(scales)
    }
}

pub(super) fn apply(
    cx: &'static Context,
    x: View,
    [mean, rstd]: [View; 2],
    weight: Option<View>,
    bias: Option<View>,
    out: ViewMut,
) -> Result {
    let (dtype, compute, shape) = (x.dtype, x.dtype.compute(), x.layout.shape());
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let mean = Fitting::new(cx, mean, compute, side_by_side)?;
    let rstd = Fitting::new(cx, rstd, compute, side_by_side)?;
    let bias = bias.map(|b| Fitting::new(cx, b, compute, side_by_side)).transpose()?;
    let scales = match weight {
        None => None,
        Some(_) => Some(Scales::new(cx, &x, weight, rstd.address(cx)?, None)?),
    };
    let scale = match &scales {
        None => rstd.address(cx)?,
        Some(s) => s.scale.as_cuda().map_or(0, |b| b.address()),
    };
    let channel = over(shape, 1);
    let numbers = |address: u64| Operand::At { address, layout: &channel, size: compute.size() };
    let inputs = [
        Operand::At { address: cx.address(&x)?, layout: x.layout, size: dtype.size() },
        numbers(mean.address(cx)?),
        numbers(scale),
        match &bias {
            Some(b) => numbers(b.address(cx)?),
            None => Operand::Number(0),
        },
    ];
    let vector = vector_of(dtype.size());
    Walk::<4, 5>::new(Operand::output(cx, &out)?, inputs, Order::Any).launches(vector, |map, _| {
        // SAFETY: norm.cu takes a Map<4> of views of this device's memory.
        unsafe { cx.launch(("norm", "batch_norm_apply", tag(dtype)), blocks(map.count, vector), &[arg(map)]) }
    })
}

pub(super) fn grad(
    cx: &'static Context,
    [g, x]: [View; 2],
    weight: Option<View>,
    [mean, rstd]: [View; 2],
    [dweight, dbias]: [Option<ViewMut>; 2],
    out: ViewMut,
) -> Result {
    let (dtype, compute, shape) = (x.dtype, x.dtype.compute(), x.layout.shape());
    let c = shape[1];
    if c == 0 {
        return Ok(());
    }
    let mean = Fitting::new(cx, mean, compute, side_by_side)?;
    let rstd = Fitting::new(cx, rstd, compute, side_by_side)?;
    let Reading { channels: mut p, beside, blocks: readers } = Reading::new(cx, &x, Some(&g))?;
    (p.mean, p.rstd) = (mean.address(cx)?, rstd.address(cx)?);
    let layout = Layout::contiguous(&[c]);
    let mut spare_weight = spare(cx, dweight.is_some(), c, compute)?;
    let mut spare_bias = spare(cx, dbias.is_some(), c, compute)?;
    let dweight = dweight.unwrap_or_else(|| ViewMut::new(&mut spare_weight, compute, &layout));
    let dbias = dbias.unwrap_or_else(|| ViewMut::new(&mut spare_bias, compute, &layout));
    let mut dweight = Landing::new(cx, dweight, compute, side_by_side)?;
    let mut dbias = Landing::new(cx, dbias, compute, side_by_side)?;
    let (to_weight, to_bias) = (dweight.address(cx)?, dbias.address(cx)?);
    let chunks = p.chunks as usize;
    // One chunk's sums are the result; without elements sums are zero.
    let room = || cx.alloc(if chunks != 1 { chunks * c * compute.size() } else { 0 });
    let partial = [room()?, room()?];
    (p.first, p.second) = match chunks {
        1 => (to_bias, to_weight),
        _ => (partial[0].address(), partial[1].address()),
    };
    // SAFETY: norm.cu takes a Channels with room for two sums of each chunk.
    unsafe {
        let name = if beside { "batch_norm_sums_beside" } else { "batch_norm_sums" };
        cx.launch(("norm", name, tag(dtype)), readers, &[arg(&p)])?;
    }
    if chunks != 1 {
        let [of_bias, of_weight] = partial.map(Storage::Cuda);
        sums(cx, &of_bias, [c, chunks], 1, dbias.view_mut())?;
        sums(cx, &of_weight, [c, chunks], 1, dweight.view_mut())?;
    }
    if out.layout.numel() > 0 {
        let scales = Scales::new(cx, &x, weight, p.rstd, Some([to_bias, to_weight]))?;
        let channel = over(shape, 1);
        let numbers = |address: u64| Operand::At { address, layout: &channel, size: compute.size() };
        let of = |s: &Storage| numbers(s.as_cuda().map_or(0, |b| b.address()));
        let inputs = [
            Operand::At { address: p.g, layout: g.layout, size: dtype.size() },
            Operand::At { address: p.x, layout: x.layout, size: dtype.size() },
            numbers(p.mean),
            of(&scales.scale),
            of(&scales.mean_g),
            of(&scales.slope),
        ];
        let vector = vector_of(dtype.size());
        Walk::<6, 7>::new(Operand::output(cx, &out)?, inputs, Order::Any).launches(vector, |map, _| {
            // SAFETY: norm.cu takes a Map<6> of views of this device's memory.
            unsafe {
                cx.launch(("norm", "batch_norm_grad", tag(dtype)), blocks(map.count, vector), &[arg(map)])
            }
        })?;
    }
    dweight.finish(cx)?;
    dbias.finish(cx)
}
