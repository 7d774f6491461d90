//! Copies without conversion; transposes go by square tiles.

use crate::cpu::lane::Lane;
use crate::cpu::map::{base, base_mut, map};
use crate::cpu::par;
use crate::cpu::walk::Walk;
use crate::layout::{Dims, Strides};
use crate::*;
use smallvec::SmallVec;

/// Copies elements as they are.
pub(crate) fn copy_same(x: View, out: ViewMut) {
    let size = x.dtype.size();
    let walk = Walk::any_order([out.layout, x.layout]);
    if let Some(across) = transposed(&walk, size) {
        let lane = Lane::raw(size);
        let from = base(x.storage, x.layout, lane);
        let to = base_mut(out.storage, out.layout, lane);
        let copy = match size {
            1 => by_tiles::<u8, 16>,
            2 => by_tiles::<i16, 16>,
            4 => by_tiles::<i32, 16>,
            _ => by_tiles::<i64, 8>,
        };
        // SAFETY: `base` checked that all positions are in bounds; input and output are apart.
        return unsafe { copy(&walk, across, from, to) };
    }
    let lane = Lane::raw(size);
    map::<1, 2>(out, lane, [x.into()], [lane], |_| 0, 0.2, &|[x], out, n| {
        // SAFETY: `map` gives kernels `n` elements of the lane's size; a copy's operands are apart.
        unsafe { out.copy_from_nonoverlapping(x, n * lane.size) }
    });
}

/// The dimension that the input runs along while the output runs along the last, if they differ so
/// that reading element by element would waste cache lines.
pub(crate) fn transposed(walk: &Walk<2>, size: usize) -> Option<usize> {
    let (shape, out, x) = (walk.shape(), walk.strides(0), walk.strides(1));
    let inner = shape.len() - 1;
    let step = |d: usize| x[d].unsigned_abs() * size;
    let across = (0..inner).filter(|&d| x[d] != 0).min_by_key(|&d| step(d))?;
    let pays = out[inner] == 1
        && shape[inner] >= 4
        && shape[across] >= 4
        && step(inner) >= 32
        && step(across) * 2 <= step(inner)
        && step(across) <= 32;
    pays.then_some(across)
}

/// # Safety
/// The walk's positions are in bounds of both memories, which are apart.
unsafe fn by_tiles<T: Element, const TILE: usize>(walk: &Walk<2>, across: usize, x: *mut u8, out: *mut u8) {
    let (shape, os, xs) = (walk.shape(), walk.strides(0), walk.strides(1));
    let inner = shape.len() - 1;
    let (rows, columns) = (shape[across], shape[inner]);
    let rest: Dims = (0..inner).filter(|&d| d != across).collect();
    let strips = rows.div_ceil(TILE);
    let outer: usize = rest.iter().map(|&d| shape[d]).product();
    let places = Places { out: out.cast::<T>(), x: x.cast::<T>() };
    let [out_offset, x_offset] = walk.offsets().map(|o| o as isize);
    par::for_each_range(outer * strips, 1, 0.4 * (TILE * columns) as f64, |range| {
        let places = &places;
        for unit in range {
            let (mut index, first) = (unit / strips, unit % strips * TILE);
            let (mut o, mut i) =
                (out_offset + first as isize * os[across], x_offset + first as isize * xs[across]);
            for &d in rest.iter().rev() {
                o += (index % shape[d]) as isize * os[d];
                i += (index % shape[d]) as isize * xs[d];
                index /= shape[d];
            }
            let height = TILE.min(rows - first);
            let mut tile = [[T::default(); TILE]; TILE];
            for left in (0..columns).step_by(TILE) {
                let width = TILE.min(columns - left);
                // SAFETY: positions of the walk; each is written once.
                unsafe {
                    let from = places.x.offset(i + left as isize * xs[inner]);
                    if height == TILE && width == TILE && xs[across] == 1 {
                        for c in 0..TILE {
                            let line = from.offset(c as isize * xs[inner]);
                            (0..TILE).for_each(|r| tile[r][c] = *line.add(r));
                        }
                    } else {
                        for c in 0..width {
                            let line = from.offset(c as isize * xs[inner]);
                            (0..height).for_each(|r| tile[r][c] = *line.offset(r as isize * xs[across]));
                        }
                    }
                    let to = places.out.offset(o + left as isize);
                    for (r, row) in tile.iter().enumerate().take(height) {
                        to.offset(r as isize * os[across]).copy_from_nonoverlapping(row.as_ptr(), width);
                    }
                }
            }
        }
    });
}

struct Places<T> {
    out: *mut T,
    x: *const T,
}
// SAFETY: threads read `x` and write different elements of `out`.
unsafe impl<T> Sync for Places<T> {}

/// An operand that a walk in the output's order would read badly, copied into that order first.
pub(crate) fn reordered(x: View, out: &Layout) -> Option<(Storage, Layout)> {
    if x.layout.numel() < 1024 || x.layout == out || x.layout.is_contiguous() && out.is_contiguous() {
        return None;
    }
    let walk = Walk::any_order([out, x.layout]);
    transposed(&walk, x.dtype.size())?;
    let mut order: SmallVec<[usize; 6]> = (0..out.ndim()).collect();
    order.sort_by_key(|&d| out.strides()[d].unsigned_abs());
    let mut strides = Strides::from_elem(0, out.ndim());
    let mut step = 1;
    for d in order {
        strides[d] = step;
        step *= out.shape()[d] as isize;
    }
    let layout = Layout::new(out.shape(), strides, 0);
    let mut storage = Storage::Cpu(Buffer::new(walk.numel() * x.dtype.size()));
    copy_same(x, ViewMut::new(&mut storage, x.dtype, &layout));
    Some((storage, layout))
}
