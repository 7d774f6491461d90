//! Copies without conversion; transposes go by square tiles.

use crate::cpu::lane::Lane;
use crate::cpu::map::{base, base_mut, map};
use crate::cpu::simd::{Simd, SimdBase};
use crate::cpu::walk::Walk;
use crate::cpu::{par, stream};
use crate::layout::{Dims, Strides};
use crate::*;
use smallvec::SmallVec;
use std::ops::Range;

/// Copies elements as they are.
pub(crate) fn copy_same(x: View, out: ViewMut) {
    let size = x.dtype.size();
    let walk = Walk::any_order([out.layout, x.layout]);
    if let Some(across) = transposed(&walk, size) {
        let lane = Lane::raw(size);
        let from = base(x.storage, x.layout, lane);
        let to = base_mut(out.storage, out.layout, lane);
        let copy = match size {
            1 => by_tiles::<u8>,
            2 => by_tiles::<i16>,
            4 => by_tiles::<f32>,
            _ => by_tiles::<f64>,
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

/// A block of the output: so many rows (which lie side by side in the input) of so many columns (its
/// rows). It is walked in strips of [`TILE`] columns, so what is read of an input row at a time are
/// [`ROWS`] elements, all of its few lines; and each output row is written 2 KiB on, a line at a time.
/// Both keep within the pages that a processor's table of them holds, whatever the strides.
const ROWS: usize = if cfg!(miri) { 32 } else { 64 };
const COLUMNS: usize = if cfg!(miri) { 32 } else { 512 };
/// Elements of a tile's side, if no vectors do it.
const TILE: usize = 16;

/// Where a matrix and its transpose lie.
#[derive(Clone, Copy)]
struct Places<T> {
    /// First element, and the steps between rows of the output.
    out: *mut T,
    out_row: isize,
    /// First element, and the steps to what lies beside it in the output's column and row.
    x: *const T,
    x_row: isize,
    x_column: isize,
}
// SAFETY: threads read `x` and write different elements of `out`.
unsafe impl<T> Sync for Places<T> {}

impl<T: Copy> Places<T> {
    /// # Safety
    /// The element is one of the matrix.
    #[inline(always)]
    unsafe fn input(&self, row: usize, column: usize) -> *const T {
        // SAFETY: the caller's promise.
        unsafe { self.x.offset(row as isize * self.x_row + column as isize * self.x_column) }
    }

    /// # Safety
    /// As of [`input`](Places::input).
    #[inline(always)]
    unsafe fn output(&self, row: usize, column: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.out.offset(row as isize * self.out_row + column as isize) }
    }

    /// The same by any steps, through a tile so that lines are read and written whole.
    ///
    /// # Safety
    /// These elements can be read and written, and are written by nobody else.
    #[inline(always)]
    unsafe fn plain(&self, rows: Range<usize>, columns: Range<usize>)
    where
        T: Default,
    {
        let mut tile = [[T::default(); TILE]; TILE];
        for top in rows.clone().step_by(TILE) {
            for left in columns.clone().step_by(TILE) {
                let (height, width) = (TILE.min(rows.end - top), TILE.min(columns.end - left));
                for c in 0..width {
                    // SAFETY: the caller's promise.
                    let line = unsafe { self.input(top, left + c) };
                    for (r, row) in tile.iter_mut().enumerate().take(height) {
                        // SAFETY: as above.
                        row[c] = unsafe { *line.offset(r as isize * self.x_row) };
                    }
                }
                for (r, row) in tile.iter().enumerate().take(height) {
                    // SAFETY: as above.
                    unsafe { self.output(top + r, left).copy_from_nonoverlapping(row.as_ptr(), width) }
                }
            }
        }
    }

    /// The block by tiles of `K·N` columns (a line) and `N` rows that are transposed in registers; what
    /// is left over goes the plain way. `x_row` must be 1, and the first column be aligned to a line if
    /// the result is streamed.
    ///
    /// # Safety
    /// As of [`plain`](Places::plain).
    #[inline(always)]
    unsafe fn vectors<S: Simd, V: SimdBase<S, Element = T>, const N: usize, const K: usize>(
        &self,
        s: S,
        rows: Range<usize>,
        columns: Range<usize>,
        streamed: bool,
    ) where
        T: Default,
    {
        let (down, along) = (rows.len() / N, columns.len() / (K * N));
        for a in 0..along {
            for d in 0..down {
                let (top, left) = (rows.start + d * N, columns.start + a * K * N);
                let mut tile = [[V::from_fn(s, |_| T::default()); N]; K];
                for (k, part) in tile.iter_mut().enumerate() {
                    for (c, v) in part.iter_mut().enumerate() {
                        // SAFETY: the tile's rows and columns are the caller's; a prefetch may go anywhere.
                        unsafe {
                            let line = self.input(top, left + k * N + c);
                            if streamed {
                                stream::prefetch(line.wrapping_byte_add(4 * stream::LINE));
                            }
                            *v = V::from_slice(s, std::slice::from_raw_parts(line, N));
                        }
                    }
                    *part = square(*part);
                }
                for r in 0..N {
                    for (k, part) in tile.iter().enumerate() {
                        // SAFETY: the tile's elements of the output are the caller's; its rows are aligned
                        // alike if it is streamed.
                        unsafe {
                            let to = self.output(top + r, left + k * N);
                            if streamed {
                                stream::store(s, to, part[r]);
                            } else {
                                part[r].store_slice(std::slice::from_raw_parts_mut(to, N));
                            }
                        }
                    }
                }
            }
        }
        let (bottom, right) = (rows.start + down * N, columns.start + along * K * N);
        // SAFETY: the caller's promise.
        unsafe {
            self.plain(bottom..rows.end, columns.start..right);
            self.plain(rows, right..columns.end);
        }
    }
}

/// Transposes `N` vectors of `N` elements: each round interleaves the halves.
#[inline(always)]
fn square<S: Simd, V: SimdBase<S>, const N: usize>(mut m: [V; N]) -> [V; N] {
    let mut done = 1;
    while done < N {
        let old = m;
        for i in 0..N / 2 {
            m[2 * i] = old[i].zip_low(old[i + N / 2]);
            m[2 * i + 1] = old[i].zip_high(old[i + N / 2]);
        }
        done *= 2;
    }
    m
}

/// Elements whose squares fit into registers.
trait Tiled: Copy + Default + Send + Sync {
    /// # Safety
    /// As of [`Places::plain`]; the first column is aligned to a line if the result is streamed.
    unsafe fn block(places: &Places<Self>, rows: Range<usize>, columns: Range<usize>, streamed: bool) {
        let _ = streamed;
        // SAFETY: the caller's promise.
        unsafe { places.plain(rows, columns) }
    }
}
impl Tiled for u8 {}
impl Tiled for i16 {}
macro_rules! tiled {
    ($($t:ident: $v:ident, $($lanes:literal * $parts:literal)*;)*) => { $(
        impl Tiled for $t {
            unsafe fn block(places: &Places<$t>, rows: Range<usize>, columns: Range<usize>, streamed: bool) {
                if places.x_row != 1 {
                    // SAFETY: the caller's promise.
                    return unsafe { places.plain(rows, columns) };
                }
                simd!(s => of_level(s, places, rows, columns, streamed));
                #[inline(always)]
                fn of_level<S: Simd>(
                    s: S, places: &Places<$t>, rows: Range<usize>, columns: Range<usize>, streamed: bool,
                ) {
                    // SAFETY: the caller of `block` promised it.
                    unsafe {
                        match S::$v::LEN {
                            $($lanes => places.vectors::<S, S::$v, $lanes, $parts>(s, rows, columns, streamed),)*
                            _ => places.plain(rows, columns),
                        }
                    }
                }
            }
        }
    )* };
}
tiled! {
    f32: f32s, 4 * 4 8 * 2 16 * 1;
    f64: f64s, 2 * 4 4 * 2 8 * 1;
}

/// # Safety
/// The walk's positions are in bounds of both memories, which are apart.
unsafe fn by_tiles<T: Tiled>(walk: &Walk<2>, across: usize, x: *mut u8, out: *mut u8) {
    let (shape, os, xs) = (walk.shape(), walk.strides(0), walk.strides(1));
    let inner = shape.len() - 1;
    let (rows, columns) = (shape[across], shape[inner]);
    let rest: Dims = (0..inner).filter(|&d| d != across).collect();
    let outer: usize = rest.iter().map(|&d| shape[d]).product();
    let [first_out, first_x] = walk.offsets();
    let places = Places {
        // SAFETY: the first element is in bounds.
        out: unsafe { out.cast::<T>().add(first_out) },
        out_row: os[across],
        // SAFETY: as above.
        x: unsafe { x.cast::<T>().add(first_x) },
        x_row: xs[across],
        x_column: xs[inner],
    };
    // Streaming needs rows that begin alike within a line; blocks then begin at a line.
    let line = stream::LINE / size_of::<T>();
    let aligned = (0..inner).all(|d| os[d] % line as isize == 0);
    let streamed = aligned && stream::pays(walk.numel() * size_of::<T>());
    let before = if aligned { places.out.addr() / size_of::<T>() % line } else { 0 };
    let (down, along) = (rows.div_ceil(ROWS), (before + columns).div_ceil(COLUMNS));
    let block = rows.min(ROWS) * columns.min(COLUMNS);
    par::for_each_range(outer * down * along, 1, 0.3 * block as f64, |units| {
        let places = &places;
        for unit in units {
            let (mut index, a, d) = (unit / down / along, unit / down % along, unit % down);
            let mut now = *places;
            for &d in rest.iter().rev() {
                let i = (index % shape[d]) as isize;
                // SAFETY: the first element of a matrix of the walk.
                unsafe { (now.out, now.x) = (now.out.offset(i * os[d]), now.x.offset(i * xs[d])) }
                index /= shape[d];
            }
            let rows = d * ROWS..((d + 1) * ROWS).min(rows);
            let columns = (a * COLUMNS).saturating_sub(before)..((a + 1) * COLUMNS - before).min(columns);
            // The part of a line that a block may begin with.
            let head = if a == 0 && before > 0 { (line - before).min(columns.len()) } else { 0 };
            // SAFETY: positions of the walk; each is written once.
            unsafe {
                now.plain(rows.clone(), columns.start..columns.start + head);
                T::block(&now, rows, columns.start + head..columns.end, streamed);
            }
        }
        if streamed {
            stream::finish();
        }
    });
}

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
