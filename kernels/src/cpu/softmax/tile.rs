//! Lines side by side, one in each lane.

use crate::cpu::real::{Real, V};
use crate::cpu::simd::{Simd, SimdBase};
use crate::simd;
use fearless_simd::SimdFrom;

/// In place on `x`, rows of `width` lines (a multiple of the vector): the output of the forward
/// pass, or the input's gradient from output `x` and its gradient `g`.
pub fn run<T: Real>(x: &mut [T], g: &[T], width: usize, log: bool, grad: bool) {
    simd!(s => lanes(s, x, g, width, log, grad))
}

#[inline(always)]
fn lanes<S: Simd, T: Real>(s: S, x: &mut [T], g: &[T], width: usize, log: bool, grad: bool) {
    debug_assert_eq!(width % V::<S, T>::LEN, 0);
    let len = V::<S, T>::LEN;
    for c in 0..width / len {
        if grad {
            gradient(s, x, g, c * len, width, log);
        } else {
            forward(s, x, c * len, width, log);
        }
    }
}

#[inline(always)]
fn load<S: Simd, T: Real>(s: S, m: &[T], i: usize) -> V<S, T> {
    V::<S, T>::from_slice(s, &m[i..i + V::<S, T>::LEN])
}

// Counted loops: `step_by` is not always inlined into the level's code.

#[inline(always)]
fn forward<S: Simd, T: Real>(s: S, x: &mut [T], c: usize, width: usize, log: bool) {
    let (len, rows) = (V::<S, T>::LEN, x.len() / width);
    let mut top = V::<S, T>::simd_from(s, T::NEG_INFINITY);
    for r in 0..rows {
        top = top.max(load(s, x, r * width + c));
    }
    let mut total = V::<S, T>::simd_from(s, T::default());
    for r in 0..rows {
        let i = r * width + c;
        let d = load(s, x, i) - top;
        let e = T::exp_lifted(d);
        total += e;
        if log { d } else { e }.store_slice(&mut x[i..i + len]);
    }
    let mut ln = total * T::UNLIFT;
    if log {
        for v in ln.as_mut_slice() {
            *v = v.ln();
        }
    }
    let share = V::<S, T>::simd_from(s, T::from_f64(1.0)) / total;
    for r in 0..rows {
        let i = r * width + c;
        let v = load(s, x, i);
        if log { v - ln } else { v * share }.store_slice(&mut x[i..i + len]);
    }
}

#[inline(always)]
fn gradient<S: Simd, T: Real>(s: S, x: &mut [T], g: &[T], c: usize, width: usize, log: bool) {
    let (len, rows) = (V::<S, T>::LEN, x.len() / width);
    let mut total = V::<S, T>::simd_from(s, T::default());
    for r in 0..rows {
        let i = r * width + c;
        total += if log { load(s, g, i) } else { load(s, x, i) * load(s, g, i) };
    }
    let lifted = total * T::UNLIFT;
    for r in 0..rows {
        let i = r * width + c;
        let (y, g) = (load(s, x, i), load(s, g, i));
        let d = if log { g - T::exp_lifted(y) * lifted } else { y * (g - total) };
        d.store_slice(&mut x[i..i + len]);
    }
}
