//! The operations, one family to a file, each with its derivative beside it.

mod binary;
mod cast;
mod compare;
mod conv;
mod einsum;
mod inplace;
mod matmul;
mod norm;
mod operators;
mod pool;
mod reduce;
mod softmax;
mod unary;
mod view;
mod window;

pub use view::IntoReshape;
pub use window::{ConvOptions, IntoPair, Padding, PoolOptions};
