//! Logarithms.

use super::*;

/// `x = m·2ᵉ` of a positive normal number, with `m` between √½ and √2.
#[inline(always)]
fn split<S: Simd, V: Vf<S>>(x: V) -> (V, V) {
    let bits = x.to_bits() + V::Element::ONE_LESS_SQRT_HALF;
    let e = V::from_bits((bits >> V::Element::MANTISSA) | V::Element::SHIFT_BITS) - V::Element::SHIFT_BIASED;
    let m = V::from_bits((bits & V::Element::MANTISSA_MASK) + V::Element::SQRT_HALF_BITS);
    (m, e)
}

/// `ln(1 + f) + e·ln 2 + c` for `1 + f` between √½ and √2 and a small `c`.
#[inline(always)]
fn assemble<S: Simd, V: Vf<S>>(f: V, e: V, c: V) -> V {
    // With s = f/(2 + f): ln(1 + f) = f − f²/2 + s·(f²/2 + s²·P(s²)), the terms in falling size.
    let s = f / (f + V::Element::TWO);
    let z = s * s;
    let half_sq = f * f * V::Element::HALF;
    let tail = s * (half_sq + z * poly(z, V::Element::LN));
    let [hi, lo] = V::Element::LN2;
    let low = fma(e, lo, c + tail);
    fma(e, hi, f - (half_sq - low))
}

/// Natural logarithm.
#[inline(always)]
pub(crate) fn ln<S: Simd, V: Vf<S>>(x: V) -> V {
    let zero = splat_like(x, V::Element::ZERO);
    let subnormal = x.simd_lt(V::Element::MIN_NORMAL);
    let (m, e) = split(pick(subnormal, x * V::Element::SHIFT, x));
    let e = e - pick(subnormal, splat_like(x, V::Element::lit(V::Element::MANTISSA as f64)), zero);
    let y = assemble(m - V::Element::ONE, e, zero);
    limits(x, x, y)
}

/// `ln(1 + x)`.
#[inline(always)]
pub(crate) fn log1p<S: Simd, V: Vf<S>>(x: V) -> V {
    let one = splat_like(x, V::Element::ONE);
    let u = x + one;
    let (m, e) = split(u);
    let no_shift = e.simd_eq(V::Element::ZERO);
    // What `1 + x` lost to rounding, relative to it.
    let lost = pick(x.simd_lt(one), x - (u - one), one - (u - x)) / u;
    let f = pick(no_shift, x, m - one);
    let y = assemble(f, e, pick(no_shift, splat_like(x, V::Element::ZERO), lost));
    let y = limits(u, x, y);
    pick(x.abs().simd_lt(V::Element::TINY), x, y)
}

/// The logarithm `y` of `u` where that is 0, negative, ∞ or NaN.
#[inline(always)]
fn limits<S: Simd, V: Vf<S>>(u: V, x: V, y: V) -> V {
    let y = pick(u.simd_eq(V::Element::ZERO), splat_like(x, -V::Element::INF), y);
    let y = pick(u.simd_lt(V::Element::ZERO), splat_like(x, V::Element::NAN), y);
    // ∞ and NaN pass.
    pick(u.simd_lt(V::Element::INF), y, u)
}
