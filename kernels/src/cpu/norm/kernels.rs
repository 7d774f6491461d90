//! What happens to one line, compiled once per compute type and instruction set.

use super::sums::{at, sums};
use crate::cpu::real::{Real, V};
use crate::cpu::simd::Simd;
use crate::simd;
use fearless_simd::SimdFrom;

/// Σx.
pub fn sum<T: Real>(x: &[T]) -> f64 {
    simd!(s => sums::<1, _, T>(s, x.len(), |i| [at(s, x, i)], |i| [x[i]]))[0]
}

/// Σ(x − mean)².
pub fn squares<T: Real>(x: &[T], mean: T) -> f64 {
    simd!(s => {
        let m = splat(s, mean);
        let wide = |i| {
            let d = at(s, x, i) - m;
            [d * d]
        };
        sums::<1, _, T>(s, x.len(), wide, |i| [(x[i] - mean) * (x[i] - mean)])
    })[0]
}

/// Σ g·w and Σ g·w·x̂ with `x̂ = (x − mean)·rstd`; without `w`, of ones.
pub fn grad_sums<T: Real>(g: &[T], x: &[T], w: Option<&[T]>, mean: T, rstd: T) -> [f64; 2] {
    simd!(s => {
        let (m, r) = (splat(s, mean), splat(s, rstd));
        let wide = |i| {
            let g = at(s, g, i);
            let g = if let Some(w) = w { g * at(s, w, i) } else { g };
            [g, g * ((at(s, x, i) - m) * r)]
        };
        let one = |i: usize| {
            let g = if let Some(w) = w { g[i] * w[i] } else { g[i] };
            [g, g * ((x[i] - mean) * rstd)]
        };
        sums::<2, _, T>(s, x.len(), wide, one)
    })
}

#[inline(always)]
fn splat<S: Simd, T: Real>(s: S, v: T) -> V<S, T> {
    V::<S, T>::simd_from(s, v)
}

/// `y = (x − mean)·scale·w + b`, `scale` being one number.
pub fn scale_row<T: Real>(x: &[T], mean: T, scale: T, w: &[T], b: &[T], y: &mut [T]) {
    simd!(s => {
        let _ = s;
        for (((y, &x), &w), &b) in y.iter_mut().zip(x).zip(w).zip(b) {
            *y = (x - mean) * scale * w + b;
        }
    })
}

/// `y = (x − mean)·scale + bias`, all three being one number.
pub fn scale_line<T: Real>(x: &[T], [mean, scale, bias]: [T; 3], y: &mut [T]) {
    simd!(s => {
        let _ = s;
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - mean) * scale + bias);
    })
}

/// `y = (x − mean)·scale + bias`, all three per column.
pub fn scale_columns<T: Real>(x: &[T], mean: &[T], scale: &[T], bias: &[T], y: &mut [T]) {
    simd!(s => {
        let _ = s;
        for ((((y, &x), &m), &a), &b) in y.iter_mut().zip(x).zip(mean).zip(scale).zip(bias) {
            *y = (x - m) * a + b;
        }
    })
}

/// `dx = rstd·(g·w − a − x̂·b)`.
pub fn grad_row<T: Real>([g, x, w]: [&[T]; 3], [mean, rstd, a, b]: [T; 4], dx: &mut [T]) {
    simd!(s => {
        let _ = s;
        for (((d, &x), &g), &w) in dx.iter_mut().zip(x).zip(g).zip(w) {
            *d = rstd * (g * w - a - (x - mean) * rstd * b);
        }
    })
}

/// `dx = scale·(g − a − (x − mean)·b)` for a line of one channel.
pub fn grad_line<T: Real>(g: &[T], x: &[T], [mean, scale, a, b]: [T; 4], dx: &mut [T]) {
    simd!(s => {
        let _ = s;
        dx.iter_mut().zip(g).zip(x).for_each(|((d, &g), &x)| *d = scale * (g - a - (x - mean) * b));
    })
}

/// The same for a line across the channels.
pub fn grad_columns<T: Real>(g: &[T], x: &[T], [mean, scale, a, b]: [&[T]; 4], dx: &mut [T]) {
    simd!(s => {
        let _ = s;
        for (((((d, &g), &x), &m), &k), (&a, &b)) in
            dx.iter_mut().zip(g).zip(x).zip(mean).zip(scale).zip(a.iter().zip(b))
        {
            *d = k * (g - a - (x - m) * b);
        }
    })
}

/// Adds `x − mean`, or its square, to `acc`, column by column.
pub fn add_columns<T: Real>(x: &[T], mean: &[T], square: bool, acc: &mut [T]) {
    simd!(s => {
        let _ = s;
        for ((a, &x), &m) in acc.iter_mut().zip(x).zip(mean) {
            let d = x - m;
            *a += if square { d * d } else { d };
        }
    })
}

/// Adds g to `acc_g` and g·x̂ to `acc_gx`, with one mean and rstd.
pub fn add_grad_row<T: Real>(g: &[T], x: &[T], [mean, rstd]: [T; 2], acc_g: &mut [T], acc_gx: &mut [T]) {
    simd!(s => {
        let _ = s;
        for (((a, b), &g), &x) in acc_g.iter_mut().zip(acc_gx).zip(g).zip(x) {
            *a += g;
            *b += g * ((x - mean) * rstd);
        }
    })
}

/// Adds g to `acc_g` and g·x̂ to `acc_gx`, with mean and rstd per column.
pub fn add_grad_columns<T: Real>(
    g: &[T],
    x: &[T],
    [mean, rstd]: [&[T]; 2],
    acc_g: &mut [T],
    acc_gx: &mut [T],
) {
    simd!(s => {
        let _ = s;
        let columns = acc_g.iter_mut().zip(acc_gx).zip(g).zip(x).zip(mean).zip(rstd);
        for (((((a, b), &g), &x), &m), &r) in columns {
            *a += g;
            *b += g * ((x - m) * r);
        }
    })
}
