//! Files of named tensors. Every save is atomic: whatever happens, the old file or the new one is
//! there, whole.
//!
//! ```
//! use taper_tensor::{StateDict, tensor};
//! let dir = tempfile::tempdir()?;
//! let path = dir.path().join("weights.safetensors");
//! let dict: StateDict = [("weight".to_string(), tensor([[1.0, 2.0]]))].into_iter().collect();
//! taper_io::save(&dict, &path)?;
//! assert!(taper_io::load(&path)?.get("weight").unwrap().equal(&tensor([[1.0, 2.0]])));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod atomic;
mod error;
pub mod safetensors;

pub use atomic::write_atomic;
pub use error::{Error, Result};

use std::path::Path;
use taper_tensor::StateDict;

/// Saves named tensors; the format follows the extension (`.safetensors`).
///
/// # Errors
/// For an unknown extension, and where the file cannot be written; what was there before stays.
pub fn save(dict: &StateDict, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match Format::of(path)? {
        Format::Safetensors => safetensors::save(dict, path),
    }
}

/// Loads named tensors; the format follows the extension (`.safetensors`).
///
/// # Errors
/// For an unknown extension, and where the file is missing or damaged.
pub fn load(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    match Format::of(path)? {
        Format::Safetensors => safetensors::load(path),
    }
}

enum Format {
    Safetensors,
}

impl Format {
    fn of(path: &Path) -> Result<Format> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => Ok(Format::Safetensors),
            _ => Err(Error::format(path, "unknown file extension; taper reads and writes .safetensors")),
        }
    }
}
