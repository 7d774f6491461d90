//! The tensor of taper.
//!
//! [`Tensor`] is an n-dimensional array with a place on the tape. Its operations stand one family to
//! a file under `ops/`, each with its derivative beside it. Names, defaults and conventions are
//! PyTorch's; see the method's doc where Rust asks for another shape (`sum_dim` for `sum(dim)`).
#![forbid(unsafe_code)]

mod creation;
mod display;
mod elementwise;
mod error;
mod gradcheck;
mod operand;
mod ops;
mod random;
mod state;
mod storage;
mod tensor;

pub use creation::{NestedArray, tensor};
pub use display::{PrintOptions, printoptions, set_printoptions};
pub use error::{Error, Result};
pub use operand::{AsTensor, IntoDims, IntoShape, Operand, result_type};
pub use ops::{
    ConvOptions, ConvTransposeOptions, Ellipsis, IndexItem, IntoIndex, IntoPair, IntoReshape, NewAxis,
    PadMode, Padding, PoolOptions, Slice, Unique,
};
pub use random::{
    Generator, IntoSeed, get_rng_state, initial_seed, manual_seed, set_rng_state, with_generator, with_seed,
};
pub use state::{Key, OrderedMap, State, StateDict, StateError, Stateful};
pub use storage::UntypedStorage;
pub use taper_autograd::{self as autograd, GradcheckError, GradcheckOptions, gradcheck, gradgradcheck};
pub use taper_kernels as kernels;
pub use taper_kernels::{DType, Device, Scalar, bf16, f16};
pub use tensor::{HostElement, Meta, Options, Tensor};
