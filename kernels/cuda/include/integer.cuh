// Integer arithmetic: it wraps, and divides as the CPU kernels do.
#pragma once
#include "core.cuh"

// Unsigned, so that overflow wraps.
template <class T> using wrapping = choose<sizeof(T) == 8, u64, u32>;
template <class T> constexpr bool is_unsigned = (T)-1 > (T)0;

#define WRAP(e) ((T)(e))
template <class T> DEVICE T plus(T a, T b) { return WRAP((wrapping<T>)a + (wrapping<T>)b); }
template <class T> DEVICE T minus(T a, T b) { return WRAP((wrapping<T>)a - (wrapping<T>)b); }
template <class T> DEVICE T times(T a, T b) { return WRAP((wrapping<T>)a * (wrapping<T>)b); }
template <class T> DEVICE T negated(T a) { return minus((T)0, a); }
#undef WRAP

// Quotient towards zero; the least integer by −1 wraps. b is not zero.
template <class T> DEVICE T quotient(T a, T b) {
    if (!is_unsigned<T> && b == (T)-1) return negated(a);
    return a / b;
}
// Remainder with the sign of a.
template <class T> DEVICE T modulo(T a, T b) {
    if (!is_unsigned<T> && b == (T)-1) return 0;
    return a % b;
}

// a to the power p; for negative p 1, ±1 or 0, as the quotient would be.
template <class T> DEVICE T power(T a, i64 p) {
    if (p < 0) {
        if (a == 1) return 1;
        return !is_unsigned<T> && a == (T)-1 ? (p % 2 == 0 ? (T)1 : a) : (T)0;
    }
    T y = 1;
#pragma unroll 1
    for (; p > 0; p >>= 1, a = times(a, a))
        if (p & 1) y = times(y, a);
    return y;
}

// The bits moved up; none are left where `by` is out of range.
template <class T> DEVICE T shift_up(T a, T by) {
    constexpr u64 BITS = sizeof(T) * 8;
    return (u64)(i64)by < BITS ? (T)((wrapping<T>)a << (u32)by) : (T)0;
}
// The bits moved down; only the sign is left where `by` is out of range.
template <class T> DEVICE T shift_down(T a, T by) {
    constexpr u64 BITS = sizeof(T) * 8;
    return (u64)(i64)by < BITS ? (T)(a >> (u32)by) : (T)(a < 0 ? -1 : 0);
}
