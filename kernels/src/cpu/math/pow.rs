//! Powers, and logarithms to other bases.

use super::*;

/// Binary logarithm; exact at powers of two.
#[inline(always)]
pub(crate) fn log2<S: Simd, T: Math>(_: S, x: V<S, T>) -> V<S, T> {
    if T::MANTISSA == f64::MANTISSA {
        return lanes(x, f64::log2);
    }
    T::in_f64::<S>(
        x,
        x,
        #[inline(always)]
        |x, _| ln(x) * std::f64::consts::LOG2_E,
    )
}

/// Decimal logarithm.
#[inline(always)]
pub(crate) fn log10<S: Simd, T: Math>(_: S, x: V<S, T>) -> V<S, T> {
    if T::MANTISSA == f64::MANTISSA {
        return lanes(x, f64::log10);
    }
    T::in_f64::<S>(
        x,
        x,
        #[inline(always)]
        |x, _| ln(x) * std::f64::consts::LOG10_E,
    )
}

/// `aᵇ`. In f32 as `e^(b·ln a)` in double precision, rounded once; in f64 by the standard library.
#[inline(always)]
pub(crate) fn pow<S: Simd, T: Math>(_: S, a: V<S, T>, b: V<S, T>) -> V<S, T> {
    if T::MANTISSA == f64::MANTISSA {
        return lanes2(a, b, |a, b| T::from_f64(a.to_f64().powf(b.to_f64())));
    }
    T::in_f64::<S>(
        a,
        b,
        #[inline(always)]
        |a, b| pow_wide::<S>(a, b),
    )
}

#[inline(always)]
fn pow_wide<S: Simd>(a: S::f64s, b: S::f64s) -> S::f64s {
    let (zero, one) = (splat_like(a, 0.0), splat_like(a, 1.0));
    let size = a.abs();
    let y = exp(b * ln(size));
    // Even for −1 to ±∞.
    let y = pick(size.simd_eq(one) & !b.is_nan(), one, y);
    let whole = b.trunc().simd_eq(b);
    let half = b * 0.5;
    let odd = whole & half.trunc().simd_ne(half) & b.is_finite();
    let negative = a.is_sign_negative();
    let y = pick(negative & odd, -y, y);
    let y = pick(a.simd_lt(zero) & a.is_finite() & !whole, splat_like(a, f64::NAN), y);
    pick(a.simd_eq(one) | b.simd_eq(zero), one, y)
}
