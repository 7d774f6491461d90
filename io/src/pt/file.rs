//! A file that is looked into before, or without, loading it.

use super::container::{self, Container, Opened};
use super::pickle::{StorageRef, TensorRef, Value};
use super::storage::Loader;
use super::tree::{self, Failure, Leaves, Step};
use crate::error::{Error, Result};
use crate::options::LoadOptions;
use crate::source::Source;
use std::path::{Path, PathBuf};
use taper_tensor::{DType, Device, State, Tensor};

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
    path: PathBuf,
    source: Source,
    opened: Opened,
    listed: Listed,
    metadata: Vec<(String, State)>,
}

/// What is known of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    name: String,
    dtype: Option<DType>,
    dtype_name: &'static str,
    element_size: usize,
    shape: Vec<usize>,
    strides: Vec<isize>,
    offset: usize,
    storage_key: String,
    storage_bytes: usize,
    device: String,
    parameter: bool,
    requires_grad: bool,
}

impl Entry {
    /// Keys and indices from the root, with dots between them, such as `state.0.exp_avg`.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The dtype, where taper has it.
    pub fn dtype(&self) -> Option<DType> {
        self.dtype
    }
    /// The dtype as PyTorch names it, such as `complex64`.
    pub fn dtype_name(&self) -> &str {
        self.dtype_name
    }
    /// Bytes of an element, also where taper has not got the dtype.
    pub fn element_size(&self) -> usize {
        self.element_size
    }
    /// Sizes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Steps, in elements.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }
    /// Position of the first element in the storage, in elements.
    pub fn storage_offset(&self) -> usize {
        self.offset
    }
    /// The storage's name in the file: tensors of one key share their memory.
    pub fn storage_key(&self) -> &str {
        &self.storage_key
    }
    /// Bytes of the whole storage, as the file says.
    pub fn storage_bytes(&self) -> usize {
        self.storage_bytes
    }
    /// The device that it was saved from, such as `cuda:0`.
    pub fn device(&self) -> &str {
        &self.device
    }
    /// Whether it was saved as a `torch.nn.Parameter`.
    pub fn is_parameter(&self) -> bool {
        self.parameter
    }
    /// Whether it required gradients.
    pub fn requires_grad(&self) -> bool {
        self.requires_grad
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
        let opened = container::open(source.bytes()).map_err(|e| Error::format(path, e))?;
        let mut file =
            File { path: path.into(), source, opened, listed: Listed::default(), metadata: Vec::new() };
        let mut listed = Listed { storages: file.opened.graph.storages.clone(), ..Listed::default() };
        file.walk(file.opened.root, &mut listed)?;
        for (place, value) in std::mem::take(&mut listed.attributes) {
            // Attributes are for looking at: what is no plain value is left out.
            let mut seen = Listed::default();
            if let Ok(state) = file.walk(value, &mut seen)
                && seen.entries.is_empty()
            {
                file.metadata.push((place, state));
            }
        }
        file.listed = listed;
        Ok(file)
    }

    fn walk(&self, value: Value, leaves: &mut dyn Leaves) -> Result<State> {
        let graph = &self.opened.graph;
        let pickle = self.opened.pickle(self.source.bytes());
        tree::build(graph, pickle, value, leaves).map_err(|failure| {
            let Failure { path: key, tensor, message } = failure;
            match (tensor, key.as_str()) {
                (true, _) => Error::tensor(&self.path, &key, message),
                (false, "") => Error::format(&self.path, message),
                (false, _) => Error::format(&self.path, format!("{key}: {message}")),
            }
        })
    }

    /// The tensors, in the file's order.
    pub fn entries(&self) -> &[Entry] {
        &self.listed.entries
    }

    /// The values that are no tensors, and empty containers, with their places. Bytes are tensors of u8.
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
        &self.opened.container
    }

    /// The pickle protocol.
    pub fn protocol(&self) -> u8 {
        self.opened.protocol
    }

    /// Loads tensor by tensor, in the order of [`entries`](File::entries), also where others of the file
    /// are damaged or of a dtype that taper has not got.
    pub fn tensors(&self) -> impl Iterator<Item = Result<Tensor>> {
        static OPTIONS: LoadOptions = LoadOptions { map_location: Device::Cpu, mmap: true };
        let mut loader = Loader::new(&self.source, &self.opened, &OPTIONS);
        self.listed.entries.iter().zip(&self.listed.tensors).map(move |(entry, tensor)| {
            let loaded = loader.tensor(&entry.name, tensor);
            match loaded.map_err(|e| Error::tensor(&self.path, &entry.name, e))? {
                State::Tensor(tensor) => Ok(tensor),
                _ => Err(Error::tensor(&self.path, &entry.name, "not a tensor")),
            }
        })
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
        let mut loader = Loader::new(&self.source, &self.opened, options);
        self.walk(self.opened.root, &mut loader)
    }
}

/// Notes what a walk meets.
#[derive(Default)]
struct Listed {
    storages: Vec<StorageRef>,
    entries: Vec<Entry>,
    /// Of each entry.
    tensors: Vec<TensorRef>,
    values: Vec<(String, State)>,
    others: Vec<(String, String)>,
    attributes: Vec<(String, Value)>,
}

impl Leaves for Listed {
    fn tensor(&mut self, path: &str, tensor: &TensorRef) -> Step<State> {
        let Some(storage) = self.storages.get(tensor.storage) else {
            return Err("a tensor among attributes".into());
        };
        self.tensors.push(tensor.clone());
        self.entries.push(Entry {
            name: path.into(),
            dtype: tensor.dtype.dtype(),
            dtype_name: tensor.dtype.name(),
            element_size: tensor.dtype.size(),
            shape: tensor.shape.clone(),
            strides: tensor.strides.clone(),
            offset: storage.view.map_or(0, |(start, _)| start).saturating_add(tensor.offset),
            storage_key: storage.key.clone(),
            storage_bytes: storage.numel.saturating_mul(storage.dtype.size()),
            device: storage.location.clone(),
            parameter: tensor.parameter,
            requires_grad: tensor.requires_grad,
        });
        if let Some(problem) = tensor.problem {
            self.others.push((path.into(), problem.into()));
        }
        Ok(State::None)
    }
    fn storage(&mut self, path: &str, storage: &StorageRef) -> Step<State> {
        self.others.push((path.into(), format!("a storage of {} {}", storage.numel, storage.dtype.name())));
        Ok(State::None)
    }
    fn other(&mut self, path: &str, what: &str) -> Step<State> {
        self.others.push((path.into(), what.into()));
        Ok(State::None)
    }
    fn plain(&mut self, path: &str, value: &State) -> Step<()> {
        self.values.push((path.into(), value.clone()));
        Ok(())
    }
    fn attributes(&mut self, path: &str, value: Value) {
        self.attributes.push((path.into(), value));
    }
}
