//! Fill, cast, copy.

mod cast;
pub(crate) mod tiles;

#[cfg(test)]
mod tests;

use super::elementwise::scalar_bytes;
use super::lane::Lane;
use super::map::map;
use super::par::{self, SharedMut};
use super::walk::Walk;
use crate::*;

pub fn fill(out: ViewMut, value: Scalar) -> Result {
    let (dtype, lane) = (out.dtype, Lane::raw(out.dtype.size()));
    let bytes = scalar_bytes(dtype, value);
    map::<0, 1>(out, lane, [], [], |_| bytes, 0.15, &|[], out, n| {
        // SAFETY: `map` gives kernels `n` elements of the dtype's size.
        unsafe { (lane.load)((&raw const bytes).cast(), 0, out, n) }
    });
    Ok(())
}

pub fn arange(mut out: ViewMut, start: Scalar, step: Scalar) -> Result {
    let whole = !matches!((start, step), (Scalar::Float(_), _) | (_, Scalar::Float(_)));
    let walk = Walk::new([out.layout]);
    let [stride] = walk.inner_strides();
    let bool = out.dtype == DType::Bool;
    dispatch_dtype!(out.dtype, T => {
        let out = out.data::<T>();
        if T::DTYPE.is_float() || !whole {
            let (start, step) = (start.to_f64(), step.to_f64());
            // PyTorch's rounding: vectors of 32 bytes count from their own first element, rounded; the rest
            // counts from the start.
            let lanes = 32 / T::DTYPE.size();
            let whole = walk.numel() / lanes * lanes;
            let value = |i: usize| {
                let from_start = |i: usize| step.mul_add(i as f64, start);
                if !T::DTYPE.is_float() || i >= whole {
                    return from_start(i);
                }
                let first = T::from_f64(from_start(i / lanes * lanes)).to_f64();
                step.mul_add((i % lanes) as f64, first)
            };
            if bool {
                each_index(&walk, stride, out, |i| T::from_i64((value(i) != 0.0) as i64));
            } else {
                each_index(&walk, stride, out, |i| T::from_f64(value(i)));
            }
        } else {
            let (start, step) = (start.to_i64(), step.to_i64());
            let value = |i: usize| start.wrapping_add((i as i64).wrapping_mul(step));
            if bool {
                each_index(&walk, stride, out, |i| T::from_i64((value(i) != 0) as i64));
            } else {
                each_index(&walk, stride, out, |i| T::from_i64(value(i)));
            }
        }
    });
    Ok(())
}

/// Writes `f(i)` at the walk's `i`-th element.
fn each_index<T: Element>(walk: &Walk<1>, stride: isize, out: &mut [T], f: impl Fn(usize) -> T + Sync) {
    let out = SharedMut::new(out);
    par::for_each_range(walk.numel(), 1, 1.0, |range| {
        let mut i = range.start;
        walk.runs(range, |[at], n| {
            if stride == 1 {
                // SAFETY: each position is in one range only.
                let out = unsafe { out.range(at..at + n) };
                out.iter_mut().zip(i..).for_each(|(o, i)| *o = f(i));
                i += n;
                return;
            }
            for j in 0..n {
                let position = (at as isize + j as isize * stride) as usize;
                assert!(position < out.len(), "{position} of {}", out.len());
                // SAFETY: in bounds, and each position is in one range only.
                unsafe { *out.at(position) = f(i) };
                i += 1;
            }
        });
    });
}

pub fn copy(x: View, out: ViewMut) -> Result {
    if x.dtype == out.dtype {
        tiles::copy_same(x, out);
        return Ok(());
    }
    let kernel = cast::kernel(x.dtype, out.dtype);
    let lanes = [Lane::raw(x.dtype.size())];
    let out_lane = Lane::raw(out.dtype.size());
    map::<1, 2>(out, out_lane, [x.into()], lanes, |_| 0, 0.5, &|[x], out, n| {
        // SAFETY: `map` gives kernels `n` elements of each operand's size.
        unsafe { kernel(x, out, n) }
    });
    Ok(())
}
