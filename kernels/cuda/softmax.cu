// Softmax and log-softmax along a dimension, and their gradients. A line that its team holds in registers is
// read once, and each element has one exponential.
#include "include/math.cuh"
#include "include/team.cuh"

typedef DTYPE T;
typedef compute<T> F;
typedef Share<T> S;

// Where nothing, or −∞ alone, has been seen, there is nothing to scale.
DEVICE F scaled(F sum, F by) {
    F y = sum * exp(by);
    return sum == 0 ? (F)0 : y;
}
DEVICE F larger(F a, F b) { return a > b ? a : b; }

KERNEL(THREADS) NAME(softmax)(const Lines<1> p, u32 log) {
    SHARED static F scratch[WARPS];
    const u32 line = line_of(p);
    const bool real = line < p.map.count;
    const Offsets<1> o = offsets(p.map, real ? line : 0);
    const T* x = (const T*)p.map.in[0] + o.at[1];
    T* y = (T*)p.map.out + o.at[0];
    const i64 in = p.along[1], out = p.along[0];
    S share(member_of(p), p.team, real ? p.length : 0, in == 1 && out == 1 && aligned(x) && aligned(y));
    const u32 chunks = S::chunks(p.length, p.team);
    typename S::Values v;
    // The largest so far, and the sum of e^(x − largest): the line's if there is one chunk, else this thread's.
    F most = -Constants<F>::INF, sum = 0;
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        share.chunk(c);
        share.load(x, in, -Constants<F>::INF, v);
        const F before = most;
#pragma unroll
        for (u32 e = 0; e < S::N; e++) most = larger(v[e], most);
        if (chunks == 1) most = together(most, p.team, scratch, larger);
        else sum = scaled(sum, before - most);
        // NaN gets into the sum.
        const F from = most == -Constants<F>::INF ? (F)0 : most;
#pragma unroll
        for (u32 e = 0; e < S::N; e++) {
            F y = exp(v[e] - from);
            sum += y;
            v[e] = log ? v[e] : y;
        }
    }
    if (chunks > 1) {
        const F own = most;
        most = together(own, p.team, scratch, larger);
        sum = scaled(sum, own - most);
    }
    sum = together_sum(sum, p.team, scratch);
    const F log_sum = log ? ln(sum) : (F)0, scale = 1 / sum;
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        if (chunks > 1) {
            share.chunk(c);
            share.load(x, in, v);
            if (!log)
#pragma unroll
                for (u32 e = 0; e < S::N; e++) v[e] = exp(v[e] - most);
        }
#pragma unroll
        for (u32 e = 0; e < S::N; e++) v[e] = log ? v[e] - most - log_sum : v[e] * scale;
        share.store(y, out, v);
    }
}

// Inputs y and g: y·(g − Σ g·y), or g − e^y·Σg for the logarithm.
KERNEL(THREADS) NAME(softmax_grad)(const Lines<2> p, u32 log) {
    SHARED static F scratch[WARPS];
    const u32 line = line_of(p);
    const bool real = line < p.map.count;
    const Offsets<2> o = offsets(p.map, real ? line : 0);
    const T* y = (const T*)p.map.in[0] + o.at[1];
    const T* g = (const T*)p.map.in[1] + o.at[2];
    T* dx = (T*)p.map.out + o.at[0];
    const i64 in_y = p.along[1], in_g = p.along[2], out = p.along[0];
    const bool vectors = in_y == 1 && in_g == 1 && out == 1 && aligned(y) && aligned(g) && aligned(dx);
    S share(member_of(p), p.team, real ? p.length : 0, vectors);
    const u32 chunks = S::chunks(p.length, p.team);
    typename S::Values a, v;
    F sum = 0;
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        share.chunk(c);
        share.load(y, in_y, a);
        share.load(g, in_g, v);
#pragma unroll
        for (u32 e = 0; e < S::N; e++) sum = fma(v[e], log ? (F)1 : a[e], sum);
    }
    sum = together_sum(sum, p.team, scratch);
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        if (chunks > 1) {
            share.chunk(c);
            share.load(y, in_y, a);
            share.load(g, in_g, v);
        }
        if (log)
#pragma unroll
            for (u32 e = 0; e < S::N; e++) v[e] = fma(-exp(a[e]), sum, v[e]);
        else
#pragma unroll
            for (u32 e = 0; e < S::N; e++) v[e] = a[e] * (v[e] - sum);
        share.store(dx, out, v);
    }
}
