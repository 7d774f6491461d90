//! Reductions: reduce.cu.
//!
//! How many threads share an output, and what is added to what, follows from the shape alone, so that a sum
//! has the same bits on every device.

use super::context::Context;
use super::driver::THREADS;
use super::launch::*;
use super::memory::CudaBuffer;
use crate::layout::{Dims, Strides, collapse};
use crate::{DType, Layout, ReduceOp, Result, Storage, View, ViewMut};

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
    if !(same || bytes) || (op == ReduceOp::Mean && !x.dtype.is_float()) {
        return Err(cx.unsupported(name, out.dtype));
    }
    let sides = Sides::of(&x, axes, &out);
    if sides.outputs == 0 {
        return Ok(());
    }
    if sides.keep.0.len() > DIMS || sides.fold.0.len() > DIMS {
        return by_copies(cx, op, x, axes, out);
    }
    // One element per thread index, and one block more than there are elements.
    if sides.folded > launch_limit().max(1 << 30) {
        return Err(cx.unsupported("reduction of 2³⁰ elements or more to one", x.dtype));
    }
    let (from, to) = (cx.address(&x)?, cx.address_mut(&out)?);
    sides.cut(launch_limit(), &mut |keep, from_by, to_by| {
        let size = (x.dtype.size() as i64, out.dtype.size() as i64);
        let from = from.wrapping_add_signed(from_by * size.0);
        let to = to.wrapping_add_signed(to_by * size.1);
        launch(cx, op, x.dtype, keep, &sides, from, to)
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

    /// Calls `f` with what stays of each launch, and the steps to its first element in input and output.
    fn cut(&self, limit: usize, f: &mut impl FnMut(&Side, i64, i64) -> Result) -> Result {
        let (shape, steps) = &self.keep;
        if self.outputs <= limit {
            return f(&self.keep, 0, 0);
        }
        let inner = self.outputs / shape[0];
        let rows = (limit / inner).max(1);
        for start in (0..shape[0]).step_by(rows) {
            let mut part = self.keep.clone();
            part.0[0] = rows.min(shape[0] - start);
            let by = |k: usize| start as i64 * steps[k][0] as i64;
            f(&part, by(0), by(1))?;
        }
        Ok(())
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
    let (outputs, folded) = (keep.0.iter().product::<usize>(), sides.folded);
    let (keep_dims, [keep_step, out_step]) = keep;
    let (fold_dims, [fold_step, _]) = &sides.fold;
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
        keeps: keep_dims.len() as u32,
        folds: fold_dims.len() as u32,
        outputs: outputs as u32,
        folded: folded as u32,
        chunk: folded as u32,
        chunks: 1,
        team: 0,
        second: 0,
    };
    for (d, &n) in keep_dims.iter().enumerate() {
        p.keep[d] = Divisor::new(n);
        p.keep_step[d] = keep_step[d] as i64;
        p.out_step[d] = out_step[d] as i64;
    }
    for (d, &n) in fold_dims.iter().enumerate() {
        p.fold[d] = Divisor::new(n);
        p.fold_step[d] = fold_step[d] as i64;
    }
    // Outputs side by side in the input are made side by side, if what is folded is not.
    let beside = keep_step.last() == Some(&1) && fold_step.last() != Some(&1) && outputs >= COLUMNS;
    let members = match (beside, fold_step.last()) {
        (true, _) => THREADS as usize / COLUMNS,
        // A line that lies along memory: some eight elements a thread.
        (false, Some(1)) => folded.div_ceil(8).next_power_of_two().min(THREADS as usize),
        (false, _) if folded <= 1024 => 32,
        (false, _) => THREADS as usize,
    };
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
    let arg_of = matches!(op, ReduceOp::ArgMax | ReduceOp::ArgMin);
    let (values, places) = (partial(8)?, if arg_of { partial(8)? } else { None });
    let address = |b: &Option<CudaBuffer>| b.as_ref().map_or(0, CudaBuffer::address);
    (p.partial, p.partial_at) = (address(&values), address(&places));
    let count = if op == ReduceOp::Mean { folded as f64 } else { 1.0 };
    let run = |p: &Reduce, blocks: usize| {
        let all = [arg(p), arg(&count)];
        let sum = matches!(op, ReduceOp::Sum | ReduceOp::Mean);
        // SAFETY: kernels of reduce.cu take a Reduce of views of this device's memory, sums the count as well.
        unsafe {
            let name = ("reduce", name_of(op), tag(dtype));
            cx.launch(name, blocks as u32, &all[..if sum { 2 } else { 1 }])
        }
    };
    run(&p, groups * p.chunks as usize)?;
    if p.chunks > 1 {
        let second = Reduce { second: 1, folded: p.chunks, chunks: 1, team: 32, ..p };
        run(&second, outputs.div_ceil(THREADS as usize / 32))?;
    }
    Ok(())
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
