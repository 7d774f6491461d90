//! PyTorch's files: what PyTorch wrote is read as PyTorch reads it, and nothing else is.

mod build;
mod fixtures;
mod hostile;
mod refused;

use std::path::PathBuf;

/// A file that PyTorch wrote.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pt").join(name)
}

/// How many cases a property is tried with: `PROPTEST_CASES`, or else a few.
fn cases(few: u32) -> proptest::test_runner::Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(few);
    proptest::test_runner::Config { failure_persistence: None, cases, ..Default::default() }
}
