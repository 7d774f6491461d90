//! Datasets, data loading and file readers for taper.
//!
//! - [`idx`]: the file format of MNIST and Fashion-MNIST, plain or packed by gzip.

#![forbid(unsafe_code)]

mod error;
pub mod idx;
mod source;

pub use error::{Error, Result};
