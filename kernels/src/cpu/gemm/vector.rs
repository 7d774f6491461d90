//! One row times a matrix (and by transposition a matrix times a column): bound by reading the matrix once.
//!
//! Each sum is kept in `SPLIT` parts, part `l` taking the terms `k ≡ l`, in order; they are added up
//! last, halves first. Reading along contiguous columns, the parts are the lanes of a vector; reading
//! along contiguous rows, they are as many rows of sums. Both give the same bits.

use super::real::*;
use super::scratch::Scratch;
use super::tile::finish_one;
use crate::cpu::simd::{Simd, SimdFloat};
use crate::{cpu::par, simd};

/// Parts of a sum: a vector of 64 bytes, whatever the machine has.
const fn split<T>() -> usize {
    64 / size_of::<T>()
}
/// Columns whose sums are held at once while reading rows.
const CHUNK: usize = if cfg!(miri) { 32 } else { 4096 };
/// Bytes to read from which on several threads read them.
const PARALLEL: usize = if cfg!(miri) { 2000 } else { 1 << 19 };
/// Columns read side by side.
const COLUMNS: usize = 4;
/// Rows of the same part read side by side.
const ROWS: usize = 4;

/// # Safety
/// `p.m` is 1; the operands are readable, the target is writable and used by no one else.
pub unsafe fn run<T: Real>(p: &Product<T>, parallel: bool) {
    // The row, contiguous, zeros up to a whole vector.
    let padded = p.k.next_multiple_of(split::<T>());
    let mut row = Scratch::new::<T>(padded);
    let row = &mut row.as_mut_slice::<T>()[..padded];
    for (k, x) in row.iter_mut().enumerate() {
        // SAFETY: a term that exists.
        *x = if k < p.k { unsafe { *p.a.at(0, k) } } else { T::ZERO };
    }
    let row = &*row;
    let by_rows = p.b.col == 1 && p.n >= 64 / size_of::<T>();
    let threads = par::num_threads();
    if parallel && threads > 1 && p.work() * size_of::<T>() > PARALLEL {
        // Rows are read in pieces that are as long as can be: memory is fastest so.
        let piece = if by_rows { p.n.div_ceil(threads).next_multiple_of(64) } else { 64 };
        par::for_each_job(p.n.div_ceil(piece), true, 1, &|i| {
            let start = i * piece;
            // SAFETY: ranges of columns are different elements of the target.
            unsafe { columns(p, row, start, piece.min(p.n - start), by_rows) }
        });
    } else {
        // SAFETY: the caller's promise.
        unsafe { columns(p, row, 0, p.n, by_rows) }
    }
}

unsafe fn columns<T: Real>(p: &Product<T>, row: &[T], start: usize, n: usize, by_rows: bool) {
    let part = Product { n, b: p.b.from(0, start), out: p.out.from(0, start), ..*p };
    // SAFETY: the caller's promise.
    unsafe {
        if by_rows && n >= 64 / size_of::<T>() {
            simd!(s => along_rows::<_, T>(s, &part, row))
        } else {
            simd!(s => along_columns::<_, T>(s, &part, row))
        }
    }
}

#[inline(always)]
unsafe fn along_rows<S: Simd, T: Real>(s: S, p: &Product<T>, row: &[T]) {
    let (lanes, parts) = (lanes::<S, T>(), split::<T>());
    let chunk = CHUNK.min(p.n.next_multiple_of(lanes));
    let mut sums = Scratch::new::<T>(parts * chunk);
    let sums = &mut sums.as_mut_slice::<T>()[..parts * chunk];
    for j0 in (0..p.n).step_by(chunk) {
        let n = chunk.min(p.n - j0);
        if n < lanes {
            let last = Product { n, b: p.b.from(0, j0), out: p.out.from(0, j0), ..*p };
            // SAFETY: the caller's promise.
            return unsafe { along_columns::<S, T>(s, &last, row) };
        }
        sums.fill(T::ZERO);
        // The last vector reaches back where the columns do not fill it.
        let vectors = n.div_ceil(lanes);
        let place = |v: usize| (v * lanes).min(n - lanes);
        let b = p.b.from(0, j0);
        for k0 in (0..p.k).step_by(ROWS * parts) {
            for part in 0..parts {
                let at = |i: usize| k0 + i * parts + part;
                let sums = sums[part * chunk..(part + 1) * chunk].as_mut_ptr();
                // SAFETY: rows below `p.k` and columns below `n` exist; the sums have room for all vectors.
                unsafe {
                    if at(ROWS - 1) < p.k {
                        let x: [T::V<S>; ROWS] = std::array::from_fn(
                            #[inline(always)]
                            |i| splat::<S, T>(s, row[at(i)]),
                        );
                        let rows: [*const T; ROWS] = std::array::from_fn(
                            #[inline(always)]
                            |i| b.at(at(i), 0),
                        );
                        for v in 0..vectors {
                            let (sum, column) = (sums.add(v * lanes), place(v));
                            let mut total = load::<S, T>(s, sum);
                            for i in 0..ROWS {
                                let term = load::<S, T>(s, rows[i].wrapping_add(column));
                                total = term.mul_add(x[i], total);
                            }
                            store::<S, T>(total, sum);
                        }
                        continue;
                    }
                    for i in (0..ROWS).filter(|&i| at(i) < p.k) {
                        let x = splat::<S, T>(s, row[at(i)]);
                        for v in 0..vectors {
                            let sum = sums.add(v * lanes);
                            let term = load::<S, T>(s, b.at(at(i), place(v)));
                            store::<S, T>(term.mul_add(x, load::<S, T>(s, sum)), sum);
                        }
                    }
                }
            }
        }
        let mut half = parts / 2;
        while half > 0 {
            let (low, high) = sums.split_at_mut(half * chunk);
            low.iter_mut().zip(high).for_each(|(a, b)| *a += *b);
            half /= 2;
        }
        for v in 0..vectors {
            let first = place(v);
            for j in v * lanes..(v * lanes + lanes).min(n) {
                // SAFETY: a column of the target.
                unsafe { finish_one(sums[v * lanes + j - first], &p.out, 0, j0 + j) };
            }
        }
    }
}

#[inline(always)]
unsafe fn along_columns<S: Simd, T: Real>(s: S, p: &Product<T>, row: &[T]) {
    let mut j = 0;
    while j < p.n {
        // SAFETY: the columns exist.
        unsafe {
            if p.n - j >= COLUMNS {
                some_columns::<S, T, COLUMNS>(s, p, row, j);
                j += COLUMNS;
            } else {
                some_columns::<S, T, 1>(s, p, row, j);
                j += 1;
            }
        }
    }
}

/// `C` columns from `j` on.
#[inline(always)]
unsafe fn some_columns<S: Simd, T: Real, const C: usize>(s: S, p: &Product<T>, row: &[T], j: usize) {
    let (lanes, parts) = (lanes::<S, T>(), split::<T>());
    let vectors = parts / lanes;
    let mut sums = [[splat::<S, T>(s, T::ZERO); 4]; C];
    // Whole vectors of contiguous columns are read in place.
    let whole = if p.b.row == 1 { p.k / parts * parts } else { 0 };
    let from: [*const T; C] = std::array::from_fn(|c| p.b.at(0, j + c));
    let mut gathered = [[T::ZERO; MAX_LANES]; C];
    // SAFETY: terms below `p.k` exist; the row is padded.
    unsafe {
        for k in (0..whole).step_by(parts) {
            for v in 0..vectors {
                let x = load::<S, T>(s, row.as_ptr().add(k + v * lanes));
                for c in 0..C {
                    sums[c][v] = load::<S, T>(s, from[c].add(k + v * lanes)).mul_add(x, sums[c][v]);
                }
            }
        }
        for k in (whole..p.k).step_by(parts) {
            for c in 0..C {
                for i in 0..parts {
                    gathered[c][i] = if k + i < p.k { *p.b.at(k + i, j + c) } else { T::ZERO };
                }
            }
            for v in 0..vectors {
                let x = load::<S, T>(s, row.as_ptr().add(k + v * lanes));
                for c in 0..C {
                    let term = load::<S, T>(s, gathered[c].as_ptr().add(v * lanes));
                    sums[c][v] = term.mul_add(x, sums[c][v]);
                }
            }
        }
    }
    for (c, sums) in sums.iter_mut().enumerate() {
        let mut half = vectors / 2;
        while half > 0 {
            for v in 0..half {
                sums[v] += sums[v + half];
            }
            half /= 2;
        }
        // SAFETY: a column of the target.
        unsafe { finish_one(total::<S, T>(sums[0]), &p.out, 0, j + c) };
    }
}
