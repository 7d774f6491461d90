//! Files of PyTorch before 1.6: five pickles, then each storage with its number of elements.

use super::container::{Container, Opened, Parts, show};
use super::pickle::{self, Budget, Graph, Value};
use std::collections::HashMap;

/// `0x1950a86a20f9469cfc6c`.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

pub(super) fn open(file: &[u8]) -> Result<Opened, String> {
    // How long the pickles are is known when they have been read; they take no more than the file.
    let mut graph = Graph::new(Budget::new(file.len()));
    let mut at = 0;
    let mut next = |graph: &mut Graph, what: &str| {
        let done = pickle::run(file, at, graph).map_err(|fault| show(fault, what));
        done.inspect(|done| at = done.end)
    };
    match next(&mut graph, "the file")?.value {
        Value::Long(span) if span.of(file) == MAGIC => {}
        _ => {
            return Err(
                "not a file of PyTorch's: a pickle, but without the number that its files begin with. \
                        Save with `torch.save` and load that"
                    .into(),
            );
        }
    }
    match next(&mut graph, "the file")?.value {
        Value::Int(PROTOCOL) => {}
        _ => return Err("a version of the legacy format that is not known".into()),
    }
    // What machine wrote it. The elements are little-endian whatever it was.
    next(&mut graph, "the file")?;
    let data = next(&mut graph, "the file")?;
    let keys = next(&mut graph, "the file")?.value;
    let keys = graph.sequence(keys).ok_or("its list of storages is none")?;
    let sizes: HashMap<&str, usize> =
        graph.storages.iter().rev().map(|s| (s.key.as_str(), s.dtype.size())).collect();
    let mut places = HashMap::with_capacity(keys.len());
    for &key in keys {
        let key = graph.text(file, key).ok_or("its list of storages holds something else")?;
        let size = sizes.get(key).ok_or_else(|| format!("its storage {key:.40?} belongs to no tensor"))?;
        let cut = || format!("its storage {key:?}, from byte {at}, is cut off");
        let (count, rest) = file[at..].split_first_chunk::<8>().ok_or_else(cut)?;
        let count = u64::from_le_bytes(*count);
        let bytes = usize::try_from(count).ok().and_then(|n| n.checked_mul(*size));
        let bytes = bytes.filter(|&n| n <= rest.len()).ok_or_else(cut)?;
        at += 8;
        if places.insert(key.to_string(), at..at + bytes).is_some() {
            return Err(format!("its storage {key:?} is there twice"));
        }
        at += bytes;
    }
    let (root, protocol) = (data.value, data.protocol);
    let (container, parts) = (Container::Legacy, Parts::Legacy(places));
    Ok(Opened { container, parts, graph, root, protocol, unpacked: None, place: 0..file.len() })
}
