//! A file's bytes, and tensors that are views of them.

use crate::error::Result;
use crate::map::Map;
use crate::options::LoadOptions;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use taper_tensor::{DType, Tensor, UntypedStorage};

/// Bytes that storages can be views of.
#[derive(Clone)]
pub(crate) struct Source(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl Source {
    /// The mapped file.
    ///
    /// # Errors
    /// Where the file is missing, not readable or not a plain file.
    pub fn open(path: &Path) -> Result<Source> {
        Ok(Source(Arc::new(Map::open(path)?)))
    }
    pub fn of(bytes: Vec<u8>) -> Source {
        Source(Arc::new(bytes))
    }
    pub fn bytes(&self) -> &[u8] {
        (*self.0).as_ref()
    }
    /// A part of the bytes, which must be there.
    pub fn storage(&self, range: Range<usize>, options: &LoadOptions) -> UntypedStorage {
        if options.mmap {
            UntypedStorage::from_owner(self.0.clone(), range)
        } else {
            UntypedStorage::from_bytes(&self.bytes()[range])
        }
    }
}

/// Bytes of nobody else's, which are not copied.
pub(crate) fn whole(bytes: Vec<u8>) -> UntypedStorage {
    let range = 0..bytes.len();
    UntypedStorage::from_owner(Arc::new(bytes), range)
}

/// A tensor of all of a storage, row by row, where the options want it.
pub(crate) fn tensor(
    storage: &UntypedStorage,
    dtype: DType,
    shape: &[usize],
    options: &LoadOptions,
) -> std::result::Result<Tensor, String> {
    let mut step = 1isize;
    let steps = shape.iter().rev().map(|&n| {
        let this = step;
        // Of a shape that does not fit the storage, these are never used.
        step = step.wrapping_mul(n as isize);
        this
    });
    let mut strides: Vec<isize> = steps.collect();
    strides.reverse();
    let tensor = Tensor::try_from_storage(storage, dtype, shape, &strides, 0);
    tensor.and_then(|t| t.try_to_device(options.map_location)).map_err(|e| e.to_string())
}

/// The elements with their bytes in the other order.
pub(crate) fn swapped(bytes: &[u8], size: usize) -> UntypedStorage {
    let mut swapped = bytes.to_vec();
    swapped.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    whole(swapped)
}
