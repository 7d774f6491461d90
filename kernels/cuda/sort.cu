// Stable sorting of lines (topk takes the first k), NaN counting as the largest and −0 as 0.
//
// Elements become integer keys of the same order, packed with their positions, so that all differ: chunks of
// CHUNK are sorted in shared memory, then runs are merged, twice as long in each launch, and at last values are
// fetched by position. Keys lie in workspace, `[lines, length]`, twice.
#include "include/philox.cuh"
#include "include/team.cuh"

typedef DTYPE T;

struct Wide {
    u64 key, at;
};
DEVICE bool less(u64 a, u64 b) { return a < b; }
DEVICE bool less(Wide a, Wide b) { return a.key < b.key || (a.key == b.key && a.at < b.at); }

typedef choose<sizeof(T) == 8, Wide, u64> Packed;

// Bits in the order of the numbers.
DEVICE u32 key_of(f32 x) {
    u32 bits = bits_of(x + 0.0f);
    return x != x ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
}
DEVICE u64 key_of(f64 x) {
    u64 bits = bits_of(x + 0.0);
    return x != x ? ~0ull : bits >> 63 ? ~bits : bits | 1ull << 63;
}
DEVICE u32 key_of(i32 x) { return (u32)x ^ 0x80000000u; }
DEVICE u32 key_of(i16 x) { return key_of((i32)x); }
DEVICE u32 key_of(i8 x) { return key_of((i32)x); }
DEVICE u32 key_of(u8 x) { return x; }
DEVICE u64 key_of(i64 x) { return (u64)x ^ 1ull << 63; }

DEVICE u64 packed(u32 key, u32 at, bool flip) { return (u64)(flip ? ~key : key) << 32 | at; }
DEVICE Wide packed(u64 key, u32 at, bool flip) { return {flip ? ~key : key, at}; }
DEVICE u32 position(u64 x) { return (u32)x; }
DEVICE u32 position(Wide x) { return (u32)x.at; }
DEVICE u64 sorted_by(u64 x) { return x >> 32; }
DEVICE u64 sorted_by(Wide x) { return x.key; }
DEVICE void last(u64& x) { x = ~0ull; }
DEVICE void last(Wide& x) { x = {~0ull, ~0ull}; }

constexpr u32 CHUNK = 1024;

// Blocks: lines · ⌈length / CHUNK⌉.
KERNEL(THREADS) NAME(sort_chunks)(const Lines<1> p, Packed* keys, u32 descending) {
    SHARED static Packed chunk[CHUNK];
    const u32 chunks = (p.length + CHUNK - 1) / CHUNK, line = block_x() / chunks;
    const u32 first = (block_x() - line * chunks) * CHUNK;
    const T* x = (const T*)p.map.in[0] + offsets(p.map, line).at[1];
#pragma unroll
    for (u32 j = 0; j < CHUNK; j += THREADS) {
        u32 i = j + thread_x(), at = first + i;
        Packed k;
        last(k);
        if (at < p.length) k = packed(key_of(widen(x[at * p.along[1]])), at, descending);
        chunk[i] = k;
    }
    barrier();
    // Batcher's bitonic network.
#pragma unroll 1
    for (u32 size = 2; size <= CHUNK; size *= 2)
#pragma unroll 1
        for (u32 step = size / 2; step > 0; step /= 2) {
#pragma unroll
            for (u32 j = 0; j < CHUNK / 2; j += THREADS) {
                u32 i = j + thread_x(), low = 2 * i - (i & (step - 1)), high = low + step;
                Packed a = chunk[low], b = chunk[high];
                if (less(b, a) == ((low & size) == 0)) {
                    chunk[low] = b;
                    chunk[high] = a;
                }
            }
            barrier();
        }
#pragma unroll
    for (u32 j = 0; j < CHUNK; j += THREADS) {
        u32 at = first + j + thread_x();
        if (at < p.length) keys[(u64)line * p.length + at] = chunk[j + thread_x()];
    }
}

// Runs of `run` sorted keys become runs of twice as many: each key finds its place by a search in the
// other run. Blocks: lines · ⌈length / THREADS⌉.
KERNEL(THREADS) NAME(sort_merge)(const Packed* in, Packed* out, u32 length, u32 run) {
    const u32 parts = (length + THREADS - 1) / THREADS, line = block_x() / parts;
    const u32 i = (block_x() - line * parts) * THREADS + thread_x();
    if (i >= length) return;
    in += (u64)line * length;
    out += (u64)line * length;
    const u32 mine = i / run, start = (mine & ~1u) * run, other = (mine ^ 1) * run;
    const Packed key = in[i];
    u32 low = other < length ? other : length, end = min32(low + run, length), first = low;
#pragma unroll 1
    for (u32 high = end; low < high;) {
        u32 middle = low + (high - low) / 2;
        if (less(in[middle], key)) low = middle + 1;
        else high = middle;
    }
    out[start + (i - mine * run) + (low - first)] = key;
}

// The first k of every line: values to `out`, positions to input 1. Blocks: lines · ⌈k / THREADS⌉.
KERNEL(THREADS) NAME(sort_fetch)(const Lines<2> p, const Packed* keys, u32 k) {
    const u32 parts = (k + THREADS - 1) / THREADS, line = block_x() / parts;
    const u32 i = (block_x() - line * parts) * THREADS + thread_x();
    if (i >= k) return;
    const Offsets<2> o = offsets(p.map, line);
    const u32 at = position(keys[(u64)line * p.length + i]);
    ((T*)p.map.out)[o.at[0] + i * p.along[0]] = ((const T*)p.map.in[0])[o.at[1] + at * p.along[1]];
    ((i64*)p.map.in[1])[o.at[2] + i * p.along[2]] = at;
}

#ifdef PERMUTATION
// A random order of 0 … n − 1 from n sorted random keys, as PyTorch's `randperm` makes it on CUDA
// (aten/src/ATen/native/cuda/Randperm.cu): for a seed, its numbers.
//
// The host draws keys with `integers`: of i32 from −2³¹ with range 2³² − 1, where
//   bits = ⌈log₂(n − (6n² + 1) / (12 ln 0.9))⌉ ≤ 32,
// else of i64 from −2⁶³ with range 2⁶⁴ − 1; keeps their lowest `bits` bits (all of 32 or 64), sorts them, and
// launches this with the generator's offset after those draws, which it then moves on by n, rounded up to a
// multiple of 4. Keys that are equal keep their order in the sort; the first thread of each such island
// shuffles it (Fisher and Yates).
KERNEL(THREADS) NAME(sort_permutation)(const Packed* keys, i64* out, u32 n, u64 seed, u64 offset) {
    const u32 i = block_x() * THREADS + thread_x();
    if (i >= n) return;
    const u64 mine = sorted_by(keys[i]);
    if (i > 0 && sorted_by(keys[i - 1]) == mine) return;
    u32 size = 0;
#pragma unroll 1
    do {
        out[i + size] = position(keys[i + size]);
        size++;
    } while (i + size < n && sorted_by(keys[i + size]) == mine);
    Draw d = {};
    u64 counter = offset / 4;
#pragma unroll 1
    for (u32 last = size - 1, drawn = 0; last > 0; last--, drawn++) {
        if (drawn % 4 == 0) d = philox(seed, counter++, i);
        u32 other = d.at[0] % (last + 1);
        d = {{d.at[1], d.at[2], d.at[3], 0}};
        i64 x = out[i + last];
        out[i + last] = out[i + other];
        out[i + other] = x;
    }
}
#endif
