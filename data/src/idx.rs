//! The idx format of MNIST and Fashion-MNIST.
//!
//! | bytes | what |
//! |---|---|
//! | 2 | zero |
//! | 1 | element type: 08 u8, 09 i8, 0B i16, 0C i32, 0D f32, 0E f64 |
//! | 1 | number of dimensions |
//! | 4 each | the dimensions, big-endian |
//! | rest | the elements, row-major, big-endian |
//!
//! Files packed by gzip are recognised by their first bytes.

use std::io::BufRead;
use std::path::Path;

use crate::Result;
use crate::source::Source;

/// The element type of an idx file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IdxType {
    /// Unsigned bytes: what pictures and labels are.
    U8 = 0x08,
    /// Signed bytes.
    I8 = 0x09,
    /// 16-bit integers.
    I16 = 0x0b,
    /// 32-bit integers.
    I32 = 0x0c,
    /// Single-precision numbers.
    F32 = 0x0d,
    /// Double-precision numbers.
    F64 = 0x0e,
}

impl IdxType {
    const ALL: [Self; 6] = [Self::U8, Self::I8, Self::I16, Self::I32, Self::F32, Self::F64];

    /// Bytes per element.
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// What an idx file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct IdxArray {
    /// The element type.
    pub dtype: IdxType,
    /// The dimensions, first one slowest.
    pub shape: Vec<usize>,
    /// The elements, row-major, in this machine's byte order.
    pub data: Vec<u8>,
}

/// Reads an idx file, plain or gzip.
///
/// Errors if it cannot be read, is not an idx file, ends early, goes on too long, or its gzip data is
/// damaged. Memory follows the bytes that are there, never the header's claim.
///
/// ```no_run
/// let labels = taper_data::idx::read("train-labels-idx1-ubyte.gz")?;
/// assert_eq!(labels.shape, [60_000]);
/// # Ok::<(), taper_data::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<IdxArray> {
    decode(Source::open(path.as_ref())?)
}

/// Reads idx data, plain or gzip, from any reader; `name` stands for the file in error messages.
pub fn read_from(reader: impl BufRead, name: impl AsRef<Path>) -> Result<IdxArray> {
    decode(Source::new(name.as_ref(), reader)?)
}

fn decode(mut source: Source<'_>) -> Result<IdxArray> {
    let [zero, zero_too, code, rank] = source.array()?;
    if (zero, zero_too) != (0, 0) {
        return Err(
            source.format(0, format!("not an idx file: it starts with {zero:02x} {zero_too:02x}, not 00 00"))
        );
    }
    let Some(dtype) = IdxType::ALL.into_iter().find(|t| *t as u8 == code) else {
        return Err(source.format(2, format!("unknown idx element type {code:02x}")));
    };
    let shape = (0..rank)
        .map(|_| Ok(u32::from_be_bytes(source.array()?) as usize))
        .collect::<Result<Vec<usize>>>()?;
    let bytes = shape.iter().try_fold(dtype.size() as u64, |n, &d| n.checked_mul(d as u64));
    let Some(bytes) = bytes else {
        return Err(source.format(4, format!("dimensions {shape:?} are more than can be addressed")));
    };
    let mut data = source.bytes(bytes)?;
    source.finish()?;
    if cfg!(target_endian = "little") {
        data.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
    Ok(IdxArray { dtype, shape, data })
}
