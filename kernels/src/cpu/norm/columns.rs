//! Sums over many rows, column by column.

use crate::cpu::par::{SharedMut, for_each_range};
use crate::cpu::real::Real;
use std::ops::Range;

/// Rows that are added one by one; their sums are added in the next level.
const SHORT: usize = 32;
/// Blocks of rows that go to threads, at most.
const BLOCKS: usize = 64;

/// Adds up what `add(rows, sums)` adds to `width` sums, over all rows: in blocks that depend on the
/// number of rows alone, each in short runs, so that rounding errors stay small.
pub fn row_blocks<T: Real>(
    rows: usize,
    width: usize,
    cost: f64,
    add: impl Fn(Range<usize>, &mut [T]) + Sync,
) -> Vec<T> {
    let block = rows.div_ceil(BLOCKS).next_multiple_of(SHORT);
    let blocks = if rows == 0 { 0 } else { rows.div_ceil(block) };
    let mut sums = vec![T::default(); width * blocks.max(1)];
    let shared = SharedMut::new(&mut sums);
    for_each_range(blocks, 1, cost * (block * width) as f64, |bs| {
        let mut short = vec![T::default(); width];
        for b in bs {
            // SAFETY: one place per block.
            let sums = unsafe { shared.range(b * width..(b + 1) * width) };
            let end = ((b + 1) * block).min(rows);
            for start in (b * block..end).step_by(SHORT) {
                short.fill(T::default());
                add(start..(start + SHORT).min(end), &mut short);
                sums.iter_mut().zip(&short).for_each(|(t, &v)| *t += v);
            }
        }
    });
    let (first, rest) = sums.split_at_mut(width);
    for part in rest.chunks_exact(width.max(1)) {
        first.iter_mut().zip(part).for_each(|(t, &v)| *t += v);
    }
    sums.truncate(width);
    sums
}
