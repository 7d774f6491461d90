//! Exponentials and what is made of them.

use super::*;

/// `x` as `n·ln 2 + r` with integer `n` and `|r| ≤ ln(2)/2`.
#[inline(always)]
fn reduce<S: Simd, V: Vf<S>>(x: V) -> (V, V) {
    let magic = V::Element::MAGIC;
    let n = fma(x, V::Element::LOG2E, magic) - magic;
    let [hi, lo] = V::Element::LN2;
    (n, fma(n, -lo, fma(n, -hi, x)))
}

/// `eʳ − 1` for `|r| ≤ ln(2)/2`.
#[inline(always)]
fn small_expm1<S: Simd, V: Vf<S>>(r: V) -> V {
    fma(r * r, poly(r, V::Element::EXP), r)
}

/// `eˣ`.
#[inline(always)]
pub(crate) fn exp<S: Simd, V: Vf<S>>(x: V) -> V {
    let (lo, hi) = (splat_like(x, V::Element::EXP_LO), splat_like(x, V::Element::EXP_HI));
    let x = pick(x.simd_lt(lo), lo, x);
    let x = pick(x.simd_gt(hi), hi, x);
    let (n, r) = reduce(x);
    let p = small_expm1(r) + V::Element::ONE;
    // Two factors, since 2ⁿ alone may overflow or be subnormal where the product is not.
    let magic = V::Element::MAGIC;
    let half = fma(n, V::Element::HALF, magic) - magic;
    p * pow2(half) * pow2(n - half)
}

/// `2ˣ/2` for `x ≤ 0`; 0 below the normal numbers.
#[inline(always)]
pub(super) fn half_exp2<S: Simd, V: Vf<S>, const U: usize>(x: [V; U]) -> [V; U] {
    let (mut x, mut power) = (x, x);
    for u in 0..U {
        let least = splat_like(x[u], V::Element::LEAST_EXPONENT);
        let magic = splat_like(x[u], V::Element::MAGIC_BIASED - V::Element::ONE);
        x[u] = pick(x[u].simd_lt(least), least, x[u]);
        let biased = x[u] + magic;
        power[u] = V::from_bits(biased.to_bits() << V::Element::MANTISSA);
        x[u] -= biased - magic;
    }
    let mut y = poly_side(x, V::Element::EXP2);
    for u in 0..U {
        y[u] *= power[u];
    }
    y
}

/// `eˣ·2^LIFT` for `x ≤ 0` (or NaN), without the cases of the other side. What underflows by less than
/// that power is still precise; what is below even that is 0.
#[inline(always)]
pub(crate) fn exp_lifted<S: Simd, V: Vf<S>>(x: V) -> V {
    // The rounded sum's low bits are n and the exponent's bias.
    let magic = V::Element::MAGIC_LIFTED;
    let biased = fma(x, V::Element::LOG2E, magic);
    let n = biased - magic;
    let [hi, lo] = V::Element::LN2;
    let r = fma(n, -lo, fma(n, -hi, x));
    let p = small_expm1(r) + V::Element::ONE;
    let y = p * V::from_bits(biased.to_bits() << V::Element::MANTISSA);
    pick(x.simd_lt(V::Element::LIFTED_LO), splat_like(x, V::Element::ZERO), y)
}

/// `eˣ − 1`.
#[inline(always)]
pub(crate) fn expm1<S: Simd, V: Vf<S>>(x: V) -> V {
    let (lo, hi) = (splat_like(x, V::Element::EXPM1_LO), splat_like(x, V::Element::EXP_HI));
    let c = pick(x.simd_lt(lo), lo, x);
    let c = pick(c.simd_gt(hi), hi, c);
    let (n, r) = reduce(c);
    // At half its size, so that 2ⁿ does not overflow before the result does.
    let scale = pow2(n - V::Element::ONE);
    let y = fma(scale, small_expm1(r), scale - V::Element::HALF) * V::Element::TWO;
    pick(x.abs().simd_lt(V::Element::TINY), x, y)
}

/// `1/(1 + e⁻ˣ)`.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd, V: Vf<S>>(x: V) -> V {
    let one = splat_like(x, V::Element::ONE);
    let e = exp(-x.abs());
    pick(x.simd_lt(V::Element::ZERO), e, one) / (e + one)
}

/// `sigmoid(x)` and `1 − sigmoid(x)`, neither by subtraction.
#[inline(always)]
pub(super) fn sigmoid_both<S: Simd, V: Vf<S>>(x: V) -> (V, V) {
    let one = splat_like(x, V::Element::ONE);
    let e = exp(-x.abs());
    let negative = x.simd_lt(V::Element::ZERO);
    (pick(negative, e, one) / (e + one), pick(negative, one, e) / (e + one))
}

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<S: Simd, V: Vf<S>>(x: V) -> V {
    let one = splat_like(x, V::Element::ONE);
    let z = x * x;
    let small = fma(x * z, poly(z, V::Element::TANH), x);
    // 1 − 2/(e^2|x| + 1) loses nothing to cancellation where the difference is above ½.
    let a = x.abs();
    let large = one - splat_like(x, V::Element::TWO) / (exp(a + a) + one);
    pick(a.simd_lt(V::Element::TANH_CUT), small, large).copysign(x)
}

/// `x·sigmoid(x)`.
#[inline(always)]
pub(crate) fn silu<S: Simd, V: Vf<S>>(x: V) -> V {
    x * sigmoid(x)
}

/// `g·(x·sigmoid(x))'`.
#[inline(always)]
pub(crate) fn silu_grad<S: Simd, V: Vf<S>>(g: V, x: V) -> V {
    let (s, t) = sigmoid_both(x);
    g * (s * fma(x, t, V::Element::ONE))
}

/// `ln(1 + eˣ)` as `max(x, 0) + log1p(e^−|x|)`.
#[inline(always)]
pub(crate) fn softplus<S: Simd, V: Vf<S>>(x: V) -> V {
    let zero = splat_like(x, V::Element::ZERO);
    pick(x.simd_lt(zero), zero, x) + log1p(exp(-x.abs()))
}

/// `x` where positive, else `alpha·(eˣ − 1)`.
#[inline(always)]
pub(crate) fn elu<S: Simd, V: Vf<S>>(x: V, alpha: V::Element) -> V {
    pick(x.simd_gt(V::Element::ZERO), x, expm1(x) * alpha)
}
