//! Why a file was not read or written.

use std::path::{Path, PathBuf};

/// An error of a file, always with its path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {what}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The contents are not what they should be.
    #[error("{}: {message}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// One tensor cannot be read.
    #[error("{}: tensor \"{key}\": {message}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

/// The result of reading or writing a file.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { path: path.into(), what, source }
    }
    pub(crate) fn format(path: &Path, message: impl Into<String>) -> Error {
        Error::Format { path: path.into(), message: message.into() }
    }
    pub(crate) fn tensor(path: &Path, key: &str, message: impl Into<String>) -> Error {
        Error::Tensor { path: path.into(), key: key.into(), message: message.into() }
    }
}
