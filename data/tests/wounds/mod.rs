//! Damaged copies of files.

use proptest::prelude::*;

/// How many damaged files a test reads.
pub fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256)
}

/// One wound: flip bits of a byte, cut the end off, insert bytes, or drop some.
pub fn wound(bytes: &mut Vec<u8>, kind: u8, at: usize, value: u8) {
    let at = at % bytes.len().max(1);
    match kind % 4 {
        _ if bytes.is_empty() => bytes.push(value),
        0 => bytes[at] ^= value,
        1 => bytes.truncate(at),
        2 => bytes.insert(at, value),
        _ => drop(bytes.drain(at..(at + 1 + value as usize).min(bytes.len()))),
    }
}

/// Copies of `file` with one to three wounds, half of them in the first `header` bytes, where a wound has
/// most to say.
#[allow(dead_code)]
pub fn wounded(file: Vec<u8>, header: usize) -> impl Strategy<Value = Vec<u8>> {
    let wounds = prop::collection::vec((any::<u8>(), any::<usize>(), any::<u8>()), 1..4);
    (any::<bool>(), wounds).prop_map(move |(early, wounds)| {
        let mut bytes = file.clone();
        for (kind, at, value) in wounds {
            wound(&mut bytes, kind, if early { at % header } else { at }, value);
        }
        bytes
    })
}
