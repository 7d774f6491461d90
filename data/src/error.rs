//! What can be wrong with a file of data.

use std::path::PathBuf;

/// The result of reading data.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was wrong, in which file, and where in its (unpacked) contents.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A damaged gzip stream.
    #[error("{}: damaged gzip data after {offset} unpacked bytes: {source}", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// Unpacked bytes that came before the damage.
        offset: u64,
        /// What the decoder said.
        source: std::io::Error,
    },
    /// The file is not of the format it was read as, or its header contradicts itself.
    #[error("{}: byte {offset}: {message}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where the offending bytes start.
        offset: u64,
        /// What was found and what was expected.
        message: String,
    },
    /// The file ends before its header says so.
    #[error("{}: truncated at byte {offset}: {missing} more bytes expected", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length.
        offset: u64,
        /// How many bytes the header asks for beyond that.
        missing: u64,
    },
    /// The file goes on after the end that its header gives.
    #[error("{}: unexpected bytes from byte {offset} on: the data should end there", path.display())]
    Trailing {
        /// The file.
        path: PathBuf,
        /// The first byte too many.
        offset: u64,
    },
    /// A line or a cell of a table is not what was expected.
    #[error("{}: line {line}{}: {message}", path.display(), In(column))]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column's name; empty where the whole line is meant.
        column: String,
        /// What was found and what was expected.
        message: String,
    },
    /// A picture that cannot be decoded.
    #[error("{}: {message} (in a file of {bytes} bytes)", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: usize,
        /// What the decoder said.
        message: String,
    },
    /// A folder without what it should hold.
    #[error("{}: the folder has no {what}", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
        /// What was looked for.
        what: String,
    },
    /// Two files that belong together do not fit.
    #[error("{} has {found} entries, {} has {expected}", path.display(), other.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// How many entries it has.
        found: usize,
        /// The file it belongs to.
        other: PathBuf,
        /// How many entries that one has.
        expected: usize,
    },
}

/// A column's name within a sentence.
struct In<'a>(&'a str);

impl std::fmt::Display for In<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", column {:?}", self.0) }
    }
}
