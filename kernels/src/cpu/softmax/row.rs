//! One contiguous line.

use crate::cpu::real::{Real, V};
use crate::cpu::simd::{Simd, SimdBase};
use crate::simd;
use fearless_simd::SimdFrom;

/// `y` from `x`, or the gradient from output `x` and its gradient `g`. All of one length.
pub fn run<T: Real>(x: &[T], g: &[T], y: &mut [T], log: bool, grad: bool) {
    simd!(s => line(s, x, g, y, log, grad))
}

#[inline(always)]
fn line<S: Simd, T: Real>(s: S, x: &[T], g: &[T], y: &mut [T], log: bool, grad: bool) {
    match (grad, log) {
        (false, false) => {
            let top = max(s, x);
            let t = V::<S, T>::simd_from(s, top);
            map(
                s,
                x,
                x,
                y,
                T::NEG_INFINITY,
                #[inline(always)]
                |x, _| T::exp_lanes(x - t),
            );
            let total = sum(
                s,
                y,
                y,
                #[inline(always)]
                |y, _| y,
            );
            for v in y {
                *v /= total;
            }
        }
        (false, true) => {
            let top = max(s, x);
            let t = V::<S, T>::simd_from(s, top);
            let ln = sum(
                s,
                x,
                x,
                #[inline(always)]
                |x, _| T::exp_lanes(x - t),
            )
            .ln();
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x - top - ln;
            }
        }
        (true, false) => {
            let dot = sum(
                s,
                x,
                g,
                #[inline(always)]
                |y, g| y * g,
            );
            for ((o, &y), &g) in y.iter_mut().zip(x).zip(g) {
                *o = y * (g - dot);
            }
        }
        (true, true) => {
            let total = V::<S, T>::simd_from(
                s,
                sum(
                    s,
                    g,
                    g,
                    #[inline(always)]
                    |g, _| g,
                ),
            );
            map(
                s,
                x,
                g,
                y,
                T::default(),
                #[inline(always)]
                |y, g| g - T::exp_lanes(y) * total,
            );
        }
    }
}

/// The elements from `i` on, fewer than `LEN`, filled up with `pad`.
#[inline(always)]
fn tail<S: Simd, T: Real>(s: S, x: &[T], i: usize, pad: T) -> V<S, T> {
    let mut v = V::<S, T>::simd_from(s, pad);
    let left = &x[i..];
    v.as_mut_slice()[..left.len()].copy_from_slice(left);
    v
}

#[inline(always)]
fn load<S: Simd, T: Real>(s: S, x: &[T], i: usize) -> V<S, T> {
    V::<S, T>::from_slice(s, &x[i..i + V::<S, T>::LEN])
}

#[inline(always)]
fn map<S: Simd, T: Real>(
    s: S,
    a: &[T],
    b: &[T],
    y: &mut [T],
    pad: T,
    f: impl Fn(V<S, T>, V<S, T>) -> V<S, T>,
) {
    let (n, len) = (y.len(), V::<S, T>::LEN);
    let (a, b) = (&a[..n], &b[..n]);
    let mut i = 0;
    while i + len <= n {
        f(load(s, a, i), load(s, b, i)).store_slice(&mut y[i..i + len]);
        i += len;
    }
    if i < n {
        let v = f(tail(s, a, i, pad), tail(s, b, i, pad));
        y[i..].copy_from_slice(&v.as_slice()[..n - i]);
    }
}

#[inline(always)]
fn max<S: Simd, T: Real>(s: S, x: &[T]) -> T {
    let (n, len) = (x.len(), V::<S, T>::LEN);
    let mut acc = [V::<S, T>::simd_from(s, T::NEG_INFINITY); 4];
    let mut i = 0;
    while i + 4 * len <= n {
        for (k, a) in acc.iter_mut().enumerate() {
            *a = a.max(load(s, x, i + k * len));
        }
        i += 4 * len;
    }
    while i + len <= n {
        acc[0] = acc[0].max(load(s, x, i));
        i += len;
    }
    if i < n {
        acc[1] = acc[1].max(tail(s, x, i, T::NEG_INFINITY));
    }
    let v = acc[0].max(acc[1]).max(acc[2].max(acc[3]));
    let mut top = T::NEG_INFINITY;
    for &v in v.as_slice() {
        top = if v > top { v } else { top };
    }
    top
}

/// Sum of `f(a, b)`, in blocks that are added up in turn.
#[inline(always)]
fn sum<S: Simd, T: Real>(s: S, a: &[T], b: &[T], f: impl Fn(V<S, T>, V<S, T>) -> V<S, T>) -> T {
    const BLOCK: usize = 2048;
    let (n, len) = (a.len(), V::<S, T>::LEN);
    let b = &b[..n];
    let zero = V::<S, T>::simd_from(s, T::default());
    let mut total = zero;
    let mut i = 0;
    while i < n {
        let end = n.min(i + BLOCK);
        let mut acc = [zero; 4];
        while i + 4 * len <= end {
            for (k, v) in acc.iter_mut().enumerate() {
                *v += f(load(s, a, i + k * len), load(s, b, i + k * len));
            }
            i += 4 * len;
        }
        while i + len <= end {
            acc[0] += f(load(s, a, i), load(s, b, i));
            i += len;
        }
        if i < end {
            let v = f(tail(s, a, i, T::default()), tail(s, b, i, T::default()));
            let mut used = zero;
            used.as_mut_slice()[..end - i].copy_from_slice(&v.as_slice()[..end - i]);
            acc[1] += used;
            i = end;
        }
        total += (acc[0] + acc[1]) + (acc[2] + acc[3]);
    }
    let mut sum = T::default();
    for &v in total.as_slice() {
        sum += v;
    }
    sum
}
