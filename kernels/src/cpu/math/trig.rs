//! Sine and cosine.

use super::*;

/// `sin` (or `cos` with `quarter` 1): the argument less the nearest multiple of π/2, then one of two
/// polynomials. Arguments too large for that (rare) are done one by one in double precision.
#[inline(always)]
fn sin_cos<S: Simd, V: Vf<S>>(x: V, quarter: bool) -> V {
    let magic = V::Element::MAGIC;
    let t = fma(x, V::Element::lit(std::f64::consts::FRAC_2_PI), magic);
    let n = t - magic;
    let [a, b, c] = V::Element::PIO2;
    let r1 = fma(n, -a, x);
    // The second product and difference with what they lose, and the third piece of π/2.
    let p = n * b;
    let r = r1 - p;
    let v = r - r1;
    let low = fma(n, -c, ((r1 - (r - v)) - (p + v)) - fma(n, b, -p));
    let z = r * r;
    let half_z = z * V::Element::HALF;
    // sin(r + low) ≈ sin r + low·cos r, cos(r + low) ≈ cos r − low·sin r.
    let sine = r + fma(r * z, poly(z, V::Element::SIN), low);
    let one = splat_like(x, V::Element::ONE);
    let w = one - half_z;
    let cosine = w + (((one - w) - half_z) + fma(z * z, poly(z, V::Element::COS), -(r * low)));
    let mut q = t.to_bits();
    if quarter {
        q += V::Element::BITS_ONE;
    }
    let top = V::Element::BITS as u32 - 1;
    let odd = V::from_bits(q << top).is_sign_negative();
    let y = pick(odd, cosine, sine);
    let y = V::from_bits(y.to_bits() ^ ((q & V::Element::BITS_TWO) << (top - 1)));
    let large = !x.abs().simd_le(V::Element::TRIG_MAX);
    if large.any_true() {
        let exact = lanes(x, if quarter { f64::cos } else { f64::sin });
        return pick(large, exact, y);
    }
    y
}

/// Sine.
#[inline(always)]
pub(crate) fn sin<S: Simd, V: Vf<S>>(x: V) -> V {
    // −0 and numbers whose square is 0.
    pick(x.abs().simd_lt(V::Element::TINY), x, sin_cos(x, false))
}

/// Cosine.
#[inline(always)]
pub(crate) fn cos<S: Simd, V: Vf<S>>(x: V) -> V {
    sin_cos(x, true)
}
