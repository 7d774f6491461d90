//! Datasets, data loading and file readers for taper.
//!
//! - [`Dataset`]: items by index; [`TensorDataset`], [`Subset`], [`random_split`].
//! - [`DataLoader`]: batches of them, in the order of a [`Sampler`]; [`Collate`] makes a batch.
//! - [`TextDataset`], [`CharVocab`]: text by characters.
//! - [`mnist()`]: the pictures and labels of an MNIST-like folder; [`idx`]: its file format.
//! - [`cifar10`]: pictures in CIFAR-10's binary layout; `ImageFolder`: folders of PNG and JPEG pictures
//!   (feature `images`); [`Table`]: CSV.
//! - [`transforms`]: what is done to pictures, augmentation included.

#![forbid(unsafe_code)]

mod cifar;
mod collate;
mod dataset;
mod error;
mod fetch;
mod generator;
pub mod idx;
#[cfg(feature = "images")]
mod images;
mod loader;
mod mnist;
mod sampler;
mod source;
mod split;
mod table;
mod text;
pub mod transforms;

pub use cifar::{CIFAR_CLASSES, cifar10, cifar10_file, cifar10_from};
pub use collate::Collate;
pub use dataset::{Dataset, Map, TensorDataset, Tensors};
pub use error::{Error, Result};
pub use generator::SharedGenerator;
#[cfg(feature = "images")]
pub use images::{ImageFolder, image_from, read_image};
pub use loader::{Batches, DataLoader};
pub use mnist::{FASHION_CLASSES, Split, mnist, mnist_from_bytes};
pub use sampler::{
    Order, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler,
};
pub use split::{PartSize, Subset, random_split};
pub use table::{Table, TableOptions};
pub use text::{CharVocab, TextDataset, read_text, text_from};
