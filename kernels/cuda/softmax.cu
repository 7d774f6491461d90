// Softmax and log-softmax along a dimension, and their gradients.
#include "include/math.cuh"
#include "include/team.cuh"

typedef DTYPE T;
typedef compute<T> F;

// The largest so far, and the sum of e^(x − largest).
struct Sums { F most, sum; };
DEVICE Sums shuffle_xor(Sums s, u32 mask) { return {shuffle_xor(s.most, mask), shuffle_xor(s.sum, mask)}; }
// Where nothing, or −∞ alone, has been seen, there is nothing to scale.
DEVICE F scaled(F sum, F by) { return sum == 0 ? (F)0 : sum * exp(by); }
DEVICE Sums merge(Sums a, Sums b) {
    F most = a.most > b.most ? a.most : b.most;
    return {most, scaled(a.sum, a.most - most) + scaled(b.sum, b.most - most)};
}
// One exponential: of the new element, or to scale the old ones. NaN gets into the sum.
DEVICE Sums take(Sums s, F x) {
    if (x == -Constants<F>::INF) return s;
    F d = x - s.most, e = exp(-absolute(d));
    return {d > 0 ? x : s.most, d > 0 ? fma(s.sum, e, (F)1) : s.sum + e};
}

KERNEL(THREADS) NAME(softmax)(const Lines<1> p, u32 log) {
    SHARED static Sums scratch[WARPS];
    u32 line = line_of(p), first = member_of(p);
    if (line >= p.map.count) return;
    Offsets<1> o = offsets(p.map, line);
    const T* x = (const T*)p.map.in[0] + o.at[1];
    T* y = (T*)p.map.out + o.at[0];
    Sums s = {-Constants<F>::INF, 0};
#pragma unroll 1
    for (u32 i = first; i < p.length; i += p.team) s = take(s, widen(x[i * p.along[1]]));
    s = together(s, p.team, scratch, merge);
    F log_sum = log ? ln(s.sum) : (F)0, scale = 1 / s.sum;
#pragma unroll 1
    for (u32 i = first; i < p.length; i += p.team) {
        F v = widen(x[i * p.along[1]]) - s.most;
        y[i * p.along[0]] = narrow<T>(log ? v - log_sum : exp(v) * scale);
    }
}

// Inputs y and g: y·(g − Σ g·y), or g − e^y·Σg for the logarithm.
KERNEL(THREADS) NAME(softmax_grad)(const Lines<2> p, u32 log) {
    SHARED static F scratch[WARPS];
    u32 line = line_of(p), first = member_of(p);
    if (line >= p.map.count) return;
    Offsets<2> o = offsets(p.map, line);
    const T* y = (const T*)p.map.in[0] + o.at[1];
    const T* g = (const T*)p.map.in[1] + o.at[2];
    T* dx = (T*)p.map.out + o.at[0];
    F sum = 0;
#pragma unroll 1
    for (u32 i = first; i < p.length; i += p.team) {
        F v = widen(g[i * p.along[2]]);
        sum = log ? sum + v : fma(v, widen(y[i * p.along[1]]), sum);
    }
    sum = together_sum(sum, p.team, scratch);
#pragma unroll 1
    for (u32 i = first; i < p.length; i += p.team) {
        F a = widen(y[i * p.along[1]]), v = widen(g[i * p.along[2]]);
        dx[i * p.along[0]] = narrow<T>(log ? fma(-exp(a), sum, v) : a * (v - sum));
    }
}
