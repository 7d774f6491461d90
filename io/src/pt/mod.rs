//! PyTorch's files: `.pt`, `.pth`, `pytorch_model.bin`.
//!
//! Both containers are read, the zip archive of PyTorch since 1.6 and what was written before, and pickles
//! of the protocols 0 to 5. A pickle is a program; this reader's machine builds tensors and plain values
//! and nothing else, whatever the file says, in memory and time that its size limits. A file that names
//! other classes or functions is refused, by the name.
//!
//! | Python | [`State`] |
//! |---|---|
//! | `Tensor`, `Parameter`; a storage by itself | `Tensor`, without gradients; one of one dimension |
//! | `bytes`, `bytearray` | `Tensor` of u8 |
//! | `dict`, `OrderedDict`, `defaultdict`, `Counter` | `Map`; of equal keys the last counts |
//! | `list` | `List` |
//! | `tuple`, `torch.Size`, `set`, `frozenset` | `Tuple` |
//! | `int`, `float`, `bool`, `str`, `None` | `Int` (64 bits), `Float`, `Bool`, `Str`, `None` |
//! | `torch.dtype`, `torch.device`, layouts | `Str`, such as `"torch.float32"`, `"cuda:0"` |
//!
//! Tensors of one storage share it here. Integers beyond 64 bits, complex numbers and tensors, quantized
//! and sparse tensors, and keys that are neither text nor integers are errors that name their place;
//! [`File`] shows them. Checksums are checked, which PyTorch does not do, but in archives that were
//! written without (`torch.serialization.set_crc32_options(False)`).

mod container;
mod dtypes;
mod file;
mod globals;
mod legacy;
mod pickle;
mod rebuild;
mod storage;
mod tree;
mod write;

pub use container::Container;
pub use file::{Entry, File};
pub use write::{save, save_with};

use crate::error::Result;
use crate::options::LoadOptions;
use std::path::Path;
use taper_tensor::State;

/// Loads a file of PyTorch's (`torch.load(path, weights_only=True)`).
///
/// # Errors
/// As [`File::open`] and [`File::state`].
pub fn load(path: impl AsRef<Path>) -> Result<State> {
    load_with(path, &LoadOptions::default())
}

/// As [`load`], with options.
///
/// # Errors
/// As [`load`], and for a device that is not there.
pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<State> {
    file::Parsed::open(path.as_ref())?.state(options)
}
