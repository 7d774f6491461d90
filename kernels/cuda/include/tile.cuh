// The matrix product of one block, for GEMM and convolution: tiles of both factors go through shared
// memory, twice buffered, and each thread keeps ROWS × COLS results in registers.
//
//   results  tile       threads  registers for results  loads from shared memory per fused multiply-add
//   8 × 16   128 × 128  128      128                    6 of 16 bytes per 128 (f32)
//   4 × 4    64 × 64    256      16 (f64: 32)           2 of 16 bytes per 16 (f64: 4)
//
// Lanes lie 4 × 8 in the warp, warps 4 × ACROSS in the tile. A thread's rows and columns are groups of a
// vector, so that a warp's loads are whole and without bank conflicts.
#pragma once
#include "math.cuh"
#include "walk.cuh"

// f32 and f64 by fused multiply-add; integers wrap.
DEVICE u32 fma(u32 a, u32 b, u32 c) { return a * b + c; }
DEVICE u64 fma(u64 a, u64 b, u64 c) { return a * b + c; }

// What products of a dtype are computed in.
template <class T> using product_type = choose<is_float<T>, compute<T>, choose<sizeof(T) == 8, u64, u32>>;
template <class T> DEVICE product_type<T> factor(T x) { return (product_type<T>)widen(x); }
template <class T> DEVICE T result(product_type<T> x) { return narrow<T>((compute<T>)x); }

template <class F, int R, int C> struct Shape {
    static constexpr u32 ROWS = R, COLS = C, SIZE = 16 * R, VECTOR = 16 / sizeof(F);
    static constexpr u32 ACROSS = SIZE / (8 * C), THREADS = 128 * ACROSS;
    // k per tile. For 8 · 128 multiply-adds of a thread there are 48 loads, a barrier and some 30 instructions
    // more; deeper tiles would only lengthen the loop.
    static constexpr u32 DEPTH = R == 8 ? 8 : 16;
    // Rows of a tile are 4 banks apart mod 32 after four of them, which keeps transposing stores apart.
    static constexpr u32 ROW = SIZE + 4;
    // Elements that a thread fetches of each factor.
    static constexpr u32 SHARE = SIZE * DEPTH / THREADS;
    typedef F Tile[DEPTH][ROW];
};
template <class F> using Large = Shape<F, 8, 16>;
template <class F> using Small = Shape<F, 4, 4>;

// How a factor lies in memory: vectors along k, vectors along its rows or columns ("outer"), or anyhow.
enum Along { ALONG_K, ALONG_OUTER, ANYHOW };

// A factor with steps, `outer` being the rows of the left one and the columns of the right one.
template <class T, class S, Along A> struct Factor {
    typedef product_type<T> F;
    static constexpr u32 V = A == ANYHOW ? 1 : S::VECTOR, PASSES = S::SHARE / V;
    // Passes that fetch different rows or columns; those after them fetch the same, some k further on.
    static constexpr u32 OUTERS = A == ALONG_K && S::THREADS < 2 * S::SIZE ? 2 * S::SIZE / S::THREADS : 1;
    const T* from[OUTERS];
    i64 step;
    F share[S::SHARE];

    // Which k of the tile pass i fetches.
    static METHOD u32 k_of(u32 i) {
        u32 q = thread_x() + i * S::THREADS;
        if constexpr (A == ALONG_K) return (q & 1) * V + (q >> 1) / S::SIZE * 2 * V;
        if constexpr (A == ALONG_OUTER) return q / (S::SIZE / V);
        return thread_x() / S::SIZE * S::SHARE + i;
    }
    // And which row or column, the first of V along outer.
    static METHOD u32 outer_of(u32 i) {
        u32 q = thread_x() + i * S::THREADS;
        if constexpr (A == ALONG_K) return (q >> 1) % S::SIZE;
        if constexpr (A == ALONG_OUTER) return q % (S::SIZE / V) * V;
        return thread_x() % S::SIZE;
    }

    // Rows and columns that do not exist read the first one: their results go nowhere.
    METHOD Factor(const T* data, i64 outer_step, i64 k_step, u32 first, u32 count, u32 k) {
        step = A == ALONG_K ? 1 : k_step;
#pragma unroll
        for (u32 i = 0; i < OUTERS; i++) {
            u32 outer = first + outer_of(i);
            outer = outer < count ? outer : 0;
            from[i] = data + (i64)outer * outer_step + (i64)(k + k_of(0)) * step;
        }
    }
    // The thread's share of the tile at k = `at`; the next call is for the next tile.
    METHOD void fetch(u32 at, u32 end, bool whole) {
        if (__builtin_expect(whole, 1)) {
#pragma unroll
            for (u32 i = 0; i < PASSES; i++) load(i);
        } else {
#pragma unroll
            for (u32 i = 0; i < PASSES; i++) {
                if (at + k_of(i) < end) {
                    load(i);
                } else {
#pragma unroll
                    for (u32 j = 0; j < V; j++) share[i * V + j] = F(0);
                }
            }
            // Else clang joins these loads with those above.
            asm volatile("");
        }
#pragma unroll
        for (u32 i = 0; i < OUTERS; i++) from[i] += S::DEPTH * step;
    }
    METHOD void load(u32 i) {
        const Vec<T, V> v = load_vector<T, V>(from[i % OUTERS] + (i64)(k_of(i) - k_of(0)) * step);
#pragma unroll
        for (u32 j = 0; j < V; j++) share[i * V + j] = factor(v.at[j]);
    }
    // Where a thread's share begins in a tile.
    static METHOD u32 place() { return k_of(0) * S::ROW + outer_of(0); }
    // And what pass i is further on.
    static METHOD u32 apart(u32 i) { return (k_of(i) - k_of(0)) * S::ROW + outer_of(i) - outer_of(0); }
    METHOD void put(F* to) const {
        if constexpr (A == ALONG_OUTER) {
#pragma unroll
            for (u32 i = 0; i < PASSES; i++) {
                Vec<F, V> v;
#pragma unroll
                for (u32 j = 0; j < V; j++) v.at[j] = share[i * V + j];
                store_vector(to + apart(i), v);
            }
        } else {
#pragma unroll
            for (u32 i = 0; i < PASSES; i++)
#pragma unroll
                for (u32 j = 0; j < V; j++) to[apart(i) + j * S::ROW] = share[i * V + j];
        }
    }
};

// The fused multiply-adds of half a tile.
template <class S, class F> DEVICE void multiply(F (&sum)[S::ROWS][S::COLS], const F* a, const F* b, u32 half) {
    constexpr u32 V = S::VECTOR, DOWN = S::ROWS / V, ACROSS = S::COLS / V;
#pragma unroll
    for (u32 i = 0; i < S::DEPTH / 2; i++) {
        const u32 k = half * (S::DEPTH / 2) + i;
        Vec<F, V> x[DOWN], y[ACROSS];
#pragma unroll
        for (u32 g = 0; g < DOWN; g++) x[g] = load_vector<F, V>(a + (k * S::ROW + g * 4 * V));
#pragma unroll
        for (u32 g = 0; g < ACROSS; g++) y[g] = load_vector<F, V>(b + (k * S::ROW + g * 8 * V));
#pragma unroll
        for (u32 i = 0; i < S::ROWS; i++)
#pragma unroll
            for (u32 j = 0; j < S::COLS; j++)
                sum[i][j] = fma(x[i / V].at[i % V], y[j / V].at[j % V], sum[i][j]);
    }
}

// The block's product over k in [begin, end). `fetch_left(k, whole)` and `fetch_right` bring the thread's share of
// the tile at a k into registers, `whole` saying that all of it exists; `put_…` writes it to shared memory, where
// its place in a tile is `place_…`. Then what `results()` returns takes all results (an `Epilogue::Tile`): rows
// and columns count from the tile's first. (`results` is called last, so that nothing it computes is kept
// meanwhile.)
template <class S, class F, class FetchLeft, class PutLeft, class FetchRight, class PutRight, class Results>
DEVICE void block_product(u32 begin, u32 end, u32 place_left, u32 place_right, FetchLeft fetch_left, PutLeft put_left,
                          FetchRight fetch_right, PutRight put_right, Results results) {
    // Two stages of both factors' tiles.
    SHARED static typename S::Tile stages[2][2];
    constexpr u32 V = S::VECTOR, WIDTH = 8 * S::COLS, TILE = S::DEPTH * S::ROW;
    F* const shared = &stages[0][0][0][0];
    const u32 lane = lane_id(), warp_row = warp_id() / S::ACROSS, warp_col = warp_id() % S::ACROSS;
    const u32 row = warp_row * 4 * S::ROWS + (lane >> 3) * V, col = warp_col * WIDTH + (lane & 7) * V;
    F sum[S::ROWS][S::COLS];
#pragma unroll
    for (u32 i = 0; i < S::ROWS; i++)
#pragma unroll
        for (u32 j = 0; j < S::COLS; j++) sum[i][j] = F(0);

    fetch_left(begin, begin + S::DEPTH <= end);
    fetch_right(begin, begin + S::DEPTH <= end);
    put_left(shared + place_left);
    put_right(shared + TILE + place_right);
    barrier();
    // What is read lies in one stage, what is written in the other, and after each tile they change places.
    const F *a = shared + row, *b = shared + TILE + col;
    F *left = shared + 2 * TILE + place_left, *right = shared + 3 * TILE + place_right;
    i64 flip = 2 * TILE * sizeof(F);
    // Tiles before it have a whole one after them; beyond the end, zeros are fetched that nobody reads.
    const i32 last = (i32)end - 2 * (i32)S::DEPTH;
#pragma unroll 1
    for (u32 k = begin; k < end; k += S::DEPTH) {
        // The next tile is on its way from memory while this one is multiplied, one factor during each
        // half: so it waits in half as many registers.
        const bool whole = (i32)k <= last;
        fetch_left(k + S::DEPTH, whole);
        multiply<S>(sum, a, b, 0);
        put_left(left);
        fetch_right(k + S::DEPTH, whole);
        multiply<S>(sum, a, b, 1);
        put_right(right);
        a = (const F*)((const char*)a + flip);
        b = (const F*)((const char*)b + flip);
        left = (F*)((char*)left - flip);
        right = (F*)((char*)right - flip);
        flip = -flip;
        barrier();
    }

    const auto out = results();
    const bool vectors = out.template vectors<V>();
    // (Not of 16-bit floats, which would be rounded in so many places.)
    if constexpr (decltype(results())::SAME) {
        if (vectors && out.whole(S::SIZE) && out.bare()) {
            // Sums as they are: eight lanes write neighbouring vectors.
            decltype(out.col(0)) cols[S::COLS / V];
#pragma unroll
            for (u32 g = 0; g < S::COLS / V; g++) cols[g] = out.col(col + g * 8 * V);
#pragma unroll
            for (u32 i = 0; i < S::ROWS; i++) {
                const auto line = out.row(row + i / V * 4 * V + i % V);
#pragma unroll
                for (u32 g = 0; g < S::COLS / V; g++) {
                    Vec<F, V> v;
#pragma unroll
                    for (u32 j = 0; j < V; j++) v.at[j] = sum[i][g * V + j];
                    out.put(line, cols[g], v);
                }
            }
            return;
        }
    }
    // Else four rows of each warp at a time through shared memory: then neighbouring lanes write neighbours,
    // and what is done to a result is there once, not for each register.
    F* own = shared + warp_id() * 4 * WIDTH;
    // Vectors of a row; rows that a warp writes at once.
    constexpr u32 PIECES = WIDTH / V, AT_ONCE = 32 / PIECES;
    const auto vector_col = out.col(warp_col * WIDTH + lane % PIECES * V);
#pragma unroll 1
    for (u32 p = 0; p < S::ROWS; p++) {
#pragma unroll
        for (u32 i = 0; i < S::ROWS; i++)
            if (i == p) {
#pragma unroll
                for (u32 g = 0; g < S::COLS / V; g++) {
                    Vec<F, V> v;
#pragma unroll
                    for (u32 j = 0; j < V; j++) v.at[j] = sum[i][g * V + j];
                    store_vector(own + (lane >> 3) * WIDTH + g * 8 * V + (lane & 7) * V, v);
                }
            }
        warp_barrier();
        const u32 first = warp_row * 4 * S::ROWS + p / V * 4 * V + p % V;
        if (vectors) {
#pragma unroll
            for (u32 r = 0; r < 4; r += AT_ONCE) {
                const u32 mine = r + lane / PIECES;
                out.vector(out.row(first + mine * V), vector_col, load_vector<F, V>(own + mine * WIDTH + lane % PIECES * V));
            }
        } else {
#pragma unroll 1
            for (u32 j = lane; j < WIDTH; j += 32) {
                const auto col = out.col(warp_col * WIDTH + j);
#pragma unroll 1
                for (u32 r = 0; r < 4; r++) out(out.row(first + r * V), col, own[r * WIDTH + j]);
            }
        }
        warp_barrier();
    }
}
