//! The tensor's calculus: values against plain f64 loops in every dtype and odd strides, first and second
//! derivatives against finite differences, fused operations against their compositions.

mod binary;
mod common;
mod conv;
mod core;
mod creation;
mod einsum;
mod in_place;
mod matmul;
mod norm;
mod pool;
mod reduce;
mod softmax;
mod storage;
mod unary;
mod view;
