//! Why a command ends early.

use std::path::Path;

/// Exit status of files that differ.
pub const DIFFERENT: u8 = 1;
/// Exit status of errors, those of usage included (clap's own, too).
pub const TROUBLE: u8 = 2;

/// The end of a command.
#[derive(Debug)]
pub enum Fail {
    /// One line for the user.
    Message(String),
    /// Nobody reads the output any more.
    Closed,
}

pub type Result<T> = std::result::Result<T, Fail>;

impl Fail {
    /// Something about a file.
    pub fn of(path: &Path, what: impl std::fmt::Display) -> Fail {
        Fail::Message(format!("{}: {what}", path.display()))
    }
}

impl From<taper_io::Error> for Fail {
    fn from(error: taper_io::Error) -> Fail {
        Fail::Message(error.to_string())
    }
}
