//! A file whose tensors are read when asked for.

use super::header::Header;
use super::{TREE, tree};
use crate::error::{Error, Result};
use crate::options::LoadOptions;
use crate::source::{self, Source};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use taper_tensor::{OrderedMap, State, StateDict, Tensor};

pub use super::header::Entry;

/// An open safetensors file (`safetensors.safe_open`): its header is read and checked, its tensors are
/// given one by one, as views of the mapped file. Those that do not begin at a multiple of 8 bytes in it
/// are copied.
///
/// Do not change the file in place or cut it off while it or tensors of it are there (see
/// [`LoadOptions::mmap`]). Saving over it with taper is fine.
///
/// ```
/// use taper_io::safetensors::File;
/// # use taper_tensor::{StateDict, Tensor};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("weights.safetensors");
/// # let dict: StateDict = [("head.weight".to_string(), Tensor::zeros([10, 64]))].into_iter().collect();
/// # taper_io::save(&dict, &path)?;
/// let file = File::open(&path)?;
/// for entry in file.entries() {
///     println!("{} {} {:?}", entry.name(), entry.dtype_name(), entry.shape());
/// }
/// assert_eq!(file.tensor("head.weight")?.shape(), [10, 64]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct File {
    path: PathBuf,
    source: Source,
    options: LoadOptions,
    header: Header,
    places: HashMap<String, usize>,
}

impl File {
    /// Opens a file and checks its header: names, sizes and places of all tensors.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged or cut off.
    pub fn open(path: impl AsRef<Path>) -> Result<File> {
        Self::open_with(path, &LoadOptions::default())
    }

    /// As [`open`](Self::open); the options are for the tensors.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<File> {
        let path = path.as_ref();
        let source = Source::open(path)?;
        let header = Header::read(path, source.bytes())?;
        let places = header.entries.iter().enumerate().map(|(i, e)| (e.name.clone(), i)).collect();
        Ok(File { path: path.into(), source, options: options.clone(), header, places })
    }

    /// The tensors' names, in the header's order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.header.entries.iter().map(Entry::name)
    }

    /// What is known of each tensor, in the header's order.
    pub fn entries(&self) -> &[Entry] {
        &self.header.entries
    }

    /// What is known of a tensor.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.places.get(name).map(|&i| &self.header.entries[i])
    }

    /// The file's texts by name.
    pub fn metadata(&self) -> &OrderedMap<String, String> {
        &self.header.metadata
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// Where the file has no such tensor, or taper has not got its dtype.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        match self.entry(name) {
            Some(entry) => self.read(entry),
            None => Err(Error::tensor(&self.path, name, "the file has none of this name")),
        }
    }

    fn read(&self, entry: &Entry) -> Result<Tensor> {
        let fail = |message: String| Error::tensor(&self.path, &entry.name, message);
        let dtype =
            entry.dtype().ok_or_else(|| fail(format!("dtype {} is not supported", entry.dtype_name())))?;
        let data = self.header.data;
        let storage = self.source.storage(data + entry.start..data + entry.end, &self.options);
        source::tensor(&storage, dtype, entry.shape(), &self.options).map_err(fail)
    }

    /// Reads all tensors, by name.
    ///
    /// # Errors
    /// Where taper has not got a tensor's dtype.
    pub fn state_dict(&self) -> Result<StateDict> {
        let read = |e: &Entry| Ok((e.name.clone(), self.read(e)?));
        Ok(OrderedMap::from_distinct(self.header.entries.iter().map(read).collect::<Result<_>>()?))
    }

    /// Reads everything: the tree that was saved, or all tensors by name.
    ///
    /// # Errors
    /// As [`state_dict`](Self::state_dict), and where the tree's structure is damaged or names other
    /// tensors than the file has.
    pub fn state(&self) -> Result<State> {
        match self.metadata().get(TREE) {
            None => Ok(self.state_dict()?.into()),
            Some(structure) => tree::build(&self.path, structure, self.state_dict()?),
        }
    }
}
