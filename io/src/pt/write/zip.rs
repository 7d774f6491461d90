//! The zip container as PyTorch writes it: nothing compressed, each record at a multiple of 64 bytes.
//!
//! By hand, because records are streamed with their checksum behind them, and because the place of the
//! bytes matters here: PyTorch and taper map them.

use crc32fast::Hasher;
use std::io::{Result, Write};

/// Records begin at multiples of this.
pub(super) const ALIGNMENT: u64 = 64;
/// From here on, sizes and offsets are in the 64-bit fields.
const LIMIT: u64 = u32::MAX as u64;
/// Summed and written together, while it is in one of the processor's caches; most of it is not copied by
/// the writer, which gathers what does not fill its blocks.
const CHUNK: usize = 8 << 20;

/// An archive being written.
pub(super) struct Archive<'a, W: Write> {
    out: &'a mut W,
    root: String,
    at: u64,
    entries: Vec<Entry>,
    /// Two halves of PyTorch's fingerprint: of the records' names and of their contents.
    names: u64,
    contents: u64,
}

/// What the directory at the end says of a record.
struct Entry {
    name: String,
    crc: u32,
    size: u64,
    at: u64,
}

/// A record being written.
pub(super) struct Record<'a, W: Write> {
    out: &'a mut W,
    crc: Hasher,
    size: u64,
}

impl<W: Write> Write for Record<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let chunk = &bytes[..bytes.len().min(CHUNK)];
        self.out.write_all(chunk)?;
        self.crc.update(chunk);
        self.size += chunk.len() as u64;
        Ok(chunk.len())
    }
    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

impl<'a, W: Write> Archive<'a, W> {
    /// An archive whose records are all in one folder.
    pub(super) fn new(out: &'a mut W, root: &str) -> Self {
        Archive { out, root: root.into(), at: 0, entries: Vec::new(), names: 0, contents: 0 }
    }

    /// Writes a record of known bytes.
    pub(super) fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.record(name, bytes.len() as u64, |out| out.write_all(bytes))
    }

    /// Writes a record of known size.
    pub(super) fn record(
        &mut self,
        name: &str,
        size: u64,
        write: impl FnOnce(&mut Record<W>) -> Result<()>,
    ) -> Result<()> {
        let path = format!("{}/{name}", self.root);
        let head = local_header(&path, size, self.at);
        self.out.write_all(&head)?;
        let mut record = Record { out: self.out, crc: Hasher::new(), size: 0 };
        write(&mut record)?;
        assert_eq!(record.size, size, "a record of another size than announced");
        let crc = record.crc.finalize();
        let tail = descriptor(crc, size, self.at);
        self.out.write_all(&tail)?;
        self.entries.push(Entry { name: path, crc, size, at: self.at });
        self.at += head.len() as u64 + size + tail.len() as u64;
        self.names = combine(self.names, crc32fast::hash(name.as_bytes()));
        if size > 0 {
            self.contents = combine(self.contents, crc);
        }
        Ok(())
    }

    /// Writes the fingerprint and the directory.
    pub(super) fn finish(mut self) -> Result<()> {
        let id = format!("{:020}{:020}", self.names, self.contents);
        self.bytes(".data/serialization_id", id.as_bytes())?;
        let mut directory = Vec::new();
        for entry in &self.entries {
            entry.write(&mut directory);
        }
        self.out.write_all(&directory)?;
        self.out.write_all(&end(self.entries.len() as u64, directory.len() as u64, self.at))
    }
}

/// PyTorch's way to make one hash of two. Its hash of names depends on its C++ library; here it is a
/// checksum.
fn combine(seed: u64, crc: u32) -> u64 {
    seed ^ (crc as u64).wrapping_add(0x9e37_79b9).wrapping_add(seed << 6).wrapping_add(seed >> 2)
}

/// The header before a record, padded so that the record begins at a multiple of [`ALIGNMENT`].
fn local_header(name: &str, size: u64, at: u64) -> Vec<u8> {
    // The second size is that of the compressed record, which PyTorch gives behind it alone.
    let mut extra = zip64(size, 0, at);
    let used = at + 30 + name.len() as u64 + extra.len() as u64 + 4;
    let padding = (used.next_multiple_of(ALIGNMENT) - used) as u16;
    extra.extend(b"FB");
    extra.extend(padding.to_le_bytes());
    extra.extend(std::iter::repeat_n(b'Z', padding.into()));
    let mut head = b"PK\x03\x04\0\0".to_vec();
    head.extend(flags(size));
    // Method, date, and what follows the record: checksum and sizes.
    head.extend([0; 18]);
    head.extend((name.len() as u16).to_le_bytes());
    head.extend((extra.len() as u16).to_le_bytes());
    head.extend(name.as_bytes());
    head.extend(extra);
    head
}

/// What follows a record that is not empty.
fn descriptor(crc: u32, size: u64, at: u64) -> Vec<u8> {
    let mut tail = Vec::new();
    if size > 0 {
        tail.extend(b"PK\x07\x08");
        tail.extend(crc.to_le_bytes());
        for _ in 0..2 {
            match size >= LIMIT || at >= LIMIT {
                true => tail.extend(size.to_le_bytes()),
                false => tail.extend((size as u32).to_le_bytes()),
            }
        }
    }
    tail
}

/// The extra field for what 32 bits cannot say.
fn zip64(size: u64, stored: u64, at: u64) -> Vec<u8> {
    let mut values = Vec::new();
    if size >= LIMIT {
        values.extend(size.to_le_bytes());
        values.extend(stored.to_le_bytes());
    }
    if at >= LIMIT {
        values.extend(at.to_le_bytes());
    }
    if values.is_empty() {
        return values;
    }
    let mut extra = vec![1, 0, values.len() as u8, 0];
    extra.extend(values);
    extra
}

/// Names are UTF-8; checksums are behind the bytes, where there are any.
fn flags(size: u64) -> [u8; 2] {
    [if size > 0 { 8 } else { 0 }, 8]
}

fn short(n: u64) -> [u8; 4] {
    (n.min(LIMIT) as u32).to_le_bytes()
}

impl Entry {
    fn write(&self, out: &mut Vec<u8>) {
        let extra = zip64(self.size, self.size, self.at);
        out.extend(b"PK\x01\x02\0\0\0\0");
        out.extend(flags(self.size));
        out.extend([0; 6]);
        out.extend(self.crc.to_le_bytes());
        out.extend(short(self.size));
        out.extend(short(self.size));
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend((extra.len() as u16).to_le_bytes());
        // Comment, disk, attributes.
        out.extend([0; 10]);
        out.extend(short(self.at));
        out.extend(self.name.as_bytes());
        out.extend(extra);
    }
}

/// The end of the archive, in 64 bits and in 32.
fn end(entries: u64, directory: u64, at: u64) -> Vec<u8> {
    let mut out = b"PK\x06\x06".to_vec();
    out.extend(44u64.to_le_bytes());
    out.extend([0x1e, 3, 0x2d, 0]);
    out.extend([0; 8]);
    for value in [entries, entries, directory, at] {
        out.extend(value.to_le_bytes());
    }
    out.extend(b"PK\x06\x07\0\0\0\0");
    out.extend((at + directory).to_le_bytes());
    out.extend(1u32.to_le_bytes());
    out.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        out.extend((entries.min(0xffff) as u16).to_le_bytes());
    }
    out.extend(short(directory));
    out.extend(short(at));
    out.extend([0; 2]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u64_at(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    #[test]
    fn sizes_and_places_beyond_4_gib() {
        let big = 5 << 32;
        for (size, at, values) in [
            (10, 100, vec![]),
            (LIMIT - 1, LIMIT - 1, vec![]),
            (LIMIT, 100, vec![LIMIT, LIMIT]),
            (10, big, vec![big]),
            (big, big + 7, vec![big, big, big + 7]),
        ] {
            let head = local_header("a/data/0", size, at);
            assert_eq!((at + head.len() as u64) % ALIGNMENT, 0);
            assert_eq!(head.len(), 38 + u16::from_le_bytes([head[28], head[29]]) as usize);
            let mut entry = Vec::new();
            Entry { name: "a/data/0".into(), crc: 7, size, at }.write(&mut entry);
            assert_eq!(entry.len(), 54 + u16::from_le_bytes([entry[30], entry[31]]) as usize);
            for (extra, stored) in [(&head[38..], 0), (&entry[54..], size)] {
                if values.is_empty() {
                    assert!(extra.first() != Some(&1));
                    continue;
                }
                assert_eq!(extra[..4], [1, 0, 8 * values.len() as u8, 0]);
                for (i, &value) in values.iter().enumerate() {
                    let value = if size >= LIMIT && i == 1 { stored } else { value };
                    assert_eq!(u64_at(extra, 4 + 8 * i), value);
                }
            }
            assert_eq!(descriptor(7, size, at).len(), if values.is_empty() { 16 } else { 24 });
        }
        assert!(descriptor(0, 0, big).is_empty());
        let end = end(70_000, big, big + 9);
        assert_eq!(end[76 + 8..76 + 20], [0xff; 12], "the 32-bit fields say: look above");
        assert_eq!([32, 40, 48].map(|i| u64_at(&end, i)), [70_000, big, big + 9]);
    }

    #[test]
    fn pytorch_fingerprint_of_contents() {
        // From a file of torch.save.
        let crcs = [0x0190ae62, 0x83dcefb7, 0xe971773f, 0x19e33d85, 0x91e79017, 0xebadd88a, 0x55679ed1];
        assert_eq!(format!("{:020}", crcs.into_iter().fold(0, combine)), "08423275117534521441");
    }
}
