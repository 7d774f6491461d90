//! One contiguous line.

use crate::cpu::real::{Real, V};
use crate::cpu::simd::{Simd, SimdBase};
use crate::cpu::stream::prefetch;
use crate::simd;
use fearless_simd::SimdFrom;

/// Lines of `n` elements, one after the other: `y` from `x`, or the gradient from output `x` and its
/// gradient `g`.
pub fn run<T: Real>(x: &[T], g: &[T], y: &mut [T], n: usize, log: bool, grad: bool) {
    if n > 0 {
        simd!(s => lines(s, x, g, y, n, log, grad))
    }
}

#[inline(always)]
fn lines<S: Simd, T: Real>(s: S, x: &[T], g: &[T], y: &mut [T], n: usize, log: bool, grad: bool) {
    for i in 0..y.len() / n {
        let line = i * n..(i + 1) * n;
        let (x, y) = (&x[line.clone()], &mut y[line.clone()]);
        if grad {
            gradient(s, x, &g[line], y, log);
        } else {
            forward(s, x, y, log);
        }
    }
}

#[inline(always)]
fn forward<S: Simd, T: Real>(s: S, x: &[T], y: &mut [T], log: bool) {
    let (n, len) = (x.len(), V::<S, T>::LEN);
    let whole = n / len * len;
    // −∞ in the lanes beyond the line adds nothing to its sum.
    let last = tail(s, x, whole, T::NEG_INFINITY);
    let top = max(s, &x[..whole], last);
    let t = V::<S, T>::simd_from(s, top);
    let last_e = T::exp_lifted(last - t);
    let (y, y_last) = y.split_at_mut(whole);
    if log {
        let sum = sum::<S, T>(
            s,
            whole,
            #[inline(always)]
            |i| {
                fetch_next(&x[i..i + len], n);
                T::exp_lifted(load(s, x, i) - t)
            },
        );
        let ln = V::<S, T>::simd_from(s, (total::<S, T>(sum + last_e) * T::UNLIFT).ln());
        each::<S, T>(
            s,
            y,
            #[inline(always)]
            |i, _| load(s, x, i) - t - ln,
        );
        put::<S, T>(y_last, last - t - ln);
    } else {
        let sum = sum::<S, T>(
            s,
            whole,
            #[inline(always)]
            |i| {
                fetch_next(&x[i..i + len], n);
                let e = T::exp_lifted(load(s, x, i) - t);
                e.store_slice(&mut y[i..i + len]);
                e
            },
        );
        let share = V::<S, T>::simd_from(s, T::from_f64(1.0) / total::<S, T>(sum + last_e));
        each::<S, T>(
            s,
            y,
            #[inline(always)]
            |_, e| e * share,
        );
        put::<S, T>(y_last, last_e * share);
    }
}

#[inline(always)]
fn gradient<S: Simd, T: Real>(s: S, x: &[T], g: &[T], y: &mut [T], log: bool) {
    let (n, len) = (x.len(), V::<S, T>::LEN);
    let whole = n / len * len;
    let (x_last, g_last) = (tail(s, x, whole, T::default()), tail(s, g, whole, T::default()));
    let (y, y_last) = y.split_at_mut(whole);
    if log {
        let sum = sum::<S, T>(
            s,
            whole,
            #[inline(always)]
            |i| load(s, g, i),
        );
        let sum = V::<S, T>::simd_from(s, total::<S, T>(sum + g_last) * T::UNLIFT);
        each::<S, T>(
            s,
            y,
            #[inline(always)]
            |i, _| load(s, g, i) - T::exp_lifted(load(s, x, i)) * sum,
        );
        put::<S, T>(y_last, g_last - T::exp_lifted(x_last) * sum);
    } else {
        let sum = sum::<S, T>(
            s,
            whole,
            #[inline(always)]
            |i| load(s, x, i) * load(s, g, i),
        );
        let sum = V::<S, T>::simd_from(s, total::<S, T>(sum + x_last * g_last));
        each::<S, T>(
            s,
            y,
            #[inline(always)]
            |i, _| load(s, x, i) * (load(s, g, i) - sum),
        );
        put::<S, T>(y_last, x_last * (g_last - sum));
    }
}

/// Asks for the elements `n` further on: while a line is computed, the next one is fetched.
#[inline(always)]
fn fetch_next<T>(x: &[T], n: usize) {
    prefetch(x.as_ptr().wrapping_add(n));
}

/// Replaces each vector of `y`; `f` is given its place and what is there.
#[inline(always)]
fn each<S: Simd, T: Real>(s: S, y: &mut [T], f: impl Fn(usize, V<S, T>) -> V<S, T>) {
    let (n, len) = (y.len(), V::<S, T>::LEN);
    let mut i = 0;
    while i + len <= n {
        let v = f(i, load(s, y, i));
        v.store_slice(&mut y[i..i + len]);
        i += len;
    }
}

/// The first lanes.
#[inline(always)]
fn put<S: Simd, T: Real>(y: &mut [T], v: V<S, T>) {
    for (y, &v) in y.iter_mut().zip(v.as_slice()) {
        *y = v;
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

/// The greatest of whole vectors and one more.
#[inline(always)]
fn max<S: Simd, T: Real>(s: S, x: &[T], last: V<S, T>) -> T {
    let (n, len) = (x.len(), V::<S, T>::LEN);
    let mut acc = [last; 4];
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
    greatest::<S, T>(acc[0].max(acc[1]).max(acc[2].max(acc[3])))
}

/// The greatest lane.
#[inline(always)]
fn greatest<S: Simd, T: Real>(v: V<S, T>) -> T {
    halved::<S, T>(
        v,
        #[inline(always)]
        |a, b| if b > a { b } else { a },
    )
}

/// The sum of the lanes.
#[inline(always)]
fn total<S: Simd, T: Real>(v: V<S, T>) -> T {
    halved::<S, T>(
        v,
        #[inline(always)]
        |a, b| a + b,
    )
}

/// The lanes put together by halves, as far as that goes in parallel.
#[inline(always)]
fn halved<S: Simd, T: Real>(v: V<S, T>, f: impl Fn(T, T) -> T) -> T {
    let mut lanes = [T::default(); 16];
    lanes[..V::<S, T>::LEN].copy_from_slice(v.as_slice());
    let mut half = V::<S, T>::LEN / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] = f(lanes[i], lanes[i + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Sum of `f(i)` for the whole vectors of `n` elements, in blocks that are added up in turn.
#[inline(always)]
fn sum<S: Simd, T: Real>(s: S, n: usize, mut f: impl FnMut(usize) -> V<S, T>) -> V<S, T> {
    const BLOCK: usize = 2048;
    let len = V::<S, T>::LEN;
    let zero = V::<S, T>::simd_from(s, T::default());
    let mut all = zero;
    let mut i = 0;
    while i + len <= n {
        let end = n.min(i + BLOCK);
        let [mut a, mut b, mut c, mut d] = [zero; 4];
        while i + 4 * len <= end {
            a += f(i);
            b += f(i + len);
            c += f(i + 2 * len);
            d += f(i + 3 * len);
            i += 4 * len;
        }
        while i + len <= end {
            a += f(i);
            i += len;
        }
        all += (a + b) + (c + d);
    }
    all
}
