//! Gather, scatter and the positions of non-zero elements.
//!
//! Indices are checked before anything is written, so a failed call leaves its output as it was.
//! Every output element is read or summed by one thread in the order of the indices, so results do
//! not depend on the number of threads.

mod gather;
mod nonzero;
mod scatter;

pub use gather::gather;
pub use nonzero::nonzero;
pub use scatter::scatter;

use crate::cpu::{par, walk::Walk};
use crate::{Error, Layout, Result, Strides, View};
use std::sync::Mutex;

/// Runs an expression with `$T` bound to a type of a dtype's size, for kernels that only move bits.
macro_rules! dispatch_size {
    ($d:expr, $T:ident => $e:expr) => {
        match $d.size() {
            1 => {
                type $T = u8;
                $e
            }
            2 => {
                type $T = i16;
                $e
            }
            4 => {
                type $T = i32;
                $e
            }
            _ => {
                type $T = i64;
                $e
            }
        }
    };
}
use dispatch_size;

/// Fails with the first (row-major) index that is outside `0..size`.
fn check(index: View, dim: usize, size: usize) -> Result {
    let data = index.data::<i64>();
    let walk = Walk::new([index.layout]);
    let [step] = walk.inner_strides();
    let first: Mutex<Option<(usize, i64)>> = Mutex::new(None);
    par::for_each_range(walk.numel(), 1, 1.0, |range| {
        let mut at = range.start;
        walk.runs(range, |[p], len| {
            if step == 1 && all_inside(&data[p..p + len], size) {
                at += len;
                return;
            }
            for i in 0..len {
                let v = data[(p as isize + i as isize * step) as usize];
                if v < 0 || v as u64 >= size as u64 {
                    let mut first = first.lock().expect("no panic while held");
                    if first.is_none_or(|(f, _)| at + i < f) {
                        *first = Some((at + i, v));
                    }
                    break;
                }
            }
            at += len;
        });
    });
    match first.into_inner().expect("no panic while held") {
        Some((at, index)) => Err(Error::IndexOutOfBounds { index, dim, size, at }),
        None => Ok(()),
    }
}

/// True where all indices are in `0..size`. Looked at in vectors, without a branch for each.
fn all_inside(index: &[i64], size: usize) -> bool {
    // Of an index and what it leaves to the last, one is negative where it is outside.
    let last = size as i64 - 1;
    index.iter().fold(0, |signs, &v| signs | v | last.wrapping_sub(v)) >= 0
}

/// A layout of another shape with no step along `dim`: where the slices that an index chooses start.
fn base(layout: &Layout, shape: &[usize], dim: usize) -> Layout {
    let mut strides: Strides = layout.strides().into();
    strides[dim] = 0;
    Layout::new(shape, strides, layout.offset())
}

/// A one-dimensional index seen as one of a shape, the same for all entries along other dimensions.
fn spread(index: &Layout, shape: &[usize], dim: usize) -> Layout {
    let mut strides: Strides = smallvec::smallvec![0; shape.len()];
    strides[dim] = index.strides()[0];
    Layout::new(shape, strides, index.offset())
}
