//! The safetensors format: a JSON header and raw tensors. Nothing in it can run code.
//!
//! Named tensors make an ordinary file. Any other tree has its tensors under dotted names and its
//! structure as JSON in the metadata entry `taper.tree` (see `tree.rs`), so that other programs still
//! see every tensor.
//!
//! [`File`] reads part of a big file.

mod file;
mod header;
mod tree;

pub use file::{Entry, File};

use crate::atomic::write_atomic_with;
use crate::error::{Error, Result};
use crate::options::{LoadOptions, SaveOptions};
use crate::value::ToState;
use std::io::Write;
use std::path::Path;
use taper_tensor::{DType, State, Tensor};

/// The entry of a header that is no tensor.
const RESERVED: &str = "__metadata__";
/// The metadata that holds a tree's structure.
pub const TREE: &str = "taper.tree";

fn name_of(dtype: DType) -> &'static str {
    match dtype {
        DType::Bool => "BOOL",
        DType::U8 => "U8",
        DType::I8 => "I8",
        DType::I16 => "I16",
        DType::I32 => "I32",
        DType::I64 => "I64",
        DType::F16 => "F16",
        DType::BF16 => "BF16",
        DType::F32 => "F32",
        DType::F64 => "F64",
    }
}

/// Saves a value, atomically. The same value gives the same bytes.
///
/// # Errors
/// Where the file cannot be written, for a tensor named `__metadata__`, and for trees nested deeper than
/// some forty levels; what was there before stays.
pub fn save(value: &(impl ToState + ?Sized), path: impl AsRef<Path>) -> Result<()> {
    save_with(value, path, &SaveOptions::default())
}

/// As [`save`], with options.
///
/// # Errors
/// As [`save`].
pub fn save_with(
    value: &(impl ToState + ?Sized),
    path: impl AsRef<Path>,
    options: &SaveOptions,
) -> Result<()> {
    save_state(&value.to_state(), &[], path.as_ref(), options)
}

/// As [`save`], with texts by name for other programs to read (Hugging Face's `transformers` asks for
/// `("format", "pt")`).
///
/// # Errors
/// As [`save`], and for a name that comes twice or is `taper.tree`.
pub fn save_with_metadata(
    value: &(impl ToState + ?Sized),
    metadata: &[(&str, &str)],
    path: impl AsRef<Path>,
) -> Result<()> {
    save_state(&value.to_state(), metadata, path.as_ref(), &SaveOptions::default())
}

fn save_state(state: &State, metadata: &[(&str, &str)], path: &Path, options: &SaveOptions) -> Result<()> {
    let mut metadata = metadata.to_vec();
    for (i, (name, _)) in metadata.iter().enumerate() {
        if *name == TREE || metadata[..i].iter().any(|(other, _)| other == name) {
            return Err(Error::format(path, format!("metadata \"{name}\" is there already")));
        }
    }
    let tree::Flat { tensors, structure } = tree::flatten(state).map_err(|e| Error::format(path, e))?;
    if let Some(structure) = &structure {
        metadata.push((TREE, structure));
    }
    write(path, &tensors, &metadata, options)
}

fn write(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &[(&str, &str)],
    options: &SaveOptions,
) -> Result<()> {
    // Large elements first, so that each lies at a multiple of its size; the header keeps the order.
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(tensors[i].1.dtype().size()));
    let mut offsets = vec![(0, 0); tensors.len()];
    let mut end = 0;
    for &i in &order {
        let t = &tensors[i].1;
        let start = end;
        end += t.numel() * t.dtype().size();
        offsets[i] = (start, end);
    }
    let mut header = String::from("{");
    if !metadata.is_empty() {
        let entries: Vec<String> =
            metadata.iter().map(|(k, v)| format!("{}:{}", tree::quote(k), tree::quote(v))).collect();
        header.push_str(&format!("\"{RESERVED}\":{{{}}}", entries.join(",")));
    }
    for ((name, t), (start, end)) in tensors.iter().zip(offsets) {
        if name == RESERVED {
            return Err(Error::tensor(path, name, "safetensors keeps this name for itself"));
        }
        if header.len() > 1 {
            header.push(',');
        }
        let sizes: Vec<String> = t.shape().iter().map(usize::to_string).collect();
        header.push_str(&format!(
            "{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{start},{end}]}}",
            tree::quote(name),
            name_of(t.dtype()),
            sizes.join(","),
        ));
    }
    header.push('}');
    // Tensors begin at a multiple of 8.
    let padded = header.len().next_multiple_of(8);
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    if header.len() > header::MAX {
        return Err(Error::format(path, "too many tensors or values for the format's 100 MB header"));
    }
    write_atomic_with(path, options, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        order.iter().try_for_each(|&i| tensors[i].1.with_bytes(|bytes| out.write_all(bytes)))
    })
}

/// Loads a file: the tree that was saved, or named tensors in the header's order.
///
/// # Errors
/// Where the file cannot be read, is damaged or cut off, or holds a dtype that taper has not got.
pub fn load(path: impl AsRef<Path>) -> Result<State> {
    load_with(path, &LoadOptions::default())
}

/// As [`load`], with options.
///
/// # Errors
/// As [`load`], and for a device that is not there.
pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<State> {
    File::open_with(path, options)?.state()
}
