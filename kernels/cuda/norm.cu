// Layer norm over lines, batch norm over channels, and their gradients. Statistics, weights and biases
// are in the compute dtype (the host converts those few numbers).
#include "include/math.cuh"
#include "include/team.cuh"

typedef DTYPE T;
typedef compute<T> F;

// ---- layer norm: a team per line ----

struct LayerNorm {
    Lines<1> lines;
    // Of the line's length, or null.
    const F* weight;
    const F* bias;
    F* mean;
    F* rstd;
    f64 eps;
};

// The variance is taken around the mean in a second pass, so that nothing cancels; what the mean lost to
// rounding is found there, too.
KERNEL(THREADS) NAME(layer_norm)(const LayerNorm p) {
    SHARED static F scratch[WARPS];
    const u32 team = p.lines.team, n = p.lines.length;
    u32 line = line_of(p.lines), first = member_of(p.lines);
    if (line >= p.lines.map.count) return;
    Offsets<1> o = offsets(p.lines.map, line);
    const T* x = (const T*)p.lines.map.in[0] + o.at[1];
    T* y = (T*)p.lines.map.out + o.at[0];
    const i64 in = p.lines.along[1], out = p.lines.along[0];
    F sum = 0;
#pragma unroll 1
    for (u32 i = first; i < n; i += team) sum += widen(x[i * in]);
    F mean = together_sum(sum, team, scratch) / (F)n;
    F squares = 0, rest = 0;
#pragma unroll 1
    for (u32 i = first; i < n; i += team) {
        F d = widen(x[i * in]) - mean;
        rest += d;
        squares = fma(d, d, squares);
    }
    F off = together_sum(rest, team, scratch) / (F)n;
    F variance = fma(-off, off, together_sum(squares, team, scratch) / (F)n);
    F rstd = 1 / root((variance > 0 || is_nan(variance) ? variance : (F)0) + (F)p.eps);
    mean += off;
    if (first == 0) {
        p.mean[line] = mean;
        p.rstd[line] = rstd;
    }
#pragma unroll 1
    for (u32 i = first; i < n; i += team) {
        F v = (widen(x[i * in]) - mean) * rstd;
        if (p.weight) v *= p.weight[i];
        if (p.bias) v += p.bias[i];
        y[i * out] = narrow<T>(v);
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
    SHARED static F scratch[WARPS];
    const u32 team = p.lines.team, n = p.lines.length;
    u32 line = line_of(p.lines), first = member_of(p.lines);
    if (line >= p.lines.map.count) return;
    Offsets<2> o = offsets(p.lines.map, line);
    const T* g = (const T*)p.lines.map.in[0] + o.at[1];
    const T* x = (const T*)p.lines.map.in[1] + o.at[2];
    T* dx = (T*)p.lines.map.out + o.at[0];
    const i64 in_g = p.lines.along[1], in_x = p.lines.along[2], out = p.lines.along[0];
    const F mean = p.mean[line], rstd = p.rstd[line];
    F sum = 0, product = 0;
#pragma unroll 1
    for (u32 i = first; i < n; i += team) {
        F v = widen(g[i * in_g]);
        if (p.weight) v *= p.weight[i];
        sum += v;
        product = fma(v, (widen(x[i * in_x]) - mean) * rstd, product);
    }
    F a = together_sum(sum, team, scratch) / (F)n;
    F slope = together_sum(product, team, scratch) / (F)n * rstd;
#pragma unroll 1
    for (u32 i = first; i < n; i += team) {
        F v = widen(g[i * in_g]);
        if (p.weight) v *= p.weight[i];
        dx[i * out] = narrow<T>(rstd * (v - a - (widen(x[i * in_x]) - mean) * slope));
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
        const T* g = p.g + col * p.g_col;
        const T* x = p.x + col * p.x_col;
        u32 end = min32((chunk + 1) * p.chunk, p.rows);
#pragma unroll 2
        for (u32 row = chunk * p.chunk + (t >> 5); row < end; row += WARPS) {
            F v = widen(g[row * p.g_row]);
            sum += v;
            product = fma(v, (widen(x[row * p.x_row]) - p.mean[row]) * p.rstd[row], product);
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

// Mean and sum of squares around it, of each chunk.
KERNEL(THREADS) NAME(batch_norm_stats)(const Channels p) {
    SHARED static F scratch[WARPS];
    u32 channel = block_x() / p.chunks, chunk = block_x() - channel * p.chunks;
    u32 begin = chunk * p.chunk, end = min32(begin + p.chunk, p.count);
    F sum = 0;
#pragma unroll 2
    for (u32 i = begin + thread_x(); i < end; i += THREADS) {
        u32 n = p.length.quotient(i);
        sum += widen(p.x[channel_offset(p.x_step, channel, n, i - n * p.length.size)]);
    }
    F mean = together_sum(sum, THREADS, scratch) / (F)(end - begin);
    F squares = 0, rest = 0;
#pragma unroll 2
    for (u32 i = begin + thread_x(); i < end; i += THREADS) {
        u32 n = p.length.quotient(i);
        F d = widen(p.x[channel_offset(p.x_step, channel, n, i - n * p.length.size)]) - mean;
        rest += d;
        squares = fma(d, d, squares);
    }
    rest = together_sum(rest, THREADS, scratch);
    F off = rest / (F)(end - begin);
    squares = fma(-off, rest, together_sum(squares, THREADS, scratch));
    squares = squares > 0 || is_nan(squares) ? squares : (F)0;
    mean += off;
    if (thread_x() == 0) {
        p.first[block_x()] = mean;
        p.second[block_x()] = squares;
    }
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
    SHARED static F scratch[WARPS];
    u32 channel = block_x() / p.chunks, chunk = block_x() - channel * p.chunks;
    u32 begin = chunk * p.chunk, end = min32(begin + p.chunk, p.count);
    const F mean = p.mean[channel], rstd = p.rstd[channel];
    F sum = 0, product = 0;
#pragma unroll 2
    for (u32 i = begin + thread_x(); i < end; i += THREADS) {
        u32 n = p.length.quotient(i), l = i - n * p.length.size;
        F g = widen(p.g[channel_offset(p.g_step, channel, n, l)]);
        sum += g;
        product = fma(g, (widen(p.x[channel_offset(p.x_step, channel, n, l)]) - mean) * rstd, product);
    }
    sum = together_sum(sum, THREADS, scratch);
    product = together_sum(product, THREADS, scratch);
    if (thread_x() == 0) {
        p.first[block_x()] = sum;
        p.second[block_x()] = product;
    }
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
    constexpr int V = VECTOR<T>;
    each<V>(
        p,
        [&](Offsets<4> o, int valid) {
            Values<T, V> x = vector_of<T, V>(p, 0, o.at[1], valid);
            Values<F, V> m = vector_of<F, V>(p, 1, o.at[2], valid), s = vector_of<F, V>(p, 2, o.at[3], valid);
            Values<F, V> b = vector_of<F, V>(p, 3, o.at[4], valid);
            Vec<T, V> y;
#pragma unroll
            for (int j = 0; j < V; j++) y.at[j] = narrow<T>((x.at[j] - m.at[j]) * s.at[j] + b.at[j]);
            store(p, o.at[0], valid, y);
        },
        [&](Offsets<4> o) {
            F v = (value_of<T>(p, 0, o.at[1]) - value_of<F>(p, 1, o.at[2])) * value_of<F>(p, 2, o.at[3]);
            ((T*)p.out)[o.at[0]] = narrow<T>(v + value_of<F>(p, 3, o.at[4]));
        });
}
// Inputs g, x, mean, scale, mean of g, slope: dx = scale·(g − mean(g) − (x − mean)·slope).
KERNEL(THREADS) NAME(batch_norm_grad)(const Map<6> p) {
    each_element<VECTOR<T>>(p, [&](Offsets<6> o) {
        F v = (value_of<T>(p, 1, o.at[2]) - value_of<F>(p, 2, o.at[3])) * value_of<F>(p, 5, o.at[6]);
        F g = value_of<T>(p, 0, o.at[1]) - value_of<F>(p, 4, o.at[5]);
        ((T*)p.out)[o.at[0]] = narrow<T>(value_of<F>(p, 3, o.at[4]) * (g - v));
    });
}
