//! Random numbers (`kernels/cuda/random.cu`): Philox, numbered as PyTorch's CUDA generator numbers it, so that
//! a seed gives what it gives there on a GPU of as many multiprocessors. The generator keeps where the
//! stream stands ([`Philox`]); no state is on the device.

use super::context::Context;
use super::driver::THREADS;
use super::launch::{Map, Operand, Order, Parameter, Walk, arg, tag};
use super::temp::{Landing, side_by_side};
use super::{elementwise, sort};
use crate::random::{Generator, Philox, acts_contiguous, representable};
use crate::{BinaryOp, CompareOp, DType, Layout, RandomOp, Result, Scalar, Src, Storage, View, ViewMut};

/// `Random` of `random.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Params {
    map: Map<1, 2>,
    seed: u64,
    offset: u64,
    a: f64,
    b: f64,
    base: i64,
    range: u64,
    adjacent: u32,
}
// SAFETY: the members of random.cu in its order.
unsafe impl Parameter for Params {}

/// What a kernel draws.
#[derive(Clone, Copy, Default)]
struct Draw {
    kernel: &'static str,
    a: f64,
    b: f64,
    base: i64,
    range: u64,
    adjacent: bool,
    /// Elements of one draw of four numbers.
    per_draw: usize,
}

/// From this range on, integers take 64 bits.
const WIDE: u64 = 1 << 28;

impl Draw {
    /// Uniforms of the dtype a kernel computes in: two of f64 to a draw, or four of f32.
    fn real(kernel: &'static str, a: f64, b: f64, dtype: DType) -> Draw {
        let per_draw = if dtype == DType::F64 { 2 } else { 4 };
        Draw { kernel, a, b, per_draw, ..Draw::default() }
    }
    fn integers(base: i64, range: u64) -> Draw {
        Draw {
            kernel: "integers",
            base,
            range,
            per_draw: if range >= WIDE { 2 } else { 4 },
            ..Draw::default()
        }
    }

    fn run(self, cx: &Context, g: &mut Generator, out: &ViewMut) -> Result {
        let order = if acts_contiguous(out.layout) { Order::RowMajor } else { Order::Any };
        let walk = Walk::<1, 2>::new(Operand::output(cx, out)?, [Operand::Number(0)], order);
        walk.launches(1, |map, _| {
            let blocks = blocks(cx, map.count as usize);
            let Philox { seed, offset } = g.device_stream();
            let p = Params {
                map: *map,
                seed,
                offset,
                a: self.a,
                b: self.b,
                base: self.base,
                range: self.range,
                adjacent: self.adjacent as u32,
            };
            // SAFETY: random.cu takes a Random, whose output is a view of this device's memory.
            unsafe { cx.launch(("random", self.kernel, tag(out.dtype)), blocks, &[arg(&p)]) }?;
            let each = blocks as usize * THREADS as usize * self.per_draw;
            advance(g, 4 * (map.count as usize).div_ceil(each));
            Ok(())
        })
    }
}

/// As many blocks as PyTorch launches: for each element a thread, but no more than run at once.
fn blocks(cx: &Context, count: usize) -> u32 {
    let at_once = cx.driver.multiprocessors() * (cx.driver.threads_per_multiprocessor() / THREADS);
    count.div_ceil(THREADS as usize).min(at_once as usize) as u32
}

/// The stream after so many numbers of each thread.
fn advance(g: &mut Generator, numbers: usize) {
    let Philox { seed, offset } = g.device_stream();
    g.set_device_stream(Philox { seed, offset: offset.wrapping_add(numbers.next_multiple_of(4) as u64) });
}

pub(super) fn random(cx: &'static Context, op: RandomOp, g: &mut Generator, out: ViewMut) -> Result {
    let dtype = out.dtype;
    let floats_only = match op {
        RandomOp::Uniform { .. } => Some("uniform"),
        RandomOp::Normal { .. } => Some("normal"),
        _ => None,
    };
    if let Some(name) = floats_only.filter(|_| !dtype.is_float()) {
        return Err(cx.unsupported(name, dtype));
    }
    if out.layout.numel() == 0 {
        return Ok(());
    }
    match op {
        RandomOp::Uniform { lo, hi } => Draw::real("uniform", lo, hi, dtype).run(cx, g, &out),
        RandomOp::Normal { mean, std } => Draw::real("normal", mean, std, dtype).run(cx, g, &out),
        RandomOp::Bernoulli { p } => Draw::real("bernoulli", p, 0.0, dtype).run(cx, g, &out),
        RandomOp::Keep { p } => {
            // PyTorch's dropout takes vectors of four where it can, one draw for each, and f32's uniforms.
            let adjacent = out.layout.numel().is_multiple_of(4) && !acts_strided(out.layout);
            let draw = Draw { adjacent, ..Draw::real("bernoulli", p, 0.0, DType::F32) };
            let mut landing = match dtype {
                DType::F64 => Landing::new(cx, out, DType::F32, |_| false)?,
                _ => Landing::There(out),
            };
            draw.run(cx, g, &landing.view_mut())?;
            landing.finish(cx)
        }
        RandomOp::Int { lo, hi } => {
            let (lo, hi) = representable(dtype, lo, hi);
            let draw = Draw::integers(lo, hi.wrapping_sub(lo) as u64);
            if dtype != DType::Bool || lo >= 0 && hi <= 2 {
                return draw.run(cx, g, &out);
            }
            let layout = Layout::contiguous(out.layout.shape());
            let mut drawn = memory(cx, &layout, DType::I64)?;
            draw.run(cx, g, &ViewMut::new(&mut drawn, DType::I64, &layout))?;
            let drawn = View::new(&drawn, DType::I64, &layout);
            elementwise::compare(cx, CompareOp::Ne, drawn.into(), Src::Scalar(Scalar::Int(0)), out)
        }
        RandomOp::BernoulliEach { p, dtype: of_p } => {
            let of_p = if of_p == DType::F64 { DType::F64 } else { DType::F32 };
            let layout = Layout::contiguous(out.layout.shape());
            let mut drawn = memory(cx, &layout, of_p)?;
            Draw::real("uniform", 0.0, 1.0, of_p).run(cx, g, &ViewMut::new(&mut drawn, of_p, &layout))?;
            let bytes: Vec<u8> = match of_p {
                DType::F64 => p.iter().flat_map(|p| p.to_le_bytes()).collect(),
                _ => p.iter().flat_map(|&p| (p as f32).to_le_bytes()).collect(),
            };
            let p = Storage::Cuda(cx.upload(&bytes)?);
            let [drawn, p] = [&drawn, &p].map(|s| Src::View(View::new(s, of_p, &layout)));
            let mut hits = Landing::new(cx, out, DType::Bool, |_| true)?;
            elementwise::compare(cx, CompareOp::Lt, drawn, p, hits.view_mut())?;
            hits.finish(cx)
        }
        RandomOp::Permutation => permutation(cx, g, out),
    }
}

/// True where neighbours in drawing order are not neighbours in memory.
fn acts_strided(layout: &Layout) -> bool {
    layout.span().len() != layout.numel()
}

fn memory(cx: &'static Context, layout: &Layout, dtype: DType) -> Result<Storage> {
    Ok(Storage::Cuda(cx.alloc(layout.numel() * dtype.size())?))
}

/// PyTorch's way on CUDA: random keys are sorted with their positions, and where keys are equal the positions
/// are shuffled. Keys have as many bits as make that rare.
fn permutation(cx: &'static Context, g: &mut Generator, out: ViewMut) -> Result {
    let n = out.layout.numel();
    // Sorting counts in 32 bits. So many keys take more memory than most devices have.
    if n >= 1 << 31 {
        return Err(cx.unsupported("randperm of 2³¹ elements or more", out.dtype));
    }
    let of = n as f64;
    let bits = (of - (6.0 * of * of + 1.0) / (12.0 * 0.9f64.ln())).log2().ceil().min(64.0) as u32;
    let (dtype, base, range) = match bits {
        ..=32 => (DType::I32, i32::MIN as i64, u32::MAX as u64),
        _ => (DType::I64, i64::MIN, u64::MAX),
    };
    let layout = Layout::contiguous(&[n]);
    let mut keys = memory(cx, &layout, dtype)?;
    Draw::integers(base, range).run(cx, g, &ViewMut::new(&mut keys, dtype, &layout))?;
    if bits != 8 * dtype.size() as u32 {
        let mask = Src::Scalar(Scalar::Int((1i64 << bits).wrapping_sub(1)));
        let keys = ViewMut::new(&mut keys, dtype, &layout);
        elementwise::binary(cx, BinaryOp::BitAnd, Src::Out, mask, keys)?;
    }
    let sorted = sort::sorted_keys(cx, View::new(&keys, dtype, &layout))?;
    let mut landing = Landing::new(cx, out, DType::I64, side_by_side)?;
    let (from, to, count) = (sorted.address(), landing.address(cx)?, n as u32);
    let Philox { seed, offset } = g.device_stream();
    // SAFETY: sort.cu takes the sorted keys and room for as many positions.
    unsafe {
        let all = [arg(&from), arg(&to), arg(&count), arg(&seed), arg(&offset)];
        cx.launch(("sort", "sort_permutation", tag(dtype)), count.div_ceil(THREADS), &all)?;
    }
    advance(g, n);
    landing.finish(cx)
}
