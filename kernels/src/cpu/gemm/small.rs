//! Products on one thread whose operands are read where they lie, but for a `b` without contiguous rows.

use super::block::*;
use super::pack::pack_cols;
use super::real::*;
use super::scratch::Scratch;
use super::sizes::*;
use crate::simd;

/// # Safety
/// The product's operands are readable, its target is writable and used by no other thread.
pub unsafe fn run<T: Real>(p: &Product<T>) {
    let in_place = right_in_place(p);
    let width = p.n.next_multiple_of(MAX_LANES * VECTORS);
    let mut scratch = (!in_place).then(|| Scratch::new::<T>(KC.min(p.k) * width));
    for k0 in (0..p.k).step_by(KC) {
        let k = KC.min(p.k - k0);
        let (a, b) = (p.a.from(0, k0), p.b.from(k0, 0));
        let target = p.out.for_block(k0 == 0, k0 + k == p.k);
        // SAFETY: the caller's promise; the scratch has room for one block of k.
        unsafe {
            let operands = match &mut scratch {
                None => Operands::InPlace(a, b),
                Some(scratch) => {
                    let packed = scratch.as_mut_slice::<T>().as_mut_ptr();
                    simd!(s => pack_cols(s, b, p.n, k, packed));
                    Operands::RightPacked(a, packed)
                }
            };
            block([p.m, k], 0..p.n, operands, target);
        }
    }
}
