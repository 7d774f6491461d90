//! Named arrays in a zip (`numpy.savez`, `numpy.savez_compressed`). bfloat16 is refused: numpy has no
//! name for it.

use super::header::Header;
use super::npy;
use crate::atomic::write_atomic;
use crate::error::{Error, Result};
use crate::map::Map;
use crate::value::kind;
use std::collections::HashSet;
use std::io::{Cursor, Error as IoError, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use taper_tensor::{OrderedMap, State, StateDict};
use zip::read::ZipArchive;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

const ENDING: &str = ".npy";
/// Deflate's best: 258 bytes from 2 bits.
const BEST_RATIO: u64 = 1032;

/// Saves named tensors, atomically. The same tensors give the same bytes.
///
/// # Errors
/// For bfloat16 and for names that are paths out of the folder, and where the file cannot be written;
/// what was there before stays.
pub fn save(dict: &StateDict, path: impl AsRef<Path>) -> Result<()> {
    write(dict, path.as_ref(), CompressionMethod::Stored)
}

/// As [`save`], deflated: smaller and slower.
///
/// # Errors
/// As [`save`].
pub fn save_compressed(dict: &StateDict, path: impl AsRef<Path>) -> Result<()> {
    write(dict, path.as_ref(), CompressionMethod::Deflated)
}

pub(crate) fn save_state(state: &State, path: &Path) -> Result<()> {
    match state.to_state_dict() {
        Some(dict) => save(&dict, path),
        None => {
            let what = match state {
                State::Map(_) => "a tree",
                other => kind(other),
            };
            let message = format!("a .npz file holds named tensors, not {what}; .safetensors holds any tree");
            Err(Error::format(path, message))
        }
    }
}

fn write(dict: &StateDict, path: &Path, method: CompressionMethod) -> Result<()> {
    let headers = dict.iter().map(|(name, t)| {
        check_name(name).map_err(|e| Error::tensor(path, name, e))?;
        Header::write(t.dtype(), t.shape()).map_err(|e| Error::tensor(path, name, e))
    });
    let headers = headers.collect::<Result<Vec<_>>>()?;
    write_atomic(path, |out| {
        let mut latch = Latch::new(out);
        let mut zip = ZipWriter::new(&mut latch);
        for ((name, t), header) in dict.iter().zip(headers) {
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .last_modified_time(DateTime::default())
                .large_file(t.numel() * t.dtype().size() >= 1 << 31);
            zip.start_file(format!("{name}{ENDING}"), options)?;
            zip.write_all(&header)?;
            t.with_bytes(|bytes| zip.write_all(bytes))?;
        }
        zip.finish()?;
        latch.error.map_or(Ok(()), Err)
    })
}

/// Keeps the first error for later and takes everything after it without writing it, because a
/// `ZipWriter` that meets one writes to standard error when it is dropped.
struct Latch<W> {
    out: W,
    error: Option<IoError>,
    /// Where it would be.
    at: u64,
    end: u64,
}

impl<W> Latch<W> {
    fn new(out: W) -> Self {
        Latch { out, error: None, at: 0, end: 0 }
    }
    fn with(&mut self, f: impl FnOnce(&mut W) -> std::io::Result<()>) {
        if self.error.is_none() {
            self.error = f(&mut self.out).err();
        }
    }
}

impl<W: Write> Write for Latch<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.with(|out| out.write_all(bytes));
        self.at += bytes.len() as u64;
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.with(Write::flush);
        Ok(())
    }
}

impl<W: Seek> Seek for Latch<W> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
        };
        let place = place.ok_or(IoError::from(ErrorKind::InvalidInput))?;
        if place != self.at {
            self.with(|out| out.seek(SeekFrom::Start(place)).map(drop));
            self.at = place;
        }
        Ok(place)
    }
}

/// Loads named arrays, in the archive's order.
///
/// # Errors
/// Where the file cannot be read, is damaged, says other sizes than it has, names an array twice or by a
/// path out of its folder, or holds a dtype that taper has not got.
pub fn load(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    let map = Map::open(path)?;
    let bad = |e: String| Error::format(path, format!("not a whole zip archive: {e}"));
    let mut zip = ZipArchive::new(Cursor::new(&map[..])).map_err(|e| bad(e.to_string()))?;
    if zip.has_duplicate_names() {
        return Err(bad("a name is there twice".into()));
    }
    // Entries that share bytes make a small file huge.
    if zip.has_overlapping_files().map_err(|e| bad(e.to_string()))? {
        return Err(bad("entries overlap".into()));
    }
    let (mut tensors, mut seen) = (Vec::with_capacity(zip.len()), HashSet::new());
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).map_err(|e| bad(format!("entry {i}: {e}")))?;
        let file = entry.name().map_err(|e| bad(format!("entry {i}: {e}")))?.into_owned();
        let fail = |e: String| Error::tensor(path, &file, e);
        let name = file.strip_suffix(ENDING).ok_or_else(|| fail("not an array (.npy)".into()))?;
        check_name(name).map_err(fail)?;
        if !seen.insert(name.to_string()) {
            return Err(fail("it is there twice".into()));
        }
        let (claimed, packed) = (entry.size(), entry.compressed_size());
        if claimed > packed.saturating_mul(BEST_RATIO) {
            return Err(fail(format!("{packed} bytes cannot unpack to {claimed}")));
        }
        // What is stored is in the file; what is deflated is believed as it comes.
        let mut bytes = Vec::with_capacity(claimed.min(packed) as usize);
        let most = claimed.saturating_add(1);
        entry.by_ref().take(most).read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
        if bytes.len() as u64 != claimed {
            return Err(fail(format!("it unpacks to {} bytes and says {claimed}", bytes.len())));
        }
        tensors.push((name.to_string(), npy::parse(&bytes).map_err(fail)?));
    }
    Ok(OrderedMap::from_distinct(tensors))
}

/// Names are keys here and never files, but other programs unpack archives.
fn check_name(name: &str) -> std::result::Result<(), String> {
    let out = name.starts_with(['/', '\\'])
        || name.split(['/', '\\']).any(|part| part == "..")
        || name.contains('\0');
    if out { Err("its name is a path out of the archive".into()) } else { Ok(()) }
}
