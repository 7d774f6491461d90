//! One row times a matrix (and by transposition a matrix times a column): bound by reading the matrix once.
//!
//! Sums run in order of k within blocks of `KC`, as everywhere, so that a row gives the same bits
//! alone and among others.

use super::real::*;
use super::sizes::KC;
use super::tile::finish_one;
use crate::cpu::simd::{Simd, SimdBase, SimdFloat};
use crate::{cpu::par, simd};

/// Columns whose sums one job holds.
const CHUNK: usize = 1024;
/// Rows of the matrix read side by side.
const STREAMS: usize = 8;

/// Whether [`run`] can do it.
pub fn fits<T>(p: &Product<T>, lanes: usize) -> bool {
    p.m == 1 && ((p.n == 1) || (p.b.col == 1 && p.n >= lanes) || p.b.row == 1)
}

/// # Safety
/// `p.m` is 1; the operands are readable, the target is writable and used by no one else.
pub unsafe fn run<T: Real>(p: &Product<T>, parallel: bool) {
    // SAFETY: the caller's promise, for all columns or pieces of them.
    unsafe {
        if p.n == 1 {
            let sum = simd!(s => dot::<_, T>(s, p));
            return finish_one(sum, &p.out, 0, 0);
        }
        if parallel && p.work() * size_of::<T>() > 1 << 19 {
            // Cores share the memory: a core reads about 10 bytes in a nanosecond.
            let cost = (p.k * size_of::<T>()) as f64 * 0.1;
            par::for_each_range(p.n, 128, cost, |r| columns(p, r.start, r.len()));
        } else {
            columns(p, 0, p.n);
        }
    }
}

unsafe fn columns<T: Real>(p: &Product<T>, start: usize, n: usize) {
    let part = Product { n, b: p.b.from(0, start), out: p.out.from(0, start), ..*p };
    // SAFETY: the caller's promise.
    unsafe {
        if p.b.col == 1 {
            simd!(s => by_rows::<_, T>(s, &part))
        } else {
            simd!(s => by_columns::<_, T>(s, &part))
        }
    }
}

/// Rows of the matrix are contiguous: several at a time are added up, scaled.
#[inline(always)]
unsafe fn by_rows<S: Simd, T: Real>(s: S, p: &Product<T>) {
    let lanes = lanes::<S, T>();
    let mut sums = [T::ZERO; CHUNK + MAX_LANES];
    for j0 in (0..p.n).step_by(CHUNK) {
        let n = CHUNK.min(p.n - j0);
        // The last vector reaches back where the columns do not fill it.
        let vectors = n.div_ceil(lanes);
        let b = p.b.from(0, j0);
        let (short, back) = (n < lanes, if n < lanes { 0 } else { vectors * lanes - n });
        if short {
            // SAFETY: the caller's promise.
            unsafe { by_columns::<S, T>(s, &Product { n, b, out: p.out.from(0, j0), ..*p }) };
            return;
        }
        let place = |v: usize| if v + 1 == vectors { n - lanes } else { v * lanes };
        for k0 in (0..p.k).step_by(KC) {
            let k = KC.min(p.k - k0);
            sums[..vectors * lanes].fill(T::ZERO);
            let mut kk = k0;
            // SAFETY: all rows and columns exist; `sums` has room for all vectors.
            unsafe {
                while kk + STREAMS <= k0 + k {
                    let x: [T::V<S>; STREAMS] = std::array::from_fn(
                        #[inline(always)]
                        |i| splat::<S, T>(s, *p.a.at(0, kk + i)),
                    );
                    for v in 0..vectors {
                        let at = sums.as_mut_ptr().add(v * lanes);
                        let mut sum = load::<S, T>(s, at);
                        for (i, &x) in x.iter().enumerate() {
                            sum = load::<S, T>(s, b.at(kk + i, place(v))).mul_add(x, sum);
                        }
                        store::<S, T>(sum, at);
                    }
                    kk += STREAMS;
                }
                while kk < k0 + k {
                    let x = splat::<S, T>(s, *p.a.at(0, kk));
                    for v in 0..vectors {
                        let at = sums.as_mut_ptr().add(v * lanes);
                        let sum = load::<S, T>(s, b.at(kk, place(v))).mul_add(x, load::<S, T>(s, at));
                        store::<S, T>(sum, at);
                    }
                    kk += 1;
                }
                let target = p.out.for_block(k0 == 0, k0 + k == p.k);
                for j in 0..n {
                    let full = (vectors - 1) * lanes;
                    let at = if j < full { j } else { j + back };
                    finish_one(sums[at], &target, 0, j0 + j);
                }
            }
        }
    }
}

/// Columns of the matrix are contiguous (or short): squares are turned in registers.
#[inline(always)]
unsafe fn by_columns<S: Simd, T: Real>(s: S, p: &Product<T>) {
    let lanes = lanes::<S, T>();
    for j0 in (0..p.n).step_by(lanes) {
        let n = lanes.min(p.n - j0);
        for k0 in (0..p.k).step_by(KC) {
            let k1 = (k0 + KC).min(p.k);
            let mut sum = splat::<S, T>(s, T::ZERO);
            let mut kk = k0;
            // SAFETY: all rows and columns exist.
            unsafe {
                while p.b.row == 1 && kk + lanes <= k1 {
                    let mut t = [splat::<S, T>(s, T::ZERO); MAX_LANES];
                    for (j, t) in t[..n].iter_mut().enumerate() {
                        *t = load::<S, T>(s, p.b.at(kk, j0 + j));
                    }
                    super::pack::turn::<S, T>(&mut t);
                    for (i, &b) in t[..lanes].iter().enumerate() {
                        sum = b.mul_add(splat::<S, T>(s, *p.a.at(0, kk + i)), sum);
                    }
                    kk += lanes;
                }
                while kk < k1 {
                    let mut b = splat::<S, T>(s, T::ZERO);
                    for (j, b) in b.as_mut_slice()[..n].iter_mut().enumerate() {
                        *b = *p.b.at(kk, j0 + j);
                    }
                    sum = b.mul_add(splat::<S, T>(s, *p.a.at(0, kk)), sum);
                    kk += 1;
                }
                let target = p.out.for_block(k0 == 0, k1 == p.k);
                for (j, &sum) in sum.as_slice()[..n].iter().enumerate() {
                    finish_one(sum, &target, 0, j0 + j);
                }
            }
        }
    }
}

/// One number: four vectors of partial sums, for any steps of the operands alike.
#[inline(always)]
unsafe fn dot<S: Simd, T: Real>(s: S, p: &Product<T>) -> T {
    const PIECE: usize = 256;
    let lanes = lanes::<S, T>();
    let mut sums = [splat::<S, T>(s, T::ZERO); 4];
    let (mut a, mut b) = ([T::ZERO; PIECE], [T::ZERO; PIECE]);
    for k0 in (0..p.k).step_by(PIECE) {
        let k = PIECE.min(p.k - k0);
        let direct = k == PIECE && p.a.col == 1 && p.b.row == 1;
        // SAFETY: the places exist; copies are padded with zeros.
        unsafe {
            if !direct {
                for i in 0..PIECE {
                    (a[i], b[i]) =
                        if i < k { (*p.a.at(0, k0 + i), *p.b.at(k0 + i, 0)) } else { (T::ZERO, T::ZERO) };
                }
            }
            let (pa, pb) = if direct { (p.a.at(0, k0), p.b.at(k0, 0)) } else { (a.as_ptr(), b.as_ptr()) };
            for i in (0..PIECE).step_by(4 * lanes) {
                for (v, sum) in sums.iter_mut().enumerate() {
                    let at = i + v * lanes;
                    *sum = load::<S, T>(s, pa.add(at)).mul_add(load::<S, T>(s, pb.add(at)), *sum);
                }
            }
        }
    }
    let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    sum.as_slice().iter().fold(T::ZERO, |x, &y| x + y)
}
