// Pooling of `[N, C, H, W]` and its gradients: a thread per element of the output. Gradients gather:
// an element of the input finds the windows that saw it, in the order of the outputs, so that their sum
// has one order.
#include "include/math.cuh"
#include "include/walk.cuh"

typedef DTYPE T;
typedef compute<T> F;

struct Pool {
    T* out;
    const T* in;
    // Written by max, read by its gradient; steps as `out`'s or `in`'s, whichever is pooled.
    i64* positions;
    i64 out_step[4], in_step[4], positions_step[4];
    // Sizes of the output's dimensions C, H, W; elements of the output.
    Divisor c, h, w;
    u32 count;
    // Sizes of what is pooled and of the pooled.
    u32 height, width, pooled_height, pooled_width;
    u32 kernel[2], stride[2], padding[2], dilation[2];
    u32 include_padding;
};

struct Spot {
    i64 in, out, positions;
    u32 y, x;
};
DEVICE bool spot_of(const Pool& p, Spot& s) {
    u32 i = block_x() * THREADS + thread_x();
    if (i >= p.count) return false;
    u32 row = p.w.quotient(i), plane = p.h.quotient(row), n = p.c.quotient(plane), c = plane - n * p.c.size;
    s.x = i - row * p.w.size;
    s.y = row - plane * p.h.size;
    s.in = n * p.in_step[0] + c * p.in_step[1];
    s.out = n * p.out_step[0] + c * p.out_step[1] + s.y * p.out_step[2] + s.x * p.out_step[3];
    s.positions = n * p.positions_step[0] + c * p.positions_step[1];
    return true;
}

// The first largest wins; a NaN wins over what came before it.
KERNEL(THREADS) NAME(max_pool)(const Pool p) {
    Spot s;
    if (!spot_of(p, s)) return;
    T best = T();
    F most = 0;
    i64 at = -1;
#pragma unroll 1
    for (u32 i = 0; i < p.kernel[0]; i++) {
        u32 y = s.y * p.stride[0] + i * p.dilation[0] - p.padding[0];
        if (y >= p.height) continue;
#pragma unroll 1
        for (u32 j = 0; j < p.kernel[1]; j++) {
            u32 x = s.x * p.stride[1] + j * p.dilation[1] - p.padding[1];
            if (x >= p.width) continue;
            T v = p.in[s.in + y * p.in_step[2] + x * p.in_step[3]];
            F wide = widen(v);
            if (at < 0 || wide > most || is_nan(wide)) {
                best = v;
                most = wide;
                at = (i64)y * p.width + x;
            }
        }
    }
    p.out[s.out] = best;
    p.positions[s.positions + s.y * p.positions_step[2] + s.x * p.positions_step[3]] = at;
}

#ifdef GRADIENTS
// Outputs along one dimension whose windows hold a place: [first, last].
DEVICE void windows(u32 at, u32 d, const Pool& p, u32 dilation, u32 pooled, u32& first, u32& last) {
    u32 reach = (p.kernel[d] - 1) * dilation, shifted = at + p.padding[d];
    first = shifted > reach ? (shifted - reach + p.stride[d] - 1) / p.stride[d] : 0;
    last = shifted / p.stride[d];
    last = last < pooled ? last : pooled - 1;
}

// `in` is the gradient of the pooled.
KERNEL(THREADS) NAME(max_pool_grad)(const Pool p) {
    Spot s;
    if (!spot_of(p, s)) return;
    u32 y0, y1, x0, x1;
    windows(s.y, 0, p, p.dilation[0], p.pooled_height, y0, y1);
    windows(s.x, 1, p, p.dilation[1], p.pooled_width, x0, x1);
    const i64 here = (i64)s.y * p.width + s.x;
    F sum = 0;
#pragma unroll 1
    for (u32 y = y0; y <= y1; y++)
#pragma unroll 1
        for (u32 x = x0; x <= x1; x++)
            if (p.positions[s.positions + y * p.positions_step[2] + x * p.positions_step[3]] == here)
                sum += widen(p.in[s.in + y * p.in_step[2] + x * p.in_step[3]]);
    p.out[s.out] = narrow<T>(sum);
}

// Elements that a window's mean divides by, in one dimension: with the border, or without.
DEVICE u32 extent(u32 o, u32 d, const Pool& p, u32 size) {
    u32 start = o * p.stride[d], end = min32(start + p.kernel[d], size + 2 * p.padding[d]);
    if (!p.include_padding) {
        end = min32(end, size + p.padding[d]);
        start = start > p.padding[d] ? start : p.padding[d];
    }
    return end > start ? end - start : 0;
}
DEVICE F divisor(u32 y, u32 x, const Pool& p) {
    u32 n = extent(y, 0, p, p.height) * extent(x, 1, p, p.width);
    return (F)(n > 0 ? n : 1);
}

KERNEL(THREADS) NAME(avg_pool)(const Pool p) {
    Spot s;
    if (!spot_of(p, s)) return;
    F sum = 0;
#pragma unroll 1
    for (u32 i = 0; i < p.kernel[0]; i++) {
        u32 y = s.y * p.stride[0] + i - p.padding[0];
        if (y >= p.height) continue;
#pragma unroll 1
        for (u32 j = 0; j < p.kernel[1]; j++) {
            u32 x = s.x * p.stride[1] + j - p.padding[1];
            if (x < p.width) sum += widen(p.in[s.in + y * p.in_step[2] + x * p.in_step[3]]);
        }
    }
    p.out[s.out] = narrow<T>(sum / divisor(s.y, s.x, p));
}
KERNEL(THREADS) NAME(avg_pool_grad)(const Pool p) {
    Spot s;
    if (!spot_of(p, s)) return;
    u32 y0, y1, x0, x1;
    windows(s.y, 0, p, 1, p.pooled_height, y0, y1);
    windows(s.x, 1, p, 1, p.pooled_width, x0, x1);
    F sum = 0;
#pragma unroll 1
    for (u32 y = y0; y <= y1; y++)
#pragma unroll 1
        for (u32 x = x0; x <= x1; x++)
            sum += widen(p.in[s.in + y * p.in_step[2] + x * p.in_step[3]]) / divisor(y, x, p);
    p.out[s.out] = narrow<T>(sum);
}

// Cell i of n spans ⌊i·size/n⌋ .. ⌈(i+1)·size/n⌉.
DEVICE u32 cell_start(u32 i, u32 n, u32 size) { return (u32)((u64)i * size / n); }
DEVICE u32 cell_end(u32 i, u32 n, u32 size) { return (u32)(((u64)(i + 1) * size + n - 1) / n); }

KERNEL(THREADS) NAME(adaptive_pool)(const Pool p) {
    Spot s;
    if (!spot_of(p, s)) return;
    u32 y0 = cell_start(s.y, p.pooled_height, p.height), y1 = cell_end(s.y, p.pooled_height, p.height);
    u32 x0 = cell_start(s.x, p.pooled_width, p.width), x1 = cell_end(s.x, p.pooled_width, p.width);
    F sum = 0;
#pragma unroll 1
    for (u32 y = y0; y < y1; y++)
#pragma unroll 1
        for (u32 x = x0; x < x1; x++) sum += widen(p.in[s.in + y * p.in_step[2] + x * p.in_step[3]]);
    p.out[s.out] = narrow<T>(sum / (F)(y1 - y0) / (F)(x1 - x0));
}
KERNEL(THREADS) NAME(adaptive_pool_grad)(const Pool p) {
    Spot s;
    if (!spot_of(p, s)) return;
    // The cells that hold a place: from the first that ends behind it to the last that begins before.
    u32 y0 = cell_start(s.y, p.height, p.pooled_height), y1 = cell_end(s.y, p.height, p.pooled_height);
    u32 x0 = cell_start(s.x, p.width, p.pooled_width), x1 = cell_end(s.x, p.width, p.pooled_width);
    F sum = 0;
#pragma unroll 1
    for (u32 y = y0; y < y1; y++) {
        u32 top = cell_start(y, p.pooled_height, p.height), bottom = cell_end(y, p.pooled_height, p.height);
        if (s.y < top || s.y >= bottom) continue;
#pragma unroll 1
        for (u32 x = x0; x < x1; x++) {
            u32 left = cell_start(x, p.pooled_width, p.width), right = cell_end(x, p.pooled_width, p.width);
            if (s.x < left || s.x >= right) continue;
            sum += widen(p.in[s.in + y * p.in_step[2] + x * p.in_step[3]]) / (F)(bottom - top) / (F)(right - left);
        }
    }
    p.out[s.out] = narrow<T>(sum);
}
#endif
