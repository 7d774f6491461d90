//! Copies of panels in the order in which tiles read them.

use super::real::*;
use super::sizes::*;
use crate::cpu::simd::{Simd, SimdBase};

/// `dst[kk·width + j] = src(kk, j)` for `k` steps and `w ≤ width` columns; where `pad`, columns from `w`
/// on become zero.
///
/// # Safety
/// `src` has `k` rows and `w` columns, `dst` has room for `k·width` elements.
#[inline(always)]
unsafe fn panel<S: Simd, T: Real>(s: S, src: Mat<T>, k: usize, w: usize, width: usize, dst: *mut T) {
    // SAFETY: all places are inside by the caller's promise.
    unsafe {
        if src.col == 1 && w == width {
            copy_rows(s, src, k, width, dst);
        } else if src.row == 1 && k >= lanes::<S, T>() {
            transpose::<S, T>(s, src, k, w, width, dst);
        } else {
            gather(src, 0..k, w, width, dst);
        }
    }
}

/// Rows that are contiguous already.
#[inline(always)]
unsafe fn copy_rows<S: Simd, T: Real>(s: S, src: Mat<T>, k: usize, width: usize, dst: *mut T) {
    let lanes = lanes::<S, T>();
    for kk in 0..k {
        let (from, to) = (src.at(kk, 0), dst.wrapping_add(kk * width));
        // SAFETY: the caller's promise.
        unsafe {
            let mut j = 0;
            while j + lanes <= width {
                store::<S, T>(load::<S, T>(s, from.add(j)), to.add(j));
                j += lanes;
            }
            while j < width {
                *to.add(j) = *from.add(j);
                j += 1;
            }
        }
    }
}

/// Element by element.
unsafe fn gather<T: Real>(src: Mat<T>, steps: std::ops::Range<usize>, w: usize, width: usize, dst: *mut T) {
    for kk in steps {
        for j in 0..width {
            // SAFETY: the caller's promise.
            unsafe { *dst.add(kk * width + j) = if j < w { *src.at(kk, j) } else { T::ZERO } };
        }
    }
}

/// Columns that are contiguous: squares of vectors are turned in registers.
#[inline(always)]
unsafe fn transpose<S: Simd, T: Real>(s: S, src: Mat<T>, k: usize, w: usize, width: usize, dst: *mut T) {
    let lanes = lanes::<S, T>();
    let squares = k / lanes;
    for q in 0..squares {
        let k0 = q * lanes;
        // From the right to the left, since a store may reach into the next step's first columns.
        for group in (0..width.div_ceil(lanes)).rev() {
            let j0 = group * lanes;
            let mut t = [splat::<S, T>(s, T::ZERO); MAX_LANES];
            for j in 0..lanes {
                if j0 + j < w {
                    // SAFETY: a column that exists, `lanes` steps of it.
                    t[j] = unsafe { load::<S, T>(s, src.at(k0, j0 + j)) };
                }
            }
            turn::<S, T>(&mut t);
            for (i, v) in t[..lanes].iter().enumerate() {
                let at = (k0 + i) * width + j0;
                if at + lanes <= k * width {
                    // SAFETY: inside `dst`.
                    unsafe { store::<S, T>(*v, dst.add(at)) };
                } else {
                    for (j, &x) in v.as_slice()[..lanes.min(k * width - at)].iter().enumerate() {
                        // SAFETY: inside `dst`.
                        unsafe { *dst.add(at + j) = x };
                    }
                }
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { gather(src, squares * lanes..k, w, width, dst) };
}

/// Transposes a square of vectors: one perfect shuffle of the rows per power of two.
#[inline(always)]
pub fn turn<S: Simd, T: Real>(t: &mut [T::V<S>; MAX_LANES]) {
    let lanes = lanes::<S, T>();
    let mut round = 1;
    while round < lanes {
        let from = *t;
        for i in 0..lanes / 2 {
            (t[2 * i], t[2 * i + 1]) = from[i].interleave(from[i + lanes / 2]);
        }
        round *= 2;
    }
}

/// Packs rows `rows` of `a` (one row per `Mat` row) over `k` steps, panel after panel.
///
/// # Safety
/// `a` has those rows and steps; `dst`, for the first of `rows`, has room.
#[inline(always)]
pub unsafe fn pack_rows<S: Simd, T: Real>(s: S, a: Mat<T>, rows: usize, k: usize, dst: *mut T) {
    let mr = mr::<S, T>();
    let mut i = 0;
    while i < rows {
        let r = panel_rows(rows - i, mr);
        // SAFETY: the caller's promise.
        unsafe { panel::<S, T>(s, a.from(i, 0).transposed(), k, r, r, dst.add(i * k)) };
        i += r;
    }
}

/// Packs `n` columns of `b` over `k` steps, panel after panel, the last one padded with zeros.
///
/// # Safety
/// `b` has those columns and steps; `dst` has room for the padded columns.
#[inline(always)]
pub unsafe fn pack_cols<S: Simd, T: Real>(s: S, b: Mat<T>, n: usize, k: usize, dst: *mut T) {
    let lanes = lanes::<S, T>();
    let mut j = 0;
    while j < n {
        let width = panel_cols(n - j, lanes);
        // SAFETY: the caller's promise.
        unsafe { panel::<S, T>(s, b.from(0, j), k, width.min(n - j), width, dst.add(j * k)) };
        j += width;
    }
}
