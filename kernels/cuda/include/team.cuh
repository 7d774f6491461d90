// Lines along one dimension, each worked by a team of threads.
#pragma once
#include "walk.cuh"

constexpr u32 WARPS = THREADS / 32;

// `map` walks the lines (the views without the dimension); `along` are the steps inside a line.
template <int K> struct Lines {
    Map<K> map;
    i64 along[K + 1];
    u32 length;
    // Threads per line, a power of two up to THREADS. One thread per line suits neighbouring lines that lie
    // side by side in memory; lines that lie along memory want a thread for every 8 elements (4 of f64), or for
    // each where they are few.
    u32 team;
};

DEVICE u32 log2_of(u32 power) { return 31 - __builtin_clz(power); }
template <int K> DEVICE u32 line_of(const Lines<K>& p) {
    return (block_x() * THREADS + thread_x()) >> log2_of(p.team);
}
template <int K> DEVICE u32 member_of(const Lines<K>& p) { return thread_x() & (p.team - 1); }

// The sum, or whatever `merge` does, of all members' x, in a fixed order, for all members (for the first, where
// merging is not symmetric to the last bit). All threads of a block must come here. `scratch` has WARPS places and may be used again at once.
template <class A, class M> DEVICE A together(A x, u32 team, A* scratch, M merge) {
    if (team >= 32) {
#pragma unroll
        for (u32 mask = 16; mask > 0; mask >>= 1) x = merge(x, shuffle_xor(x, mask));
    } else {
#pragma unroll 1
        for (u32 mask = team / 2; mask > 0; mask >>= 1) x = merge(x, shuffle_xor(x, mask));
    }
    if (team <= 32) return x;
    const u32 warps = team / 32;
    if (lane_id() == 0) scratch[warp_id()] = x;
    barrier();
    x = scratch[(warp_id() & ~(warps - 1)) + (lane_id() & (warps - 1))];
#pragma unroll 1
    for (u32 mask = warps / 2; mask > 0; mask >>= 1) x = merge(x, shuffle_xor(x, mask));
    barrier();
    return x;
}
template <class A> DEVICE A together_sum(A x, u32 team, A* scratch) {
    return together(x, team, scratch, [](A a, A b) { return a + b; });
}

// Whether a line can begin a vector of any type.
template <class X> DEVICE bool aligned(const X* p) { return ((u64)p & 15) == 0; }

// The elements of a line that one thread has, up to N of a chunk of N · team at a time, in registers: parts of V
// neighbours where the line lies in memory as vectors, else every team-th element.
template <class T> struct Share {
    typedef compute<T> F;
    static constexpr u32 V = VECTOR<T>, N = sizeof(F) == 8 ? 4 : 8, PARTS = N / V;
    typedef F Values[N];

    static METHOD u32 chunks(u32 length, u32 team) { return (length + N * team - 1) / (N * team); }

    u32 member, team, length;
    bool vectors;
    // Of the chunk: where the first element lies in the line, and how many there are; the others are at[e] with
    // e ≥ mine.
    u32 first, mine;

    // `vectors`: all views have step 1 and are aligned.
    METHOD Share(u32 member, u32 team, u32 length, bool vectors)
        : member(member), team(team), length(length), vectors(vectors && length % V == 0) {}
    METHOD void chunk(u32 c) {
        const u32 begin = c * N * team, unit = vectors ? V : 1;
        const u32 rest = begin < length ? min32(length - begin, N * team) : 0;
        const u32 units = rest / unit;
        first = begin + member * unit;
        mine = units > member ? ((units - member + team - 1) >> log2_of(team)) * unit : 0;
    }

    // Part k of any array along the line.
    template <class X> METHOD Vec<X, V> part(const X* from, i64 along, u32 k) const {
        Vec<X, V> v;
        if (vectors) {
            if (k * V < mine) {
                v = load_vector<X, V>(from + (first + k * team * V));
                // Else clang joins the last of these loads with one of those below, and takes vectors to pieces.
                asm volatile("");
                return v;
            }
        } else {
            const X* at = from + (i64)(first + k * V * team) * along;
            const i64 step = team * along;
#pragma unroll
            for (u32 j = 0; j < V; j++) {
                v.at[j] = X();
                if (k * V + j < mine) v.at[j] = *at;
                at += step;
            }
            return v;
        }
#pragma unroll
        for (u32 j = 0; j < V; j++) v.at[j] = X();
        return v;
    }
    // The chunk's elements; zeros where there are none.
    METHOD void load(const T* from, i64 along, Values& at) const {
#pragma unroll
        for (u32 k = 0; k < PARTS; k++) {
            const Vec<T, V> v = part(from, along, k);
#pragma unroll
            for (u32 j = 0; j < V; j++) at[k * V + j] = widen(v.at[j]);
        }
    }
    // The same; `fill` where there are none.
    METHOD void load(const T* from, i64 along, F fill, Values& at) const {
#pragma unroll
        for (u32 k = 0; k < PARTS; k++) {
            const Vec<T, V> v = part(from, along, k);
#pragma unroll
            for (u32 j = 0; j < V; j++) at[k * V + j] = k * V + j < mine ? widen(v.at[j]) : fill;
        }
    }
    METHOD void store(T* to, i64 along, u32 k, Vec<T, V> v) const {
        if (vectors) {
            if (k * V < mine) store_vector(to + (first + k * team * V), v);
        } else {
            T* at = to + (i64)(first + k * V * team) * along;
            const i64 step = team * along;
#pragma unroll
            for (u32 j = 0; j < V; j++) {
                if (k * V + j < mine) store_apart(at, v.at[j]);
                at += step;
            }
        }
    }
    METHOD void store(T* to, i64 along, const Values& at) const {
#pragma unroll
        for (u32 k = 0; k < PARTS; k++) {
            Vec<T, V> v;
#pragma unroll
            for (u32 j = 0; j < V; j++) v.at[j] = narrow<T>(at[k * V + j]);
            store(to, along, k, v);
        }
    }
};
