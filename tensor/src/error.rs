//! Why an operation was refused.

use taper_kernels as kernels;

/// An error of a tensor operation: which op, and what did not fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Shapes, dimensions or counts that do not fit.
    #[error("{op}: {message}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// Both shapes and what would fit.
        message: String,
    },
    /// A dtype the operation does not take.
    #[error("{op}: {message}")]
    DType {
        /// The operation.
        op: &'static str,
        /// The dtype given and those that fit.
        message: String,
    },
    /// Operands on different devices.
    #[error("{op}: expected all tensors on one device, got {a} and {b}; move one with to_device")]
    Device {
        /// The operation.
        op: &'static str,
        /// Device of the first operand.
        a: kernels::Device,
        /// Device of the other.
        b: kernels::Device,
    },
    /// An index or a value out of range.
    #[error("{op}: {message}")]
    Index {
        /// The operation.
        op: &'static str,
        /// The index and its limits.
        message: String,
    },
    /// What a kernel refused.
    #[error("{op}: {source}")]
    Kernel {
        /// The operation.
        op: &'static str,
        /// The kernel's reason.
        source: kernels::Error,
    },
}

/// The result of a fallible tensor operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn shape(op: &'static str, message: impl Into<String>) -> Self {
        Error::Shape { op, message: message.into() }
    }
    pub(crate) fn dtype(op: &'static str, message: impl Into<String>) -> Self {
        Error::DType { op, message: message.into() }
    }
    pub(crate) fn index(op: &'static str, message: impl Into<String>) -> Self {
        Error::Index { op, message: message.into() }
    }
    pub(crate) fn kernel(op: &'static str) -> impl FnOnce(kernels::Error) -> Self {
        move |source| Error::Kernel { op, source }
    }
}

/// Unwraps at the caller's line: the panicking form of every `try_` method is this around it.
#[track_caller]
pub(crate) fn ok<T>(result: Result<T>) -> T {
    match result {
        Ok(v) => v,
        Err(e) => panic!("{e}"),
    }
}
