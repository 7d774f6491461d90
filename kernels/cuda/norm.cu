// Layer norm over lines, batch norm over channels, and their gradients. Statistics, weights and biases
// are in the compute dtype (the host converts those few numbers).
#include "include/math.cuh"
#include "include/team.cuh"

typedef DTYPE T;
typedef compute<T> F;
typedef Share<T> S;

// Two sums at once.
struct Pair { F a, b; };
DEVICE Pair operator+(Pair x, Pair y) { return {x.a + y.a, x.b + y.b}; }
DEVICE Pair shuffle_xor(Pair x, u32 mask) { return {shuffle_xor(x.a, mask), shuffle_xor(x.b, mask)}; }

// ---- layer norm: a team per line ----

// Times the weights of those places.
DEVICE void scale(const S& share, const F* weight, S::Values& v) {
#pragma unroll
    for (u32 k = 0; k < S::PARTS; k++) {
        const Vec<F, S::V> w = share.part(weight, 1, k);
#pragma unroll
        for (u32 j = 0; j < S::V; j++) v[k * S::V + j] *= w.at[j];
    }
}

struct LayerNorm {
    Lines<1> lines;
    // Of the line's length, or null.
    const F* weight;
    const F* bias;
    F* mean;
    F* rstd;
    f64 eps;
};

// Asked for three blocks on a multiprocessor, ptxas takes as many registers of f64 as it needs; else, on sm_120,
// eight bytes fewer.
constexpr u32 RESIDENT = sizeof(F) == 8 ? 3 : 0;

// The variance is taken around the mean in a second pass, so that nothing cancels; what the mean lost to
// rounding is found there, too.
KERNEL_OF(THREADS, RESIDENT) NAME(layer_norm)(const LayerNorm p) {
    SHARED static F scratch[WARPS];
    SHARED static Pair scratch2[WARPS];
    const u32 team = p.lines.team, n = p.lines.length, line = line_of(p.lines), member = member_of(p.lines);
    const bool real = line < p.lines.map.count;
    const Offsets<1> o = offsets(p.lines.map, real ? line : 0);
    const T* x = (const T*)p.lines.map.in[0] + o.at[1];
    T* y = (T*)p.lines.map.out + o.at[0];
    const F *weight = p.weight, *bias = p.bias;
    const i64 in = p.lines.along[1], out = p.lines.along[0];
    S share(member, team, real ? n : 0,
            in == 1 && out == 1 && aligned(x) && aligned(y) && aligned(weight) && aligned(bias));
    const u32 chunks = S::chunks(n, team);
    S::Values v;
    F sum = 0;
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        share.chunk(c);
        share.load(x, in, v);
#pragma unroll
        for (u32 e = 0; e < S::N; e++) sum += v[e];
    }
    F mean = together_sum(sum, team, scratch) / (F)n;
    F squares = 0, rest = 0;
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        if (chunks > 1) {
            share.chunk(c);
            share.load(x, in, v);
        }
#pragma unroll
        for (u32 e = 0; e < S::N; e++) {
            F d = e < share.mine ? v[e] - mean : (F)0;
            rest += d;
            squares = fma(d, d, squares);
        }
    }
    const Pair both = together_sum(Pair{rest, squares}, team, scratch2);
    F off = both.a / (F)n;
    F variance = fma(-off, off, both.b / (F)n);
    F rstd = 1 / root((variance > 0 || is_nan(variance) ? variance : (F)0) + (F)p.eps);
    mean += off;
    if (real && member == 0) {
        p.mean[line] = mean;
        p.rstd[line] = rstd;
    }
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        if (chunks > 1) {
            share.chunk(c);
            share.load(x, in, v);
        }
#pragma unroll
        for (u32 e = 0; e < S::N; e++) v[e] = (v[e] - mean) * rstd;
        if (weight) scale(share, weight, v);
        if (bias) {
#pragma unroll
            for (u32 k = 0; k < S::PARTS; k++) {
                const Vec<F, S::V> b = share.part(bias, 1, k);
#pragma unroll
                for (u32 j = 0; j < S::V; j++) v[k * S::V + j] += b.at[j];
            }
        }
        share.store(y, out, v);
    }
}

struct LayerNormGrad {
    // Inputs g and x.
    Lines<2> lines;
    const F* weight;
    const F* mean;
    const F* rstd;
};

// dx = rstd·(g·w − mean(g·w) − x̂·mean(g·w·x̂))
KERNEL(THREADS) NAME(layer_norm_grad)(const LayerNormGrad p) {
    SHARED static Pair scratch[WARPS];
    const u32 team = p.lines.team, n = p.lines.length, line = line_of(p.lines);
    const bool real = line < p.lines.map.count;
    const Offsets<2> o = offsets(p.lines.map, real ? line : 0);
    const T* g = (const T*)p.lines.map.in[0] + o.at[1];
    const T* x = (const T*)p.lines.map.in[1] + o.at[2];
    T* dx = (T*)p.lines.map.out + o.at[0];
    const F* weight = p.weight;
    const i64 in_g = p.lines.along[1], in_x = p.lines.along[2], out = p.lines.along[0];
    const bool vectors = in_g == 1 && in_x == 1 && out == 1 && aligned(g) && aligned(x) && aligned(dx);
    S share(member_of(p.lines), team, real ? n : 0, vectors && aligned(weight));
    const u32 chunks = S::chunks(n, team);
    const F mean = real ? p.mean[line] : (F)0, rstd = real ? p.rstd[line] : (F)0;
    // g·w and x̂.
    S::Values v, z;
    const auto load = [&](u32 c) {
        share.chunk(c);
        share.load(g, in_g, v);
        share.load(x, in_x, z);
        if (weight) scale(share, weight, v);
#pragma unroll
        for (u32 e = 0; e < S::N; e++) z[e] = (z[e] - mean) * rstd;
    };
    F sum = 0, product = 0;
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        load(c);
#pragma unroll
        for (u32 e = 0; e < S::N; e++) {
            sum += v[e];
            product = fma(v[e], z[e], product);
        }
    }
    const Pair both = together_sum(Pair{sum, product}, team, scratch);
    const F a = both.a / (F)n, slope = both.b / (F)n;
#pragma unroll 1
    for (u32 c = 0; c < chunks; c++) {
        if (chunks > 1) load(c);
#pragma unroll
        for (u32 e = 0; e < S::N; e++) v[e] = rstd * (v[e] - a - z[e] * slope);
        share.store(dx, out, v);
    }
}

// Σ g·x̂ and Σ g over rows, for each column: every block takes 32 columns and a chunk of rows, and
// leaves partial sums, `[chunks, n]` each, which the host adds with the sum kernel.
struct LayerNormWeights {
    const T* g;
    const T* x;
    i64 g_row, g_col, x_row, x_col;
    const F* mean;
    const F* rstd;
    F* weight;
    F* bias;
    u32 rows, cols, chunk, across;
};
KERNEL(THREADS) NAME(layer_norm_weights)(const LayerNormWeights p) {
    SHARED static F of_weight[THREADS], of_bias[THREADS];
    u32 t = thread_x(), chunk = block_x() / p.across;
    u32 col = (block_x() - chunk * p.across) * 32 + (t & 31);
    F product = 0, sum = 0;
    if (col < p.cols) {
        u32 row = chunk * p.chunk + (t >> 5), end = min32((chunk + 1) * p.chunk, p.rows);
        const T* g = p.g + (col * p.g_col + row * p.g_row);
        const T* x = p.x + (col * p.x_col + row * p.x_row);
        const F *mean = p.mean + row, *rstd = p.rstd + row;
        const i64 g_step = WARPS * p.g_row, x_step = WARPS * p.x_row;
#pragma unroll 4
        for (; row < end; row += WARPS) {
            F v = widen(*g);
            sum += v;
            product = fma(v, (widen(*x) - *mean) * *rstd, product);
            g += g_step;
            x += x_step;
            mean += WARPS;
            rstd += WARPS;
        }
    }
    of_weight[t] = product;
    of_bias[t] = sum;
    barrier();
    if (t >= 32 || col >= p.cols) return;
#pragma unroll
    for (u32 w = 1; w < WARPS; w++) {
        product += of_weight[t + 32 * w];
        sum += of_bias[t + 32 * w];
    }
    p.weight[chunk * (u64)p.cols + col] = product;
    p.bias[chunk * (u64)p.cols + col] = sum;
}

// ---- batch norm of [N, C, L]: a block per channel and chunk of N·L ----

struct Channels {
    const T* x;
    // Only the gradient has it.
    const T* g;
    i64 x_step[3], g_step[3];
    Divisor length;
    u32 channels, count, chunk, chunks;
    const F* mean;
    const F* rstd;
    // `[C, chunks]` each.
    F* first;
    F* second;
};

DEVICE i64 channel_offset(const i64 (&step)[3], u32 channel, u32 n, u32 l) {
    return channel * step[1] + n * step[0] + l * step[2];
}

// Whether a view of the channels can be read in vectors of V.
constexpr u32 V = VECTOR<T>;
DEVICE bool whole(const T* x, const i64 (&step)[3]) {
    return step[2] == 1 && (step[0] | step[1]) % V == 0 && (u64)x % (V * sizeof(T)) == 0;
}
// Calls `vector(n, l)` for V elements at once, or `element(n, l)`, over the thread's part of a chunk.
template <class W, class E> DEVICE void each_of(const Channels& p, u32 begin, u32 end, bool vectors, W vector, E element) {
    if (vectors && p.length.size % V == 0 && p.chunk % V == 0) {
#pragma unroll 1
        for (u32 i = begin + thread_x() * V; i < end; i += THREADS * V) {
            const u32 n = p.length.quotient(i);
            vector(n, i - n * p.length.size);
        }
    } else {
#pragma unroll 1
        for (u32 i = begin + thread_x(); i < end; i += THREADS) {
            const u32 n = p.length.quotient(i);
            element(n, i - n * p.length.size);
        }
    }
}

// How many, their mean, and the sum of squares around it.
struct Moments { F count, mean, squares; };
DEVICE Moments shuffle_xor(Moments m, u32 mask) {
    return {shuffle_xor(m.count, mask), shuffle_xor(m.mean, mask), shuffle_xor(m.squares, mask)};
}
// Those of both, after Chan: nothing cancels.
DEVICE Moments merge(Moments a, Moments b) {
    const F n = a.count + b.count, d = b.mean - a.mean, share = n > 0 ? b.count / n : (F)0;
    return {n, fma(d, share, a.mean), a.squares + fma(d * d, a.count * share, b.squares)};
}

// Mean and sum of squares around it, of each chunk, in one reading.
KERNEL(THREADS) NAME(batch_norm_stats)(const Channels p) {
    SHARED static Moments scratch[WARPS];
    const u32 channel = block_x() / p.chunks, chunk = block_x() - channel * p.chunks;
    const u32 begin = chunk * p.chunk, end = min32(begin + p.chunk, p.count);
    Moments all = {0, 0, 0};
    each_of(
        p, begin, end, whole(p.x, p.x_step),
        [&](u32 n, u32 l) {
            const Vec<T, V> x = load_vector<T, V>(p.x + channel_offset(p.x_step, channel, n, l));
            F sum = 0, squares = 0;
#pragma unroll
            for (u32 j = 0; j < V; j++) sum += widen(x.at[j]);
            const F mean = sum * (1 / (F)V);
#pragma unroll
            for (u32 j = 0; j < V; j++) squares = fma(widen(x.at[j]) - mean, widen(x.at[j]) - mean, squares);
            all = merge(all, {(F)V, mean, squares});
        },
        [&](u32 n, u32 l) {
            all = merge(all, {1, widen(p.x[channel_offset(p.x_step, channel, n, l)]), 0});
        });
    all = together(all, THREADS, scratch, merge);
    if (thread_x() == 0) {
        p.first[block_x()] = all.mean;
        p.second[block_x()] = all.squares;
    }
}
// The same of channels that lie side by side, as in [N, C]: a block takes 32 of them and a chunk of their
// elements, neighbouring lanes neighbouring channels, and each warp four elements at a time.
struct Beside { u32 chunk, channel; };
DEVICE Beside beside(const Channels& p) {
    const u32 across = (p.channels + 31) / 32, chunk = block_x() / across;
    return {chunk, (block_x() - chunk * across) * 32 + lane_id()};
}
constexpr u32 ROWS = 4;
// Calls `rows(i, n)` for the n ≤ ROWS elements from i on.
template <class R> DEVICE void each_row(const Channels& p, Beside at, R rows) {
    if (at.channel >= p.channels) return;
    const u32 begin = at.chunk * p.chunk, end = min32(begin + p.chunk, p.count);
#pragma unroll 1
    for (u32 i = begin + warp_id() * ROWS; i < end; i += WARPS * ROWS) rows(i, min32(end - i, ROWS));
}
DEVICE i64 row_offset(const Channels& p, const i64 (&step)[3], u32 channel, u32 i) {
    const u32 n = p.length.quotient(i);
    return channel_offset(step, channel, n, i - n * p.length.size);
}
KERNEL(THREADS) NAME(batch_norm_stats_beside)(const Channels p) {
    SHARED static Moments scratch[THREADS];
    const Beside at = beside(p);
    Moments all = {0, 0, 0};
    each_row(p, at, [&](u32 i, u32 n) {
        F x[ROWS], sum = 0, squares = 0;
#pragma unroll
        for (u32 j = 0; j < ROWS; j++) {
            x[j] = j < n ? widen(p.x[row_offset(p, p.x_step, at.channel, i + j)]) : (F)0;
            sum += x[j];
        }
        const F mean = sum / (F)n;
#pragma unroll
        for (u32 j = 0; j < ROWS; j++) {
            const F d = j < n ? x[j] - mean : (F)0;
            squares = fma(d, d, squares);
        }
        all = merge(all, {(F)n, mean, squares});
    });
    scratch[thread_x()] = all;
    barrier();
    if (warp_id() > 0 || at.channel >= p.channels) return;
#pragma unroll 1
    for (u32 w = 1; w < WARPS; w++) all = merge(all, scratch[lane_id() + 32 * w]);
    p.first[at.channel * (u64)p.chunks + at.chunk] = all.mean;
    p.second[at.channel * (u64)p.chunks + at.chunk] = all.squares;
}
// Those put together, in f64 and in order: mean and biased variance of each channel.
KERNEL(THREADS) NAME(batch_norm_finish)(const F* means, const F* squares, F* mean, F* variance,
                                        u32 channels, u32 count, u32 chunk, u32 chunks) {
    u32 c = block_x() * THREADS + thread_x();
    if (c >= channels) return;
    f64 n = 0, m = 0, s = 0;
#pragma unroll 1
    for (u32 k = 0; k < chunks; k++) {
        f64 more = (f64)(min32((k + 1) * chunk, count) - k * chunk), all = n + more;
        f64 d = (f64)means[c * (u64)chunks + k] - m;
        m = __builtin_fma(d, more / all, m);
        s += (f64)squares[c * (u64)chunks + k] + d * d * (n * more / all);
        n = all;
    }
    mean[c] = (F)m;
    variance[c] = (F)(s / n);
}
// Σ g and Σ g·x̂ of each chunk; the host adds them with the sum kernel.
KERNEL(THREADS) NAME(batch_norm_sums)(const Channels p) {
    SHARED static Pair scratch[WARPS];
    const u32 channel = block_x() / p.chunks, chunk = block_x() - channel * p.chunks;
    const u32 begin = chunk * p.chunk, end = min32(begin + p.chunk, p.count);
    const F mean = p.mean[channel], rstd = p.rstd[channel];
    F sum = 0, product = 0;
    const auto take = [&](T g, T x) {
        sum += widen(g);
        product = fma(widen(g), (widen(x) - mean) * rstd, product);
    };
    each_of(
        p, begin, end, whole(p.x, p.x_step) && whole(p.g, p.g_step),
        [&](u32 n, u32 l) {
            const Vec<T, V> g = load_vector<T, V>(p.g + channel_offset(p.g_step, channel, n, l));
            const Vec<T, V> x = load_vector<T, V>(p.x + channel_offset(p.x_step, channel, n, l));
#pragma unroll
            for (u32 j = 0; j < V; j++) take(g.at[j], x.at[j]);
        },
        [&](u32 n, u32 l) {
            take(p.g[channel_offset(p.g_step, channel, n, l)], p.x[channel_offset(p.x_step, channel, n, l)]);
        });
    const Pair both = together_sum(Pair{sum, product}, THREADS, scratch);
    if (thread_x() == 0) {
        p.first[block_x()] = both.a;
        p.second[block_x()] = both.b;
    }
}

KERNEL(THREADS) NAME(batch_norm_sums_beside)(const Channels p) {
    SHARED static F of_g[THREADS], of_product[THREADS];
    const Beside at = beside(p);
    const bool real = at.channel < p.channels;
    const F mean = real ? p.mean[at.channel] : (F)0, rstd = real ? p.rstd[at.channel] : (F)0;
    Pair all = {0, 0};
    each_row(p, at, [&](u32 i, u32 n) {
#pragma unroll
        for (u32 j = 0; j < ROWS; j++) {
            if (j < n) {
                const F g = widen(p.g[row_offset(p, p.g_step, at.channel, i + j)]);
                const F x = widen(p.x[row_offset(p, p.x_step, at.channel, i + j)]);
                all.a += g;
                all.b = fma(g, (x - mean) * rstd, all.b);
            }
        }
    });
    of_g[thread_x()] = all.a;
    of_product[thread_x()] = all.b;
    barrier();
    if (warp_id() > 0 || !real) return;
#pragma unroll
    for (u32 w = 1; w < WARPS; w++) all = all + Pair{of_g[lane_id() + 32 * w], of_product[lane_id() + 32 * w]};
    p.first[at.channel * (u64)p.chunks + at.chunk] = all.a;
    p.second[at.channel * (u64)p.chunks + at.chunk] = all.b;
}

// What the elementwise kernels below need of each channel: the scale w·rstd and, for the gradient, the
// mean of g and the slope mean(g·x̂)·rstd. `weight` may be null, as may the sums.
KERNEL(THREADS) NAME(batch_norm_scales)(const F* weight, const F* rstd, const F* sum, const F* product,
                                        F* scale, F* mean_g, F* slope, u32 channels, f64 count) {
    u32 c = block_x() * THREADS + thread_x();
    if (c >= channels) return;
    F r = rstd[c];
    scale[c] = weight ? weight[c] * r : r;
    if (sum) {
        mean_g[c] = (F)(sum[c] / count);
        slope[c] = (F)(product[c] / count) * r;
    }
}

// Elementwise, the channels' numbers broadcast by step 0: inputs x, mean, scale, bias.
KERNEL(THREADS) NAME(batch_norm_apply)(const Map<4> p) {
    each<V>(
        p,
        [&](Offsets<4> o, int valid) {
            Values<T, V> x = vector_of<T, V>(p, 0, o.at[1], valid);
            Values<F, V> m = vector_of<F, V>(p, 1, o.at[2], valid), s = vector_of<F, V>(p, 2, o.at[3], valid);
            Values<F, V> b = vector_of<F, V>(p, 3, o.at[4], valid);
            Vec<T, V> y;
#pragma unroll
            for (u32 j = 0; j < V; j++) y.at[j] = narrow<T>((x.at[j] - m.at[j]) * s.at[j] + b.at[j]);
            store(p, o.at[0], valid, y);
        },
        [&](Offsets<4> o) {
            F v = (value_of<T>(p, 0, o.at[1]) - value_of<F>(p, 1, o.at[2])) * value_of<F>(p, 2, o.at[3]);
            ((T*)p.out)[o.at[0]] = narrow<T>(v + value_of<F>(p, 3, o.at[4]));
        });
}
// Inputs g, x, mean, scale, mean of g, slope: dx = scale·(g − mean(g) − (x − mean)·slope).
KERNEL(THREADS) NAME(batch_norm_grad)(const Map<6> p) {
    each<V>(
        p,
        [&](Offsets<6> o, int valid) {
            Values<T, V> x = vector_of<T, V>(p, 1, o.at[2], valid);
            Values<F, V> m = vector_of<F, V>(p, 2, o.at[3], valid), slope = vector_of<F, V>(p, 5, o.at[6], valid);
#pragma unroll
            for (u32 j = 0; j < V; j++) x.at[j] = (x.at[j] - m.at[j]) * slope.at[j];
            Values<T, V> g = vector_of<T, V>(p, 0, o.at[1], valid);
            Values<F, V> m_g = vector_of<F, V>(p, 4, o.at[5], valid), s = vector_of<F, V>(p, 3, o.at[4], valid);
            Vec<T, V> y;
#pragma unroll
            for (u32 j = 0; j < V; j++) y.at[j] = narrow<T>(s.at[j] * (g.at[j] - m_g.at[j] - x.at[j]));
            store(p, o.at[0], valid, y);
        },
        [&](Offsets<6> o) {
            F v = (value_of<T>(p, 1, o.at[2]) - value_of<F>(p, 2, o.at[3])) * value_of<F>(p, 5, o.at[6]);
            F g = value_of<T>(p, 0, o.at[1]) - value_of<F>(p, 4, o.at[5]);
            ((T*)p.out)[o.at[0]] = narrow<T>(value_of<F>(p, 3, o.at[4]) * (g - v));
        });
}
