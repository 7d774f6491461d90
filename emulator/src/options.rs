//! How launches run.

use crate::mutation::Mutation;
use std::path::PathBuf;

/// How launches run; the driver library reads it from the environment ([`Options::from_env`]).
///
/// ```
/// use ptx_emulator::{Device, Options, Profile};
/// let sanitizer = Options { check: true, shuffle: Some(7), ..Options::default() };
/// let device = Device::new(Profile::sm_80(), sanitizer);
/// assert!(device.options().check && !Options::default().check);
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// Check mode: races, uninitialised reads, divergent barriers, as well as what is always
    /// checked (bounds, alignment). Blocks then run one after another.
    pub check: bool,
    /// Shuffle mode: warps, divergent paths and blocks run in a random order from this seed.
    pub shuffle: Option<u64>,
    /// Count memory sectors and shared-memory wavefronts (instructions are always counted).
    pub counts: bool,
    /// Host threads for the blocks; 0 means one a core.
    pub threads: usize,
    /// Warp instructions that one block may execute before it counts as hanging.
    pub limit: u64,
    /// Approximate instructions are as inexact as the manual allows, differently for each seed.
    pub approximate: Option<u64>,
    /// A change of one instruction, made when a module with that kernel is loaded.
    pub mutation: Option<Mutation>,
    /// The table that names lines of sources in reports, for PTX without `.loc` (see [`lines`](crate::lines)).
    pub lines: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            check: false,
            shuffle: None,
            counts: false,
            threads: 0,
            limit: 4_000_000_000,
            approximate: None,
            mutation: None,
            lines: None,
        }
    }
}

impl Options {
    /// The options that the environment asks for: `PTX_EMULATOR_CHECK=1`,
    /// `PTX_EMULATOR_SHUFFLE=seed`, `PTX_EMULATOR_COUNTS=file`, `PTX_EMULATOR_THREADS=n`,
    /// `PTX_EMULATOR_LIMIT=n`, `PTX_EMULATOR_APPROX=seed`, `PTX_EMULATOR_MUTATE=kernel:line` and
    /// `PTX_EMULATOR_LINES=file`. What is not understood is said on standard error and has no effect.
    pub fn from_env() -> Self {
        let get = |name: &str| variable(name);
        let number = |name: &str| understood(name, |v| v.parse::<u64>().ok());
        let default = Options::default();
        Options {
            check: get("CHECK").is_some_and(|v| v != "0" && !v.is_empty()),
            shuffle: number("SHUFFLE"),
            counts: get("COUNTS").is_some_and(|v| !v.is_empty()),
            threads: number("THREADS").map_or(default.threads, |n| n as usize),
            limit: number("LIMIT").unwrap_or(default.limit),
            approximate: number("APPROX"),
            mutation: understood("MUTATE", Mutation::parse),
            lines: get("LINES").map(PathBuf::from),
        }
    }

    pub(crate) fn host_threads(&self) -> usize {
        match (self.check, self.threads) {
            (true, _) => 1,
            (false, 0) => std::thread::available_parallelism().map_or(1, |n| n.get()),
            (false, n) => n,
        }
    }
}

/// The environment variable `PTX_EMULATOR_{name}`, where it is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(format!("PTX_EMULATOR_{name}")).ok().filter(|v| !v.is_empty())
}

/// Its value as `read` understands it; a value that it does not is said, never guessed.
pub(crate) fn understood<T>(name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let value = variable(name)?;
    let meaning = read(&value);
    if meaning.is_none() {
        eprintln!("ptx-emulator: PTX_EMULATOR_{name}={value} is not understood and has no effect");
    }
    meaning
}

/// A number of bytes: `1048576`, `512K`, `64M`, `2G`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' | b'k' => (&text[..text.len() - 1], 10),
        b'M' | b'm' => (&text[..text.len() - 1], 20),
        b'G' | b'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}
