//! PyTorch's files. What is listed comes from the pickle alone.

use super::{Contents, Entry, Source, Storages, product, row_major};
use crate::fail::Result;
use crate::kind::Kind;
use crate::tree::{self, LONE};
use std::cell::OnceCell;
use std::collections::HashSet;
use std::path::Path;
use taper_io::pt::{self, Container};
use taper_tensor::{State, Tensor};

pub(super) fn open(path: &Path) -> Result<Contents> {
    let file = pt::File::open(path)?;
    let mut storages = Storages::default();
    let tensors = file.entries().iter().map(|e| {
        let elements = product(e.shape());
        Entry {
            key: if e.name().is_empty() { LONE.into() } else { e.name().into() },
            dtype: e.dtype_name().into(),
            shape: e.shape().to_vec(),
            strides: e.strides().to_vec(),
            contiguous: elements == 0 || in_order(e.shape(), e.strides()),
            offset: e.storage_offset(),
            elements,
            bytes: elements.saturating_mul(e.element_size() as u64),
            storage: storages.number(e.storage_key(), e.storage_bytes()),
            device: e.device().into(),
        }
    });
    let tensors = tensors.collect();
    Ok(Contents {
        kind: Kind::Pt,
        description: format!("{}, pickle protocol {}", container(file.container()), file.protocol()),
        bytes: 0,
        tensors,
        storages: storages.bytes,
        values: file.values().to_vec(),
        metadata: attributes(file.metadata()),
        unsupported: file.unsupported().to_vec(),
        source: Source::Pt(Box::new(file), OnceCell::new()),
    })
}

/// All tensors, which are views of the mapped file; none in the places of those that taper cannot hold.
pub(super) fn load(file: &pt::File) -> Result<Vec<Option<Tensor>>> {
    let unsupported: HashSet<&str> = file.unsupported().iter().map(|(name, _)| name.as_str()).collect();
    let tensors = file.entries().iter().zip(file.tensors()).map(|(entry, tensor)| {
        let known = entry.dtype().is_some() && !unsupported.contains(entry.name());
        if known { Ok(Some(tensor?)) } else { Ok(None) }
    });
    tensors.collect()
}

fn container(container: &Container) -> &'static str {
    match container {
        Container::Zip { big_endian: true, .. } => "PyTorch zip archive (big-endian)",
        Container::Zip { .. } => "PyTorch zip archive",
        Container::Legacy => "PyTorch legacy file",
        _ => "PyTorch file",
    }
}

/// Attributes by dotted keys, from maps of attributes by the places of what has them.
fn attributes(metadata: &[(String, State)]) -> Vec<(String, State)> {
    let mut out = Vec::new();
    for (place, state) in metadata {
        let dot = if place.is_empty() { "" } else { "." };
        for (name, value) in state.as_map().into_iter().flat_map(|map| map.iter()) {
            out.push((format!("{place}{dot}{}", tree::show(name)), value.clone()));
        }
    }
    out
}

/// Whether elements lie in row-major order without gaps; steps of sizes of 1 mean nothing.
fn in_order(shape: &[usize], strides: &[isize]) -> bool {
    let expected = row_major(shape);
    (0..shape.len()).all(|d| shape[d] == 1 || strides.get(d) == Some(&expected[d]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_one_element_mean_nothing() {
        assert!(in_order(&[2, 1, 3], &[3, 77, 1]) && in_order(&[], &[]));
        assert!(!in_order(&[2, 3], &[1, 2]) && !in_order(&[2, 3], &[4, 1]));
    }
}
