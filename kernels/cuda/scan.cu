// Running sums and products along a dimension: f32 and f64 in f64, f16 and bf16 in f32, integers and bool in
// i64, rounded once each. With one thread per line each is in order, to the CPU's bits; with a block per
// line, warps scan and carry, which rounds in another, fixed order.
#include "include/team.cuh"

typedef DTYPE T;
typedef choose<same<T, f32>, f64, total<T>> A;
typedef choose<is_float<T>, T, i64> Out;

DEVICE A wide(T x) { return (A)widen(x); }
template <class T, class X> DEVICE Out rounded(X x) {
    if constexpr (is_float<T>) return narrow<T>((compute<T>)x);
    else return x;
}
template <bool SUM> DEVICE A joined(A a, A b) {
    if constexpr (is_float<T>) return SUM ? a + b : a * b;
    else return (A)(SUM ? (u64)a + (u64)b : (u64)a * (u64)b);
}

template <bool SUM> DEVICE void scan(const Lines<1>& p) {
    SHARED static A scratch[WARPS];
    u32 line = line_of(p);
    if (line >= p.map.count) return;
    Offsets<1> o = offsets(p.map, line);
    const T* x = (const T*)p.map.in[0] + o.at[1];
    Out* y = (Out*)p.map.out + o.at[0];
    A done = SUM ? 0 : 1;
    if (p.team == 1) {
#pragma unroll 1
        for (u32 i = 0; i < p.length; i++) {
            done = joined<SUM>(done, wide(x[i * p.along[1]]));
            y[i * p.along[0]] = rounded<T>(done);
        }
        return;
    }
#pragma unroll 1
    for (u32 first = 0; first < p.length; first += THREADS) {
        u32 i = first + thread_x();
        A sum = i < p.length ? wide(x[i * p.along[1]]) : (A)(SUM ? 0 : 1);
#pragma unroll
        for (u32 by = 1; by < 32; by <<= 1) {
            A below = shuffle_up(sum, by);
            sum = lane_id() >= by ? joined<SUM>(below, sum) : sum;
        }
        if (lane_id() == 31) scratch[warp_id()] = sum;
        barrier();
        A before = done;
#pragma unroll
        for (u32 w = 0; w < WARPS; w++) {
            A part = scratch[w];
            before = w < warp_id() ? joined<SUM>(before, part) : before;
            done = joined<SUM>(done, part);
        }
        barrier();
        if (i < p.length) y[i * p.along[0]] = rounded<T>(joined<SUM>(before, sum));
    }
}

// The team is 1 or THREADS.
KERNEL(THREADS) NAME(cumsum)(const Lines<1> p) { scan<true>(p); }
KERNEL(THREADS) NAME(cumprod)(const Lines<1> p) { scan<false>(p); }
