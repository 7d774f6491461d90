//! Products that are not worth packing: `a` is read where it lies, and `b` too if its rows are contiguous.

use super::block::*;
use super::pack::pack_cols;
use super::real::*;
use super::scratch::Scratch;
use super::sizes::*;
use super::tile::*;
use crate::cpu::simd::Simd;

/// # Safety
/// The product's operands are readable, its target is writable and used by no other thread.
#[inline(always)]
pub unsafe fn run<S: Simd, T: Real>(s: S, p: &Product<T>) {
    let lanes = lanes::<S, T>();
    let in_place = p.b.col == 1 && p.n >= lanes;
    let mut scratch = (!in_place).then(|| Scratch::new::<T>(KC.min(p.k) * padded_cols(p.n, lanes)));
    for k0 in (0..p.k).step_by(KC) {
        let k = KC.min(p.k - k0);
        let (a, b) = (p.a.from(0, k0), p.b.from(k0, 0));
        let target = p.out.for_block(k0 == 0, k0 + k == p.k);
        // SAFETY: the caller's promise; the scratch has room for one block of k.
        unsafe {
            if let Some(scratch) = &mut scratch {
                let packed = scratch.as_mut_slice::<T>().as_mut_ptr();
                pack_cols::<S, T>(s, b, p.n, k, packed);
                packed_block::<S, T, Mat<T>>(s, [p.m, p.n, k], a, packed, target);
            } else {
                in_place_block::<S, T>(s, [p.m, p.n, k], a, b, target);
            }
        }
    }
}

/// The last columns are covered by a tile that reaches back over some that are done already.
#[inline(always)]
unsafe fn in_place_block<S: Simd, T: Real>(
    s: S,
    [m, n, k]: [usize; 3],
    a: Mat<T>,
    b: Mat<T>,
    target: Target<T>,
) {
    let (lanes, nr) = (lanes::<S, T>(), nr::<S, T>());
    let mut j = 0;
    while j < n {
        let two = n - j >= nr || (n - j > lanes && n >= nr);
        let width = if two { nr } else { lanes };
        let start = j.min(n - width);
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
