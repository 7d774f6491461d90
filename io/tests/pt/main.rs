//! PyTorch's files: what PyTorch wrote is read as PyTorch reads it, and nothing else is.

mod fixtures;
mod refused;

use std::path::PathBuf;

/// A file that PyTorch wrote.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pt").join(name)
}
