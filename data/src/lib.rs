//! Datasets, data loading and file readers for taper.
//!
//! - [`Dataset`]: items by index; [`TensorDataset`], [`Subset`], [`random_split`].
//! - [`DataLoader`]: batches of them, in the order of a [`Sampler`]; [`Collate`] makes a batch.
//! - [`mnist()`]: the pictures and labels of an MNIST-like folder; [`idx`]: its file format.

#![forbid(unsafe_code)]

mod collate;
mod dataset;
mod error;
mod fetch;
mod generator;
pub mod idx;
mod loader;
mod mnist;
mod sampler;
mod source;
mod split;

pub use collate::Collate;
pub use dataset::{Dataset, Map, TensorDataset, Tensors};
pub use error::{Error, Result};
pub use generator::SharedGenerator;
pub use loader::{Batches, DataLoader};
pub use mnist::{FASHION_CLASSES, Split, mnist, mnist_from_bytes};
pub use sampler::{
    Order, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler,
};
pub use split::{PartSize, Subset, random_split};
