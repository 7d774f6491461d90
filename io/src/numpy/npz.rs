//! Named arrays in a zip (`numpy.savez`, `numpy.savez_compressed`). bfloat16 is refused: numpy has no
//! name for it.

use super::header::Header;
use super::npy;
use crate::atomic::write_atomic_with;
use crate::error::{Error, Result};
use crate::options::{LoadOptions, SaveOptions};
use crate::source::Source;
use crate::zip::{Archive, check_name};
use ::zip::write::{SimpleFileOptions, ZipWriter};
use ::zip::{CompressionMethod, DateTime};
use std::borrow::Cow;
use std::io::{Error as IoError, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;
use taper_tensor::{OrderedMap, State, StateDict};

const ENDING: &str = ".npy";

/// Saves named tensors, atomically. The same tensors give the same bytes.
///
/// # Errors
/// For bfloat16 and for names that are paths out of the folder, and where the file cannot be written;
/// what was there before stays.
pub fn save(dict: &StateDict, path: impl AsRef<Path>) -> Result<()> {
    write(dict, path.as_ref(), CompressionMethod::Stored, &SaveOptions::default())
}

/// As [`save`], deflated: smaller and slower.
///
/// # Errors
/// As [`save`].
pub fn save_compressed(dict: &StateDict, path: impl AsRef<Path>) -> Result<()> {
    write(dict, path.as_ref(), CompressionMethod::Deflated, &SaveOptions::default())
}

pub(crate) fn save_state(state: &State, path: &Path, options: &SaveOptions) -> Result<()> {
    match state.to_state_dict() {
        Some(dict) => write(&dict, path, CompressionMethod::Stored, options),
        None => {
            let what = match state {
                State::Map(_) => "a tree",
                other => other.kind(),
            };
            let message = format!("a .npz file holds named tensors, not {what}; .safetensors holds any tree");
            Err(Error::format(path, message))
        }
    }
}

fn write(dict: &StateDict, path: &Path, method: CompressionMethod, options: &SaveOptions) -> Result<()> {
    let headers = dict.iter().map(|(name, t)| {
        check_name(name).map_err(|e| Error::tensor(path, name, e))?;
        Header::write(t.dtype(), t.shape()).map_err(|e| Error::tensor(path, name, e))
    });
    let headers = headers.collect::<Result<Vec<_>>>()?;
    write_atomic_with(path, options, |out| {
        let mut latch = Latch::new(out);
        let mut zip = ZipWriter::new(&mut latch);
        for ((name, t), header) in dict.iter().zip(headers) {
            let file = SimpleFileOptions::default()
                .compression_method(method)
                .last_modified_time(DateTime::default())
                .large_file(t.numel() * t.dtype().size() >= 1 << 31);
            zip.start_file(format!("{name}{ENDING}"), file)?;
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
    load_with(path, &LoadOptions::default())
}

/// As [`load`], with options. What is deflated is copied whatever they say.
///
/// # Errors
/// As [`load`], and for a device that is not there.
pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<StateDict> {
    let path = path.as_ref();
    let source = Source::open(path)?;
    let bad = |e: String| Error::format(path, format!("not a whole zip archive: {e}"));
    let archive = Archive::read(source.bytes()).map_err(bad)?;
    let mut tensors = Vec::with_capacity(archive.entries().len());
    for entry in archive.entries() {
        let fail = |e: String| Error::tensor(path, &entry.name, e);
        let name = entry.name.strip_suffix(ENDING).ok_or_else(|| fail("not an array (.npy)".into()))?;
        let tensor = match entry.contents(source.bytes()).map_err(fail)? {
            Cow::Borrowed(_) => npy::parse(&source, entry.place(), options),
            Cow::Owned(bytes) => {
                let whole = 0..bytes.len();
                npy::parse(&Source::of(bytes), whole, &LoadOptions { mmap: true, ..options.clone() })
            }
        };
        tensors.push((name.to_string(), tensor.map_err(fail)?));
    }
    Ok(OrderedMap::from_distinct(tensors))
}
