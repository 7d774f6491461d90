//! What a file holds, without looking at elements where the format allows it.

mod pickled;

use crate::fail::Result;
use crate::kind::Kind;
use crate::tree;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::Path;
use taper_io::{pt, safetensors};
use taper_tensor::{State, Tensor};

/// A file, looked into.
pub struct Contents {
    pub kind: Kind,
    /// The container, in words.
    pub description: String,
    /// The file's size.
    pub bytes: u64,
    pub tensors: Vec<Entry>,
    /// Bytes of each storage.
    pub storages: Vec<u64>,
    pub values: Vec<(String, State)>,
    pub metadata: Vec<(String, State)>,
    /// What taper has nothing for, and where.
    pub unsupported: Vec<(String, String)>,
    source: Source,
}

/// A tensor of a file.
pub struct Entry {
    pub key: String,
    /// PyTorch's name, or the file's own where taper has not got it.
    pub dtype: String,
    pub shape: Vec<usize>,
    pub strides: Vec<isize>,
    pub contiguous: bool,
    /// Position of the first element in the storage.
    pub offset: usize,
    pub elements: u64,
    pub bytes: u64,
    /// Index of the storage.
    pub storage: usize,
    pub device: String,
}

impl Entry {
    /// Whether two tensors are the very same elements.
    pub fn is(&self, other: &Entry) -> bool {
        self.storage == other.storage
            && self.dtype == other.dtype
            && (&self.shape, &self.strides, self.offset) == (&other.shape, &other.strides, other.offset)
    }
}

/// Where elements come from.
enum Source {
    Safetensors(Box<safetensors::File>),
    /// Loaded when the first is asked for.
    Pt(Box<pt::File>, OnceCell<Vec<Option<Tensor>>>),
    Loaded(Vec<Tensor>),
}

impl Contents {
    pub fn open(path: &Path) -> Result<Contents> {
        let kind = Kind::to_read(path)?;
        let mut contents = match kind {
            Kind::Safetensors => of_safetensors(path)?,
            Kind::Pt => pickled::open(path)?,
            Kind::Npz => of_tree("numpy zip archive", kind, &kind.load(path)?),
            Kind::Npy => of_tree("numpy array", kind, &kind.load(path)?),
        };
        contents.bytes = std::fs::metadata(path).map_or(0, |m| m.len());
        Ok(contents)
    }

    /// A tensor's elements; none where taper has not got its dtype.
    pub fn tensor(&self, index: usize) -> Result<Option<Tensor>> {
        match &self.source {
            Source::Loaded(tensors) => Ok(Some(tensors[index].clone())),
            Source::Pt(file, loaded) => match loaded.get() {
                Some(tensors) => Ok(tensors[index].clone()),
                None => {
                    let tensors = pickled::load(file)?;
                    Ok(loaded.get_or_init(|| tensors)[index].clone())
                }
            },
            Source::Safetensors(file) => {
                let entry = &file.entries()[index];
                match entry.dtype() {
                    None => Ok(None),
                    Some(_) => Ok(Some(file.tensor(entry.name())?)),
                }
            }
        }
    }
}

/// Numbers storages in the order in which they are met.
#[derive(Default)]
struct Storages<K> {
    known: HashMap<K, usize>,
    bytes: Vec<u64>,
}

impl<K: std::hash::Hash + Eq> Storages<K> {
    fn number(&mut self, key: K, bytes: usize) -> usize {
        *self.known.entry(key).or_insert_with(|| {
            self.bytes.push(bytes as u64);
            self.bytes.len() - 1
        })
    }
}

fn of_safetensors(path: &Path) -> Result<Contents> {
    let file = safetensors::File::open(path)?;
    let entries = file.entries().iter().enumerate();
    let tensors: Vec<Entry> = entries
        .map(|(i, e)| Entry {
            key: e.name().to_string(),
            dtype: e.dtype().map_or_else(|| e.dtype_name().to_string(), |d| d.name().to_string()),
            shape: e.shape().to_vec(),
            strides: row_major(e.shape()),
            contiguous: true,
            offset: 0,
            elements: product(e.shape()),
            bytes: e.bytes() as u64,
            storage: i,
            device: "cpu".into(),
        })
        .collect();
    let metadata = file.metadata().iter().filter(|(name, _)| *name != safetensors::TREE);
    let metadata = metadata.map(|(name, text)| (name.clone(), text.as_str().into())).collect();
    let tree = file.metadata().contains_key(safetensors::TREE).then(|| file.state()).transpose()?;
    let description = if tree.is_some() { "safetensors with a tree by taper" } else { "safetensors" };
    Ok(Contents {
        kind: Kind::Safetensors,
        description: description.into(),
        bytes: 0,
        storages: tensors.iter().map(|t| t.bytes).collect(),
        tensors,
        values: tree.as_ref().map_or_else(Vec::new, values),
        metadata,
        unsupported: Vec::new(),
        source: Source::Safetensors(Box::new(file)),
    })
}

fn of_tree(description: &str, kind: Kind, state: &State) -> Contents {
    let (mut tensors, mut loaded, mut storages) = (Vec::new(), Vec::new(), Storages::default());
    for (key, leaf) in tree::leaves(state) {
        let State::Tensor(t) = leaf else { continue };
        let memory = t.untyped_storage();
        tensors.push(Entry {
            key,
            dtype: t.dtype().name().to_string(),
            shape: t.shape().to_vec(),
            strides: t.strides().to_vec(),
            contiguous: t.is_contiguous(),
            offset: t.storage_offset(),
            elements: t.numel() as u64,
            bytes: (t.numel() as u64).saturating_mul(t.dtype().size() as u64),
            storage: storages.number(memory.id(), memory.nbytes()),
            device: t.device().to_string(),
        });
        loaded.push(Tensor::clone(t));
    }
    Contents {
        kind,
        description: description.into(),
        bytes: 0,
        tensors,
        storages: storages.bytes,
        values: values(state),
        metadata: Vec::new(),
        unsupported: Vec::new(),
        source: Source::Loaded(loaded),
    }
}

fn values(state: &State) -> Vec<(String, State)> {
    let leaves = tree::leaves(state).into_iter();
    leaves.filter(|(_, v)| !matches!(v, State::Tensor(_))).map(|(k, v)| (k, v.clone())).collect()
}

/// The number of elements; sizes of a dtype that is not known may be any.
fn product(shape: &[usize]) -> u64 {
    shape.iter().fold(1, |n: u64, &d| n.saturating_mul(d as u64))
}

fn row_major(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; shape.len()];
    for d in (1..shape.len()).rev() {
        strides[d - 1] = strides[d].saturating_mul(shape[d].max(1) as isize);
    }
    strides
}
