//! A file that is looked into before, or without, loading it.

use super::container::{self, Container, Opened};
use super::globals::shorten;
use super::pickle::{Budget, Graph, StorageRef, TensorRef, Value};
use super::storage::Loader;
use super::tree::{self, Failure, Leaves, Step};
use crate::error::{Error, Result};
use crate::options::LoadOptions;
use crate::source::Source;
use std::path::{Path, PathBuf};
use taper_tensor::{DType, State, Tensor};

/// An open file of PyTorch's: what it holds is known, also where taper has not got a dtype; its tensors
/// are loaded by [`state`](File::state).
///
/// ```no_run
/// let file = taper_io::pt::File::open("model.pt")?;
/// for entry in file.entries() {
///     println!("{} {} {:?}", entry.name(), entry.dtype_name(), entry.shape());
/// }
/// let state = file.state()?;
/// # Ok::<(), taper_io::Error>(())
/// ```
pub struct File {
    parsed: Parsed,
    listed: Listed,
    metadata: Vec<(String, State)>,
}

/// A file whose pickle has been read.
pub(super) struct Parsed {
    path: PathBuf,
    source: Source,
    opened: Opened,
}

/// What is known of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    name: String,
    tensor: TensorRef,
    storage: StorageRef,
}

impl Entry {
    /// Keys and indices from the root, with dots between them, such as `state.0.exp_avg`.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The dtype, where taper has it.
    pub fn dtype(&self) -> Option<DType> {
        self.tensor.dtype.dtype()
    }
    /// The dtype as PyTorch names it, such as `complex64`.
    pub fn dtype_name(&self) -> &str {
        self.tensor.dtype.name()
    }
    /// Bytes of an element, also where taper has not got the dtype.
    pub fn element_size(&self) -> usize {
        self.tensor.dtype.size()
    }
    /// Sizes.
    pub fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }
    /// Steps, in elements.
    pub fn strides(&self) -> &[isize] {
        &self.tensor.strides
    }
    /// Position of the first element in the storage, in elements.
    pub fn storage_offset(&self) -> usize {
        self.storage.view.map_or(0, |(start, _)| start).saturating_add(self.tensor.offset)
    }
    /// The storage's name in the file: tensors of one key share their memory.
    pub fn storage_key(&self) -> &str {
        &self.storage.key
    }
    /// Bytes of the whole storage, as the file says.
    pub fn storage_bytes(&self) -> usize {
        self.storage.numel.saturating_mul(self.storage.dtype.size())
    }
    /// The device that it was saved from, such as `cuda:0`.
    pub fn device(&self) -> &str {
        &self.storage.location
    }
    /// Whether it was saved as a `torch.nn.Parameter`.
    pub fn is_parameter(&self) -> bool {
        self.tensor.parameter
    }
    /// Whether it required gradients.
    pub fn requires_grad(&self) -> bool {
        self.tensor.requires_grad
    }
}

impl File {
    /// Opens a file and reads what it says of its contents.
    ///
    /// # Errors
    /// Where the file cannot be read, is damaged, or holds more than data: a whole model, TorchScript.
    pub fn open(path: impl AsRef<Path>) -> Result<File> {
        let path = path.as_ref();
        Self::of(path, Source::open(path)?)
    }

    /// As [`open`](Self::open), of bytes in memory; `path` is for messages.
    #[doc(hidden)]
    pub fn from_bytes(path: impl AsRef<Path>, bytes: Vec<u8>) -> Result<File> {
        Self::of(path.as_ref(), Source::of(bytes))
    }

    fn of(path: &Path, source: Source) -> Result<File> {
        let parsed = Parsed::of(path, source)?;
        let graph = &parsed.opened.graph;
        let mut budget = graph.budget.again();
        let mut lister = Lister { graph, budget: graph.budget.again(), listed: Listed::default() };
        parsed.walk(parsed.opened.root, &mut lister, &mut budget)?;
        let mut listed = lister.listed;
        let mut metadata = Vec::new();
        for (place, value) in std::mem::take(&mut listed.attributes) {
            // Attributes are for looking at: those with other than plain values are left out.
            if let Ok(state) = parsed.walk(value, &mut PlainOnly, &mut budget) {
                metadata.push((place, state));
            }
        }
        Ok(File { parsed, listed, metadata })
    }

    /// The tensors, in the file's order.
    pub fn entries(&self) -> &[Entry] {
        &self.listed.entries
    }

    /// The values that are no tensors, lists and tuples of plain values, and empty containers, with their
    /// places. Bytes are tensors of u8.
    pub fn values(&self) -> &[(String, State)] {
        &self.listed.values
    }

    /// The places and kinds of what a [`State`] cannot hold, such as sparse tensors and complex numbers.
    /// Where there are any, [`state`](Self::state) is an error.
    pub fn unsupported(&self) -> &[(String, String)] {
        &self.listed.others
    }

    /// The attributes of `OrderedDict`s, with the dicts' places: PyTorch's `state_dict` has the versions of
    /// its modules in `_metadata`.
    pub fn metadata(&self) -> &[(String, State)] {
        &self.metadata
    }

    /// How the file is put together.
    pub fn container(&self) -> &Container {
        &self.parsed.opened.container
    }

    /// The pickle protocol.
    pub fn protocol(&self) -> u8 {
        self.parsed.opened.protocol
    }

    /// Loads everything.
    ///
    /// # Errors
    /// Where a storage is missing, damaged or too small, taper has not got a tensor's dtype, or a value has
    /// no place in a [`State`].
    pub fn state(&self) -> Result<State> {
        self.state_with(&LoadOptions::default())
    }

    /// As [`state`](Self::state), with options.
    ///
    /// # Errors
    /// As [`state`](Self::state), and for a device that is not there.
    pub fn state_with(&self, options: &LoadOptions) -> Result<State> {
        self.parsed.state(options)
    }

    /// Loads tensor by tensor, in the order of [`entries`](File::entries), also where others of the file
    /// are damaged or of a dtype that taper has not got.
    pub fn tensors(&self) -> impl Iterator<Item = Result<Tensor>> {
        let Parsed { path, source, opened } = &self.parsed;
        let mut loader = Loader::new(source, opened, LoadOptions::default());
        self.listed.entries.iter().map(move |entry| {
            let loaded = loader.one(&entry.tensor, &entry.storage);
            loaded.map_err(|e| Error::tensor(path, &shorten(&entry.name), e))
        })
    }
}

impl Parsed {
    pub fn open(path: &Path) -> Result<Parsed> {
        Self::of(path, Source::open(path)?)
    }

    fn of(path: &Path, source: Source) -> Result<Parsed> {
        let opened = container::open(source.bytes()).map_err(|e| Error::format(path, e))?;
        Ok(Parsed { path: path.into(), source, opened })
    }

    pub fn state(&self, options: &LoadOptions) -> Result<State> {
        let mut loader = Loader::new(&self.source, &self.opened, options.clone());
        self.walk(self.opened.root, &mut loader, &mut self.opened.graph.budget.again())
    }

    fn walk(&self, value: Value, leaves: &mut dyn Leaves, budget: &mut Budget) -> Result<State> {
        let graph = &self.opened.graph;
        let pickle = self.opened.pickle(self.source.bytes());
        tree::build(graph, pickle, value, leaves, budget).map_err(|failure| {
            let Failure { path, tensor, message } = failure;
            let key = shorten(&path);
            match (tensor, key.as_str()) {
                (true, name) if !name.is_empty() => Error::tensor(&self.path, name, message),
                (_, "") => Error::format(&self.path, message),
                _ => Error::format(&self.path, format!("{key}: {message}")),
            }
        })
    }
}

/// What a walk met, with its places.
#[derive(Default)]
struct Listed {
    entries: Vec<Entry>,
    values: Vec<(String, State)>,
    others: Vec<(String, String)>,
    attributes: Vec<(String, Value)>,
}

/// Notes what a walk meets.
struct Lister<'a> {
    graph: &'a Graph,
    /// For what is noted.
    budget: Budget,
    listed: Listed,
}

impl Lister<'_> {
    /// The path, to keep, with some bytes more.
    fn keep(&mut self, path: &str, more: usize) -> Step<String> {
        self.budget.charge(size_of::<(String, State)>() + path.len() + more)?;
        Ok(path.into())
    }
    fn note(&mut self, path: &str, what: String) -> Step<State> {
        let path = self.keep(path, what.len())?;
        self.listed.others.push((path, what));
        Ok(State::None)
    }
}

impl Leaves for Lister<'_> {
    fn tensor(&mut self, path: &str, tensor: &TensorRef) -> Step<State> {
        let storage = &self.graph.storages[tensor.storage];
        let bytes = size_of::<Entry>() + 16 * tensor.shape.len() + storage.key.len() + storage.location.len();
        let storage = storage.clone();
        let name = self.keep(path, bytes)?;
        self.listed.entries.push(Entry { name, tensor: tensor.clone(), storage });
        match tensor.problem {
            Some(problem) => self.note(path, problem.into()),
            None => Ok(State::None),
        }
    }
    fn storage(&mut self, path: &str, storage: &StorageRef) -> Step<State> {
        self.note(path, format!("a storage of {} {}", storage.numel, storage.dtype.name()))
    }
    fn other(&mut self, path: &str, what: &str) -> Step<State> {
        self.note(path, what.into())
    }
    fn plain(&mut self, path: &str, value: &State) -> Step<()> {
        let path = self.keep(path, 0)?;
        self.listed.values.push((path, value.clone()));
        Ok(())
    }
    fn attributes(&mut self, path: &str, value: Value) -> Step<()> {
        let path = self.keep(path, 0)?;
        self.listed.attributes.push((path, value));
        Ok(())
    }
}

/// Takes plain values and nothing else.
struct PlainOnly;

impl Leaves for PlainOnly {
    fn tensor(&mut self, _path: &str, _tensor: &TensorRef) -> Step<State> {
        Err("a tensor".into())
    }
    fn storage(&mut self, _path: &str, _storage: &StorageRef) -> Step<State> {
        Err("a storage".into())
    }
    fn other(&mut self, _path: &str, what: &str) -> Step<State> {
        Err(what.into())
    }
}
