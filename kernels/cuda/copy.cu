// Copies and fills: by size alone, i8, i16, i32 and i64 serve all dtypes.
#include "include/walk.cuh"

typedef DTYPE T;

// A copy, or with the input as a number (`numbers` = 1) a fill.
KERNEL(THREADS) NAME(copy)(const Map<1> p) {
    map<T>(p, [](T x) -> T { return x; });
}

// Matrices that are contiguous along other dimensions in the input than in the output, through shared
// memory, so that both sides move whole rows of a tile.
struct Transpose {
    T* out;
    const T* in;
    // Rows are contiguous in the input, columns in the output.
    u32 rows, cols;
    i64 in_row, out_col;
    // Blocks per row of tiles, and per matrix.
    u32 across, per_matrix;
    // Further dimensions, the outermost first.
    Divisor dim[DIMS];
    i64 in_step[DIMS], out_step[DIMS];
    u32 dims;
};

constexpr u32 TILE = 32, LINES = 8;

KERNEL(THREADS) NAME(transpose)(const Transpose p) {
    // As words, whatever the size: a column then lies in different banks.
    typedef choose<sizeof(T) == 8, u64, u32> W;
    SHARED static W tile[TILE][TILE + 1];
    u32 matrix = block_x() / p.per_matrix, block = block_x() - matrix * p.per_matrix;
    u32 row0 = block / p.across * TILE, col0 = (block % p.across) * TILE;
    i64 in = 0, out = 0;
#pragma unroll 1
    for (u32 d = p.dims; d > 0; d--) {
        u32 q = p.dim[d - 1].quotient(matrix), r = matrix - q * p.dim[d - 1].size;
        in += r * p.in_step[d - 1];
        out += r * p.out_step[d - 1];
        matrix = q;
    }
    u32 x = thread_x() % TILE, y = thread_x() / TILE;
#pragma unroll
    for (u32 i = 0; i < TILE; i += LINES) {
        u32 row = row0 + y + i, col = col0 + x;
        if (row < p.rows && col < p.cols) tile[y + i][x] = (W)p.in[in + row * p.in_row + col];
    }
    barrier();
#pragma unroll
    for (u32 i = 0; i < TILE; i += LINES) {
        u32 col = col0 + y + i, row = row0 + x;
        if (row < p.rows && col < p.cols) p.out[out + col * p.out_col + row] = (T)tile[x][y + i];
    }
}
