// Lines along one dimension, each worked by a team of threads: one thread, a warp, or a block.
#pragma once
#include "walk.cuh"

constexpr u32 WARPS = THREADS / 32;

// `map` walks the lines (the views without the dimension); `along` are the steps inside a line.
template <int K> struct Lines {
    Map<K> map;
    i64 along[K + 1];
    u32 length;
    // Threads per line: 1, 32 or THREADS. One thread per line suits neighbouring lines that lie side by
    // side in memory.
    u32 team;
};

template <int K> DEVICE u32 line_of(const Lines<K>& p) {
    u32 t = block_x() * THREADS + thread_x();
    return p.team == 1 ? t : p.team == 32 ? t >> 5 : block_x();
}
template <int K> DEVICE u32 member_of(const Lines<K>& p) { return thread_x() & (p.team - 1); }

// The sum, or whatever `merge` does, of all members' x, in a fixed order, for all members. A block's
// threads must all come here. `scratch` has WARPS places and may be used again at once.
template <class A, class M> DEVICE A together(A x, u32 team, A* scratch, M merge) {
    if (team == 1) return x;
#pragma unroll
    for (u32 mask = 16; mask > 0; mask >>= 1) x = merge(x, shuffle_xor(x, mask));
    if (team == 32) return x;
    if (lane_id() == 0) scratch[warp_id()] = x;
    barrier();
    A y = scratch[0];
#pragma unroll
    for (u32 w = 1; w < WARPS; w++) y = merge(y, scratch[w]);
    barrier();
    return y;
}
template <class A> DEVICE A together_sum(A x, u32 team, A* scratch) {
    return together(x, team, scratch, [](A a, A b) { return a + b; });
}
