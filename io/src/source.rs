//! A file's bytes, and storages that show parts of them.

use crate::error::Result;
use crate::map::Map;
use crate::options::LoadOptions;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use taper_tensor::UntypedStorage;

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
