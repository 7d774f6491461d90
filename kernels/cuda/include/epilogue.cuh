// Where a product's results go: `out = act(sum + bias)`, or `out += sum`.
#pragma once
#include "tile.cuh"

// In the order of `Activation`.
enum Activation : u32 { NONE, RELU, GELU, GELU_TANH, SILU, SIGMOID, TANH };

template <class F> DEVICE F activate(F x, u32 activation) {
    if constexpr (is_float<F>) {
        switch (activation) {
        case RELU: return x < 0 ? (F)0 : x;
        case GELU: return gelu(x);
        case GELU_TANH: return gelu_tanh(x);
        case SILU: return silu(x);
        case SIGMOID: return sigmoid(x);
        case TANH: return tanh(x);
        default: return x;
        }
    }
    return x;
}

template <class T> struct Epilogue {
    T* out;
    // Or null.
    const T* bias;
    // Column n lies at n / inner · far + n % inner · near: a convolution's columns are pictures and places.
    i64 out_row, out_near, out_far;
    i64 bias_row, bias_col;
    Divisor inner;
    u32 rows, cols;
    u32 accumulate, activation;

    // What a row and a column add to an address; those outside have `inside` false.
    struct Line {
        i64 out, bias;
        u32 at;
        bool inside;
    };
    METHOD Line row_line(u32 row) const { return {row * out_row, row * bias_row, row, row < rows}; }
    METHOD Line col_line(u32 col) const {
        u32 far = inner.quotient(col), near = col - far * inner.size;
        return {far * out_far + near * out_near, col * bias_col, col, col < cols};
    }
    METHOD void put(T* to, const T* add, product_type<T> v) const {
        if (add) v += factor(*add);
        if (accumulate) v += factor(*to);
        if (activation) v = activate(v, activation);
        *to = result<T>(v);
    }
    METHOD void put(i64 out_at, i64 bias_at, u32 row, u32 col, product_type<T> v) const {
        Line r = row_line(row), c = col_line(col);
        put(out + (out_at + r.out + c.out), bias ? bias + (bias_at + r.bias + c.bias) : nullptr, v);
    }

    // The results of a tile: `row(i)` and `col(j)` once for each, `(row, col, value)` for every element, or
    // `vector` for V neighbours of a row. With `partial`, a matrix of whole sums, they go there as they are.
    struct Tile {
        // Whether sums and results are of one type.
        static constexpr bool SAME = same<T, product_type<T>>;
        const Epilogue& p;
        product_type<T>* partial;
        T* to;
        const T* add;
        u32 row0, col0;

        METHOD Line row(u32 i) const {
            Line r = p.row_line(row0 + i);
            if (partial) r.out = (i64)r.at * p.cols;
            return r;
        }
        METHOD Line col(u32 j) const {
            Line c = p.col_line(col0 + j);
            if (partial) c.out = c.at;
            return c;
        }
        METHOD void operator()(const Line& r, const Line& c, product_type<T> v) const {
            if (!r.inside || !c.inside) return;
            const i64 at = r.out + c.out;
            if (partial) partial[at] = v;
            else p.put(to + at, add ? add + (r.bias + c.bias) : nullptr, v);
        }
        // Whether V neighbours of a row are neighbours in memory, too, and aligned. (Activations of many
        // instructions are there only for elements.)
        template <u32 V> METHOD bool vectors() const {
            if (partial) return p.cols % V == 0;
            const u64 places = (u64)to | (u64)p.out_row * sizeof(T) | (u64)p.out_far * sizeof(T);
            return p.out_near == 1 && p.inner.size % V == 0 && places % (V * sizeof(T)) == 0 && p.activation <= RELU;
        }
        // Whether all of a tile exists, and whether sums are results.
        METHOD bool whole(u32 size) const { return row0 + size <= p.rows && col0 + size <= p.cols; }
        METHOD bool bare() const { return partial || (!add && !p.accumulate && !p.activation); }
        // A bare vector, of the same type.
        template <class F, int V> METHOD void put(const Line& r, const Line& c, const Vec<F, V>& v) const {
            store_vector((partial ? partial : (F*)to) + (r.out + c.out), v);
        }
        template <class F, int V> METHOD void vector(const Line& r, const Line& c, Vec<F, V> v) const {
            if (!r.inside || !c.inside) return;
            if (partial) {
                store_vector(partial + (r.out + c.out), v);
                // Else clang joins this store with the one below, and writes in pieces.
                asm volatile("");
                return;
            }
            T* at = to + (r.out + c.out);
            if (add) {
                const T* from = add + (r.bias + c.bias);
#pragma unroll
                for (u32 j = 0; j < V; j++) v.at[j] += factor(from[j * p.bias_col]);
            }
            if (p.accumulate) {
                const Vec<T, V> old = load_vector<T, V>(at);
#pragma unroll
                for (u32 j = 0; j < V; j++) v.at[j] += factor(old.at[j]);
            }
            const bool relu = p.activation == RELU;
            Vec<T, V> y;
#pragma unroll
            for (u32 j = 0; j < V; j++) y.at[j] = result<T>(relu && v.at[j] < 0 ? F(0) : v.at[j]);
            store_vector(at, y);
        }
    };
    METHOD Tile tile(product_type<T>* partial, i64 out_at, i64 bias_at, u32 row0, u32 col0) const {
        return {*this, partial, out + out_at, bias ? bias + bias_at : nullptr, row0, col0};
    }
};
