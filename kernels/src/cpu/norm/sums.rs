//! Sums over slices, precise enough for statistics.

use crate::cpu::real::{Real, V};
use crate::cpu::simd::{Simd, SimdBase};
use fearless_simd::SimdFrom;

/// `K` sums over `0..n`: `wide(i)` gives the terms of a vector from `i` on, `one(i)` those of one
/// element. Runs of a few hundred are added in `T`, their sums in f64.
#[inline(always)]
pub fn sums<const K: usize, S: Simd, T: Real>(
    s: S,
    n: usize,
    wide: impl Fn(usize) -> [V<S, T>; K],
    one: impl Fn(usize) -> [T; K],
) -> [f64; K] {
    // A multiple of two vectors of any length.
    const RUN: usize = 1024;
    let len = V::<S, T>::LEN;
    let zero = [V::<S, T>::simd_from(s, T::default()); K];
    let mut total = [0.0; K];
    let mut i = 0;
    while i + len <= n {
        let end = n.min(i + RUN);
        let (mut a, mut b) = (zero, zero);
        while i + 2 * len <= end {
            let (u, v) = (wide(i), wide(i + len));
            for k in 0..K {
                a[k] += u[k];
                b[k] += v[k];
            }
            i += 2 * len;
        }
        while i + len <= end {
            let u = wide(i);
            for k in 0..K {
                a[k] += u[k];
            }
            i += len;
        }
        for k in 0..K {
            for v in (a[k] + b[k]).as_slice() {
                total[k] += v.to_f64();
            }
        }
    }
    for i in i..n {
        let v = one(i);
        for k in 0..K {
            total[k] += v[k].to_f64();
        }
    }
    total
}

/// Vector of `x` from `i` on.
#[inline(always)]
pub fn at<S: Simd, T: Real>(s: S, x: &[T], i: usize) -> V<S, T> {
    V::<S, T>::from_slice(s, &x[i..i + V::<S, T>::LEN])
}

/// Count, mean and Σ(x − mean)² of some numbers.
#[derive(Clone, Copy, Default)]
pub struct Moments {
    pub n: f64,
    pub mean: f64,
    pub m2: f64,
}

impl Moments {
    /// Of `n` numbers whose sum is `total` and whose squared distances from a number near the mean
    /// add up to `squares(near)`.
    pub fn of<T: Real>(n: usize, total: f64, squares: impl FnOnce(T) -> f64) -> Moments {
        if n == 0 {
            return Moments::default();
        }
        let n = n as f64;
        let mean = total / n;
        let near = T::from_f64(mean);
        let off = mean - near.to_f64();
        Moments { n, mean, m2: squares(near) - n * off * off }
    }

    /// Of all numbers of both.
    pub fn merge(self, other: Moments) -> Moments {
        let n = self.n + other.n;
        if n == 0.0 {
            return self;
        }
        let d = other.mean - self.mean;
        let share = other.n / n;
        Moments { n, mean: self.mean + d * share, m2: self.m2 + other.m2 + d * d * self.n * share }
    }

    /// Their mean; NaN of nothing.
    pub fn mean(self) -> f64 {
        if self.n == 0.0 { f64::NAN } else { self.mean }
    }

    /// Mean of squared distances; NaN of nothing.
    pub fn var(self) -> f64 {
        self.m2 / self.n
    }
}
