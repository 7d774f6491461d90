//! Datasets, data loading and file readers for taper.
//!
//! - [`mnist()`]: the pictures and labels of an MNIST-like folder.
//! - [`idx`]: its file format, plain or packed by gzip.

#![forbid(unsafe_code)]

mod error;
pub mod idx;
mod mnist;
mod source;

pub use error::{Error, Result};
pub use mnist::{FASHION_CLASSES, Split, mnist, mnist_from_bytes};
