//! Where a file keeps its pickle and its storages.

use super::legacy;
use super::pickle::{self, Budget, Fault, Graph, StorageRef, Value};
use crate::zip::Archive;
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

type Result<T> = std::result::Result<T, String>;

/// How a file is put together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Container {
    /// A zip archive, as PyTorch writes since version 1.6.
    Zip {
        /// The folder that everything is in.
        root: String,
        /// The archive's version.
        version: Option<String>,
        /// Whether elements have their first byte last.
        big_endian: bool,
        /// Whether the archive says checksums, which are checked then.
        checksums: bool,
    },
    /// Pickles and storages one after another, as PyTorch wrote before 1.6.
    Legacy,
}

/// A container's parts.
pub(super) enum Parts {
    Zip(Archive),
    /// Each storage's bytes.
    Legacy(HashMap<String, Range<usize>>),
}

/// A file whose pickle has been read.
pub(super) struct Opened {
    pub container: Container,
    pub parts: Parts,
    pub graph: Graph,
    pub root: Value,
    pub protocol: u8,
    /// The pickle, where it is not a part of the file as it is.
    pub unpacked: Option<Vec<u8>>,
    /// Where the pickle is in the file otherwise.
    pub place: Range<usize>,
}

/// A storage's bytes.
pub(super) enum Piece {
    /// They are in the file as they are.
    Stored(Range<usize>),
    Owned(Vec<u8>),
}

/// Reads all but the storages.
pub(super) fn open(file: &[u8]) -> Result<Opened> {
    match file {
        [] => Err("the file is empty".into()),
        [b'P', b'K', 3 | 5 | 6, ..] => zip(file),
        [0x80, ..] => legacy::open(file),
        _ => Err(format!("not a file of PyTorch's: {}", strange(file))),
    }
}

/// What a file is that is none of PyTorch's.
fn strange(file: &[u8]) -> String {
    let start = |text: &str| file.starts_with(text.as_bytes());
    if file.get(257..262) == Some(b"ustar") {
        return "it is a tar archive, perhaps of PyTorch 0.1, which no later version writes: load it there and \
                save it again"
            .into();
    }
    if start("version https://git-lfs") {
        return "it is a pointer of Git LFS to a file that was not fetched (`git lfs pull`)".into();
    }
    if start("<") {
        return "it looks like a web page; was the download refused?".into();
    }
    if file.get(8) == Some(&b'{') {
        return "it looks like a safetensors file; give it that extension".into();
    }
    let first = &file[..file.len().min(8)];
    format!("it begins with {}", first.escape_ascii())
}

/// A fault of the pickle, with its place in the file that a user can look at.
pub(super) fn show(fault: Fault, name: &str) -> String {
    format!("{name}, byte {}: {}", fault.at, fault.message)
}

fn zip(file: &[u8]) -> Result<Opened> {
    let archive = Archive::read(file).map_err(|e| format!("not a whole zip archive: {e}"))?;
    let first = archive.entries().first().ok_or("an empty zip archive")?;
    let root = first.name.split('/').next().unwrap_or_default().to_string();
    let entry = |name: &str| archive.get(&format!("{root}/{name}"));
    let script = archive.entries().iter().any(|e| {
        let inside = e.name.strip_prefix(&root).and_then(|n| n.strip_prefix('/')).unwrap_or_default();
        inside == "constants.pkl" || inside.starts_with("code/")
    });
    if script {
        return Err("a TorchScript archive (`torch.jit.save`): it holds a program, which is not run. Save \
                    `model.state_dict()` with `torch.save` and load that"
            .into());
    }
    let Some(data) = entry("data.pkl") else {
        let numpy = archive.entries().iter().all(|e| e.name.ends_with(".npy"));
        let what = if numpy { "arrays of numpy's; give it the extension .npz" } else { "something else" };
        return Err(format!("a zip archive without {root}/data.pkl: it holds {what}"));
    };
    let text = |name: &str| {
        let Some(entry) = entry(name) else { return Ok(None) };
        let fail = |e: String| format!("{}: {e}", entry.name);
        if entry.size > 64 {
            return Err(fail(format!("{} bytes are too many", entry.size)));
        }
        let bytes = entry.contents(file).map_err(fail)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| fail("not text".into()))?;
        Ok(Some(text.trim().to_string()))
    };
    let big_endian = match text("byteorder")?.as_deref() {
        None | Some("little") => false,
        Some("big") => true,
        Some(other) => return Err(format!("{root}/byteorder: {other:?} is not a byte order")),
    };
    let version = text("version")?;
    let checksums = data.has_crc();
    // Pickles deflate to a third.
    if data.size > data.packed.saturating_mul(64).saturating_add(1 << 16) {
        return Err(format!(
            "{}: {} bytes that unpack to {} are no pickle",
            data.name, data.packed, data.size
        ));
    }
    let pickle = data.contents(file).map_err(|e| format!("{}: {e}", data.name))?;
    let mut graph = Graph::new(Budget::new(data.packed));
    let name = &data.name;
    let done = pickle::run(&pickle, 0, &mut graph).map_err(|fault| show(fault, name))?;
    if done.end != pickle.len() {
        return Err(format!("{name}: {} bytes are left after the pickle", pickle.len() - done.end));
    }
    let unpacked = match pickle {
        Cow::Owned(pickle) => Some(pickle),
        Cow::Borrowed(_) => None,
    };
    let place = data.place();
    let container = Container::Zip { root, version, big_endian, checksums };
    let parts = Parts::Zip(archive);
    let (root, protocol) = (done.value, done.protocol);
    Ok(Opened { container, parts, graph, root, protocol, unpacked, place })
}

impl Opened {
    /// The pickle that the graph's texts are in.
    pub fn pickle<'a>(&'a self, file: &'a [u8]) -> &'a [u8] {
        self.unpacked.as_deref().unwrap_or(&file[self.place.clone()])
    }

    /// The pickle's name, for messages.
    pub fn pickle_name(&self) -> &'static str {
        match self.container {
            Container::Zip { .. } => "data.pkl",
            Container::Legacy => "the file",
        }
    }

    /// Whether elements have their first byte last.
    pub fn big_endian(&self) -> bool {
        matches!(self.container, Container::Zip { big_endian: true, .. })
    }

    /// A storage's bytes, as many as the pickle says, checked.
    pub fn piece(&self, file: &[u8], storage: &StorageRef) -> Result<Piece> {
        let key = &storage.key;
        match &self.parts {
            Parts::Legacy(places) => {
                let place = places.get(key).ok_or_else(|| format!("the file has no storage {key:?}"))?;
                fits(storage, place.len())?;
                Ok(Piece::Stored(place.clone()))
            }
            Parts::Zip(archive) => {
                let Container::Zip { root, .. } = &self.container else {
                    return Err("no archive".into());
                };
                let name = format!("{root}/data/{key}");
                let entry = archive.get(&name).ok_or_else(|| format!("the archive has no {name}"))?;
                fits(storage, entry.size)?;
                let contents = entry.contents(file).map_err(|e| format!("{name}: {e}"))?;
                Ok(match contents {
                    Cow::Owned(bytes) => Piece::Owned(bytes),
                    Cow::Borrowed(_) => Piece::Stored(entry.place()),
                })
            }
        }
    }
}

/// Whether a storage has the bytes that the pickle says.
fn fits(storage: &StorageRef, bytes: usize) -> Result<()> {
    // A storage seen as wider elements may have a few bytes that are part of none.
    if bytes / storage.dtype.size() == storage.numel {
        return Ok(());
    }
    let (key, numel, dtype) = (&storage.key, storage.numel, storage.dtype.name());
    Err(format!("its storage {key:?} has {bytes} bytes and should hold {numel} elements of {dtype}"))
}
