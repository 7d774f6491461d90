// Conversions from one dtype to every other, `cast_from(Map<1>, to)`, as PyTorch's on x86:
//
// - to bool: whether it is not zero (NaN is not);
// - between integers: the low bits;
// - float to i32 and i64: truncated; NaN and what does not fit give the least integer;
// - float to smaller integers: the low bits of that i32 (of that i64 from f64 to u8);
// - to f32 and f64: rounded to nearest even; to f16 and bf16: to f32 first, then again.
//
// And `arange_dtype`, which converts what it counts.
#include "include/core.cuh"
#include "include/walk.cuh"

typedef DTYPE T;
typedef compute<T> F;

// In the order of `DType`.
enum To : u32 { BOOL, U8, I8, I16, I32, I64, F16, BF16, F32, F64 };

template <class F> DEVICE i32 to_i32(F x) {
    if constexpr (is_float<F>)
        return x >= (F)-2147483648.0 && x < (F)2147483648.0 ? (i32)x : (i32)0x80000000;
    else return (i32)x;
}
template <class F> DEVICE i64 to_i64(F x) {
    if constexpr (is_float<F>)
        return x >= (F)-9223372036854775808.0 && x < (F)9223372036854775808.0 ? (i64)x : (i64)(1ull << 63);
    else return (i64)x;
}
DEVICE u8 to_u8(F x) { return same<T, f64> ? (u8)to_i64(x) : (u8)to_i32(x); }

KERNEL(THREADS) NAME(cast)(const Map<1> p, u32 to) {
    each_element<4>(p, [=](Offsets<1> o) {
        F x = widen(((const T*)p.in[0])[o.at[1]]);
        i64 at = o.at[0];
        switch (to) {
        case BOOL: ((u8*)p.out)[at] = x != 0; break;
        case U8: ((u8*)p.out)[at] = to_u8(x); break;
        case I8: ((i8*)p.out)[at] = (i8)to_i32(x); break;
        case I16: ((i16*)p.out)[at] = (i16)to_i32(x); break;
        case I32: ((i32*)p.out)[at] = to_i32(x); break;
        case I64: ((i64*)p.out)[at] = to_i64(x); break;
        case F16: ((f16*)p.out)[at] = narrow<f16>((f32)x); break;
        case BF16: ((bf16*)p.out)[at] = narrow<bf16>((f32)x); break;
        case F32: ((f32*)p.out)[at] = (f32)x; break;
        default: ((f64*)p.out)[at] = (f64)x;
        }
    });
}

// f64 to the dtype, rounded once; to integers truncated and saturated, NaN to 0.
template <class T> DEVICE T of_f64(f64 x) {
    if constexpr (same<T, f64> || same<T, f32>) return (T)x;
    else if constexpr (is_float<T>) {
        // Rounded to odd first, so that the second rounding is right.
        f32 y = __nvvm_d2f_rz(x);
        if ((f64)y != x && x == x) y = float_of(bits_of(y) | 1);
        return narrow<T>(y);
    } else {
        constexpr bool SIGNED = (T)-1 < 0;
        constexpr u64 BITS = sizeof(T) * 8;
        constexpr f64 END = SIGNED ? (f64)(1ull << (BITS - 1)) : 2.0 * (1ull << (BITS - 1));
        constexpr T MOST = SIGNED ? (T)((1ull << (BITS - 1)) - 1) : (T)-1;
        constexpr T LEAST = SIGNED ? (T)(1ull << (BITS - 1)) : (T)0;
        if (x != x) return 0;
        return x >= END ? MOST : x <= (SIGNED ? -END : 0.0) ? LEAST : (T)(i64)x;
    }
}

struct Range {
    f64 start, step;
    i64 start_int, step_int;
    // Whether to count in integers; whether the output is bool.
    u32 whole, truth;
};

// start + i·step in row-major order. Floats round as PyTorch does: vectors of 32 bytes count from their
// own first element, rounded; the rest from the start.
template <class T> DEVICE void arange(const Map<1>& p, const Range& range) {
    constexpr u32 LANES = 32 / sizeof(T);
    u32 i = block_x() * (THREADS * 4) + thread_x(), body = p.count / LANES * LANES;
#pragma unroll 1
    for (u32 j = 0; j < 4 && i < p.count; j++, i += THREADS) {
        i64 at = offsets(p, i).at[0];
        T* out = (T*)p.out + at;
        if constexpr (!is_float<T>) {
            if (range.whole) {
                i64 v = (i64)((u64)range.start_int + (u64)i * (u64)range.step_int);
                *out = range.truth ? (T)(v != 0) : (T)v;
                continue;
            }
        }
        f64 v = __builtin_fma(range.step, (f64)i, range.start);
        if constexpr (is_float<T>) {
            if (i < body) {
                u32 lane = i % LANES;
                f64 first = (f64)widen(of_f64<T>(__builtin_fma(range.step, (f64)(i - lane), range.start)));
                v = __builtin_fma(range.step, (f64)lane, first);
            }
            *out = of_f64<T>(v);
        } else {
            *out = range.truth ? (T)(v != 0) : of_f64<T>(v);
        }
    }
}
KERNEL(THREADS) NAME(arange)(const Map<1> p, const Range range) { arange<T>(p, range); }
