//! What happens to one line, compiled once per compute type and instruction set.

use super::sums::{at, sums};
use crate::cpu::real::{Real, V};
use crate::cpu::simd::{Simd, SimdBase};
use crate::cpu::stream::prefetch;
use crate::simd;
use fearless_simd::SimdFrom;

/// Σx.
pub fn sum<T: Real>(x: &[T]) -> f64 {
    simd!(s => sums::<1, _, T>(s, x.len(), #[inline(always)] |i| [at(s, x, i)], #[inline(always)] |i| [x[i]]))
        [0]
}

/// Σ(x − mean)². Meanwhile what follows `x` in memory, most likely the next line, is fetched.
pub fn squares<T: Real>(x: &[T], mean: T) -> f64 {
    simd!(s => {
        let m = splat(s, mean);
        sums::<1, _, T>(
            s,
            x.len(),
            #[inline(always)] |i| {
                prefetch(x.as_ptr().wrapping_add(x.len() + i));
                let d = at(s, x, i) - m;
                [d * d]
            },
            #[inline(always)] |i| [(x[i] - mean) * (x[i] - mean)],
        )
    })[0]
}

/// Σ g·w and Σ g·w·x̂ with `x̂ = (x − mean)·rstd`; without `w`, of ones.
pub fn grad_sums<T: Real>(g: &[T], x: &[T], w: Option<&[T]>, mean: T, rstd: T) -> [f64; 2] {
    simd!(s => {
        let (m, r) = (splat(s, mean), splat(s, rstd));
        sums::<2, _, T>(
            s,
            x.len(),
            #[inline(always)] |i| {
                let g = at(s, g, i);
                let g = if let Some(w) = w { g * at(s, w, i) } else { g };
                [g, g * ((at(s, x, i) - m) * r)]
            },
            #[inline(always)] |i| {
                let g = if let Some(w) = w { g[i] * w[i] } else { g[i] };
                [g, g * ((x[i] - mean) * rstd)]
            },
        )
    })
}

#[inline(always)]
fn splat<S: Simd, T: Real>(s: S, v: T) -> V<S, T> {
    V::<S, T>::simd_from(s, v)
}

/// A loop over `0..y.len()` at the level in use; the slices are cut to that length first, so that
/// their bounds are checked once. (Deep zips are not always inlined into the level's code.)
macro_rules! columns {
    ($y:ident, [$($x:ident),*], $i:ident => $e:expr) => {
        simd!(s => {
            let _ = s;
            let n = $y.len();
            $(let $x = &$x[..n];)*
            for $i in 0..n {
                $e;
            }
        })
    };
}

/// `y = (x − mean)·scale·w + b`, `scale` being one number.
pub fn scale_row<T: Real>(x: &[T], mean: T, scale: T, w: &[T], b: &[T], y: &mut [T]) {
    columns!(y, [x, w, b], i => y[i] = (x[i] - mean) * scale * w[i] + b[i]);
}

/// `y = (x − mean)·scale + bias`, all three being one number.
pub fn scale_line<T: Real>(x: &[T], [mean, scale, bias]: [T; 3], y: &mut [T]) {
    columns!(y, [x], i => y[i] = (x[i] - mean) * scale + bias);
}

/// `y = (x − mean)·scale + bias`, all three per column.
pub fn scale_columns<T: Real>(x: &[T], mean: &[T], scale: &[T], bias: &[T], y: &mut [T]) {
    columns!(y, [x, mean, scale, bias], i => y[i] = (x[i] - mean[i]) * scale[i] + bias[i]);
}

/// `dx = rstd·(g·w − a − x̂·b)`; adds g·x̂ and g to the first and second of `sums`.
pub fn grad_row<T: Real>(
    [g, x, w]: [&[T]; 3],
    [mean, rstd, a, b]: [T; 4],
    dx: &mut [T],
    sums: Option<[&mut [T]; 2]>,
) {
    let slope = rstd * b;
    let Some([of_gx, of_g]) = sums else {
        return columns!(dx, [g, x, w], i => dx[i] = rstd * (g[i] * w[i] - a - (x[i] - mean) * slope));
    };
    simd!(s => grad_and_sums(s, [g, x, w], [mean, rstd, a, slope], dx, of_gx, of_g))
}

/// By hand: with three outputs the compiler would check which of the operands overlap, and give up.
#[inline(always)]
fn grad_and_sums<S: Simd, T: Real>(
    s: S,
    [g, x, w]: [&[T]; 3],
    [mean, rstd, a, slope]: [T; 4],
    dx: &mut [T],
    of_gx: &mut [T],
    of_g: &mut [T],
) {
    let (n, len) = (dx.len(), V::<S, T>::LEN);
    let (g, x, w) = (&g[..n], &x[..n], &w[..n]);
    let (of_gx, of_g) = (&mut of_gx[..n], &mut of_g[..n]);
    let [m, r, av, sl] = [splat(s, mean), splat(s, rstd), splat(s, a), splat(s, slope)];
    let mut i = 0;
    while i + len <= n {
        let u: V<S, T> = at(s, g, i);
        let d: V<S, T> = at::<S, T>(s, x, i) - m;
        let v: V<S, T> = r * (u * at::<S, T>(s, w, i) - av - d * sl);
        v.store_slice(&mut dx[i..i + len]);
        let v: V<S, T> = at::<S, T>(s, of_gx, i) + u * (d * r);
        v.store_slice(&mut of_gx[i..i + len]);
        let v: V<S, T> = at::<S, T>(s, of_g, i) + u;
        v.store_slice(&mut of_g[i..i + len]);
        i += len;
    }
    for i in i..n {
        let d = x[i] - mean;
        dx[i] = rstd * (g[i] * w[i] - a - d * slope);
        of_gx[i] += g[i] * (d * rstd);
        of_g[i] += g[i];
    }
}

/// `dx = scale·(g − a − (x − mean)·b)` for a line of one channel.
pub fn grad_line<T: Real>(g: &[T], x: &[T], [mean, scale, a, b]: [T; 4], dx: &mut [T]) {
    columns!(dx, [g, x], i => dx[i] = scale * (g[i] - a - (x[i] - mean) * b));
}

/// The same for a line across the channels.
pub fn grad_columns<T: Real>(g: &[T], x: &[T], [mean, scale, a, b]: [&[T]; 4], dx: &mut [T]) {
    columns!(dx, [g, x, mean, scale, a, b], i => dx[i] = scale[i] * (g[i] - a[i] - (x[i] - mean[i]) * b[i]));
}

/// Adds `x − mean`, or its square, to `acc`, column by column.
pub fn add_columns<T: Real>(x: &[T], mean: &[T], square: bool, acc: &mut [T]) {
    if square {
        columns!(acc, [x, mean], i => acc[i] += (x[i] - mean[i]) * (x[i] - mean[i]));
    } else {
        columns!(acc, [x, mean], i => acc[i] += x[i] - mean[i]);
    }
}

/// Adds g to `acc_g` and g·x̂ to `acc_gx`, with mean and rstd per column.
pub fn add_grad_columns<T: Real>(
    g: &[T],
    x: &[T],
    [mean, rstd]: [&[T]; 2],
    acc_g: &mut [T],
    acc_gx: &mut [T],
) {
    columns!(acc_g, [g], i => acc_g[i] += g[i]);
    columns!(acc_gx, [g, x, mean, rstd], i => acc_gx[i] += g[i] * ((x[i] - mean[i]) * rstd[i]));
}
