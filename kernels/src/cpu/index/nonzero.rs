//! Positions of the non-zero elements.

use crate::cpu::par::{SharedMut, for_each_range};
use crate::cpu::walk::Walk;
use crate::{Buffer, Element, Result, Storage, View, dispatch_dtype};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Elements per piece.
const PIECE: usize = 1 << 14;

/// Indices (i64, `[count, ndim]`) of the non-zero elements in row-major order, and their count.
pub fn nonzero(x: View) -> Result<(Storage, usize)> {
    Ok(dispatch_dtype!(x.dtype, T => find::<T>(x)))
}

fn find<T: Element>(x: View) -> (Storage, usize) {
    let (data, shape) = (x.data::<T>(), x.layout.shape());
    let walk = Walk::new([x.layout]);
    let pieces = walk.numel().div_ceil(PIECE);
    let counts: Vec<AtomicUsize> = (0..=pieces).map(|_| AtomicUsize::new(0)).collect();
    for_each_range(pieces, 1, PIECE as f64, |range| {
        for piece in range {
            let mut count = 0;
            hits(data, &walk, piece, |_| count += 1);
            counts[piece + 1].store(count, Relaxed);
        }
    });
    let starts: Vec<usize> = counts
        .iter()
        .scan(0, |total, c| {
            *total += c.load(Relaxed);
            Some(*total)
        })
        .collect();
    let (ndim, total) = (shape.len(), starts[pieces]);
    let mut buffer = Buffer::new(total * ndim * size_of::<i64>());
    let out = SharedMut::new(buffer.as_mut_slice::<i64>());
    for_each_range(pieces, 1, PIECE as f64, |range| {
        for piece in range {
            // SAFETY: each piece has its own rows.
            let rows = unsafe { out.range(starts[piece] * ndim..starts[piece + 1] * ndim) };
            let mut rows = rows.chunks_exact_mut(ndim.max(1));
            hits(data, &walk, piece, |mut flat| {
                // No row where there are no dimensions.
                let Some(row) = rows.next() else { return };
                for d in (1..ndim).rev() {
                    row[d] = (flat % shape[d]) as i64;
                    flat /= shape[d];
                }
                row[0] = flat as i64;
            });
        }
    });
    (Storage::Cpu(buffer), total)
}

/// Calls `f` with the row-major number of each non-zero element of a piece.
#[inline(always)]
fn hits<T: Element>(data: &[T], walk: &Walk<1>, piece: usize, mut f: impl FnMut(usize)) {
    let [step] = walk.inner_strides();
    let mut flat = piece * PIECE;
    walk.runs(flat..(flat + PIECE).min(walk.numel()), |[p], len| {
        for i in 0..len {
            if data[(p as isize + i as isize * step) as usize] != T::default() {
                f(flat + i);
            }
        }
        flat += len;
    })
}
