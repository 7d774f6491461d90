//! Walks the tiles of a block of rows and columns over one block of k.

use super::real::*;
use super::sizes::*;
use super::tile::*;
use crate::cpu::simd::Simd;
use crate::simd;
use std::ops::Range;

/// Where a block's rows of `a` come from.
pub trait LeftBlock<T>: Copy {
    type Panel<const R: usize>: Left<T>;
    /// Rows of the largest panel.
    fn most_rows(&self, mr: usize) -> usize;
    /// The panel of `R` rows from row `i` on.
    fn panel<const R: usize>(&self, i: usize) -> Self::Panel<R>;
}

/// Packed panels, one after the other; row 0 is the block's first.
#[derive(Clone, Copy)]
pub struct PackedLeft<T> {
    pub start: *const T,
    pub k: usize,
}
impl<T: Real> LeftBlock<T> for PackedLeft<T> {
    type Panel<const R: usize> = PackedRows<T, R>;
    #[inline(always)]
    fn most_rows(&self, mr: usize) -> usize {
        mr
    }
    #[inline(always)]
    fn panel<const R: usize>(&self, i: usize) -> PackedRows<T, R> {
        PackedRows(self.start.wrapping_add(i * self.k))
    }
}

impl<T: Real> LeftBlock<T> for Mat<T> {
    type Panel<const R: usize> = StridedRows<T>;
    #[inline(always)]
    fn most_rows(&self, mr: usize) -> usize {
        // More rows than that run out of address registers.
        if mr > 8 { 8 } else { mr }
    }
    #[inline(always)]
    fn panel<const R: usize>(&self, i: usize) -> StridedRows<T> {
        StridedRows::new(self.from(i, 0))
    }
}

/// Rows side by side, `step` elements from one step of k to the next.
#[derive(Clone, Copy)]
pub struct SideBlock<T> {
    pub start: *const T,
    pub step: usize,
}
impl<T: Real> LeftBlock<T> for SideBlock<T> {
    type Panel<const R: usize> = SideRows<T>;
    #[inline(always)]
    fn most_rows(&self, mr: usize) -> usize {
        mr
    }
    #[inline(always)]
    fn panel<const R: usize>(&self, i: usize) -> SideRows<T> {
        SideRows { at: self.start.wrapping_add(i), step: self.step }
    }
}

/// Rows × `V` vectors, for all rows of a block.
///
/// # Safety
/// As for [`tile`], for all rows.
#[inline(always)]
pub unsafe fn column<S: Simd, T: Real, L: LeftBlock<T>, const V: usize>(
    s: S,
    m: usize,
    k: usize,
    left: L,
    right: impl Right<T>,
    target: Target<T>,
    columns: Columns,
) {
    let most = left.most_rows(mr::<S, T>());
    let mut i = 0;
    while i < m {
        let rows = panel_rows(m - i, most);
        macro_rules! go {
            ($($r:literal)*) => { match rows {
                // SAFETY: rows `i..i + rows` are there, by the caller's promise.
                $($r if $r <= mr::<S, T>() => unsafe {
                    tile::<S, T, $r, V>(s, k, left.panel::<$r>(i), right, target.from(i, 0), columns)
                },)*
                _ => unreachable!("panel_rows gives no other"),
            } };
        }
        go!(12 8 6 4 2 1);
        i += rows;
    }
}

/// A block of packed columns.
///
/// # Safety
/// As for [`tile`]; `right` holds `n` columns, packed in panels over `k` steps.
#[inline(always)]
pub unsafe fn packed_block<S: Simd, T: Real, L: LeftBlock<T>>(
    s: S,
    [m, n, k]: [usize; 3],
    left: L,
    right: *const T,
    target: Target<T>,
) {
    let lanes = lanes::<S, T>();
    let mut j = 0;
    while j < n {
        let width = panel_cols(n - j, lanes);
        let rows = Rows { at: right.wrapping_add(j * k), lanes, step: width as isize };
        let columns = Columns { skip: 0, end: width.min(n - j) };
        // SAFETY: the panel holds these columns; the target has them.
        unsafe {
            if width == lanes {
                column::<S, T, L, 1>(s, m, k, left, rows, target.from(0, j), columns);
            } else {
                column::<S, T, L, VECTORS>(s, m, k, left, rows, target.from(0, j), columns);
            }
        }
        j += width;
    }
}

/// Columns of contiguous rows, where they lie. The last ones are covered by a tile that reaches back over
/// some that are done already.
///
/// # Safety
/// As for [`tile`]; `b` and the target have all columns before `columns.end`, at least a vector's worth.
#[inline(always)]
unsafe fn in_place_block<S: Simd, T: Real>(
    s: S,
    [m, k]: [usize; 2],
    columns: Range<usize>,
    a: Mat<T>,
    b: Mat<T>,
    target: Target<T>,
) {
    let (lanes, nr) = (lanes::<S, T>(), nr::<S, T>());
    let (mut j, end) = (columns.start, columns.end);
    while j < end {
        let two = end - j >= nr || (end - j > lanes && end >= nr);
        let width = if two { nr } else { lanes };
        let start = j.min(end - width);
        let rows = Rows { at: b.at(0, start), lanes, step: b.row };
        let columns = Columns { skip: j - start, end: width };
        let target = target.from(0, start);
        // SAFETY: columns `start..start + width` exist, and those before `j` are not stored.
        unsafe {
            if two {
                column::<S, T, Mat<T>, VECTORS>(s, m, k, a, rows, target, columns);
            } else {
                column::<S, T, Mat<T>, 1>(s, m, k, a, rows, target, columns);
            }
        }
        j = start + width;
    }
}

/// Where the operands of a block of rows, columns and steps lie.
#[derive(Clone, Copy)]
pub enum Operands<T> {
    /// Rows of `a` from the block's first on, and all columns of `b`, whose rows are contiguous.
    InPlace(Mat<T>, Mat<T>),
    /// Rows of `a`; the block's columns of `b` in packed panels.
    RightPacked(Mat<T>, *const T),
    /// Packed panels of both.
    Packed(*const T, *const T),
}

/// Computes `m` rows and some columns over `k` steps; `target` starts with the first row and with column 0.
///
/// # Safety
/// The operands are readable, and the target's block is writable and used by no one else.
pub unsafe fn block<T: Real>(
    [m, k]: [usize; 2],
    columns: Range<usize>,
    operands: Operands<T>,
    target: Target<T>,
) {
    // SAFETY: the caller's promise.
    simd!(s => unsafe { block_at(s, [m, k], columns, operands, target) })
}

#[inline(always)]
unsafe fn block_at<S: Simd, T: Real>(
    s: S,
    [m, k]: [usize; 2],
    columns: Range<usize>,
    operands: Operands<T>,
    target: Target<T>,
) {
    let size = [m, columns.len(), k];
    let packed_target = target.from(0, columns.start);
    // SAFETY: the caller's promise.
    unsafe {
        match operands {
            Operands::InPlace(a, b) => in_place_block(s, [m, k], columns, a, b, target),
            Operands::RightPacked(a, b) => packed_block(s, size, a, b, packed_target),
            Operands::Packed(a, b) => packed_block(s, size, PackedLeft { start: a, k }, b, packed_target),
        }
    }
}
