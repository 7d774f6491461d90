//! What a kernel call can refuse.

use crate::{DType, Device};

/// An error of a backend. Shapes and dtypes are checked above this crate; what is left is what only
/// the data or the device can tell.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An index outside its dimension.
    #[error(
        "index {index} is out of bounds for dimension {dim} with size {size} (entry {at} of the index tensor)"
    )]
    IndexOutOfBounds {
        /// The offending value.
        index: i64,
        /// The dimension it indexes.
        dim: usize,
        /// That dimension's size.
        size: usize,
        /// Its row-major position in the index tensor.
        at: usize,
    },
    /// A kernel that this backend has not got for this dtype.
    #[error("{op} is not implemented for {dtype} on {device}")]
    Unsupported {
        /// The kernel.
        op: &'static str,
        /// The dtype asked for.
        dtype: DType,
        /// The device asked.
        device: Device,
    },
    /// An integer divided by zero.
    #[error("ZeroDivisionError: {op} of integers by zero")]
    ZeroDivision {
        /// The kernel.
        op: &'static str,
    },
    /// A device that is not there or not compiled in.
    #[error("device {device} is not available: {why}")]
    DeviceUnavailable {
        /// The device asked for.
        device: Device,
        /// The reason.
        why: String,
    },
    /// Memory of another device than the kernel's.
    #[error("expected memory on {expected}, got some on {found}")]
    OtherDevice {
        /// Where the kernel runs.
        expected: Device,
        /// Where the memory is.
        found: Device,
    },
    /// A device without enough memory, even after what was kept for reuse was given back.
    #[error("out of memory on {device}: {requested} bytes asked for, {used} held by tensors, {free} free")]
    OutOfMemory {
        /// The device.
        device: Device,
        /// Bytes asked for.
        requested: usize,
        /// Bytes that tensors hold there.
        used: usize,
        /// Bytes that the device has free.
        free: usize,
    },
    /// What a kernel found wrong after the call that started it had returned.
    #[error("{op} on {device}, found when its results were waited for: {source}")]
    Late {
        /// The device.
        device: Device,
        /// The kernel.
        op: &'static str,
        /// What it found.
        source: Box<Error>,
    },
    /// A call of a device's driver that failed.
    #[error("{device} failed while {doing}: {message}")]
    Driver {
        /// The device.
        device: Device,
        /// What it was asked for.
        doing: &'static str,
        /// The driver's words.
        message: String,
    },
    /// Bytes that are no state of a random number generator.
    #[error("not the state of a random number generator: {0}")]
    GeneratorState(String),
}

/// The result of a kernel call.
pub type Result<T = ()> = std::result::Result<T, Error>;
