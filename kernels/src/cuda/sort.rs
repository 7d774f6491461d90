//! Sorting and top-k (`kernels/cuda/sort.cu`): chunks in shared memory, then runs merged two by two.

use super::context::Context;
use super::driver::THREADS;
use super::launch::{Lines, Map, Operand, Order, Walk, arg, tag};
use super::lines::each_launch;
use super::memory::CudaBuffer;
use crate::{DType, Result, View, ViewMut};

/// Elements that a block sorts in shared memory.
const CHUNK: usize = 1024;

/// Bytes of a key with its position.
fn packed(dtype: DType) -> usize {
    if dtype.size() == 8 { 16 } else { 8 }
}

/// The first elements of the stable sort of every line, as many as the outputs hold.
pub(super) fn sort(
    cx: &'static Context,
    x: View,
    axis: usize,
    descending: bool,
    values: ViewMut,
    indices: ViewMut,
) -> Result {
    if x.layout.numel() == 0 || values.layout.numel() == 0 {
        return Ok(());
    }
    // The indices are an input of the last kernel, which writes them.
    let positions = indices.as_view();
    let length = x.layout.shape()[axis];
    if length >= 1 << 31 {
        return Err(cx.unsupported("sorting 2³¹ elements or more", x.dtype));
    }
    let (length, k) = (length as u32, values.layout.shape()[axis] as u32);
    each_launch::<2, 3>(cx, &values, [x, positions], axis, Order::Any, |lines, _| {
        let fetch = Lines { length, ..*lines };
        let keys = sorted(cx, &first_input(&fetch), x.dtype, descending)?;
        // SAFETY: sort.cu takes a Lines<2> of values, elements and positions, which are all views.
        unsafe {
            let name = ("sort", "sort_fetch", tag(x.dtype));
            let blocks = blocks(cx, x.dtype, fetch.map.count, k, THREADS)?;
            cx.launch(name, blocks, &[arg(&fetch), arg(&keys.address()), arg(&k)])
        }
    })
}

/// A contiguous row's keys with their positions, sorted.
pub(super) fn sorted_keys(cx: &'static Context, x: View) -> Result<CudaBuffer> {
    let one = x.layout.select(0, 0);
    let at = Operand::At { address: cx.address(&x)?, layout: &one, size: x.dtype.size() };
    let mut keys = None;
    Walk::<1, 2>::new(at, [at], Order::Any).launches(1, |map, _| {
        let along = [x.layout.strides()[0] as i64; 2];
        let line = Lines { map: *map, along, length: x.layout.shape()[0] as u32, team: 1 };
        keys = Some(sorted(cx, &line, x.dtype, false)?);
        Ok(())
    })?;
    Ok(keys.expect("one line"))
}

/// Sorted keys of every line.
fn sorted(cx: &'static Context, lines: &Lines<1, 2>, dtype: DType, descending: bool) -> Result<CudaBuffer> {
    let (count, length, flip) = (lines.map.count, lines.length, descending as u32);
    let bytes = count as usize * length as usize * packed(dtype);
    let (mut keys, mut other) = (cx.alloc(bytes)?, None);
    // SAFETY: sort.cu takes a Lines<1> of views, and there is room for its keys.
    unsafe {
        let name = ("sort", "sort_chunks", tag(dtype));
        let blocks = blocks(cx, dtype, count, length, CHUNK as u32)?;
        cx.launch(name, blocks, &[arg(lines), arg(&keys.address()), arg(&flip)])?;
    }
    let mut run = CHUNK as u32;
    while run < length {
        let to = match other.take() {
            Some(memory) => memory,
            None => cx.alloc(bytes)?,
        };
        // SAFETY: both have room for the keys.
        unsafe {
            let name = ("sort", "sort_merge", tag(dtype));
            let (from, into) = (keys.address(), to.address());
            let blocks = blocks(cx, dtype, count, length, THREADS)?;
            cx.launch(name, blocks, &[arg(&from), arg(&into), arg(&length), arg(&run)])?;
        }
        other = Some(std::mem::replace(&mut keys, to));
        run = run.saturating_mul(2);
    }
    Ok(keys)
}

/// Blocks for lines of `n` elements, `each` of one line to a block.
fn blocks(cx: &Context, dtype: DType, lines: u32, n: u32, each: u32) -> Result<u32> {
    let blocks = lines as u64 * n.div_ceil(each) as u64;
    u32::try_from(blocks)
        .ok()
        .filter(|&b| b < 1 << 31)
        .ok_or_else(|| cx.unsupported("sorting so many lines at once", dtype))
}

/// The same lines for a kernel that reads the first input alone.
fn first_input(l: &Lines<2, 3>) -> Lines<1, 2> {
    let m = &l.map;
    let map = Map {
        out: m.out,
        inputs: [m.inputs[0]],
        number: [0],
        extra: m.extra,
        step: m.step.map(|s| [s[0], s[1]]),
        dim: m.dim,
        dims: m.dims,
        count: m.count,
        numbers: 0,
        vectors: 0,
        splats: 0,
        padding: 0,
    };
    Lines { map, along: [l.along[0], l.along[1]], length: l.length, team: l.team }
}
