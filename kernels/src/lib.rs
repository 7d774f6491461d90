//! Compute on raw memory: what runs below a tensor.
//!
//! - [`DType`], [`Element`], [`Scalar`]: element types.
//! - [`Layout`]: shape, signed strides, offset. [`Buffer`]: aligned bytes, recycled.
//!   [`View`], [`ViewMut`], [`Src`]: operands.
//! - [`Backend`]: the kernel families a device must offer: [`cpu::Cpu`], and with the feature `cuda` CUDA
//!   devices.
//!
//! Nothing here knows a tensor or a gradient. This is the one crate of taper
//! that may use `unsafe`, but for the memory map of `io`.

mod backend;
mod block;
mod buffer;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod device;
mod dtype;
mod error;
mod layout;
mod naming;
pub mod random;
mod view;

pub use backend::*;
pub use block::{cached_bytes, empty_cache};
pub use buffer::{ALIGN, Buffer, Owner};
pub use device::{Device, ParseDeviceError, Storage};
pub use dtype::{DType, Element, Scalar, bf16, f16};
pub use error::{Error, Result};
pub use layout::{Dims, Layout, Strides, broadcast_shapes, collapse, contiguous_strides, dims};
pub use naming::working_for;
pub use view::{Src, View, ViewMut};
