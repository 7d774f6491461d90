// Where each of several parts begins: the sums of the counts before it, by one block. The last place,
// `starts[n]`, gets the total.
#include "include/core.cuh"

constexpr u32 THREADS = 256, WARPS = THREADS / 32;

KERNEL(THREADS) starts_of_counts(const u32* counts, u32* starts, u32 n) {
    SHARED static u32 scratch[WARPS];
    u32 done = 0;
#pragma unroll 1
    for (u32 first = 0; first < n; first += THREADS) {
        u32 i = first + thread_x(), mine = i < n ? counts[i] : 0, sum = mine;
#pragma unroll
        for (u32 by = 1; by < 32; by <<= 1) {
            u32 below = (u32)shuffle_up((i32)sum, by);
            sum += lane_id() >= by ? below : 0;
        }
        if (lane_id() == 31) scratch[warp_id()] = sum;
        barrier();
        u32 before = done;
#pragma unroll
        for (u32 w = 0; w < WARPS; w++) {
            u32 part = scratch[w];
            before += w < warp_id() ? part : 0;
            done += part;
        }
        barrier();
        if (i < n) starts[i] = before + sum - mine;
    }
    if (thread_x() == 0) starts[n] = done;
}
