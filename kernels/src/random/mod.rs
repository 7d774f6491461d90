//! PyTorch's random numbers: the same stream, order and bits as its CPU generator on x86-64.
//!
//! What PyTorch computes with fused multiply-adds and polynomials in vector code is computed alike
//! here on every machine; double-precision normals go through the platform's `log`, `sin` and `cos`.

mod fill;
mod generator;
mod normal;
mod uniform;

pub use fill::fill;
pub use generator::Generator;
