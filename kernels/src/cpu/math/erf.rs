//! The error function and GELU.

use super::exp::half_exp2;
use super::*;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LOG2_E};

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

/// `x·Φ(x)`, of several vectors side by side.
#[inline(always)]
pub(crate) fn gelu<S: Simd, V: Vf<S>, const U: usize>(x: [V; U]) -> [V; U] {
    let mut y = x;
    if V::Element::LOG2_TAIL.is_empty() {
        for u in 0..U {
            y[u] *= normal_cdf(x[u]);
        }
        return y;
    }
    // Φ(−|x|) as a power of 2 needs no cases and no division, and keeps its digits where it is small.
    for u in 0..U {
        y[u] = x[u].abs();
    }
    let p = poly_side(y, V::Element::LOG2_TAIL);
    for u in 0..U {
        y[u] *= p[u];
    }
    let tail = half_exp2(y);
    for u in 0..U {
        y[u] = x[u] * mirrored(x[u], tail[u]);
    }
    y
}

/// `g·(Φ(x) + x·φ(x))`.
#[inline(always)]
pub(crate) fn gelu_grad<S: Simd, V: Vf<S>>(g: V, x: V) -> V {
    if V::Element::GELU_SLOPE.is_empty() {
        let density =
            exp(x * x * V::Element::lit(-0.5)) * V::Element::lit(0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI);
        return g * fma(x, density, normal_cdf(x));
    }
    // Beyond, the bell is 0; the polynomial must not be ∞ there.
    let (a, max) = (x.abs(), splat_like(x, V::Element::BELL_MAX));
    let a = pick(a.simd_gt(max), max, a);
    let [half_bell] = half_exp2([a * a * V::Element::lit(-0.5 * LOG2_E)]);
    g * mirrored(x, half_bell * poly(a, V::Element::GELU_SLOPE))
}

/// What has the value `tail` at `−|x|`, and with its value at `|x|` adds up to 1.
#[inline(always)]
fn mirrored<S: Simd, V: Vf<S>>(x: V, tail: V) -> V {
    pick(x.simd_lt(V::Element::ZERO), tail, splat_like(x, V::Element::ONE) - tail)
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
