//! Files of tensors: weights, checkpoints, arrays. The format follows the extension.
//!
//! | extension | what it holds | who else reads it |
//! |---|---|---|
//! | `.safetensors` | any tree; of named tensors alone, an ordinary safetensors file | Hugging Face's libraries |
//! | `.pt`, `.pth`, `.bin`, `.ckpt` | any tree (see [`pt`]) | PyTorch, with `torch.load(path, weights_only=True)` |
//! | `.npz` | named tensors | numpy |
//! | `.npy` | one tensor | numpy |
//!
//! Every save is atomic: whatever happens, the old file or the new one is there, whole ([`SaveOptions`]
//! can leave out the wait for the disk, and with it the power failure). Loading never panics, whatever a file holds, and takes no memory that a header merely claims.
//!
//! ```
//! use taper_tensor::{State, StateDict, tensor};
//! let dir = tempfile::tempdir()?;
//!
//! let weights = dir.path().join("weights.safetensors");
//! let dict: StateDict = [("weight".to_string(), tensor([[1.0, 2.0]]))].into_iter().collect();
//! taper_io::save(&dict, &weights)?;
//! let loaded = taper_io::load_state_dict(&weights)?;
//! assert!(loaded.get("weight").unwrap().equal(&tensor([[1.0, 2.0]])));
//!
//! let run = dir.path().join("run.safetensors");
//! taper_io::save(&State::map([("model", dict.into()), ("epoch", 3.into())]), &run)?;
//! assert_eq!(taper_io::load(&run)?.get("epoch").unwrap().as_i64(), Some(3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(unsafe_code)]

mod atomic;
mod error;
mod map;
mod numpy;
mod options;
pub mod pt;
pub mod safetensors;
mod source;
mod value;
mod writeback;
mod zip;

pub use atomic::{write_atomic, write_atomic_with};
pub use error::{Error, Result};
pub use numpy::{npy, npz};
pub use options::{LoadOptions, SaveOptions};
pub use value::ToState;
pub use writeback::AtomicFile;

use std::path::Path;
use taper_tensor::{State, StateDict};

/// Saves a tensor, named tensors or a whole tree (`torch.save`); the format follows the extension.
///
/// # Errors
/// For an unknown extension, a value that the format cannot hold, and where the file cannot be written;
/// what was there before stays.
pub fn save(value: &(impl ToState + ?Sized), path: impl AsRef<Path>) -> Result<()> {
    save_with(value, path, &SaveOptions::default())
}

/// As [`save`], with options.
///
/// # Errors
/// As [`save`].
pub fn save_with(
    value: &(impl ToState + ?Sized),
    path: impl AsRef<Path>,
    options: &SaveOptions,
) -> Result<()> {
    let path = path.as_ref();
    match Format::of(path)? {
        Format::Safetensors => safetensors::save_with(value, path, options),
        Format::Pt => pt::save_with(value, path, options),
        Format::Npy => npy::save_state(&value.to_state(), path, options),
        Format::Npz => npz::save_state(&value.to_state(), path, options),
    }
}

/// Loads what [`save`] saved, and other programs' files of these formats (`torch.load`). Tensors are
/// views of the mapped file until they are written to: see [`LoadOptions::mmap`].
///
/// # Errors
/// For an unknown extension, and where the file is missing or damaged.
pub fn load(path: impl AsRef<Path>) -> Result<State> {
    load_with(path, &LoadOptions::default())
}

/// As [`load`], with options.
///
/// # Errors
/// As [`load`], and for a device that is not there.
pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<State> {
    let path = path.as_ref();
    match Format::of(path)? {
        Format::Safetensors => safetensors::load_with(path, options),
        Format::Npy => npy::load_with(path, options).map(State::from),
        Format::Npz => npz::load_with(path, options).map(State::from),
        Format::Pt => pt::load_with(path, options),
    }
}

/// Loads a file of named tensors: a model's weights.
///
/// # Errors
/// As [`load`], and where the file holds something else, such as a whole checkpoint.
pub fn load_state_dict(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    let state = load(path)?;
    state.to_state_dict().ok_or_else(|| {
        let holds = match &state {
            State::Map(map) => {
                let keys: Vec<String> = map.keys().take(8).map(value::show_key).collect();
                format!("a tree with the keys {}", keys.join(", "))
            }
            other => other.kind().to_string(),
        };
        Error::format(path, format!("holds {holds}, not named tensors alone; `load` gives the whole"))
    })
}

enum Format {
    Safetensors,
    Pt,
    Npy,
    Npz,
}

impl Format {
    fn of(path: &Path) -> Result<Format> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => Ok(Format::Safetensors),
            Some("npy") => Ok(Format::Npy),
            Some("npz") => Ok(Format::Npz),
            Some("pt" | "pth" | "bin" | "ckpt") => Ok(Format::Pt),
            _ => Err(Error::format(
                path,
                "unknown file extension; taper reads and writes .safetensors, .pt (.pth, .bin, .ckpt), .npz and .npy",
            )),
        }
    }
}
