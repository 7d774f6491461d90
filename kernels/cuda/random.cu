// Random numbers by Philox 4×32-10, in the layout of PyTorch's CUDA generator
// (aten/src/ATen/native/cuda/DistributionTemplates.h), so that a seed gives the numbers it gives there:
// uniforms, integers and coin flips bit for bit, normals but for the last bits of logarithm, sine and cosine.
//
// The counter's high half is the thread's number, its low half the generator's offset / 4 plus the draws
// so far; the key is the seed. The host launches blocks of 256, as many as PyTorch: the elements / 256 rounded
// up, at most what the GPU holds at once; and moves the offset on by 4 · ⌈elements / (threads · per draw)⌉.
// Elements count in memory order. A draw's four (f64, wide integers: two) numbers go to elements that are
// as many threads apart, or, for dropout (`adjacent`), to neighbours.
#include "include/math.cuh"
#include "include/philox.cuh"
#include "include/walk.cuh"

typedef DTYPE T;

struct Random {
    // The output alone is used.
    Map<1> map;
    u64 seed, offset;
    // Uniform: low, high. Normal: mean, deviation. Bernoulli: probability.
    f64 a, b;
    i64 base;
    u64 range;
    u32 adjacent;
};

// N elements of each draw, by `make(draw, values)`.
template <int N, class X, class Make> DEVICE void draw(const Random& p, Make make) {
    const u64 thread = (u64)block_x() * THREADS + thread_x(), all = (u64)blocks() * THREADS;
    u64 counter = p.offset / 4;
#pragma unroll 1
    for (u64 first = thread; (p.adjacent ? first * N : first) < p.map.count; counter++) {
        X values[N];
        make(philox(p.seed, counter, thread), values);
#pragma unroll
        for (int i = 0; i < N; i++) {
            u64 at = p.adjacent ? first * N + i : first + i * all;
            if (at < p.map.count) ((T*)p.map.out)[offsets(p.map, (u32)at).at[0]] = narrow<T>((compute<T>)values[i]);
        }
        first += p.adjacent ? all : all * N;
    }
}

// In (0, 1].
DEVICE f32 unit(u32 x) { return fma((f32)x, 0x1p-32f, 0x1p-33f); }
DEVICE f64 unit(u32 x, u32 y) { return fma((f64)(x ^ (u64)y << 21), 0x1p-53, 0x1p-54); }

template <class X> constexpr int PER_DRAW = sizeof(X) == 8 ? 2 : 4;
// The uniforms of a draw, of f32 or f64.
template <class X> DEVICE void units(Draw d, X (&u)[PER_DRAW<X>]) {
    if constexpr (sizeof(X) == 8) {
        u[0] = unit(d.at[0], d.at[1]);
        u[1] = unit(d.at[2], d.at[3]);
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++) u[i] = unit(d.at[i]);
    }
}

#ifdef FLOATS
typedef compute<T> F;

// In [low, high): the excluded end becomes the included one.
KERNEL(THREADS) NAME(uniform)(const Random p) {
    const F low = (F)p.a, high = (F)p.b, width = high - low;
    draw<PER_DRAW<F>, F>(p, [=](Draw d, F (&v)[PER_DRAW<F>]) {
        units(d, v);
#pragma unroll
        for (int i = 0; i < PER_DRAW<F>; i++) {
            T y = narrow<T>(fma(v[i], width, low));
            v[i] = widen(y) == widen(narrow<T>(high)) ? low : widen(y);
        }
    });
}

// Two normals of two uniforms, after Box and Muller.
DEVICE void normals(f32 u, u32 y, f32& a, f32& b) {
    f32 v = fma((f32)y, 0x1.921fb6p-30f, 0x1.921fb6p-31f), s = root(-2 * ln(u));
    a = s * sin(v);
    b = s * cos(v);
}
DEVICE void normals(f64 u, f64 turn, f64& a, f64& b) {
    f64 v = 2 * turn * 3.141592653589793, s = root(-2 * ln(u));
    a = s * sin(v);
    b = s * cos(v);
}
template <class X> DEVICE void normals_of(Draw d, X (&v)[PER_DRAW<X>]) {
    if constexpr (sizeof(X) == 8) normals(unit(d.at[0], d.at[1]), unit(d.at[2], d.at[3]), v[0], v[1]);
    else {
        normals(unit(d.at[0]), d.at[1], v[0], v[1]);
        normals(unit(d.at[2]), d.at[3], v[2], v[3]);
    }
}
KERNEL(THREADS) NAME(normal)(const Random p) {
    const F mean = (F)p.a, deviation = (F)p.b;
    draw<PER_DRAW<F>, F>(p, [=](Draw d, F (&v)[PER_DRAW<F>]) {
        normals_of(d, v);
#pragma unroll
        for (int i = 0; i < PER_DRAW<F>; i++) v[i] = fma(v[i], deviation, mean);
    });
}
#endif

// 1 with probability a, else 0: uniforms of f64 for f64, of f32 for all others.
typedef choose<same<T, f64>, f64, f32> Coin;
KERNEL(THREADS) NAME(bernoulli)(const Random p) {
    const Coin chance = (Coin)p.a;
    draw<PER_DRAW<Coin>, u32>(p, [=](Draw d, u32 (&v)[PER_DRAW<Coin>]) {
        Coin u[PER_DRAW<Coin>];
        units(d, u);
#pragma unroll
        for (int i = 0; i < PER_DRAW<Coin>; i++) v[i] = u[i] < chance;
    });
}

// base + draw mod range: 32-bit draws, or 64-bit ones where the range takes 28 bits or more.
KERNEL(THREADS) NAME(integers)(const Random p) {
    const u64 range = p.range, base = (u64)p.base;
    if (range >= 1ull << 28)
        draw<2, i64>(p, [=](Draw d, i64 (&v)[2]) {
            v[0] = (i64)(((u64)d.at[0] << 32 | d.at[1]) % range + base);
            v[1] = (i64)(((u64)d.at[2] << 32 | d.at[3]) % range + base);
        });
    else
        draw<4, i64>(p, [=](Draw d, i64 (&v)[4]) {
#pragma unroll
            for (int i = 0; i < 4; i++) v[i] = (i64)(d.at[i] % (u32)range + base);
        });
}
