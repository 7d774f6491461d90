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
    let len = V::<S, T>::LEN;
    debug_assert_eq!(width % len, 0);
    let load = |m: &[T], i: usize| V::<S, T>::from_slice(s, &m[i..i + len]);
    let zero = V::<S, T>::simd_from(s, T::default());
    let end = x.len();
    for c in (0..width).step_by(len) {
        let rows = || (c..end).step_by(width);
        if !grad {
            let mut top = V::<S, T>::simd_from(s, T::NEG_INFINITY);
            rows().for_each(|i| top = top.max(load(x, i)));
            let mut total = zero;
            for i in rows() {
                let d = load(x, i) - top;
                let e = T::exp_lanes(d);
                total += e;
                if log { d } else { e }.store_slice(&mut x[i..i + len]);
            }
            let ln = V::<S, T>::from_fn(s, |l| total[l].ln());
            for i in rows() {
                let v = load(x, i);
                if log { v - ln } else { v / total }.store_slice(&mut x[i..i + len]);
            }
        } else {
            let mut total = zero;
            rows().for_each(|i| total += if log { load(g, i) } else { load(x, i) * load(g, i) });
            for i in rows() {
                let (y, g) = (load(x, i), load(g, i));
                let d = if log { g - T::exp_lanes(y) * total } else { y * (g - total) };
                d.store_slice(&mut x[i..i + len]);
            }
        }
    }
}
