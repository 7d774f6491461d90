//! Elementary functions on SIMD vectors, written once for f32 and f64.
//!
//! Each is a range reduction and a polynomial (near-minimax, fitted in 60 digits), built from fused
//! multiply-adds only, so every SIMD level gives the same bits. Special values (NaN, ±∞, ±0,
//! subnormals, overflow) come out as IEEE 754 recommends.
//!
//! | function | largest error seen, in ulp: f32 | f64 |
//! |---|---|---|
//! | [`exp`] | 1 | 1 |
//! | [`expm1`] | 2 | 2 |
//! | [`ln`], [`log1p`] | 1 | 1 |
//! | [`sin`], [`cos`] | 1 | 1 |
//! | [`tanh`] | 1 | 2 |
//! | [`sigmoid`] | 2.5 | 3 |
//! | [`erf`] | 1 | 1 |
//!
//! [`gelu`] of f32 is within 1.6·2⁻²³ of the result above 0 and within 0.8·2⁻²³ of `x` below, where it also
//! keeps three digits down to −5; [`gelu_grad`] is within 1.2·2⁻²³ of 1.

mod coefficients;
mod erf;
mod exp;
mod log;
mod pow;
mod trig;

#[cfg(test)]
mod tests;

use super::simd::{Level, Simd, SimdFloat, prelude::*};
use crate::Element;
use fearless_simd::{SimdFloatElement, SimdInto};

pub(crate) use erf::{erf, gelu, gelu_grad, gelu_tanh, gelu_tanh_grad};
pub(crate) use exp::{elu, exp, exp_lifted, expm1, sigmoid, silu, silu_grad, softplus, tanh};
pub(crate) use log::{ln, log1p};
pub(crate) use pow::{log2, log10, pow};
pub(crate) use trig::{cos, sin};

/// The vector of `T` at a SIMD level.
pub(crate) type V<S, T> = <T as SimdFloatElement>::Native<S>;
type BitsOf<T> = <T as SimdFloatElement>::Bits;

/// f32 or f64: the constants of the functions below.
pub(crate) trait Math: SimdFloatElement + Element + std::ops::Neg<Output = Self> {
    /// Bits of the stored mantissa.
    const MANTISSA: u32;
    const ZERO: Self;
    const HALF: Self;
    const ONE: Self;
    const TWO: Self;
    const INF: Self;
    const NAN: Self;
    const MIN_NORMAL: Self;
    const LOG2E: Self;
    /// Adding and subtracting it rounds to an integer; the low bits of the sum are that integer.
    const MAGIC: Self;
    /// [`MAGIC`](Math::MAGIC) plus the exponent's bias.
    const MAGIC_BIASED: Self;
    /// The same and LIFT, so many powers of two that `eˣ` of any `x` above `LIFTED_LO` is normal with
    /// them; `UNLIFT` is `2^−LIFT`.
    const MAGIC_LIFTED: Self;
    const LIFTED_LO: Self;
    const UNLIFT: Self;
    /// `2^MANTISSA`, its bits, and it plus the exponent's bias.
    const SHIFT: Self;
    const SHIFT_BITS: BitsOf<Self>;
    const SHIFT_BIASED: Self;
    const MANTISSA_MASK: BitsOf<Self>;
    const SQRT_HALF_BITS: BitsOf<Self>;
    /// Bits of 1 minus bits of √½.
    const ONE_LESS_SQRT_HALF: BitsOf<Self>;
    const BITS_ONE: BitsOf<Self>;
    const BITS_TWO: BitsOf<Self>;
    /// Below, `eˣ` is 0; above, it is ∞.
    const EXP_LO: Self;
    const EXP_HI: Self;
    /// Below, `eˣ − 1` rounds to −1.
    const EXPM1_LO: Self;
    /// Below, `eˣ − 1` and the like round to `x`.
    const TINY: Self;
    /// ln 2 and π/2 in pieces; products with the first piece are exact where they matter.
    const LN2: [Self; 2];
    const PIO2: [Self; 3];
    /// Larger arguments of sin and cos take the scalar path.
    const TRIG_MAX: Self;
    /// `(eˣ − 1 − x)/x²`.
    const EXP: &'static [Self];
    /// `(ln((1+s)/(1−s))/s − 2)/s²` in `s²`.
    const LN: &'static [Self];
    /// `(tanh(x)/x − 1)/x²` in `x²`, below `TANH_CUT`.
    const TANH: &'static [Self];
    const TANH_CUT: Self;
    /// `(sin(x)/x − 1)/x²` and `(cos(x) − 1 + x²/2)/x⁴` in `x²`.
    const SIN: &'static [Self];
    const COS: &'static [Self];
    /// `erf(x)/x − 1` in `x²`, below 1.
    const ERF: &'static [Self];
    /// `−ln(1 − erf(x))` between 1 and `ERF_MAX`, above which erf is 1.
    const ERFC: &'static [Self];
    const ERF_MAX: Self;
    /// Of what only f32 has, f64 has nothing: it takes the functions above.
    ///
    /// `2ˣ` between ±½.
    const EXP2: &'static [Self];
    /// The least normal number's exponent: half its power of 2 is taken for 0.
    const LEAST_EXPONENT: Self;
    /// `log2(2·Φ(−x))/x` for `x ≥ 0`; falls to −∞ beyond its range.
    const LOG2_TAIL: &'static [Self];
    /// `2·(Φ(−x)·e^(x²/2) − x/√2π)` for `x ≥ 0`: GELU's slope at `−x` over half the bell.
    const GELU_SLOPE: &'static [Self];
    /// Beyond, `e^(−x²/2)` is 0: its exponent is then [`LEAST_EXPONENT`](Math::LEAST_EXPONENT).
    const BELL_MAX: Self;

    fn lit(x: f64) -> Self;
    /// `f` in double precision (the vector is widened and rounded back where it is f32).
    fn in_f64<S: Simd>(x: V<S, Self>, y: V<S, Self>, f: impl Fn(S::f64s, S::f64s) -> S::f64s) -> V<S, Self>;
}

/// A vector of f32 or f64.
pub(crate) trait Vf<S: Simd>: SimdFloat<S, Element: Math> {}
impl<S: Simd, V: SimdFloat<S, Element: Math>> Vf<S> for V {}

/// `a·b + c`, rounded once at every level. Where the processor has no instruction for it, that is
/// slow, but the bits are the same.
#[inline(always)]
pub(crate) fn fma<S: Simd, V: Vf<S>>(a: V, b: impl SimdInto<V, S>, c: impl SimdInto<V, S>) -> V {
    let s = a.token();
    if matches!(s.level(), Level::Fallback(_)) {
        emulated_fma(a, b.simd_into(s), c.simd_into(s))
    } else {
        a.mul_add_precise(b, c)
    }
}

/// Long, and so kept out of line.
#[inline(never)]
fn emulated_fma<S: Simd, V: Vf<S>>(a: V, b: V, c: V) -> V {
    a.mul_add_precise(b, c)
}

/// `Σ c[i]·xⁱ`.
#[inline(always)]
pub(crate) fn poly<S: Simd, V: Vf<S>>(x: V, c: &[V::Element]) -> V {
    let [p] = poly_side([x], c);
    p
}

/// [`poly`] of several vectors, step by step side by side: one after the other, the steps that wait for the
/// one before fill the processor's queue.
#[inline(always)]
fn poly_side<S: Simd, V: Vf<S>, const U: usize>(x: [V; U], c: &[V::Element]) -> [V; U] {
    let (last, rest) = c.split_last().expect("a polynomial has a coefficient");
    let mut p = x;
    for u in 0..U {
        p[u] = V::splat(x[u].token(), *last);
    }
    for &k in rest.iter().rev() {
        for u in 0..U {
            p[u] = fma(p[u], x[u], k);
        }
    }
    p
}

/// `a` where the mask holds, else `b`.
#[inline(always)]
pub(crate) fn pick<S: Simd, V: Vf<S>>(m: V::Mask, a: V, b: V) -> V {
    m.select(a, b)
}

#[inline(always)]
pub(crate) fn splat_like<S: Simd, V: Vf<S>>(x: V, c: V::Element) -> V {
    V::splat(x.token(), c)
}

/// `2ⁿ` for integers `n` that are exponents of normal numbers.
#[inline(always)]
fn pow2<S: Simd, V: Vf<S>>(n: V) -> V {
    V::from_bits((n + V::Element::MAGIC_BIASED).to_bits() << V::Element::MANTISSA)
}

/// The function on each lane, for what is too rare to be worth a vector.
#[inline(always)]
pub(crate) fn lanes<S: Simd, V: Vf<S>>(x: V, f: impl Fn(f64) -> f64) -> V {
    V::from_fn(x.token(), |i| V::Element::from_f64(f(x[i].to_f64())))
}

/// The function of two on each lane.
#[inline(always)]
pub(crate) fn lanes2<S: Simd, V: Vf<S>>(x: V, y: V, f: impl Fn(V::Element, V::Element) -> V::Element) -> V {
    V::from_fn(x.token(), |i| f(x[i], y[i]))
}

/// Python's `%`: the remainder with the divisor's sign, exact; NaN for a zero divisor.
pub(crate) fn remainder<T: Math>(a: T, b: T) -> T {
    let m = a % b;
    if m != T::ZERO && (b < T::ZERO) != (m < T::ZERO) { m + b } else { m }
}

/// Python's `//`: the quotient rounded down; `a/0` for a zero divisor.
pub(crate) fn floor_div<T: Math>(a: T, b: T) -> T {
    if b == T::ZERO {
        return a / b;
    }
    let m = a % b;
    let mut q = (a - m) / b;
    if m != T::ZERO && (b < T::ZERO) != (m < T::ZERO) {
        q -= T::ONE;
    }
    if q == T::ZERO {
        // A zero of the quotient's sign.
        return a / b * T::ZERO;
    }
    let down = T::from_f64(q.to_f64().floor());
    if q - down > T::HALF { down + T::ONE } else { down }
}
