//! Reductions: reduce.cu.
//!
//! How many threads share an output, and what is added to what, follows from the shape alone, so that a sum
//! has the same bits on every device.

use super::context::Context;
use super::driver::THREADS;
use super::launch::*;
use super::memory::CudaBuffer;
use crate::layout::{Dims, Strides, collapse};
use crate::{BinaryOp, DType, Layout, ReduceOp, Result, Scalar, Src, Storage, View, ViewMut};

/// `Reduce` of reduce.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Reduce {
    out: u64,
    input: u64,
    partial: u64,
    partial_at: u64,
    keep: [Divisor; DIMS],
    fold: [Divisor; DIMS],
    keep_step: [i64; DIMS],
    out_step: [i64; DIMS],
    fold_step: [i64; DIMS],
    keeps: u32,
    folds: u32,
    outputs: u32,
    folded: u32,
    chunk: u32,
    chunks: u32,
    team: u32,
    second: u32,
}
// SAFETY: the members of reduce.cu in its order.
unsafe impl Parameter for Reduce {}

/// Outputs of a block whose warps go across them.
const COLUMNS: usize = 32;
/// Blocks that keep a device busy: with fewer, long sums are split.
const BUSY: usize = 512;
/// Elements that a thread should have at least, when a sum is split.
const EACH: usize = 32;

fn name_of(op: ReduceOp) -> &'static str {
    match op {
        ReduceOp::Sum | ReduceOp::Mean => "sum",
        ReduceOp::Deviations => "deviations",
        ReduceOp::Prod => "prod",
        ReduceOp::Max => "max",
        ReduceOp::Min => "min",
        ReduceOp::ArgMax => "argmax",
        ReduceOp::ArgMin => "argmin",
        ReduceOp::Any => "any",
        ReduceOp::All => "all",
    }
}

pub(super) fn reduce(cx: &'static Context, op: ReduceOp, x: View, axes: &[usize], out: ViewMut) -> Result {
    let name = name_of(op);
    let result = op.output(x.dtype);
    let (same, bytes) = (out.dtype == result, out.dtype.size() == 1 && result.size() == 1);
    let elsewhere = op == ReduceOp::Deviations || (op == ReduceOp::Mean && !x.dtype.is_float());
    if !(same || bytes) || elsewhere {
        return Err(cx.unsupported(name, out.dtype));
    }
    let sides = Sides::of(&x, axes, &out);
    if sides.outputs == 0 {
        return Ok(());
    }
    if sides.keep.0.len() > DIMS || sides.fold.0.len() > DIMS {
        return by_copies(cx, op, x, axes, out);
    }
    let (from, to) = (cx.address(&x)?, cx.address_mut(&out)?);
    let size = [x.dtype.size(), out.dtype.size()].map(|n| n as i64);
    // Outputs are made by as many launches as it takes; where one folds more than a launch can, each by itself.
    let long = sides.folded > launch_limit();
    let limit = if long { 1 } else { launch_limit() };
    cut(&sides.keep, [0; 2], 0, limit, &mut |keep, by, _| {
        let from = from.wrapping_add_signed(by[0] * size[0]);
        let to = to.wrapping_add_signed(by[1] * size[1]);
        match long {
            false => launch(cx, op, x.dtype, keep, &sides, from, to),
            true => in_pieces(cx, op, x.dtype, &sides, from, to),
        }
    })
}

/// Sizes and steps of some dimensions: of the input and of the output.
type Side = (Dims, [Strides; 2]);

/// The dimensions that stay and those that are reduced.
struct Sides {
    keep: Side,
    fold: Side,
    outputs: usize,
    folded: usize,
}

impl Sides {
    fn of(x: &View, axes: &[usize], out: &ViewMut) -> Sides {
        let side = |folded: bool| {
            let dims: Dims = (0..x.layout.ndim()).filter(|d| axes.contains(d) == folded).collect();
            let shape: Dims = dims.iter().map(|&d| x.layout.shape()[d]).collect();
            let steps = |l: &Layout| dims.iter().map(|&d| l.strides()[d]).collect::<Strides>();
            // What is folded is one place of the output.
            let to = if folded { Strides::from_elem(0, dims.len()) } else { steps(out.layout) };
            collapse(&shape, [&steps(x.layout), &to])
        };
        let (keep, mut fold) = (side(false), side(true));
        let product = |s: &Side| s.0.iter().product();
        let (outputs, folded) = (product(&keep), product(&fold));
        if fold.0.is_empty() || folded == 0 {
            fold = (Dims::from_slice(&[1]), [Strides::from_slice(&[0]), Strides::from_slice(&[0])]);
        }
        Sides { keep, fold, outputs, folded }
    }
}

/// Calls `f` for parts of a side of at most `limit` elements, row-major: with the part, the steps to its first element
/// in input and output, and that one's number.
fn cut(
    side: &Side,
    at: [i64; 2],
    first: usize,
    limit: usize,
    f: &mut dyn FnMut(&Side, [i64; 2], usize) -> Result,
) -> Result {
    let (shape, steps) = side;
    let numel: usize = shape.iter().product();
    if numel <= limit {
        return f(side, at, first);
    }
    let inner = numel / shape[0];
    let moved = |by: usize| [0, 1].map(|k| at[k] + by as i64 * steps[k][0] as i64);
    if inner <= limit {
        let rows = limit / inner;
        for start in (0..shape[0]).step_by(rows) {
            let mut part = side.clone();
            part.0[0] = rows.min(shape[0] - start);
            f(&part, moved(start), first + start * inner)?;
        }
        return Ok(());
    }
    let rest: Side = (Dims::from_slice(&shape[1..]), [0, 1].map(|k| Strides::from_slice(&steps[k][1..])));
    (0..shape[0]).try_for_each(|i| cut(&rest, moved(i), first + i * inner, limit, f))
}

impl Reduce {
    /// The parameters for some outputs and what they fold, in one chunk each.
    fn new(
        (keep, [keep_step, out_step]): &Side,
        (fold, [fold_step, _]): &Side,
        input: u64,
        out: u64,
    ) -> Self {
        let (outputs, folded): (usize, usize) = (keep.iter().product(), fold.iter().product());
        let mut p = Reduce {
            out,
            input,
            partial: 0,
            partial_at: 0,
            keep: [Divisor::default(); DIMS],
            fold: [Divisor::default(); DIMS],
            keep_step: [0; DIMS],
            out_step: [0; DIMS],
            fold_step: [0; DIMS],
            keeps: keep.len() as u32,
            folds: fold.len() as u32,
            outputs: outputs as u32,
            folded: folded as u32,
            chunk: folded as u32,
            chunks: 1,
            team: 0,
            second: 0,
        };
        for (d, &n) in keep.iter().enumerate() {
            p.keep[d] = Divisor::new(n);
            p.keep_step[d] = keep_step[d] as i64;
            p.out_step[d] = out_step[d] as i64;
        }
        for (d, &n) in fold.iter().enumerate() {
            p.fold[d] = Divisor::new(n);
            p.fold_step[d] = fold_step[d] as i64;
        }
        p
    }

    fn run(&self, cx: &'static Context, op: ReduceOp, dtype: DType, folded: usize, blocks: usize) -> Result {
        let count = if op == ReduceOp::Mean { folded as f64 } else { 1.0 };
        let all = [arg(self), arg(&count)];
        let sum = matches!(op, ReduceOp::Sum | ReduceOp::Mean);
        // SAFETY: kernels of reduce.cu take a Reduce of views of this device's memory, sums the count as well.
        unsafe {
            let name = ("reduce", name_of(op), tag(dtype));
            cx.launch(name, blocks as u32, &all[..if sum { 2 } else { 1 }])
        }
    }

    /// Puts the partial results of so many chunks together.
    fn finish(self, cx: &'static Context, op: ReduceOp, dtype: DType, folded: usize, chunks: u32) -> Result {
        let (team, of_block) = if self.team == 0 { (0, COLUMNS) } else { (32, THREADS as usize / 32) };
        let second = Reduce { second: 1, folded: chunks, chunks: 1, team, ..self };
        second.run(cx, op, dtype, folded, (self.outputs as usize).div_ceil(of_block))
    }
}

/// Whether partial results are places as well.
fn places(op: ReduceOp) -> bool {
    matches!(op, ReduceOp::ArgMax | ReduceOp::ArgMin)
}

/// Bytes of a partial result: `A` of reduce.cu, without its place.
fn partial_size(op: ReduceOp, dtype: DType) -> usize {
    match op {
        ReduceOp::Any | ReduceOp::All => 4,
        ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Prod if !dtype.is_float() => 8,
        _ if dtype.size() == 8 => 8,
        _ => 4,
    }
}

/// Threads for an output whose elements lie so many steps apart.
fn members(step: Option<&isize>, folded: usize) -> usize {
    match step {
        // A line that lies along memory: some eight elements a thread.
        Some(1) => folded.div_ceil(8).next_power_of_two().min(THREADS as usize),
        _ if folded <= 1024 => 32,
        _ => THREADS as usize,
    }
}

fn launch(
    cx: &'static Context,
    op: ReduceOp,
    dtype: DType,
    keep: &Side,
    sides: &Sides,
    input: u64,
    out: u64,
) -> Result {
    let folded = sides.folded;
    let mut p = Reduce::new(keep, &sides.fold, input, out);
    // A fold of nothing has a dimension of one element all the same.
    (p.folded, p.chunk) = (folded as u32, folded as u32);
    let outputs = p.outputs as usize;
    let (step, fold_step) = (keep.1[0].last(), sides.fold.1[0].last());
    // Outputs side by side in the input are made side by side, if what is folded is not.
    let beside = step == Some(&1) && fold_step != Some(&1) && outputs >= COLUMNS;
    let members = if beside { THREADS as usize / COLUMNS } else { members(fold_step, folded) };
    let teams = THREADS as usize / members;
    p.team = if beside { 0 } else { members as u32 };
    let groups = outputs.div_ceil(teams);
    if groups < BUSY && folded > 2 * EACH * members {
        let chunks = (BUSY / groups).min(folded / (EACH * members)).max(1);
        // Whole vectors.
        p.chunk = folded.div_ceil(chunks).next_multiple_of(4) as u32;
        p.chunks = folded.div_ceil(p.chunk as usize) as u32;
    }
    let partial = |bytes: usize| -> Result<Option<CudaBuffer>> {
        if p.chunks == 1 { Ok(None) } else { cx.alloc(outputs * p.chunks as usize * bytes).map(Some) }
    };
    let (values, places) = (partial(8)?, if places(op) { partial(8)? } else { None });
    let address = |b: &Option<CudaBuffer>| b.as_ref().map_or(0, CudaBuffer::address);
    (p.partial, p.partial_at) = (address(&values), address(&places));
    p.run(cx, op, dtype, folded, groups * p.chunks as usize)?;
    if p.chunks > 1 { p.finish(cx, op, dtype, folded, p.chunks) } else { Ok(()) }
}

/// One output of more elements than a launch takes: a launch for each piece leaves partial results of its chunks
/// side by side, and the last one puts all of them together.
fn in_pieces(
    cx: &'static Context,
    op: ReduceOp,
    dtype: DType,
    sides: &Sides,
    input: u64,
    out: u64,
) -> Result {
    // The kernel's places are 32-bit numbers, the largest of which means none.
    if places(op) && sides.folded >= u32::MAX as usize {
        return Err(cx.unsupported("argmax and argmin of 2³² elements or more", dtype));
    }
    let one: Side = (Dims::new(), [Strides::new(), Strides::new()]);
    let (mut pieces, mut chunks) = (Vec::new(), 0);
    cut(&sides.fold, [0; 2], 0, launch_limit(), &mut |fold, by, first| {
        let from = input.wrapping_add_signed(by[0] * dtype.size() as i64);
        let mut p = Reduce::new(&one, fold, from, out);
        let folded = p.folded as usize;
        let members = members(fold.1[0].last(), folded);
        p.team = members as u32;
        let wanted = (folded / (EACH * members)).clamp(1, BUSY);
        p.chunk = folded.div_ceil(wanted).next_multiple_of(4).min(folded) as u32;
        // A kernel of one chunk would finish the output: a second one is empty then.
        p.chunks = (p.folded.div_ceil(p.chunk)).max(2);
        pieces.push((p, first, chunks));
        chunks += p.chunks as usize;
        Ok(())
    })?;
    let values = cx.alloc(8 * chunks)?;
    let mut at = if places(op) { Some(Storage::Cuda(cx.alloc(8 * chunks)?)) } else { None };
    let address = |at: &Option<Storage>| match at {
        Some(Storage::Cuda(memory)) => memory.address(),
        _ => 0,
    };
    let places = address(&at);
    for (piece, first, chunk) in &pieces {
        let partial_at = places + 8 * *chunk as u64;
        let partial = values.address() + (partial_size(op, dtype) * chunk) as u64;
        let p = Reduce { partial, partial_at, ..*piece };
        p.run(cx, op, dtype, sides.folded, p.chunks as usize)?;
        if let Some(at) = &mut at {
            // Places count from the piece's first element; chunks without elements have none.
            let filled = p.folded.div_ceil(p.chunk) as usize;
            let theirs = Layout::new(&[filled][..], &[1][..], *chunk);
            let first = Src::Scalar(Scalar::Int(*first as i64));
            let at = ViewMut::new(at, DType::I64, &theirs);
            super::elementwise::binary(cx, BinaryOp::Add, Src::Out, first, at)?;
        }
    }
    let all = Reduce { partial: values.address(), partial_at: places, ..pieces[0].0 };
    all.finish(cx, op, dtype, sides.folded, chunks as u32)
}

/// Views of more dimensions than a kernel walks: through contiguous copies.
fn by_copies(cx: &'static Context, op: ReduceOp, x: View, axes: &[usize], out: ViewMut) -> Result {
    let (keep, fold): (Vec<usize>, Vec<usize>) = (0..x.layout.ndim()).partition(|d| !axes.contains(d));
    let order: Vec<usize> = keep.iter().chain(&fold).copied().collect();
    let turned = x.layout.permute(&order);
    let flat = Layout::contiguous(turned.shape());
    let mut wide = Storage::Cuda(cx.alloc(flat.numel() * x.dtype.size())?);
    let from = View::new(x.storage, x.dtype, &turned);
    super::copy::copy(cx, from, ViewMut::new(&mut wide, x.dtype, &flat))?;
    let outputs: usize = keep.iter().map(|&d| x.layout.shape()[d]).product();
    let two = Layout::contiguous(&[outputs, flat.numel() / outputs.max(1)]);
    let column = Layout::contiguous(&[outputs, 1]);
    let mut narrow = Storage::Cuda(cx.alloc(outputs * out.dtype.size())?);
    let result = ViewMut::new(&mut narrow, out.dtype, &column);
    reduce(cx, op, View::new(&wide, x.dtype, &two), &[1], result)?;
    let shaped = Layout::contiguous(out.layout.shape());
    super::copy::copy(cx, View::new(&narrow, out.dtype, &shaped), out)
}
