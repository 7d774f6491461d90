//! Fill, arange, copies and casts: copy.cu and cast.cu.

use super::context::Context;
use super::counters::Counters;
use super::launch::*;
use crate::{DType, Result, Scalar, View, ViewMut};

pub(super) fn fill(cx: &Context, out: ViewMut, value: Scalar) -> Result {
    let size = out.dtype.size();
    let walk = Walk::<1, 2>::new(Operand::output(cx, &out)?, [Operand::number(value, out.dtype)], Order::Any);
    moved(cx, &walk, size)
}

/// Copies elements of a size, or puts a number.
fn moved(cx: &Context, walk: &Walk<1, 2>, size: usize) -> Result {
    let vector = vector_of(size);
    walk.launches(vector, |map, _| {
        // SAFETY: copy.cu takes a Map<1>, whose operands are views of this device's memory.
        unsafe { cx.launch(("copy", "copy", size_tag(size)), blocks(map.count, vector), &[arg(map)]) }
    })
}

/// `Range` of cast.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Range {
    start: f64,
    step: f64,
    start_int: i64,
    step_int: i64,
    whole: u32,
    truth: u32,
}
// SAFETY: the members of cast.cu in its order.
unsafe impl Parameter for Range {}

pub(super) fn arange(cx: &Context, out: ViewMut, start: Scalar, step: Scalar) -> Result {
    let float = matches!((start, step), (Scalar::Float(_), _) | (_, Scalar::Float(_)));
    let whole = !float && !out.dtype.is_float();
    let to = Operand::output(cx, &out)?;
    Walk::<1, 2>::new(to, [Operand::Number(0)], Order::RowMajor).launches(1, |map, first| {
        // A launch that is not the first counts on from where it begins.
        let range = Range {
            start: (first as f64).mul_add(step.to_f64(), start.to_f64()),
            step: step.to_f64(),
            start_int: start.to_i64().wrapping_add(step.to_i64().wrapping_mul(first as i64)),
            step_int: step.to_i64(),
            whole: whole as u32,
            truth: (out.dtype == DType::Bool) as u32,
        };
        // SAFETY: cast.cu takes a Map<1> and a Range; the output is a view of this device's memory.
        unsafe {
            cx.launch(("cast", "arange", tag(out.dtype)), blocks(map.count, 4), &[arg(map), arg(&range)])
        }
    })
}

pub(super) fn copy(cx: &Context, x: View, out: ViewMut) -> Result {
    if x.layout.numel() == 0 {
        return Ok(());
    }
    let from = Operand::At { address: cx.address(&x)?, layout: x.layout, size: x.dtype.size() };
    let walk = Walk::<1, 2>::new(Operand::output(cx, &out)?, [from], Order::Any);
    if x.dtype != out.dtype {
        return cast(cx, &walk, x.dtype, out.dtype);
    }
    let size = x.dtype.size();
    let flat = |k: usize| walk.strides(k) == [1];
    if flat(0) && flat(1) {
        Counters::add(&cx.counters.device_copies, 1);
        // SAFETY: both views are this device's memory, and an output shares none with an input.
        return unsafe { cx.driver.on_device(walk.address(0), walk.address(1), walk.numel() * size) };
    }
    match Transpose::of(&walk) {
        Some((transpose, blocks)) => {
            // SAFETY: copy.cu takes a Transpose; the operands are views of this device's memory.
            unsafe { cx.launch(("copy", "transpose", size_tag(size)), blocks, &[arg(&transpose)]) }
        }
        None => moved(cx, &walk, size),
    }
}

fn cast(cx: &Context, walk: &Walk<1, 2>, from: DType, to: DType) -> Result {
    // In the order of `DType`, as cast.cu has them.
    let to = to as u32;
    walk.launches(1, |map, _| {
        // SAFETY: cast.cu takes a Map<1> and the dtype; the operands are views of this device's memory.
        unsafe { cx.launch(("cast", "cast", tag(from)), blocks(map.count, 4), &[arg(map), arg(&to)]) }
    })
}

/// `Transpose` of copy.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct Transpose {
    out: u64,
    input: u64,
    rows: u32,
    cols: u32,
    in_row: i64,
    out_col: i64,
    across: u32,
    per_matrix: u32,
    dim: [Divisor; DIMS],
    in_step: [i64; DIMS],
    out_step: [i64; DIMS],
    dims: u32,
}
// SAFETY: the members of copy.cu in its order.
unsafe impl Parameter for Transpose {}

/// Rows and columns of a tile.
const TILE: usize = 32;
/// Matrices smaller than this in either direction are copied element by element.
const WORTH: usize = 16;

impl Transpose {
    /// A copy between views that are contiguous along two different dimensions, and its blocks.
    fn of(walk: &Walk<1, 2>) -> Option<(Transpose, u32)> {
        let shape = walk.shape();
        let along = |k: usize| walk.strides(k).iter().position(|&s| s == 1);
        // Rows are contiguous in the input, columns in the output.
        let (col, row) = (along(1)?, along(0)?);
        if col == row || shape.len() > DIMS + 2 || walk.numel() > launch_limit() {
            return None;
        }
        let (rows, cols) = (shape[row], shape[col]);
        if rows < WORTH || cols < WORTH {
            return None;
        }
        let others = (0..shape.len()).filter(|&d| d != row && d != col);
        let (mut dim, mut in_step, mut out_step) = ([Divisor::default(); DIMS], [0; DIMS], [0; DIMS]);
        let (mut dims, mut matrices) = (0, 1);
        for d in others {
            dim[dims] = Divisor::new(shape[d]);
            in_step[dims] = walk.strides(1)[d] as i64;
            out_step[dims] = walk.strides(0)[d] as i64;
            dims += 1;
            matrices *= shape[d];
        }
        let (across, down) = (cols.div_ceil(TILE), rows.div_ceil(TILE));
        let transpose = Transpose {
            out: walk.address(0),
            input: walk.address(1),
            rows: rows as u32,
            cols: cols as u32,
            in_row: walk.strides(1)[row] as i64,
            out_col: walk.strides(0)[col] as i64,
            across: across as u32,
            per_matrix: (across * down) as u32,
            dim,
            in_step,
            out_step,
            dims: dims as u32,
        };
        Some((transpose, (across * down * matrices) as u32))
    }
}
