//! The operations, one family to a file, each with its derivative beside it.

mod binary;
mod cast;
mod compare;
mod einsum;
mod inplace;
mod matmul;
mod operators;
mod reduce;
mod unary;
mod view;

pub use view::IntoReshape;
