// Matrix products `out = act(a·b + bias)` or `out += a·b`: batched, any strides.
//
//   gemm_XY_dtype       tiles of 128 × 128 (64 × 64 in f64), X and Y saying how a and b lie:
//                       k: contiguous along k; o: along the rows of a or the columns of b. Vectors of
//                       VECTOR elements must be aligned and divide the contiguous size.
//   gemm_any_dtype      the same for any steps; integers, too
//   gemm_small_…        tiles of 64 × 64, where larger ones would leave multiprocessors idle
//   gemm_dot_dtype      few rows of a, lanes along k
//   gemm_axpy_dtype     few rows of a, lanes along the columns of b
//   gemm_combine_dtype  the partial products of `splits` ranges of k, in order
//
// A transposed output is a product of the transposed factors in the other order.
#include "include/epilogue.cuh"
#include "include/team.cuh"

typedef DTYPE T;
typedef product_type<T> F;

constexpr u32 BATCH_DIMS = 4;

struct Gemm {
    const T* a;
    const T* b;
    Epilogue<T> out;
    i64 a_row, a_k, b_k, b_col;
    // `[splits, batch, m, n]`, written instead of `out` where splits > 1.
    F* partial;
    // Batch dimensions, the outermost first.
    Divisor dim[BATCH_DIMS];
    i64 a_batch[BATCH_DIMS], b_batch[BATCH_DIMS], out_batch[BATCH_DIMS], bias_batch[BATCH_DIMS];
    u32 dims, batches;
    u32 k;
    u32 tiles_down, tiles_across;
    // k per split, a multiple of 16 where there are several.
    u32 splits, chunk;
};

struct Starts { i64 a, b, out, bias; };

DEVICE Starts starts(const Gemm& p, u32 batch) {
    Starts s = {0, 0, 0, 0};
#pragma unroll 1
    for (u32 d = p.dims; d > 0; d--) {
        u32 q = p.dim[d - 1].quotient(batch), r = batch - q * p.dim[d - 1].size;
        s.a += r * p.a_batch[d - 1];
        s.b += r * p.b_batch[d - 1];
        s.out += r * p.out_batch[d - 1];
        s.bias += r * p.bias_batch[d - 1];
        batch = q;
    }
    return s;
}

// Tiles in bands of 8 rows, so that blocks that run together share what they read.
DEVICE void tile_of(const Gemm& p, u32 tile, u32& down, u32& across) {
    const u32 BAND = 8;
    u32 band = tile / (BAND * p.tiles_across), rest = tile - band * BAND * p.tiles_across;
    u32 height = min32(BAND, p.tiles_down - band * BAND);
    across = rest / height;
    down = band * BAND + rest - across * height;
}

// Which tile of which product a block makes.
struct Place { u32 part, batch, split, row, col; };

template <class S> DEVICE Place place(const Gemm& p, u32 block) {
    const u32 tiles = p.tiles_down * p.tiles_across;
    Place at;
    at.part = block / tiles;
    at.split = at.part / p.batches;
    at.batch = at.part - at.split * p.batches;
    u32 down, across;
    tile_of(p, block - at.part * tiles, down, across);
    at.row = down * S::SIZE;
    at.col = across * S::SIZE;
    return at;
}

template <class S, Along LEFT, Along RIGHT> DEVICE void gemm(const Gemm& p) {
    const Place at = place<S>(p, block_x());
    const Starts s = starts(p, at.batch);
    const u32 begin = at.split * p.chunk, end = min32(begin + p.chunk, p.k);
    Factor<T, S, LEFT> left(p.a + s.a, p.a_row, p.a_k, at.row, p.out.rows, begin);
    Factor<T, S, RIGHT> right(p.b + s.b, p.b_col, p.b_k, at.col, p.out.cols, begin);
    block_product<S, F>(
        begin, end, left.place(), right.place(), [&](u32 k, bool whole) { left.fetch(k, end, whole); },
        [&](F* to) { left.put(to); }, [&](u32 k, bool whole) { right.fetch(k, end, whole); },
        [&](F* to) { right.put(to); },
        [&] {
            const Place at = place<S>(p, block_x_again());
            const Starts s = starts(p, at.batch);
            const u64 matrix = (u64)p.out.rows * p.out.cols;
            return p.out.tile(p.splits > 1 ? p.partial + at.part * matrix : nullptr, s.out, s.bias, at.row, at.col);
        });
}

// Both leave room for two blocks on a multiprocessor, small tiles of 64-bit integers for one.
constexpr u32 RESIDENT = same<F, u64> ? 1 : 2;
#define GEMM(name, SHAPE, LEFT, RIGHT) \
    KERNEL_OF(SHAPE<F>::THREADS, RESIDENT) NAME(name)(const Gemm p) { gemm<SHAPE<F>, LEFT, RIGHT>(p); }

// By the module's list: tiles of 128 where the dtype is computed in f32, vectors for floats.
#ifdef LARGE
GEMM(gemm_kk, Large, ALONG_K, ALONG_K)
GEMM(gemm_ko, Large, ALONG_K, ALONG_OUTER)
GEMM(gemm_ok, Large, ALONG_OUTER, ALONG_K)
GEMM(gemm_oo, Large, ALONG_OUTER, ALONG_OUTER)
GEMM(gemm_any, Large, ANYHOW, ANYHOW)
#endif
#ifdef VECTORS
GEMM(gemm_small_kk, Small, ALONG_K, ALONG_K)
GEMM(gemm_small_ko, Small, ALONG_K, ALONG_OUTER)
GEMM(gemm_small_ok, Small, ALONG_OUTER, ALONG_K)
GEMM(gemm_small_oo, Small, ALONG_OUTER, ALONG_OUTER)
#endif
GEMM(gemm_small_any, Small, ANYHOW, ANYHOW)

// The partial products of all splits, in order.
KERNEL(THREADS) NAME(gemm_combine)(const Gemm p) {
    const u64 i = (u64)block_x() * THREADS + thread_x(), matrix = (u64)p.out.rows * p.out.cols;
    if (i >= matrix * p.batches) return;
    F sum = 0;
#pragma unroll 1
    for (u32 s = 0; s < p.splits; s++) sum += p.partial[s * matrix * p.batches + i];
    const u32 batch = (u32)(i / matrix), at = (u32)(i - batch * matrix), row = at / p.out.cols;
    const Starts s = starts(p, batch);
    p.out.put(s.out, s.bias, row, at - row * p.out.cols, sum);
}

// Rows of a that share what is read of b.
constexpr u32 FEW = 4;

#ifdef VECTORS
// A warp per column and FEW rows, lanes along k. Blocks: columns / 8 · rows / FEW · batches, where
// tiles_across and tiles_down are those numbers.
KERNEL(THREADS) NAME(gemm_dot)(const Gemm p) {
    const u32 tiles = p.tiles_down * p.tiles_across, batch = block_x() / tiles;
    const u32 tile = block_x() - batch * tiles, down = tile / p.tiles_across;
    const u32 row = down * FEW, col = (tile - down * p.tiles_across) * WARPS + warp_id();
    if (col >= p.out.cols) return;
    const Starts s = starts(p, batch);
    const T* a = p.a + s.a + row * p.a_row;
    const T* b = p.b + s.b + col * p.b_col;
    F sum[FEW] = {};
#pragma unroll 4
    for (u32 k = lane_id(); k < p.k; k += 32) {
        F y = factor(b[k * p.b_k]);
#pragma unroll
        for (u32 i = 0; i < FEW; i++)
            if (row + i < p.out.rows) sum[i] = fma(factor(a[i * p.a_row + k * p.a_k]), y, sum[i]);
    }
    F mine = 0;
#pragma unroll
    for (u32 i = 0; i < FEW; i++) {
#pragma unroll
        for (u32 mask = 16; mask > 0; mask >>= 1) sum[i] += shuffle_xor(sum[i], mask);
        mine = lane_id() == i ? sum[i] : mine;
    }
    if (lane_id() < FEW && row + lane_id() < p.out.rows) p.out.put(s.out, s.bias, row + lane_id(), col, mine);
}
#endif

// 32 columns and FEW rows per block, lanes along the columns; each warp takes every eighth k. Blocks as
// for `gemm_dot`, with columns / 32.
KERNEL(THREADS) NAME(gemm_axpy)(const Gemm p) {
    SHARED static F scratch[FEW][WARPS][32];
    const u32 tiles = p.tiles_down * p.tiles_across, batch = block_x() / tiles;
    const u32 tile = block_x() - batch * tiles, down = tile / p.tiles_across;
    const u32 row = down * FEW, col = (tile - down * p.tiles_across) * 32 + lane_id();
    const Starts s = starts(p, batch);
    const T* a = p.a + s.a + row * p.a_row;
    const T* b = p.b + s.b + col * p.b_col;
    F sum[FEW] = {};
    if (col < p.out.cols) {
#pragma unroll 4
        for (u32 k = warp_id(); k < p.k; k += WARPS) {
            F y = factor(b[k * p.b_k]);
#pragma unroll
            for (u32 i = 0; i < FEW; i++)
                if (row + i < p.out.rows) sum[i] = fma(factor(a[i * p.a_row + k * p.a_k]), y, sum[i]);
        }
    }
#pragma unroll
    for (u32 i = 0; i < FEW; i++) scratch[i][warp_id()][lane_id()] = sum[i];
    barrier();
    if (warp_id() >= FEW) return;
    F y = 0;
#pragma unroll
    for (u32 w = 0; w < WARPS; w++) y += scratch[warp_id()][w][lane_id()];
    if (row + warp_id() < p.out.rows && col < p.out.cols) p.out.put(s.out, s.bias, row + warp_id(), col, y);
}
