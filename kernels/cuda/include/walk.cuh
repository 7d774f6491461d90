// Elementwise kernels over views of any strides.
//
// The host collapses dimensions first. A launch covers fewer than 2³¹ elements (the host cuts larger
// ones along their first dimension), so indices are 32-bit and divisions by sizes are a
// multiplication; offsets are 64-bit.
#pragma once
#include "core.cuh"

constexpr u32 DIMS = 8;
// Threads of a block; a block covers THREADS·VECTOR<T> elements.
constexpr u32 THREADS = 256;

// n / size for n < 2³¹ is (⌊n·multiplier / 2³²⌋ + n) >> shift, with shift = ⌈log₂ size⌉ and
// multiplier = ⌊2³²·(2^shift − size) / size⌋ + 1.
struct Divisor {
    u32 size, multiplier, shift;

    METHOD u32 quotient(u32 n) const { return (u32)(((u64)n * multiplier >> 32) + n) >> shift; }
};

// How an elementwise kernel walks its output and K inputs.
template <int K> struct Map {
    void* out;
    const void* in[K];
    // Operands that are one number for all elements, in the inputs' compute dtype.
    u64 number[K];
    // Parameters of the function, in the compute dtype.
    u64 extra[2];
    // Steps in elements, of the output and then the inputs. Dimension 0 is the outermost.
    i64 step[DIMS][K + 1];
    Divisor dim[DIMS];
    u32 dims;
    // Elements in all.
    u32 count;
    // Bit k: input k is `number[k]`.
    u32 numbers;
    // Whether elements are taken as vectors: the output's innermost step is 1 and those of the inputs
    // are 0 or 1, all addresses and other steps are multiples of a vector, and the innermost size is
    // one, too, where there are several dimensions. Sizes and steps of the innermost dimension then
    // count vectors, `count` still elements.
    u32 vectors;
    // Bit k: input k has innermost step 0, in the vector case.
    u32 splats;
    u32 padding;
};

template <int K> struct Offsets { i64 at[K + 1]; };

template <int K> DEVICE Offsets<K> offsets(const Map<K>& p, u32 i) {
    Offsets<K> o;
#pragma unroll
    for (int k = 0; k <= K; k++) o.at[k] = 0;
#pragma unroll 1
    for (u32 d = p.dims - 1; d > 0; d--) {
        u32 q = p.dim[d].quotient(i), r = i - q * p.dim[d].size;
#pragma unroll
        for (int k = 0; k <= K; k++) o.at[k] += r * p.step[d][k];
        i = q;
    }
#pragma unroll
    for (int k = 0; k <= K; k++) o.at[k] += i * p.step[0][k];
    return o;
}

template <class T> DEVICE T number_of(u64 bits) {
    // Opaque moves of 8-byte types: where one branch loads a parameter and the other one memory, clang
    // makes a choice of addresses and one load of them, for which it copies all parameters to the stack.
    if constexpr (sizeof(T) == 8) {
        T y;
        if constexpr (same<T, f64>) asm("mov.b64 %0, %1;" : "=d"(y) : "l"(bits));
        else asm("mov.b64 %0, %1;" : "=l"(y) : "l"(bits));
        return y;
    } else if constexpr (same<T, f32>) return float_of((u32)bits);
    else return (T)bits;
}

// The same in the storage dtype, whose bits they are.
template <class T> DEVICE T number_of_storage(u64 bits) {
    if constexpr (sizeof(T) == 8) return number_of<T>(bits);
    else return __builtin_bit_cast(T, (choose<sizeof(T) == 4, u32, choose<sizeof(T) == 2, u16, u8>>)bits);
}

// Several values of one operand, in the compute dtype.
template <class T, int V> struct Values { compute<T> at[V]; };

// A vector of input k; `valid` of its elements exist.
template <class T, int V, int K> DEVICE Values<T, V> vector_of(const Map<K>& p, int k, i64 at, int valid) {
    Values<T, V> x;
    const T* from = (const T*)p.in[k] + at;
    if (p.numbers >> k & 1) {
        compute<T> v = number_of<compute<T>>(p.number[k]);
#pragma unroll
        for (int j = 0; j < V; j++) x.at[j] = v;
    } else if (p.splats >> k & 1) {
        compute<T> v = widen(*from);
#pragma unroll
        for (int j = 0; j < V; j++) x.at[j] = v;
    } else if (valid >= V) {
        Vec<T, V> v = load_vector<T, V>(from);
#pragma unroll
        for (int j = 0; j < V; j++) x.at[j] = widen(v.at[j]);
    } else {
#pragma unroll
        for (int j = 0; j < V; j++) x.at[j] = j < valid ? widen(from[j]) : compute<T>();
    }
    return x;
}
template <class T, int K> DEVICE compute<T> value_of(const Map<K>& p, int k, i64 at) {
    return p.numbers >> k & 1 ? number_of<compute<T>>(p.number[k]) : widen(((const T*)p.in[k])[at]);
}

// Elements are written one by one only at the end, and as volatile: else clang joins their stores with parts of
// the vector's, and the vector is written in pieces.
template <class R> DEVICE void store_apart(R* to, R v) {
    typedef choose<sizeof(R) == 8, u64, choose<sizeof(R) == 4, u32, choose<sizeof(R) == 2, u16, u8>>> Bits;
    *(volatile Bits*)to = __builtin_bit_cast(Bits, v);
}
template <class R, int V, int K> DEVICE void store(const Map<K>& p, i64 at, int valid, Vec<R, V> y) {
    R* to = (R*)p.out + at;
    if (valid >= V) {
        store_vector(to, y);
    } else {
#pragma unroll
        for (int j = 0; j < V; j++)
            if (j < valid) store_apart(to + j, y.at[j]);
    }
}

// Calls `vector(offsets, valid)` or `element(offsets)`. V elements per thread, neighbours in
// neighbouring threads.
template <int V, int K, class F, class G> DEVICE void each(const Map<K>& p, F vector, G element) {
    if (p.vectors) {
        u32 i = block_x() * THREADS + thread_x();
        if (i * V < p.count) vector(offsets(p, i), (int)(p.count - i * V));
    } else {
        u32 i = block_x() * (THREADS * V) + thread_x();
#pragma unroll 1
        for (int j = 0; j < V && i < p.count; j++, i += THREADS) element(offsets(p, i));
    }
}

// Functions of few instructions: y = f(x), several at once.
template <class T, class F> DEVICE void map(const Map<1>& p, F f) {
    constexpr int V = VECTOR<T>;
    each<V>(
        p,
        [&](Offsets<1> o, int valid) {
            Values<T, V> x = vector_of<T, V>(p, 0, o.at[1], valid);
            Vec<T, V> y;
#pragma unroll
            for (int j = 0; j < V; j++) y.at[j] = narrow<T>(f(x.at[j]));
            store(p, o.at[0], valid, y);
        },
        [&](Offsets<1> o) { ((T*)p.out)[o.at[0]] = narrow<T>(f(value_of<T>(p, 0, o.at[1]))); });
}
// y = f(a, b), results of type R.
template <class T, class R, class F> DEVICE void map(const Map<2>& p, F f) {
    constexpr int V = VECTOR<T>;
    each<V>(
        p,
        [&](Offsets<2> o, int valid) {
            Values<T, V> a = vector_of<T, V>(p, 0, o.at[1], valid);
            Values<T, V> b = vector_of<T, V>(p, 1, o.at[2], valid);
            Vec<R, V> y;
#pragma unroll
            for (int j = 0; j < V; j++) y.at[j] = narrow<R>(f(a.at[j], b.at[j]));
            store(p, o.at[0], valid, y);
        },
        [&](Offsets<2> o) {
            ((R*)p.out)[o.at[0]] = narrow<R>(f(value_of<T>(p, 0, o.at[1]), value_of<T>(p, 1, o.at[2])));
        });
}

// Kernels without vectors. (The host passes `vectors` = 0.)
template <int V, int K, class G> DEVICE void each_element(const Map<K>& p, G element) {
    u32 i = block_x() * (THREADS * V) + thread_x();
#pragma unroll 1
    for (int j = 0; j < V && i < p.count; j++, i += THREADS) element(offsets(p, i));
}

// Functions of many instructions: one element of a vector after the other, so that the function is there once,
// and what it branches to leaves loads and stores whole. `f` takes the first elements of the inputs.
template <class T, int K, class F> DEVICE void map_long(const Map<K>& p, F f) {
    constexpr int V = VECTOR<T>;
    const u32 unit = p.vectors ? V : 1;
    u32 i = block_x() * (THREADS * V / unit) + thread_x();
#pragma unroll 1
    for (u32 round = 0; round < V / unit && i * unit < p.count; round++, i += THREADS) {
        const Offsets<K> o = offsets(p, i);
        const int valid = (int)(p.count - i * unit);
        Values<T, V> x[K];
#pragma unroll
        for (int k = 0; k < K; k++) {
            if (p.vectors) x[k] = vector_of<T, V>(p, k, o.at[k + 1], valid);
            else x[k].at[0] = value_of<T>(p, k, o.at[k + 1]);
        }
        // The first place has the next element, the last one the newest result.
        compute<T> y[V];
#pragma unroll 1
        for (u32 e = 0; e < unit; e++) {
            const compute<T> newest = f(x);
#pragma unroll
            for (int j = 1; j < V; j++) {
                y[j - 1] = y[j];
#pragma unroll
                for (int k = 0; k < K; k++) x[k].at[j - 1] = x[k].at[j];
            }
            y[V - 1] = newest;
        }
        if (p.vectors) {
            Vec<T, V> all;
#pragma unroll
            for (int j = 0; j < V; j++) all.at[j] = narrow<T>(y[j]);
            store(p, o.at[0], valid, all);
        } else {
            ((T*)p.out)[o.at[0]] = narrow<T>(y[V - 1]);
        }
    }
}
template <class T, class F> DEVICE void map_long(const Map<1>& p, F f) {
    map_long<T, 1>(p, [=](const Values<T, VECTOR<T>> (&x)[1]) { return f(x[0].at[0]); });
}
template <class T, class F> DEVICE void map_long(const Map<2>& p, F f) {
    map_long<T, 2>(p, [=](const Values<T, VECTOR<T>> (&x)[2]) { return f(x[0].at[0], x[1].at[0]); });
}
