//! The error function and GELU.

use super::*;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// The error function.
#[inline(always)]
pub(crate) fn erf<S: Simd, V: Vf<S>>(x: V) -> V {
    let one = splat_like(x, V::Element::ONE);
    let small = fma(x, poly(x * x, V::Element::ERF), x);
    let a = x.abs();
    let max = splat_like(x, V::Element::ERF_MAX);
    let a = pick(a.simd_gt(max), max, a);
    let large = one - exp(-poly(a, V::Element::ERFC));
    pick(a.simd_lt(one), small, large.copysign(x))
}

/// `Φ(x) = (1 + erf(x/√2))/2`.
#[inline(always)]
fn normal_cdf<S: Simd, V: Vf<S>>(x: V) -> V {
    let e = erf(x * V::Element::lit(FRAC_1_SQRT_2));
    fma(e, V::Element::HALF, V::Element::HALF)
}

/// `x·Φ(x)`.
#[inline(always)]
pub(crate) fn gelu<S: Simd, V: Vf<S>>(x: V) -> V {
    x * normal_cdf(x)
}

/// `g·(Φ(x) + x·φ(x))`.
#[inline(always)]
pub(crate) fn gelu_grad<S: Simd, V: Vf<S>>(g: V, x: V) -> V {
    let density = exp(x * x * V::Element::lit(-0.5)) * V::Element::lit(0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI);
    g * fma(x, density, normal_cdf(x))
}

const CUBIC: f64 = 0.044715;
/// √(2/π)
const SCALE: f64 = FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;

/// `x·(1 + tanh(u))/2 = x·sigmoid(2u)` with `u = √(2/π)·(x + 0.044715·x³)`.
#[inline(always)]
pub(crate) fn gelu_tanh<S: Simd, V: Vf<S>>(x: V) -> V {
    x * sigmoid(twice_u(x))
}

#[inline(always)]
fn twice_u<S: Simd, V: Vf<S>>(x: V) -> V {
    x * fma(x * x, V::Element::lit(2.0 * SCALE * CUBIC), V::Element::lit(2.0 * SCALE))
}

/// `g·(s + x·s·(1 − s)·(2u)')` with `s = sigmoid(2u)`.
#[inline(always)]
pub(crate) fn gelu_tanh_grad<S: Simd, V: Vf<S>>(g: V, x: V) -> V {
    let (s, t) = exp::sigmoid_both(twice_u(x));
    let slope = fma(x * x, V::Element::lit(6.0 * SCALE * CUBIC), V::Element::lit(2.0 * SCALE));
    g * (s * fma(x * t, slope, V::Element::ONE))
}
