// Convolution of pictures `[N, C, H, W]` and its gradients as matrix products whose right factor is
// gathered on the way to shared memory, on the tiles of GEMM:
//
//   product     rows      columns          k
//   forward     O/groups  (n, oh, ow)      (c, kh, kw)
//   inputs      C/groups  (n, h, w)        (o, kh, kw)
//   weights     O/groups  (c, kh, kw)      (n, oh, ow)
//
// Groups are a batch. The left factor has two steps along k: far (o, or n) and near (a tap, or a place),
// so the weight must be contiguous in its last dimensions, the gradient in its last two.
//
//   conv_forward_dtype, conv_inputs_dtype, conv_weights_dtype, and `…_small_…` with tiles of 64 × 64.
#include "include/epilogue.cuh"

typedef DTYPE T;
typedef product_type<T> F;

struct Conv {
    const T* left;
    // The picture: x, or g for the inputs' gradient.
    const T* picture;
    Epilogue<T> out;
    i64 left_row, left_far, left_near;
    i64 image, channel, line, column;
    // Of one group to the next.
    i64 left_group, picture_group, out_group, bias_group;
    // `[splits, groups, rows, cols]`, written instead of `out` where splits > 1.
    F* partial;
    // Sizes: of the inner part of the left factor's k; of a kernel, of its lines; of the places that
    // columns (k for the weights) run over, of their lines; strides.
    Divisor near, taps, tap_line, places, place_line, stride_h, stride_w;
    u32 height, width;
    u32 padding_h, padding_w, dilation_h, dilation_w;
    u32 k, groups;
    u32 tiles_down, tiles_across;
    u32 splits, chunk;
};

// Both factors are fetched as ANYHOW: of one row or column, SHARE neighbours along k.
template <class S> DEVICE u32 share_place() {
    return thread_x() / S::SIZE * S::SHARE * S::ROW + thread_x() % S::SIZE;
}
template <class S> DEVICE void put_share(F* to, const F (&share)[S::SHARE]) {
#pragma unroll
    for (u32 i = 0; i < S::SHARE; i++) to[i * S::ROW] = share[i];
}

// The left factor, with two steps along k.
template <class S> struct Left {
    const T* from;
    bool inside;
    F share[S::SHARE];

    METHOD Left(const Conv& p, const T* data, u32 first) {
        u32 row = first + thread_x() % S::SIZE;
        inside = row < p.out.rows;
        from = data + (i64)row * p.left_row;
    }
    METHOD void fetch(const Conv& p, u32 at, u32 end) {
        at += thread_x() / S::SIZE * S::SHARE;
        u32 far = p.near.quotient(at), near = at - far * p.near.size;
#pragma unroll
        for (u32 i = 0; i < S::SHARE; i++) {
            bool valid = inside && at + i < end;
            share[i] = valid ? factor(from[far * p.left_far + near * p.left_near]) : F(0);
            if (++near == p.near.size) {
                near = 0;
                far++;
            }
        }
    }
};

enum Product { FORWARD, INPUTS, WEIGHTS };

// A place of the output of a convolution (of its input, for INPUTS), or a tap of its kernel.
struct Place { u32 far, y, x; };
DEVICE Place place_of(const Divisor& area, const Divisor& line, u32 i) {
    Place at;
    at.far = area.quotient(i);
    u32 rest = i - at.far * area.size;
    at.y = line.quotient(rest);
    at.x = rest - at.y * line.size;
    return at;
}
DEVICE void advance(Place& at, u32 height, u32 width) {
    if (++at.x == width) {
        at.x = 0;
        if (++at.y == height) {
            at.y = 0;
            at.far++;
        }
    }
}

// The right factor: the element of the picture that a place meets at a tap.
template <class S, Product P> struct Right {
    const T* picture;
    Place col;
    bool inside;
    F share[S::SHARE];

    METHOD Right(const Conv& p, const T* data, u32 first) {
        u32 i = first + thread_x() % S::SIZE;
        inside = i < p.out.cols;
        col = P == WEIGHTS ? place_of(p.taps, p.tap_line, i) : place_of(p.places, p.place_line, i);
        picture = data + (i64)col.far * (P == WEIGHTS ? p.channel : p.image);
    }
    METHOD void fetch(const Conv& p, u32 at, u32 end) {
        at += thread_x() / S::SIZE * S::SHARE;
        const Divisor& area = P == WEIGHTS ? p.places : p.taps;
        const Divisor& line = P == WEIGHTS ? p.place_line : p.tap_line;
        const i64 step = P == WEIGHTS ? p.image : p.channel;
        Place k = place_of(area, line, at);
        // The lines of a kernel or of an image.
        const u32 lines = line.quotient(area.size);
#pragma unroll
        for (u32 i = 0; i < S::SHARE; i++) {
            const Place &place = P == WEIGHTS ? k : col, &tap = P == WEIGHTS ? col : k;
            u32 y, x;
            bool valid = inside && at + i < end;
            if constexpr (P == INPUTS) {
                // Where the place was read from: undone, if the stride meets it.
                u32 up = place.y + p.padding_h - tap.y * p.dilation_h, left = place.x + p.padding_w - tap.x * p.dilation_w;
                valid = valid && (i32)up >= 0 && (i32)left >= 0;
                y = p.stride_h.quotient(up);
                x = p.stride_w.quotient(left);
                valid = valid && y * p.stride_h.size == up && x * p.stride_w.size == left;
            } else {
                y = place.y * p.stride_h.size + tap.y * p.dilation_h - p.padding_h;
                x = place.x * p.stride_w.size + tap.x * p.dilation_w - p.padding_w;
            }
            // Before the first line or column, the numbers wrap and are too large.
            valid = valid && y < p.height && x < p.width;
            share[i] = valid ? factor(picture[k.far * step + y * p.line + x * p.column]) : F(0);
            advance(k, lines, line.size);
        }
    }
};

struct Block { u32 part, group, split, row, col; };
template <class S> DEVICE Block block_of(const Conv& p, u32 block) {
    const u32 tiles = p.tiles_down * p.tiles_across;
    Block at;
    at.part = block / tiles;
    at.split = at.part / p.groups;
    at.group = at.part - at.split * p.groups;
    u32 tile = block - at.part * tiles, across = tile / p.tiles_down;
    at.row = (tile - across * p.tiles_down) * S::SIZE;
    at.col = across * S::SIZE;
    return at;
}

template <int SIDE, Product P> DEVICE void conv(const Conv& p) {
    typedef Shape<F, SIDE> S;
    const Block at = block_of<S>(p, block_x());
    const u32 begin = at.split * p.chunk, end = min32(begin + p.chunk, p.k);
    Left<S> left(p, p.left + at.group * p.left_group, at.row);
    Right<S, P> right(p, p.picture + at.group * p.picture_group, at.col);
    block_product<S, F>(
        begin, end, share_place<S>(), share_place<S>(), [&](u32 k, bool) { if (k < end) left.fetch(p, k, end); },
        [&](F* to) { put_share<S>(to, left.share); }, [&](u32 k, bool) { if (k < end) right.fetch(p, k, end); },
        [&](F* to) { put_share<S>(to, right.share); },
        [&] {
            const Block at = block_of<S>(p, block_x_again());
            const u64 matrix = (u64)p.out.rows * p.out.cols;
            return p.out.tile(p.splits > 1 ? p.partial + at.part * matrix : nullptr, at.group * p.out_group,
                              at.group * p.bias_group, at.row, at.col);
        });
}

// As for matrix products, small tiles leave room for two blocks on a multiprocessor.
#define CONV(name, SIDE, P) \
    KERNEL_OF(THREADS, SIDE == 8 ? 1 : 2) NAME(name)(const Conv p) { conv<SIDE, P>(p); }

#ifdef LARGE
CONV(conv_forward, 8, FORWARD)
CONV(conv_inputs, 8, INPUTS)
CONV(conv_weights, 8, WEIGHTS)
#endif
CONV(conv_small_forward, 4, FORWARD)
CONV(conv_small_inputs, 4, INPUTS)
CONV(conv_small_weights, 4, WEIGHTS)

// The partial products of all splits, in order.
KERNEL(THREADS) NAME(conv_combine)(const Conv p) {
    const u64 i = (u64)block_x() * THREADS + thread_x(), matrix = (u64)p.out.rows * p.out.cols;
    if (i >= matrix * p.groups) return;
    F sum = 0;
#pragma unroll 1
    for (u32 s = 0; s < p.splits; s++) sum += p.partial[s * matrix * p.groups + i];
    const u32 group = (u32)(i / matrix), at = (u32)(i - group * matrix), row = at / p.out.cols;
    p.out.put(group * p.out_group, group * p.bias_group, row, at - row * p.out.cols, sum);
}
