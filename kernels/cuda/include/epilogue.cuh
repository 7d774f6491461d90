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

    METHOD void operator()(i64 out_at, i64 bias_at, u32 row, u32 col, product_type<T> v) const {
        if (row >= rows || col >= cols) return;
        u32 far = inner.quotient(col), near = col - far * inner.size;
        T* to = out + (out_at + row * out_row + far * out_far + near * out_near);
        if (bias) v += factor(bias[bias_at + row * bias_row + col * bias_col]);
        if (accumulate) v += factor(*to);
        if (activation) v = activate(v, activation);
        *to = result<T>(v);
    }
};
