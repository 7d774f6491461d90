// Sine, cosine, tangent and their inverses. Included by math.cuh.
#pragma once

DEVICE u64 high_product(u64 a, u64 b) { return (u64)((unsigned __int128)a * b >> 64); }

// x less the nearest multiple of π/2, as r + low, for x ≥ 1; q is that multiple's last two bits. After
// Payne and Hanek: of the product with 2/π only the bits around the binary point are computed.
DEVICE f64 reduce_huge(f64 x, u32& q, f64& low) {
    u64 bits = bits_of(x);
    u64 m = (bits & 0xfffffffffffffull) | 1ull << 52;
    // x = m·2ᵉ: the bits of 2/π before the e-th give whole multiples of 4.
    i32 e = (i32)(bits >> 52 & 0x7ff) - 1075;
    // Bits of 2/π in front of bit `first` only make multiples of 2^(e - first + …) ≥ 4.
    i32 first = e - 2 > 0 ? e - 2 : 0;
    u32 word = (u32)first >> 6, shift = (u32)first & 63;
    u64 w[4];
#pragma unroll
    for (u32 i = 0; i < 4; i++) w[i] = TWO_OVER_PI[word + i];
    u64 p[3];
#pragma unroll
    for (u32 i = 0; i < 3; i++) p[i] = shift ? w[i] << shift | w[i + 1] >> (64 - shift) : w[i];
    // m × p, 256 bits; the top word is the part above 2^(64 + …).
    u64 low0 = m * p[2], carry0 = high_product(m, p[2]);
    u64 mid = m * p[1] + carry0;
    u64 carry1 = high_product(m, p[1]) + (mid < carry0);
    u64 top = m * p[0] + carry1;
    // The fraction p has its point before its first bit, `first` places to the right of 2/π's; so the
    // product's point lies e − first bits into the 192 bits (top, mid, low0) counted from below 2^64·m.
    u64 above = high_product(m, p[0]) + (top < carry1);
    i32 point = e - first;
    // Value = (above:top:mid:low0)·2^(point − 192). Move the point to the front of `mid`'s words.
    u64 whole, f0, f1;
    if (point >= 0) {
        u32 s = (u32)point;
        whole = s ? above << s | top >> (64 - s) : above;
        f0 = s ? top << s | mid >> (64 - s) : top;
        f1 = s ? mid << s | low0 >> (64 - s) : mid;
    } else {
        u32 s = (u32)-point;
        whole = s < 64 ? above >> s : 0;
        f0 = s < 64 ? above << (64 - s) | top >> s : above;
        f1 = s < 64 ? top << (64 - s) | mid >> s : top;
    }
    // To the nearest: a fraction of a half or more belongs to the next multiple.
    bool up = f0 >> 63;
    q = (u32)whole + up;
    if (up) {
        f1 = ~f1;
        f0 = ~f0;
    }
    f64 high = (f64)(f0 & ~0x7ffull) * 0x1p-64;
    f64 rest = (f64)((f0 & 0x7ff) << 53 | f1 >> 11) * 0x1p-117;
    if (up) {
        high = -high;
        rest = -rest;
    }
    f64 r = high * 1.5707963267948966;
    low = fma(high, 1.5707963267948966, -r) + fma(high, 6.123233995736766e-17, rest * 1.5707963267948966);
    f64 sum = r + low;
    low = low - (sum - r);
    return sum;
}

// x less the nearest multiple of π/2, as r + low, and the last two bits of that multiple.
template <class T> DEVICE T reduce_angle(T x, T& low, u32& q) {
    T t = fma(x, (T)0.6366197723675814, C::MAGIC), n = t - C::MAGIC;
    T r1 = fma(n, -C::PIO2_HI, x);
    // The second product and difference with what they lose, and the third piece of π/2.
    T p = n * C::PIO2_MID, r = r1 - p, v = r - r1;
    low = fma(n, -C::PIO2_LO, ((r1 - (r - v)) - (p + v)) - fma(n, C::PIO2_MID, -p));
    q = (u32)bits_of(t);
    T a = absolute(x);
    if (!(a <= C::TRIG_MAX)) {
        if (a < C::INF) {
            f64 rest, y = reduce_huge((f64)a, q, rest);
            r = (T)y;
            low = (T)((y - (f64)r) + rest);
            if (x < 0) {
                q = 0 - q;
                r = -r;
                low = -low;
            }
        } else {
            r = low = nan_of<T>();
        }
    }
    return r;
}

// sin(r + low) ≈ sin r + low·cos r, cos(r + low) ≈ cos r − low·sin r.
template <class T> DEVICE T sine_of(T r, T low) {
    T z = r * r;
    return r + fma(r * z, poly(z, C::SIN), low);
}
template <class T> DEVICE T cosine_of(T r, T low) {
    T z = r * r, half_z = z * (T)0.5, w = 1 - half_z;
    return w + (((1 - w) - half_z) + fma(z * z, poly(z, C::COS), -(r * low)));
}

template <class T> DEVICE T sine_or_cosine(T x, u32 quarter) {
    T low;
    u32 q;
    T r = reduce_angle(x, low, q);
    q += quarter;
    T y = q & 1 ? cosine_of(r, low) : sine_of(r, low);
    return q & 2 ? -y : y;
}
// −0 and numbers whose square is 0 are their own sine.
template <class T> DEVICE T sin(T x) { return absolute(x) < C::TINY ? x : sine_or_cosine(x, 0); }
template <class T> DEVICE T cos(T x) { return sine_or_cosine(x, 1); }
template <class T> DEVICE T tan(T x) {
    T low;
    u32 q;
    T r = reduce_angle(x, low, q);
    T s = sine_of(r, low), c = cosine_of(r, low);
    T y = q & 1 ? -c / s : s / c;
    return absolute(x) < C::TINY ? x : y;
}

// atan of 0 ≤ a ≤ 1: above tan(π/8) it is π/4 + atan((a − 1)/(a + 1)).
template <class T> DEVICE T atan_unit(T a) {
    bool far = a > (T)0.4142135623730950;
    T t = far ? (a - 1) / (a + 1) : a;
    T z = t * t;
    T y = t * z * poly(z, C::ATAN);
    return far ? C::PIO2_HI * (T)0.5 + (t + (y + C::PIO2_MID * (T)0.5)) : t + y;
}
template <class T> DEVICE T atan(T x) {
    T a = absolute(x);
    bool big = a > 1;
    T y = atan_unit(big ? 1 / a : a);
    y = big ? C::PIO2_HI - (y - C::PIO2_MID) : y;
    return with_sign(y, x);
}
template <class T> DEVICE T atan2(T y, T x) {
    T a = absolute(x), b = absolute(y);
    bool steep = b > a;
    T num = steep ? a : b, den = steep ? b : a;
    // ∞/∞ counts as 1, 0/0 as 0.
    T t = num == den ? (den == 0 ? (T)0 : (T)1) : num / den;
    T r = atan_unit(t);
    r = steep ? C::PIO2_HI - (r - C::PIO2_MID) : r;
    r = is_negative(x) ? 2 * C::PIO2_HI - (r - 2 * C::PIO2_MID) : r;
    return is_nan(x) || is_nan(y) ? x + y : with_sign(r, y);
}

// asin of 0 ≤ a ≤ ½, given its square.
template <class T> DEVICE T asin_small(T a, T z) { return fma(a * z, poly(z, C::ASIN), a); }
template <class T> DEVICE T asin(T x) {
    T a = absolute(x);
    bool large = a > (T)0.5;
    T z = large ? (1 - a) * (T)0.5 : a * a;
    T s = large ? root(z) : a;
    T y = asin_small(s, z);
    y = large ? C::PIO2_HI - (2 * y - C::PIO2_MID) : y;
    return with_sign(y, x);
}
template <class T> DEVICE T acos(T x) {
    T a = absolute(x);
    bool large = a > (T)0.5;
    T z = large ? (1 - a) * (T)0.5 : a * a;
    T s = large ? root(z) : x;
    T y = asin_small(s, z);
    T near = 2 * y;
    T far = 2 * C::PIO2_HI - (near - 2 * C::PIO2_MID);
    return large ? (x < 0 ? far : near) : C::PIO2_HI - (y - C::PIO2_MID);
}
