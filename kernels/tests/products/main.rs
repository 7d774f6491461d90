//! Matrix products, convolution and pooling against loops in f64.

mod conv;
mod gemm;
mod operand;
mod pool;
mod winograd;
