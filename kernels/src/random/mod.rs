//! PyTorch's random numbers: the same stream, order and bits as its CPU generator on x86-64.
//!
//! What PyTorch computes with fused multiply-adds and polynomials in vector code is computed alike
//! here on every machine; double-precision normals go through the platform's `log`, `sin` and `cos`.
//! PyTorch's builds for ARM take other steps for normals and fuse nothing, so their last bits differ.
//! On Intel processors PyTorch takes `bernoulli_(p)`, and with it dropout, from a generator of MKL;
//! here they follow what it does on all others.

mod fill;
mod generator;
mod normal;
mod uniform;

pub use fill::fill;
#[cfg(feature = "cuda")]
pub(crate) use fill::{acts_contiguous, representable};
pub use generator::{Generator, Philox};
