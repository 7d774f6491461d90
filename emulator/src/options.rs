//! How launches run.

/// How launches run; the driver library reads it from the environment ([`Options::from_env`]).
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
}

impl Default for Options {
    fn default() -> Self {
        Options { check: false, shuffle: None, counts: false, threads: 0, limit: 4_000_000_000 }
    }
}

impl Options {
    /// The options that the environment asks for: `PTX_EMULATOR_CHECK=1`,
    /// `PTX_EMULATOR_SHUFFLE=seed`, `PTX_EMULATOR_COUNTS=file`, `PTX_EMULATOR_THREADS=n` and
    /// `PTX_EMULATOR_LIMIT=n`.
    pub fn from_env() -> Self {
        let get = |name: &str| std::env::var(format!("PTX_EMULATOR_{name}")).ok();
        let number = |name: &str| get(name).and_then(|v| v.parse::<u64>().ok());
        let default = Options::default();
        Options {
            check: get("CHECK").is_some_and(|v| v != "0" && !v.is_empty()),
            shuffle: number("SHUFFLE"),
            counts: get("COUNTS").is_some_and(|v| !v.is_empty()),
            threads: number("THREADS").map_or(default.threads, |n| n as usize),
            limit: number("LIMIT").unwrap_or(default.limit),
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
