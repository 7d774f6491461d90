//! One array (`numpy.save`). bfloat16 is refused: numpy has no name for it.

use super::header::Header;
use crate::atomic::write_atomic_with;
use crate::error::{Error, Result};
use crate::options::{LoadOptions, SaveOptions};
use crate::source::{self, Source};
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use taper_tensor::{State, Tensor};

/// Saves a tensor, atomically; the bytes are numpy's own.
///
/// # Errors
/// For bfloat16, and where the file cannot be written; what was there before stays.
pub fn save(tensor: &Tensor, path: impl AsRef<Path>) -> Result<()> {
    write(tensor, path.as_ref(), &SaveOptions::default())
}

fn write(tensor: &Tensor, path: &Path, options: &SaveOptions) -> Result<()> {
    let header = Header::write(tensor.dtype(), tensor.shape()).map_err(|e| Error::format(path, e))?;
    write_atomic_with(path, options, |out| {
        out.write_all(&header)?;
        tensor.with_bytes(|bytes| out.write_all(bytes))
    })
}

pub(crate) fn save_state(state: &State, path: &Path, options: &SaveOptions) -> Result<()> {
    match state {
        State::Tensor(t) => write(t, path, options),
        other => Err(Error::format(path, format!("a .npy file holds one tensor, not {}", other.kind()))),
    }
}

/// Loads an array: any byte order, both element orders (a Fortran array comes with its strides), versions
/// 1 to 3 of the format.
///
/// # Errors
/// Where the file cannot be read, is damaged or has not the size that it says, or holds a dtype that
/// taper has not got.
pub fn load(path: impl AsRef<Path>) -> Result<Tensor> {
    load_with(path, &LoadOptions::default())
}

/// As [`load`], with options. Big-endian elements are copied whatever they say.
///
/// # Errors
/// As [`load`], and for a device that is not there.
pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Tensor> {
    let path = path.as_ref();
    let source = Source::open(path)?;
    parse(&source, 0..source.bytes().len(), options).map_err(|e| Error::format(path, e))
}

/// An array from its file's bytes.
pub(super) fn parse(
    source: &Source,
    place: Range<usize>,
    options: &LoadOptions,
) -> std::result::Result<Tensor, String> {
    let file = &source.bytes()[place.clone()];
    let (header, start) = Header::read(file)?;
    let data = &file[start..];
    if header.bytes() != Some(data.len()) {
        let (dtype, shape, found) = (header.dtype, &header.shape, data.len());
        return Err(format!("{found} bytes after the header do not fill {dtype} of shape {shape:?}"));
    }
    let Header { dtype, big_endian, fortran, mut shape } = header;
    if fortran {
        shape.reverse();
    }
    let storage = if big_endian && dtype.size() > 1 {
        source::swapped(data, dtype.size())
    } else {
        source.storage(place.start + start..place.end, options)
    };
    let tensor = source::tensor(&storage, dtype, &shape, options)?;
    let reversed: Vec<isize> = (0..tensor.ndim() as isize).rev().collect();
    Ok(if fortran { tensor.permute(reversed) } else { tensor })
}
