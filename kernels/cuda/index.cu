// Reading and writing through indices (i64), by size for what only moves bits. An index out of range
// is reported (fault.cuh); nothing is read or written where it points, and what it was to read is 0.
//
// Sums go through one thread per line along the indexed dimension, in the order of the index: the
// bits of the CPU kernels, without atomic operations. `spread` threads share a line, each taking the places
// whose number it is modulo `spread`, so that few long lines (an embedding's gradient) keep a GPU busy.
#include "include/fault.cuh"
#include "include/walk.cuh"

typedef DTYPE T;
typedef compute<T> F;

// A dimension that is indexed.
struct Indexed {
    i64 step, size;
    u64* fault;
};

#ifdef MOVES
// out[..] = x[.., index[..], ..]: inputs x (with step 0 along the dimension) and index (with step 0
// along the others where whole slices are taken).
KERNEL(THREADS) NAME(gather)(const Map<2> p, const Indexed dim) {
    each_element<4>(p, [=](Offsets<2> o) {
        i64 k = ((const i64*)p.in[1])[o.at[2]];
        T x{};
        if (k < 0 || k >= dim.size) raise(dim.fault, o.at[2], k);
        else x = ((const T*)p.in[0])[o.at[1] + k * dim.step];
        ((T*)p.out)[o.at[0]] = x;
    });
}
#endif

// Lines: out without the dimension, source and index with it.
struct Scatter {
    // Inputs: source, index.
    Map<2> lines;
    i64 source_step, index_step;
    Indexed dim;
    u32 length, spread;
};

template <class Write> DEVICE void scatter(const Scatter& p, Write write) {
    const u32 line = block_x() / p.spread * THREADS + thread_x(), mine = block_x() % p.spread;
    if (line >= p.lines.count) return;
    const Offsets<2> o = offsets(p.lines, line);
    T* out = (T*)p.lines.out + o.at[0];
    const T* source = (const T*)p.lines.in[0] + o.at[1];
    const i64* index = (const i64*)p.lines.in[1] + o.at[2];
    const bool number = p.lines.numbers & 1;
    const T shared = number_of_storage<T>(p.lines.number[0]);
#pragma unroll 4
    for (u32 i = 0; i < p.length; i++) {
        const i64 k = index[i * p.index_step];
        if (k < 0 || k >= p.dim.size) {
            raise(p.dim.fault, o.at[2] + i * p.index_step, k);
        } else if (p.spread == 1 || (u32)k % p.spread == mine) {
            write(out[k * p.dim.step], number ? shared : source[i * p.source_step]);
        }
    }
}

#ifdef MOVES
// out[.., index[..], ..] = source[..]: the last write wins. Input 0 may be a number, as bits.
KERNEL(THREADS) NAME(scatter)(const Scatter p) {
    scatter(p, [](T& to, T v) { to = v; });
}
#endif
#ifdef SUMS
// out[.., index[..], ..] += source[..], rounded after each addition; bools are "or"ed by the host's choice
// of u8 with `truth`.
template <class T> DEVICE T added(T a, T b, u32 truth) {
    if constexpr (is_float<T>) return narrow<T>(widen(a) + widen(b));
    else return truth ? (T)(a | b) : (T)((u64)a + (u64)b);
}
KERNEL(THREADS) NAME(scatter_add)(const Scatter p, u32 truth) {
    scatter(p, [=](T& to, T v) { to = added(to, v, truth); });
}

// ---- positions of what is not zero, in row-major order ----

constexpr u32 EACH = 4;

DEVICE bool filled(const Map<1>& p, u32 i) {
    return i < p.count && widen(((const T*)p.in[0])[offsets(p, i).at[1]]) != 0;
}
// How many there are in each block's THREADS · EACH elements.
KERNEL(THREADS) NAME(count_nonzero)(const Map<1> p, u32* counts) {
    SHARED static u32 scratch[8];
    const u32 first = block_x() * THREADS * EACH;
    u32 n = 0;
#pragma unroll 1
    for (u32 j = 0; j < EACH; j++)
        n += __builtin_popcount(__nvvm_vote_ballot_sync(0xffffffffu, filled(p, first + j * THREADS + thread_x())));
    if (lane_id() == 0) scratch[warp_id()] = n;
    barrier();
    if (thread_x() != 0) return;
    n = 0;
#pragma unroll
    for (u32 w = 0; w < 8; w++) n += scratch[w];
    counts[block_x()] = n;
}
// Their indices, `[count, dims]` row-major, beginning at each block's `starts`.
KERNEL(THREADS) NAME(nonzero)(const Map<1> p, const u32* starts, i64* out, u32 columns, const Divisor* sizes) {
    SHARED static u32 scratch[8];
    u32 at = starts[block_x()];
#pragma unroll 1
    for (u32 j = 0; j < EACH; j++) {
        u32 i = (block_x() * EACH + j) * THREADS + thread_x();
        bool mine = filled(p, i);
        u32 ballot = __nvvm_vote_ballot_sync(0xffffffffu, mine);
        if (lane_id() == 0) scratch[warp_id()] = __builtin_popcount(ballot);
        barrier();
        u32 before = at + __builtin_popcount(ballot & ((1u << lane_id()) - 1));
#pragma unroll
        for (u32 w = 0; w < 8; w++) {
            u32 n = scratch[w];
            before += w < warp_id() ? n : 0;
            at += n;
        }
        barrier();
        if (!mine) continue;
        i64* row = out + (u64)before * columns;
#pragma unroll 1
        for (u32 d = columns; d > 0; d--) {
            u32 q = sizes[d - 1].quotient(i);
            row[d - 1] = i - q * sizes[d - 1].size;
            i = q;
        }
    }
}
#endif
