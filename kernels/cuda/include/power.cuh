// Powers, remainders and what is made of them. Included by math.cuh.
#pragma once

// ln x of a positive number as high + low, to about 2⁻⁶⁵ of its size.
DEVICE f64 ln_exact(f64 x, f64& low) {
    typedef Constants<f64> K;
    f64 e, m = split_any(x, e);
    // s = f/(2 + f) in two parts; ln(1 + f) = 2s·(1 + z/3 + z²/5 + …) with z = s².
    f64 f = m - 1, d = m + 1, d_low = m < 1 ? m - (d - 1) : 1 - (d - m);
    f64 s = f / d, s_low = (fma(-s, d, f) - s * d_low) / d;
    f64 z = s * s, z_low = fma(s, s, -z) + 2 * s * s_low;
    // z²/5 + z³/7 + … in one part, z/3 in two.
    const f64 tail[] = {0.2,      1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23,
                          1.0 / 25};
    f64 t = z * z * poly(z, tail);
    const f64 third = 0.3333333333333333, third_low = 1.850371707708594e-17;
    f64 a = z * third, a_low = fma(z, third, -a) + fma(z, third_low, z_low * third);
    // a + t in two parts, then times s, added to s, doubled.
    f64 b = a + t, b_low = (t - (b - a)) + a_low;
    f64 c = s * b, c_low = fma(s, b, -c) + fma(s, b_low, s_low * b);
    f64 y = s + c, y_low = (c - (y - s)) + (c_low + s_low);
    y *= 2;
    y_low *= 2;
    f64 p = e * K::LN2_HI, p_low = fma(e, K::LN2_HI, -p) + e * K::LN2_LO;
    // |p| > |y| unless e is 0.
    f64 sum = p + y, big = e == 0 ? y : p, small = e == 0 ? p : y;
    f64 rest = (small - (sum - big)) + (p_low + y_low);
    f64 out = sum + rest;
    low = rest - (out - sum);
    return out;
}

// |a|ᵇ, from an exact logarithm.
DEVICE f64 pow_size(f64 a, f64 b) {
    typedef Constants<f64> K;
    f64 low, l = ln_exact(a, low);
    f64 p = b * l, p_low = fma(b, l, -p) + b * low;
    // Where the product overflows, or the number is 0 or ∞, the logarithm's own limits serve.
    bool plain = absolute(p) < 1e6 && a > 0 && a < K::INF;
    f64 q = b * log_limits(a, l);
    return plain ? exp_sum(p, p_low) : exp(q);
}
// For f32 an f64 logarithm is exact enough.
DEVICE f64 pow_size_f32(f64 a, f64 b) { return exp(b * ln(a)); }

// aᵇ with the special cases of IEEE 754.
template <class T> DEVICE T pow(T x, T y) {
    f64 a = x, b = y, size = absolute(a);
    f64 r = same<T, f32> ? pow_size_f32(size, b) : pow_size(size, b);
    // Even for −1 to ±∞.
    r = size == 1 && !is_nan(b) ? 1 : r;
    bool whole = truncate(b) == b;
    f64 half = b * 0.5;
    bool finite = absolute(b) < Constants<f64>::INF;
    bool odd = whole && truncate(half) != half && finite;
    r = is_negative(a) && odd ? -r : r;
    r = a < 0 && size < Constants<f64>::INF && !whole ? nan_of<f64>() : r;
    return a == 1 || b == 0 ? (T)1 : (T)r;
}
// A number to a power that all elements share: 0, 1, 2, 3, ±½, −1 and −2 by multiplication, division
// and roots, as PyTorch does.
template <class T> DEVICE T pow_shared(T x, T p) {
    if (p == 0) return 1;
    if (p == 1) return x;
    if (p == 2) return x * x;
    if (p == 3) return x * x * x;
    if (p == (T)0.5) return root(x);
    if (p == (T)-0.5) return 1 / root(x);
    if (p == -1) return 1 / x;
    if (p == -2) return 1 / (x * x);
    return pow(x, p);
}

// The remainder with the sign of a, exact: long division of the mantissas, several bits a step.
template <class T> DEVICE T fmod(T a, T b) {
    typedef typename C::Bits Bits;
    T x = absolute(a), y = absolute(b);
    if (!(x < C::INF) || !(y > 0)) return nan_of<T>();
    if (x < y) return a;
    constexpr u32 ROOM = 63 - (u32)C::MANTISSA;
    Bits bx = bits_of(x), by = bits_of(y);
    u32 ex = (u32)(bx >> C::MANTISSA), ey = (u32)(by >> C::MANTISSA);
    u64 mx = bx & C::MANTISSA_MASK, my = by & C::MANTISSA_MASK;
    if (ex) mx |= 1ull << C::MANTISSA; else ex = 1;
    if (ey) my |= 1ull << C::MANTISSA; else ey = 1;
    u32 left = ex - ey;
    mx %= my;
    while (left > 0 && mx != 0) {
        u32 step = left < ROOM ? left : ROOM;
        mx = (mx << step) % my;
        left -= step;
    }
    // Products with powers of two, exact; two where the whole power is no normal number.
    constexpr u32 BIAS = (u32)(C::ONE_BITS >> C::MANTISSA), M = (u32)C::MANTISSA;
    bool normal = ey > M;
    T scale = float_of((Bits)((Bits)(normal ? ey - M : 1) << M));
    T rest = normal ? (T)1 : float_of((Bits)((Bits)(BIAS + ey - 1 - M) << M));
    return with_sign((T)mx * scale * rest, a);
}
// Python's %: the remainder with the divisor's sign.
template <class T> DEVICE T remainder(T a, T b) {
    T m = fmod(a, b);
    return m != 0 && (b < 0) != (m < 0) ? m + b : m;
}
// Python's //: the quotient rounded down; a/0 for a zero divisor.
template <class T> DEVICE T floor_div(T a, T b) {
    if (b == 0) return a / b;
    T m = fmod(a, b);
    T q = (a - m) / b;
    if (m != 0 && (b < 0) != (m < 0)) q -= 1;
    // A zero of the quotient's sign.
    if (q == 0) return a / b * 0;
    T down = round_down(q);
    return q - down > (T)0.5 ? down + 1 : down;
}
