//! Products in blocks, computed by several threads where that pays.
//!
//! Operands that are not read in place are packed into shared memory: by several threads in a phase of its
//! own, before jobs compute blocks of the output in another; by one thread when the first job comes to a
//! block, which is in the cache then. Every sum is made by one job, so the number of threads does not show.

use super::block::*;
use super::pack::*;
use super::real::*;
use super::scratch::Scratch;
use super::sizes::*;
use crate::cpu::par::{SharedMut, for_each_job};
use crate::simd;

/// Packed memory of a block of rows and of columns, for several blocks of k.
#[derive(Clone, Copy)]
struct Packed<'a, T> {
    a: SharedMut<'a, T>,
    b: SharedMut<'a, T>,
    /// Rows, padded columns and steps in all.
    rows: usize,
    cols: usize,
    k: usize,
}

impl<T: Real> Packed<'_, T> {
    /// Where row `i` (a panel's first) starts in the block of k at `k0`.
    fn row(&self, k0: usize, i: usize) -> *mut T {
        let k = KC.min(self.k - k0);
        // SAFETY: inside the memory, which is `rows · k` long.
        unsafe { self.a.at(k0 * self.rows + i * k) }
    }
    fn col(&self, k0: usize, j: usize) -> *mut T {
        let k = KC.min(self.k - k0);
        // SAFETY: inside the memory, which is `cols · k` long.
        unsafe { self.b.at(k0 * self.cols + j * k) }
    }
}

/// Splits `0..n` into even pieces of about `most`, multiples of `align` but for the last.
fn pieces(n: usize, most: usize, align: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = n.div_ceil(most);
    let size = n.div_ceil(count).next_multiple_of(align);
    (0..n).step_by(size).map(move |i| (i, size.min(n - i)))
}

fn each<I: Sync>(items: &[I], parallel: bool, f: impl Fn(&I) + Sync) {
    for_each_job(items.len(), parallel, 1, &|i| f(&items[i]));
}

/// # Safety
/// The product's operands are readable, its target is writable and used by no one else.
pub unsafe fn run<T: Real>(p: &Product<T>, parallel: bool) {
    let left_in_place = left_in_place(p);
    let right_in_place = left_in_place && right_in_place(p);
    let (mc, nj) = job_size(p, parallel, right_in_place);
    let (most_rows, row_align) = if left_in_place { (p.m, rows_in_place()) } else { (MA, MC_LEAST) };
    let room = |packed: bool, count: usize| Scratch::new::<T>(if packed { count * p.k.min(KA) } else { 0 });
    let mut a = room(!left_in_place, p.m.min(MA));
    let mut b = room(!right_in_place, p.n.min(NC).next_multiple_of(NJ_LEAST));
    let (a, b) = (SharedMut::new(a.as_mut_slice::<T>()), SharedMut::new(b.as_mut_slice::<T>()));
    for (j0, cols) in pieces(p.n, NC, NJ_LEAST) {
        for k0 in (0..p.k).step_by(KA) {
            let k = KA.min(p.k - k0);
            let blocks = || (0..k).step_by(KC);
            for (i0, rows) in pieces(p.m, most_rows, MC) {
                let packed = Packed { a, b, rows, cols: cols.next_multiple_of(NJ_LEAST), k };
                // SAFETY: the operands are readable; each job writes its own panels.
                let pack_left = |kb: usize, at: usize, count: usize| unsafe {
                    let (from, to) = (p.a.from(i0 + at, k0 + kb), packed.row(kb, at));
                    simd!(s => pack_rows(s, from, count, KC.min(k - kb), to))
                };
                // SAFETY: as above.
                let pack_right = |kb: usize, at: usize, count: usize| unsafe {
                    let (from, to) = (p.b.from(k0 + kb, j0 + at), packed.col(kb, at));
                    simd!(s => pack_cols(s, from, count, KC.min(k - kb), to))
                };
                let row_pieces = || pieces(rows, mc, row_align);
                let (left_to_pack, right_to_pack) = (!left_in_place, !right_in_place && i0 == 0);
                if parallel {
                    let mut jobs = vec![];
                    for kb in blocks() {
                        if right_to_pack {
                            jobs.extend(pieces(cols, NJ_SHARED, NJ_LEAST).map(|piece| (true, kb, piece)));
                        }
                        if left_to_pack {
                            jobs.extend(row_pieces().map(|piece| (false, kb, piece)));
                        }
                    }
                    each(&jobs, true, |&(right, kb, (at, count))| {
                        if right { pack_right(kb, at, count) } else { pack_left(kb, at, count) }
                    });
                }
                let jobs: Vec<_> = pieces(cols, nj, NJ_LEAST)
                    .flat_map(|cols| row_pieces().map(move |rows| (rows, cols)))
                    .collect();
                each(&jobs, parallel, |&((i, m), (j, n))| {
                    for kb in blocks() {
                        if !parallel && right_to_pack && i == 0 {
                            pack_right(kb, j, n);
                        }
                        if !parallel && left_to_pack && j == 0 {
                            pack_left(kb, i, m);
                        }
                        let steps = KC.min(k - kb);
                        let (first, last) = (k0 + kb == 0, k0 + kb + steps == p.k);
                        let target = p.out.from(i0 + i, 0).for_block(first, last);
                        let from = p.a.from(i0 + i, k0 + kb);
                        let operands = match (left_in_place, right_in_place) {
                            (true, true) => Operands::InPlace(from, p.b.from(k0 + kb, 0)),
                            (true, false) => Operands::RightPacked(from, packed.col(kb, j)),
                            (false, _) => Operands::Packed(packed.row(kb, i), packed.col(kb, j)),
                        };
                        // SAFETY: packed above where not in place; each job stores its own block of the target.
                        unsafe { block([m, steps], j0 + j..j0 + j + n, operands, target) };
                    }
                });
            }
        }
    }
}

/// Rows and columns of a job: for several threads, smaller where a product would give only a few.
fn job_size<T>(p: &Product<T>, parallel: bool, right_in_place: bool) -> (usize, usize) {
    if !parallel {
        return (MC, NJ);
    }
    // Columns of `b` that are not packed side by side are fetched more slowly, so for more rows each.
    let (mut mc, mut nj) = (if right_in_place { 2 * MC } else { MC }, NJ_SHARED);
    while p.m.div_ceil(mc) * p.n.div_ceil(nj) < JOBS && mc.min(p.m) * nj.min(p.n) * p.k.min(KA) > PARALLEL {
        if mc.min(p.m) > nj.min(p.n) || nj == NJ_LEAST {
            if mc <= MC_LEAST {
                break;
            }
            mc /= 2;
        } else {
            nj /= 2;
        }
    }
    (mc, nj)
}
