//! The operations, one family to a file, each with its derivative beside it.

mod binary;
mod cast;
mod clamp;
mod compare;
mod conv;
mod conv_transpose;
mod einsum;
mod gather;
mod grid;
mod index;
mod inplace;
mod join;
mod mask;
mod matmul;
mod norm;
mod operators;
mod pad;
mod pool;
mod reduce;
mod scan;
mod softmax;
mod sort;
mod triangle;
mod unary;
mod view;
mod window;

pub use conv_transpose::ConvTransposeOptions;
pub use index::{Ellipsis, IndexItem, IntoIndex, NewAxis, Slice};
pub use pad::PadMode;
pub use sort::Unique;
pub use view::IntoReshape;
pub use window::{ConvOptions, IntoPair, Padding, PoolOptions};
