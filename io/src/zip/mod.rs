//! Zip archives in memory: the container of `.pt` and `.npz`. Nothing in them is believed before it is
//! checked, and what is stored as it is is not copied.
//!
//! Stricter than the format, because two readers of one archive must not see two different things: names
//! that come twice, entries that share bytes, local headers that differ from the directory, and names
//! that lead out of the folder are errors.

mod checksum;
mod directory;
mod inflate;

pub(crate) use directory::check_name;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

/// An archive's directory.
#[derive(Debug)]
pub(crate) struct Archive {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

/// One file of an archive.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub name: String,
    deflated: bool,
    /// `None` in archives whose writer left checksums out.
    crc: Option<u32>,
    /// Bytes in the archive.
    pub packed: usize,
    /// Bytes of the contents.
    pub size: usize,
    /// Where its bytes begin.
    start: usize,
}

impl Archive {
    /// Reads and checks the directory of an archive that fills the file.
    pub fn read(file: &[u8]) -> Result<Archive, String> {
        let mut entries = directory::read(file)?;
        // `torch.serialization.set_crc32_options(False)` writes 0 for every checksum.
        if entries.iter().all(|e| e.crc == Some(0)) {
            entries.iter_mut().for_each(|e| e.crc = None);
        }
        let mut places = HashMap::with_capacity(entries.len());
        for (i, entry) in entries.iter().enumerate() {
            if places.insert(entry.name.clone(), i).is_some() {
                return Err(format!("{:?} is there twice", entry.name));
            }
        }
        Ok(Archive { entries, places })
    }

    /// All files, in the directory's order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file of a name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.places.get(name).map(|&i| &self.entries[i])
    }
}

impl Entry {
    /// Where its bytes lie in the archive.
    pub fn place(&self) -> Range<usize> {
        self.start..self.start + self.packed
    }

    /// Whether the archive says a checksum.
    pub fn has_crc(&self) -> bool {
        self.crc.is_some()
    }

    /// The contents, with their checksum checked.
    pub fn contents<'a>(&self, file: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
        let packed = &file[self.place()];
        let contents = if self.deflated {
            Cow::Owned(inflate::inflate(packed, self.size)?)
        } else {
            Cow::Borrowed(packed)
        };
        self.check(&contents)?;
        Ok(contents)
    }

    /// Checks contents against the checksum.
    pub fn check(&self, contents: &[u8]) -> Result<(), String> {
        match self.crc {
            Some(crc) if checksum::crc32(contents) != crc => {
                Err("its checksum is wrong: the file is damaged".into())
            }
            _ => Ok(()),
        }
    }
}
