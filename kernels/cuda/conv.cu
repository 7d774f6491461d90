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

// A factor of which neighbouring lanes fetch neighbours along k, a sector's worth, and each thread several rows
// or columns.
template <class S> struct AlongLanes {
    static constexpr u32 LANES = 32 / sizeof(F);
    // Rows or columns of one pass; passes over all of them, and over k.
    static constexpr u32 APART = S::THREADS / LANES, PASSES = S::SIZE / APART, DEEP = S::DEPTH / LANES;
    F share[DEEP][PASSES];

    static METHOD u32 k() { return thread_x() % LANES; }
    static METHOD u32 outer() { return thread_x() / LANES; }
    static METHOD u32 place() { return k() * S::ROW + outer(); }
    METHOD void put(F* to) const {
#pragma unroll
        for (u32 d = 0; d < DEEP; d++)
#pragma unroll
            for (u32 i = 0; i < PASSES; i++) to[d * LANES * S::ROW + i * APART] = share[d][i];
    }
};

// One of which neighbouring lanes fetch neighbouring columns, and each thread SHARE neighbours along k.
template <class S> struct AcrossLanes {
    F share[S::SHARE];

    static METHOD u32 k() { return thread_x() / S::SIZE * S::SHARE; }
    static METHOD u32 outer() { return thread_x() % S::SIZE; }
    static METHOD u32 place() { return k() * S::ROW + outer(); }
    METHOD void put(F* to) const {
#pragma unroll
        for (u32 i = 0; i < S::SHARE; i++) to[i * S::ROW] = share[i];
    }
};

// The left factor, with two steps along k.
template <class S> struct Left : AlongLanes<S> {
    typedef AlongLanes<S> L;
    const T* from;
    // Passes whose rows exist.
    u32 passes;

    METHOD Left(const Conv& p, const T* data, u32 first) {
        const u32 row = first + L::outer();
        passes = row < p.out.rows ? (p.out.rows - row + L::APART - 1) / L::APART : 0;
        from = data + (i64)row * p.left_row;
    }
    METHOD void fetch(const Conv& p, u32 at, u32 end) {
#pragma unroll
        for (u32 d = 0; d < L::DEEP; d++) {
            const u32 k = at + d * L::LANES + L::k(), far = p.near.quotient(k), near = k - far * p.near.size;
            const T* row = from + (far * p.left_far + near * p.left_near);
            const u32 n = k < end ? passes : 0;
#pragma unroll
            for (u32 i = 0; i < L::PASSES; i++) {
                L::share[d][i] = i < n ? factor(*row) : F(0);
                row += L::APART * p.left_row;
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

// The right factor: the element of the picture that a place meets at a tap. Columns are places, and lanes lie
// along them: they read neighbours of a line.
template <class S, Product P> struct Right : AcrossLanes<S> {
    typedef AcrossLanes<S> L;
    const T* picture;
    // For INPUTS, the place with its padding; else where the picture is read at the first tap.
    u32 y0, x0;
    bool inside;

    METHOD Right(const Conv& p, const T* data, u32 first) {
        const u32 i = first + L::outer();
        inside = i < p.out.cols;
        const Place col = place_of(p.places, p.place_line, i);
        y0 = P == INPUTS ? col.y + p.padding_h : col.y * p.stride_h.size - p.padding_h;
        x0 = P == INPUTS ? col.x + p.padding_w : col.x * p.stride_w.size - p.padding_w;
        picture = data + (i64)col.far * p.image;
    }
    METHOD void fetch(const Conv& p, u32 at, u32 end) {
        at += L::k();
        Place tap = place_of(p.taps, p.tap_line, at);
        const u32 lines = p.tap_line.quotient(p.taps.size);
        const u32 n = inside && at < end ? end - at : 0;
#pragma unroll
        for (u32 i = 0; i < S::SHARE; i++) {
            u32 y, x;
            bool valid = i < n;
            if constexpr (P == INPUTS) {
                // Where the place was read from: undone, if the stride meets it.
                const u32 up = y0 - tap.y * p.dilation_h, left = x0 - tap.x * p.dilation_w;
                valid = valid && (i32)up >= 0 && (i32)left >= 0;
                y = p.stride_h.quotient(up);
                x = p.stride_w.quotient(left);
                valid = valid && y * p.stride_h.size == up && x * p.stride_w.size == left;
            } else {
                y = y0 + tap.y * p.dilation_h;
                x = x0 + tap.x * p.dilation_w;
            }
            // Before the first line or column, the numbers wrap and are too large.
            valid = valid && y < p.height && x < p.width;
            L::share[i] = valid ? factor(picture[tap.far * p.channel + y * p.line + x * p.column]) : F(0);
            advance(tap, lines, p.tap_line.size);
        }
    }
};

// The same for the gradient of the weights. Columns are taps of channels, k is places, and lanes lie along k.
template <class S> struct Right<S, WEIGHTS> : AlongLanes<S> {
    typedef AlongLanes<S> L;
    // What a tap adds to a place.
    struct __attribute__((aligned(16))) Tap {
        i64 offset;
        u32 y, x;
    };
    const T* picture;
    const Tap* taps;

    METHOD Right(const Conv& p, const T* data, u32 first) {
        SHARED static Tap table[S::SIZE];
        picture = data;
        taps = table + L::outer();
        const u32 i = thread_x();
        if (i < S::SIZE) {
            const Place tap = place_of(p.taps, p.tap_line, first + i);
            const i32 y = tap.y * p.dilation_h - p.padding_h, x = tap.x * p.dilation_w - p.padding_w;
            // A tap that does not exist reads below every picture.
            const u32 up = first + i < p.out.cols ? y : 0x80000000u;
            table[i] = {(i64)tap.far * p.channel + y * p.line + x * p.column, up, (u32)x};
        }
        barrier();
    }
    METHOD void fetch(const Conv& p, u32 at, u32 end) {
#pragma unroll
        for (u32 d = 0; d < L::DEEP; d++) {
            const u32 k = at + d * L::LANES + L::k();
            const Place place = place_of(p.places, p.place_line, k);
            const u32 y0 = place.y * p.stride_h.size, x0 = place.x * p.stride_w.size;
            const T* from = picture + ((i64)place.far * p.image + y0 * p.line + x0 * p.column);
            // Before the first line or column, the numbers wrap and are too large.
            const u32 height = k < end ? p.height : 0;
#pragma unroll
            for (u32 i = 0; i < L::PASSES; i++) {
                const Tap tap = taps[i * L::APART];
                const bool valid = y0 + tap.y < height && x0 + tap.x < p.width;
                L::share[d][i] = valid ? factor(from[tap.offset]) : F(0);
            }
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

template <class S, Product P> DEVICE void conv(const Conv& p) {
    const Block at = block_of<S>(p, block_x());
    const u32 begin = at.split * p.chunk, end = min32(begin + p.chunk, p.k);
    Left<S> left(p, p.left + at.group * p.left_group, at.row);
    Right<S, P> right(p, p.picture + at.group * p.picture_group, at.col);
    block_product<S, F>(
        begin, end, left.place(), right.place(), [&](u32 k, bool) { if (k < end) left.fetch(p, k, end); },
        [&](F* to) { left.put(to); }, [&](u32 k, bool) { if (k < end) right.fetch(p, k, end); },
        [&](F* to) { right.put(to); },
        [&] {
            const Block at = block_of<S>(p, block_x_again());
            const u64 matrix = (u64)p.out.rows * p.out.cols;
            return p.out.tile(p.splits > 1 ? p.partial + at.part * matrix : nullptr, at.group * p.out_group,
                              at.group * p.bias_group, at.row, at.col);
        });
}

// As for matrix products, both leave room for two blocks on a multiprocessor.
#define CONV(name, SHAPE, P) \
    KERNEL_OF(SHAPE<F>::THREADS, 2) NAME(name)(const Conv p) { conv<SHAPE<F>, P>(p); }

#ifdef LARGE
CONV(conv_forward, Large, FORWARD)
CONV(conv_inputs, Large, INPUTS)
CONV(conv_weights, Large, WEIGHTS)
#endif
CONV(conv_small_forward, Small, FORWARD)
CONV(conv_small_inputs, Small, INPUTS)
CONV(conv_small_weights, Small, WEIGHTS)

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
