// Reductions over any dimensions: `name_dtype(Reduce)`, for sum, mean, prod, max, min, argmax, argmin,
// any, all.
//
// An output is made by a team: a power of two of threads up to a block, or (`columns`) eight threads of a block whose warps go
// across 32 outputs that lie side by side. With more than one chunk, each team takes one and leaves
// a partial result; a second launch (`second`) puts those together. What is added to what depends on
// the shape and the host's choice of chunks alone.
#include "include/math.cuh"
#include "include/team.cuh"

typedef DTYPE T;
typedef compute<T> F;
// Integers are compared in i32 or i64; sums and products of integers are i64.
typedef choose<is_float<T>, F, choose<sizeof(T) == 8, i64, i32>> Wide;
typedef total<T> Total;

struct Reduce {
    void* out;
    const T* in;
    // Partial results, those of an output side by side (for columns, those of a chunk); written unless `second`.
    void* partial;
    i64* partial_at;
    // Kept and folded dimensions, each the outermost first, of the input; steps of the output.
    Divisor keep[DIMS], fold[DIMS];
    i64 keep_step[DIMS], out_step[DIMS], fold_step[DIMS];
    u32 keeps, folds;
    u32 outputs, folded;
    // Folded elements per chunk, and chunks.
    u32 chunk, chunks;
    // 0 for columns.
    u32 team;
    u32 second;
};

DEVICE i64 fold_offset(const Reduce& p, u32 i) {
    i64 at = 0;
#pragma unroll 1
    for (u32 d = p.folds - 1; d > 0; d--) {
        u32 q = p.fold[d].quotient(i), r = i - q * p.fold[d].size;
        at += r * p.fold_step[d];
        i = q;
    }
    return at + i * p.fold_step[0];
}

// An operation: what it gathers (A), how two are merged, and what comes out.
template <class Op> DEVICE void reduce(const Reduce& p, Op op) {
    typedef typename Op::A A;
    SHARED static A scratch[THREADS];
    const bool columns = p.team == 0;
    u32 t = thread_x();
    u32 teams = columns ? 32 : THREADS / p.team, members = columns ? WARPS : p.team;
    u32 mine = columns ? t & 31 : t / p.team, member = columns ? t >> 5 : t & (p.team - 1);
    u32 group = block_x() / p.chunks, chunk = block_x() - group * p.chunks;
    u32 output = group * teams + mine;
    bool real = output < p.outputs;
    i64 in = 0, out = 0;
    u32 rest = real ? output : 0;
#pragma unroll 1
    for (u32 d = p.keeps; d > 0; d--) {
        u32 q = p.keep[d - 1].quotient(rest), r = rest - q * p.keep[d - 1].size;
        in += r * p.keep_step[d - 1];
        out += r * p.out_step[d - 1];
        rest = q;
    }
    // Loaded here: loads of parameters in several branches become one of a chosen address, for which
    // clang copies all parameters to the stack.
    void* const partial = p.partial;
    i64* const partial_at = p.partial_at;
    A acc = Op::none();
    if (real) {
        if (p.second) {
#pragma unroll 1
            for (u32 i = member; i < p.folded; i += members)
                acc = Op::merge(acc, Op::load(partial, partial_at, columns ? i * (u64)p.outputs + output : output * (u64)p.folded + i));
        } else {
            u32 begin = chunk * p.chunk, end = min32(begin + p.chunk, p.folded);
            const T* x = p.in + in;
            u32 i = begin + member;
            if (p.folds == 1 && p.fold_step[0] == 1 && ((u64)(x + begin) & 15) == 0) {
                // Vectors of 16 bytes, as many on their way as hold 16 elements.
                constexpr u32 V = 16 / sizeof(T), AHEAD = V >= 8 ? 16 / V : 4;
                const T* at = x + begin + member * V;
                u32 v = begin + member * V;
#pragma unroll 1
                for (; v + (AHEAD - 1) * members * V + V <= end; v += AHEAD * members * V) {
                    Vec<T, V> w[AHEAD];
#pragma unroll
                    for (u32 k = 0; k < AHEAD; k++) w[k] = load_vector<T, V>(at + k * members * V);
#pragma unroll
                    for (u32 k = 0; k < AHEAD; k++)
#pragma unroll
                        for (u32 j = 0; j < V; j++) acc = Op::step(acc, w[k].at[j], v + k * members * V + j);
                    at += AHEAD * members * V;
                }
#pragma unroll 1
                for (; v + V <= end; v += members * V) {
                    const Vec<T, V> w = load_vector<T, V>(at);
#pragma unroll
                    for (u32 j = 0; j < V; j++) acc = Op::step(acc, w.at[j], v + j);
                    at += members * V;
                }
                i = begin + (end - begin) / V * V + member;
            } else if (p.folds == 1) {
                // Four loads on their way at a time.
                const i64 hop = members * p.fold_step[0];
                const T* at = x + i * p.fold_step[0];
#pragma unroll 1
                for (; i + 3 * members < end; i += 4 * members) {
                    T v[4];
#pragma unroll
                    for (u32 k = 0; k < 4; k++) {
                        v[k] = *at;
                        at += hop;
                    }
#pragma unroll
                    for (u32 k = 0; k < 4; k++) acc = Op::step(acc, v[k], i + k * members);
                }
            }
#pragma unroll 1
            for (; i < end; i += members) acc = Op::step(acc, x[fold_offset(p, i)], i);
        }
    }
    if (columns) {
        scratch[t] = acc;
        barrier();
        if (t >= 32) return;
#pragma unroll
        for (u32 w = 1; w < WARPS; w++) acc = Op::merge(acc, scratch[t + 32 * w]);
    } else {
        acc = together(acc, p.team, scratch, [](A a, A b) { return Op::merge(a, b); });
        if (member != 0) return;
    }
    if (!real) return;
    const u64 place = columns ? chunk * (u64)p.outputs + output : output * (u64)p.chunks + chunk;
    if (p.chunks > 1) Op::save(partial, partial_at, place, acc);
    else op.finish(p, out, acc);
}

// Operations whose partial result is a number.
template <class N> struct Number {
    typedef N A;
    static METHOD A load(void* partial, i64*, u64 i) { return ((const N*)partial)[i]; }
    static METHOD void save(void* partial, i64*, u64 i, A a) { ((N*)partial)[i] = a; }
};

template <class R> DEVICE void put(const Reduce& p, i64 at, R v) { ((R*)p.out)[at] = v; }

struct Sum : Number<Total> {
    // Sums of floats are divided by it.
    Total count;
    static METHOD A none() { return 0; }
    static METHOD A merge(A a, A b) {
        if constexpr (is_float<T>) return a + b;
        else return (A)((u64)a + (u64)b);
    }
    static METHOD A step(A a, T x, u32) { return merge(a, (A)widen(x)); }
    METHOD void finish(const Reduce& p, i64 at, A a) {
        if constexpr (is_float<T>) put<T>(p, at, narrow<T>(a / count));
        else put<i64>(p, at, a);
    }
};
struct Prod : Number<Total> {
    static METHOD A none() { return 1; }
    static METHOD A merge(A a, A b) {
        if constexpr (is_float<T>) return a * b;
        else return (A)((u64)a * (u64)b);
    }
    static METHOD A step(A a, T x, u32) { return merge(a, (A)widen(x)); }
    METHOD void finish(const Reduce& p, i64 at, A a) {
        if constexpr (is_float<T>) put<T>(p, at, narrow<T>(a));
        else put<i64>(p, at, a);
    }
};

template <bool UP, class W> DEVICE W least() {
    if constexpr (is_float<W>) return UP ? -Constants<W>::INF : Constants<W>::INF;
    else if constexpr (sizeof(W) == 8) return UP ? (W)(1ull << 63) : (W)~(1ull << 63);
    else return UP ? (W)0x80000000 : 0x7fffffff;
}
template <class W> DEVICE bool no_number(W x) {
    if constexpr (is_float<W>) return x != x;
    else return false;
}
// NaN wins. (Conditions are joined without branches.)
template <bool UP> struct Extreme : Number<Wide> {
    static METHOD Wide none() { return least<UP, Wide>(); }
    static METHOD Wide merge(Wide a, Wide b) {
        const bool more = UP ? b > a : b < a, b_bad = no_number(b);
        return (more | b_bad) ? b : a;
    }
    static METHOD Wide step(Wide a, T x, u32) { return merge(a, (Wide)widen(x)); }
    METHOD void finish(const Reduce& p, i64 at, Wide a) { put<T>(p, at, narrow<T>((F)a)); }
};

struct Place {
    Wide value;
    // ~0: nothing seen yet.
    u32 at;
};
DEVICE Place shuffle_xor(Place x, u32 mask) {
    return {shuffle_xor(x.value, mask), (u32)shuffle_xor((i32)x.at, mask)};
}
// The first of the largest or smallest; the first NaN beats all.
template <bool UP> struct Arg {
    typedef Place A;
    static constexpr u32 NONE = ~0u;
    static METHOD A none() { return {0, NONE}; }
    static METHOD A chosen(bool b_wins, A a, A b) { return {b_wins ? b.value : a.value, b_wins ? b.at : a.at}; }
    static METHOD bool better(Wide a, Wide b) {
        const bool more = UP ? a > b : a < b, a_bad = no_number(a), b_fine = !no_number(b);
        return more | (a_bad & b_fine);
    }
    static METHOD A merge(A a, A b) {
        bool tie = !better(a.value, b.value) & (b.at < a.at);
        return chosen((b.at != NONE) & ((a.at == NONE) | better(b.value, a.value) | tie), a, b);
    }
    // A thread sees its elements in rising order.
    static METHOD A step(A a, T x, u32 i) {
        const Wide value = (Wide)widen(x);
        return chosen((a.at == NONE) | better(value, a.value), a, {value, i});
    }
    static METHOD A load(void* partial, i64* at, u64 i) { return {((const Wide*)partial)[i], (u32)at[i]}; }
    static METHOD void save(void* partial, i64* at, u64 i, A a) {
        ((Wide*)partial)[i] = a.value;
        at[i] = a.at;
    }
    METHOD void finish(const Reduce& p, i64 at, A a) { put<i64>(p, at, a.at == NONE ? -1 : (i64)a.at); }
};

template <bool ANY> struct Truth : Number<i32> {
    static METHOD i32 none() { return !ANY; }
    static METHOD i32 merge(i32 a, i32 b) { return ANY ? a | b : a & b; }
    static METHOD i32 step(i32 a, T x, u32) { return merge(a, widen(x) != 0); }
    METHOD void finish(const Reduce& p, i64 at, i32 a) { put<u8>(p, at, (u8)a); }
};

// The sum divided by `count`, which is 1 for a sum.
KERNEL(THREADS) NAME(sum)(const Reduce p, f64 count) {
    Sum op;
    op.count = (Total)count;
    reduce(p, op);
}
KERNEL(THREADS) NAME(prod)(const Reduce p) { reduce(p, Prod()); }
KERNEL(THREADS) NAME(max)(const Reduce p) { reduce(p, Extreme<true>()); }
KERNEL(THREADS) NAME(min)(const Reduce p) { reduce(p, Extreme<false>()); }
KERNEL(THREADS) NAME(argmax)(const Reduce p) { reduce(p, Arg<true>()); }
KERNEL(THREADS) NAME(argmin)(const Reduce p) { reduce(p, Arg<false>()); }
KERNEL(THREADS) NAME(any)(const Reduce p) { reduce(p, Truth<true>()); }
KERNEL(THREADS) NAME(all)(const Reduce p) { reduce(p, Truth<false>()); }
