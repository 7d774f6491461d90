//! One array (`numpy.save`). bfloat16 is refused: numpy has no name for it.

use super::header::Header;
use crate::atomic::write_atomic;
use crate::error::{Error, Result};
use crate::map::Map;
use crate::value::kind;
use std::io::Write;
use std::path::Path;
use taper_tensor::{DType, State, Tensor};

/// Saves a tensor, atomically; the bytes are numpy's own.
///
/// # Errors
/// For bfloat16, and where the file cannot be written; what was there before stays.
pub fn save(tensor: &Tensor, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let header = Header::write(tensor.dtype(), tensor.shape()).map_err(|e| Error::format(path, e))?;
    write_atomic(path, |out| {
        out.write_all(&header)?;
        tensor.with_bytes(|bytes| out.write_all(bytes))
    })
}

pub(crate) fn save_state(state: &State, path: &Path) -> Result<()> {
    match state {
        State::Tensor(t) => save(t, path),
        other => Err(Error::format(path, format!("a .npy file holds one tensor, not {}", kind(other)))),
    }
}

/// Loads an array: any byte order, both element orders (a Fortran array comes with its strides), versions
/// 1 to 3 of the format.
///
/// # Errors
/// Where the file cannot be read, is damaged or has not the size that it says, or holds a dtype that
/// taper has not got.
pub fn load(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    parse(&Map::open(path)?).map_err(|e| Error::format(path, e))
}

/// An array from its file's bytes.
pub(super) fn parse(file: &[u8]) -> std::result::Result<Tensor, String> {
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
    let tensor = if big_endian && dtype.size() > 1 {
        Tensor::try_from_bytes(&swapped(data, dtype), shape, dtype)
    } else {
        Tensor::try_from_bytes(data, shape, dtype)
    };
    let tensor = tensor.map_err(|e| e.to_string())?;
    let reversed: Vec<isize> = (0..tensor.ndim() as isize).rev().collect();
    Ok(if fortran { tensor.permute(reversed) } else { tensor })
}

/// The elements with their bytes in the other order.
fn swapped(data: &[u8], dtype: DType) -> Vec<u8> {
    data.chunks_exact(dtype.size()).flat_map(|element| element.iter().rev().copied()).collect()
}
