//! The report that programs read. Its shape is promised in `taper inspect --help`: entries are added to it,
//! never renamed or taken away.

use super::{Findings, Totals};
use crate::stats::{Json, Stats};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::path::Path;
use taper_tensor::State;

#[derive(serde::Serialize)]
pub struct File<'a> {
    file: String,
    format: &'static str,
    description: &'a str,
    bytes: u64,
    tensors: Vec<Tensor<'a>>,
    storages: &'a [u64],
    values: Vec<Entry<'a>>,
    metadata: Vec<Entry<'a>>,
    unsupported: Vec<Unsupported<'a>>,
    totals: &'a Totals,
}

#[derive(serde::Serialize)]
struct Tensor<'a> {
    key: &'a str,
    dtype: &'a str,
    shape: &'a [usize],
    strides: &'a [isize],
    offset: usize,
    elements: u64,
    bytes: u64,
    storage: usize,
    shares: Option<&'a str>,
    device: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Option<&'a Stats>>,
}

#[derive(serde::Serialize)]
struct Entry<'a> {
    key: &'a str,
    value: Value<'a>,
}

#[derive(serde::Serialize)]
struct Unsupported<'a> {
    key: &'a str,
    what: &'a str,
}

impl<'a> File<'a> {
    pub(super) fn of(path: &Path, findings: &'a Findings) -> File<'a> {
        let contents = &findings.contents;
        let tensors = findings.tensors.iter().map(|found| {
            let entry = findings.entry(found);
            Tensor {
                key: &entry.key,
                dtype: &entry.dtype,
                shape: &entry.shape,
                strides: &entry.strides,
                offset: entry.offset,
                elements: entry.elements,
                bytes: entry.bytes,
                storage: entry.storage,
                shares: found.shares.map(|i| contents.tensors[i].key.as_str()),
                device: &entry.device,
                stats: findings.stats.then_some(found.stats.as_ref()),
            }
        });
        File {
            file: path.display().to_string(),
            format: contents.kind.name(),
            description: &contents.description,
            bytes: contents.bytes,
            tensors: tensors.collect(),
            storages: &contents.storages,
            values: findings.values().map(entry).collect(),
            metadata: contents.metadata.iter().map(entry).collect(),
            unsupported: contents.unsupported.iter().map(|(key, what)| Unsupported { key, what }).collect(),
            totals: &findings.totals,
        }
    }
}

fn entry((key, value): &(String, State)) -> Entry<'_> {
    Entry { key, value: Value(value) }
}

/// A value without tensors.
pub struct Value<'a>(pub &'a State);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            State::Int(i) => s.serialize_i64(*i),
            State::Float(f) => Json(*f).serialize(s),
            State::Bool(b) => s.serialize_bool(*b),
            State::Str(text) => s.serialize_str(text),
            State::None | State::Tensor(_) => s.serialize_none(),
            State::List(items) | State::Tuple(items) => {
                let mut out = s.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| out.serialize_element(&Value(item)))?;
                out.end()
            }
            State::Map(map) => {
                let mut out = s.serialize_map(Some(map.len()))?;
                map.iter().try_for_each(|(k, v)| out.serialize_entry(&crate::tree::show(k), &Value(v)))?;
                out.end()
            }
        }
    }
}
