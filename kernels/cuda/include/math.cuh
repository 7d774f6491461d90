// Elementary functions, written once for f32 and f64: a range reduction and a polynomial, built from
// fused multiply-adds, divisions and square roots that IEEE 754 rounds. No approximate instruction is
// used, so every GPU, the emulator and the host test get the same bits. Special values (NaN, ±∞, ±0,
// subnormals, overflow) come out as IEEE 754 recommends.
//
// The largest errors, in ulp, are the bounds of tests/math.cpp, which checks them.
#pragma once
#include "constants.cuh"

#define C Constants<T>

DEVICE f32 fma(f32 a, f32 b, f32 c) { return __builtin_fmaf(a, b, c); }
DEVICE f64 fma(f64 a, f64 b, f64 c) { return __builtin_fma(a, b, c); }
template <class T> DEVICE T absolute(T x) { return __builtin_elementwise_abs(x); }
template <class T> DEVICE T root(T x) { return __builtin_elementwise_sqrt(x); }
template <class T> DEVICE T round_down(T x) { return __builtin_elementwise_floor(x); }
template <class T> DEVICE T round_up(T x) { return __builtin_elementwise_ceil(x); }
template <class T> DEVICE T truncate(T x) { return __builtin_elementwise_trunc(x); }
template <class T> DEVICE T round_even(T x) { return __builtin_elementwise_rint(x); }
template <class T> DEVICE T with_sign(T x, T s) { return __builtin_elementwise_copysign(x, s); }
template <class T> DEVICE bool is_nan(T x) { return x != x; }
template <class T> DEVICE bool is_negative(T x) { return (bits_of(x) & C::SIGN) != 0; }
template <class T> DEVICE T nan_of() { return C::INF - C::INF; }

// Σ c[i]·xⁱ
template <class T, int N> DEVICE T poly(T x, const T (&c)[N]) {
    T p = c[N - 1];
#pragma unroll
    for (int i = N - 2; i >= 0; i--) p = fma(p, x, c[i]);
    return p;
}

// 2ⁿ for integers n that are exponents of normal numbers.
template <class T> DEVICE T pow2(T n) { return float_of(bits_of(n + C::MAGIC_BIASED) << C::MANTISSA); }

// ---- exponentials ----

// eʳ − 1 for |r| ≤ ln(2)/2
template <class T> DEVICE T small_expm1(T r) { return fma(r * r, poly(r, C::EXP), r); }

// e^(x + low) for a small `low`.
template <class T> DEVICE T exp_sum(T x, T low) {
    x = x < C::EXP_LO ? C::EXP_LO : x;
    x = x > C::EXP_HI ? C::EXP_HI : x;
    T n = fma(x, C::LOG2E_HI, C::MAGIC) - C::MAGIC;
    T r = fma(n, -C::LN2_LO, fma(n, -C::LN2_HI, x)) + low;
    T p = small_expm1(r) + 1;
    // Two factors, since 2ⁿ alone may overflow or be subnormal where the product is not.
    T half = fma(n, (T)0.5, C::MAGIC) - C::MAGIC;
    return p * pow2(half) * pow2(n - half);
}
template <class T> DEVICE T exp(T x) { return exp_sum(x, (T)0); }

template <class T> DEVICE T expm1(T x) {
    T c = x < C::EXPM1_LO ? C::EXPM1_LO : x;
    c = c > C::EXP_HI ? C::EXP_HI : c;
    T n = fma(c, C::LOG2E_HI, C::MAGIC) - C::MAGIC;
    T r = fma(n, -C::LN2_LO, fma(n, -C::LN2_HI, c));
    // At half its size, so that 2ⁿ does not overflow before the result does.
    T scale = pow2(n - 1);
    T y = fma(scale, small_expm1(r), scale - (T)0.5) * 2;
    return absolute(x) < C::TINY ? x : y;
}

template <class T> DEVICE T sigmoid(T x) {
    T e = exp(-absolute(x));
    return (x < 0 ? e : (T)1) / (e + 1);
}
// 1 − sigmoid(x) is sigmoid(−x): neither loses to cancellation.

template <class T> DEVICE T tanh(T x) {
    T z = x * x, a = absolute(x);
    T small = fma(x * z, poly(z, C::TANH), x);
    // 1 − 2/(e^2|x| + 1) loses nothing to cancellation where the difference is above ½.
    T large = 1 - 2 / (exp(a + a) + 1);
    return with_sign(a < C::TANH_CUT ? small : large, x);
}

template <class T> DEVICE T sinh(T x) {
    T a = absolute(x), t = expm1(a);
    T small = (t + t / (t + 1)) * (T)0.5;
    T w = exp(a * (T)0.5);
    T large = (T)0.5 * w * w;
    return with_sign(a < C::TINY ? a : a < C::SINH_HALVES ? small : large, x);
}
template <class T> DEVICE T cosh(T x) {
    T a = absolute(x), e = exp(a);
    T small = fma((T)0.5, e, (T)0.5 / e);
    T w = exp(a * (T)0.5);
    return a < C::SINH_HALVES ? small : (T)0.5 * w * w;
}

// ---- logarithms ----

// x = m·2ᵉ of a positive normal number, with m between √½ and √2.
template <class T> DEVICE T split(T x, T& e) {
    typename C::Bits bits = bits_of(x) + (C::ONE_BITS - C::SQRT_HALF_BITS);
    e = float_of((typename C::Bits)(bits >> C::MANTISSA | C::SHIFT_BITS)) - C::SHIFT_BIASED;
    return float_of((typename C::Bits)((bits & C::MANTISSA_MASK) + C::SQRT_HALF_BITS));
}
// The same of any positive number.
template <class T> DEVICE T split_any(T x, T& e) {
    bool subnormal = x < C::MIN_NORMAL;
    T m = split(subnormal ? x * C::SHIFT : x, e);
    e -= subnormal ? (T)C::MANTISSA : (T)0;
    return m;
}

// ln(1 + f) + e·ln 2 + c for 1 + f between √½ and √2 and a small c.
template <class T> DEVICE T assemble(T f, T e, T c) {
    // With s = f/(2 + f): ln(1 + f) = f − f²/2 + s·(f²/2 + s²·P(s²)), the terms in falling size.
    T s = f / (f + 2), z = s * s, half_square = f * f * (T)0.5;
    T tail = s * (half_square + z * poly(z, C::LN));
    T low = fma(e, C::LN2_LO, c + tail);
    return fma(e, C::LN2_HI, f - (half_square - low));
}

// The logarithm y of u where that is 0, negative, ∞ or NaN.
template <class T> DEVICE T log_limits(T u, T y) {
    y = u == 0 ? -C::INF : y;
    y = u < 0 ? nan_of<T>() : y;
    return u < C::INF ? y : u;
}

template <class T> DEVICE T ln(T x) {
    T e, m = split_any(x, e);
    return log_limits(x, assemble(m - 1, e, (T)0));
}
template <class T> DEVICE T log1p(T x) {
    T u = x + 1, e, m = split(u, e);
    // What 1 + x lost to rounding, relative to it.
    T lost = (x < 1 ? x - (u - 1) : 1 - (u - x)) / u;
    bool whole = e == 0;
    T y = log_limits(u, assemble(whole ? x : m - 1, e, whole ? (T)0 : lost));
    return absolute(x) < C::TINY ? x : y;
}
// e + ln(m)·log2(e): exact at powers of two.
template <class T> DEVICE T log2(T x) {
    T e, m = split_any(x, e);
    T l = assemble(m - 1, (T)0, (T)0);
    return log_limits(x, fma(l, C::LOG2E_HI, e) + l * C::LOG2E_LO);
}
template <class T> DEVICE T log10(T x) {
    T e, m = split_any(x, e);
    T l = assemble(m - 1, (T)0, (T)0);
    T small = fma(e, C::LOG10_2_LO, l * C::LOG10E_LO);
    return log_limits(x, fma(e, C::LOG10_2_HI, fma(l, C::LOG10E_HI, small)));
}

template <class T> DEVICE T softplus(T x) {
    T positive = x < 0 ? (T)0 : x;
    return positive + log1p(exp(-absolute(x)));
}

// ---- the error function and GELU ----

template <class T> DEVICE T erf(T x) {
    T small = fma(x, poly(x * x, C::ERF), x);
    T a = absolute(x);
    a = a > C::ERF_MAX ? C::ERF_MAX : a;
    T large = 1 - exp(-poly(a, C::ERFC));
    return a < 1 ? small : with_sign(large, x);
}
template <class T> DEVICE T normal_cdf(T x) { return fma(erf(x * (T)0.7071067811865476), (T)0.5, (T)0.5); }
template <class T> DEVICE T gelu(T x) { return x * normal_cdf(x); }
template <class T> DEVICE T gelu_grad(T g, T x) {
    T density = exp(x * x * (T)-0.5) * (T)0.3989422804014327;
    return g * fma(x, density, normal_cdf(x));
}

// x·(1 + tanh(u))/2 = x·sigmoid(2u) with u = √(2/π)·(x + 0.044715·x³).
template <class T> DEVICE T gelu_twice_u(T x) {
    return x * fma(x * x, (T)0.07135481627260025, (T)1.5957691216057308);
}
template <class T> DEVICE T gelu_tanh(T x) { return x * sigmoid(gelu_twice_u(x)); }
template <class T> DEVICE T gelu_tanh_grad(T g, T x) {
    T u = gelu_twice_u(x), s = sigmoid(u);
    T slope = fma(x * x, (T)0.21406444881780076, (T)1.5957691216057308);
    return g * (s * fma(x * sigmoid(-u), slope, (T)1));
}
template <class T> DEVICE T silu(T x) { return x * sigmoid(x); }
template <class T> DEVICE T silu_grad(T g, T x) { return g * (sigmoid(x) * fma(x, sigmoid(-x), (T)1)); }

#include "trig.cuh"
#include "power.cuh"

#undef C
