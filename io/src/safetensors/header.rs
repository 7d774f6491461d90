//! The header: JSON from anywhere, so nothing in it is believed before it is checked.

use super::{RESERVED, name_of};
use crate::error::{Error, Result};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use taper_tensor::{DType, OrderedMap};

/// The format's limit of a header.
pub(super) const MAX: usize = 100_000_000;

/// Where a tensor lies and what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub(super) name: String,
    pub(super) dtype: String,
    pub(super) shape: Vec<usize>,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Entry {
    /// The tensor's name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The dtype, where taper has it.
    pub fn dtype(&self) -> Option<DType> {
        DType::ALL.into_iter().find(|&d| name_of(d) == self.dtype)
    }
    /// The dtype as the file names it, such as `F8_E4M3`.
    pub fn dtype_name(&self) -> &str {
        &self.dtype
    }
    /// Sizes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Bytes in the file.
    pub fn bytes(&self) -> usize {
        self.end - self.start
    }

    /// Why its place does not fit its dtype and shape.
    fn check(&self, data: usize) -> std::result::Result<(), String> {
        let (start, end) = (self.start, self.end);
        if start > end || end > data {
            return Err(format!(
                "bytes {start}..{end} are not within the {data} bytes of data; is the file cut off?"
            ));
        }
        let Some(dtype) = self.dtype() else { return Ok(()) };
        let wanted = self.shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
        if wanted != Some(end - start) {
            let (shape, found) = (&self.shape, end - start);
            return Err(format!("{found} bytes do not fill {dtype} of shape {shape:?}"));
        }
        Ok(())
    }
}

/// What a header says.
pub(super) struct Header {
    pub metadata: OrderedMap<String, String>,
    pub entries: Vec<Entry>,
    /// Where the data begins.
    pub data: usize,
}

impl Header {
    /// Reads and checks the header of a whole file.
    pub fn read(path: &Path, file: &[u8]) -> Result<Header> {
        let bad = |message: String| Error::format(path, format!("not a whole safetensors file: {message}"));
        let Some((length, rest)) = file.split_first_chunk::<8>() else {
            return Err(bad(format!("{} bytes are too few", file.len())));
        };
        let length = u64::from_le_bytes(*length);
        let length = match usize::try_from(length) {
            Ok(n) if n <= rest.len() && n <= MAX => n,
            _ => return Err(bad(format!("its header has {length} bytes, the file {}", file.len()))),
        };
        let (text, data) = rest.split_at(length);
        let text =
            std::str::from_utf8(text).map_err(|e| bad(format!("the header is not UTF-8 text: {e}")))?;
        let mut parse = Parse::default();
        let mut json = serde_json::Deserializer::from_str(text);
        if let Err(error) = parse.deserialize(&mut json).and_then(|()| json.end()) {
            return Err(match parse.at {
                Some(name) => Error::tensor(path, &name, format!("header: {error}")),
                None => bad(format!("header: {error}")),
            });
        }
        let Parse { metadata, entries, .. } = parse;
        for entry in &entries {
            entry.check(data.len()).map_err(|e| Error::tensor(path, &entry.name, e))?;
        }
        let mut order: Vec<&Entry> = entries.iter().collect();
        order.sort_by_key(|e| (e.start, e.end));
        let mut end = 0;
        for entry in order {
            let (name, start) = (&entry.name, entry.start);
            if start < end {
                let message = format!("its bytes begin at {start}, where another tensor's reach to {end}");
                return Err(Error::tensor(path, name, message));
            }
            if start > end {
                return Err(Error::tensor(
                    path,
                    name,
                    format!("bytes {end}..{start} before it are nobody's"),
                ));
            }
            end = entry.end;
        }
        if end != data.len() {
            return Err(bad(format!("its tensors have {end} bytes, the file has {} for them", data.len())));
        }
        Ok(Header { metadata: OrderedMap::from_distinct(metadata), entries, data: 8 + length })
    }
}

/// The header's JSON. Its maps are taken entry by entry, so that doubles are seen and the order stays.
#[derive(Default)]
struct Parse {
    metadata: Vec<(String, String)>,
    entries: Vec<Entry>,
    /// The entry being read.
    at: Option<String>,
}

#[derive(Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (usize, usize),
}

impl<'de> DeserializeSeed<'de> for &mut Parse {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> std::result::Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Parse {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            self.at = Some(name.clone());
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("it is there twice"));
            }
            if name == RESERVED {
                self.metadata = map.next_value::<Texts>()?.0;
                continue;
            }
            let Info { dtype, shape, data_offsets: (start, end) } = map.next_value()?;
            self.entries.push(Entry { name, dtype, shape, start, end });
        }
        self.at = None;
        Ok(())
    }
}

/// Texts by name.
struct Texts(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(json: D) -> std::result::Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Texts;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Texts, A::Error> {
                let (mut texts, mut seen) = (Vec::new(), HashSet::new());
                while let Some((name, text)) = map.next_entry::<String, String>()? {
                    if !seen.insert(name.clone()) {
                        return Err(A::Error::custom(format!("\"{name}\" is there twice")));
                    }
                    texts.push((name, text));
                }
                Ok(Texts(texts))
            }
        }
        json.deserialize_map(Read)
    }
}
