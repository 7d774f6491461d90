//! Which format a file has.

use crate::fail::{Fail, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use taper_io::{npy, npz, pt, safetensors};
use taper_tensor::State;

/// A format.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Pt,
    Safetensors,
    Npz,
    Npy,
}

impl Kind {
    /// A short name, for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pt => "pt",
            Kind::Safetensors => "safetensors",
            Kind::Npz => "npz",
            Kind::Npy => "npy",
        }
    }

    fn by_extension(path: &Path) -> Option<Kind> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "pt" | "pth" => Some(Kind::Pt),
            "safetensors" => Some(Kind::Safetensors),
            "npz" => Some(Kind::Npz),
            "npy" => Some(Kind::Npy),
            _ => None,
        }
    }

    /// The format to write.
    pub fn to_write(path: &Path) -> Result<Kind> {
        Kind::by_extension(path).ok_or_else(|| {
            Fail::of(path, "unknown file extension; taper writes .pt, .pth, .safetensors, .npz and .npy")
        })
    }

    /// The format of a file that is there: its extension's, else that of its first bytes.
    pub fn to_read(path: &Path) -> Result<Kind> {
        let there = std::fs::metadata(path).map_err(|e| Fail::of(path, format!("cannot read: {e}")))?;
        if there.is_dir() {
            return Err(Fail::of(path, "cannot read: it is a folder"));
        }
        // Before it is opened: to open a pipe would wait for its writer.
        if !there.is_file() {
            return Err(Fail::of(path, "cannot read: not a plain file"));
        }
        if let Some(kind) = Kind::by_extension(path) {
            return Ok(kind);
        }
        let mut first = Vec::new();
        let read = File::open(path).and_then(|f| f.take(16).read_to_end(&mut first));
        read.map_err(|e| Fail::of(path, format!("cannot read: {e}")))?;
        Kind::by_bytes(&first).ok_or_else(|| {
            Fail::of(
                path,
                "unknown file extension, and it does not begin as a .pt, .safetensors, .npz or .npy file does",
            )
        })
    }

    fn by_bytes(first: &[u8]) -> Option<Kind> {
        if first.starts_with(b"\x93NUMPY") {
            return Some(Kind::Npy);
        }
        // A zip archive, or a pickle from protocol 2 on.
        if first.starts_with(b"PK\x03\x04") || matches!(first, [0x80, 2..=5, ..]) {
            return Some(Kind::Pt);
        }
        let (length, rest) = first.split_first_chunk::<8>()?;
        (u64::from_le_bytes(*length) < 1 << 32 && rest.first() == Some(&b'{')).then_some(Kind::Safetensors)
    }

    /// Reads a whole file.
    pub fn load(self, path: &Path) -> Result<State> {
        Ok(match self {
            Kind::Pt => pt::load(path)?,
            Kind::Safetensors => safetensors::load(path)?,
            Kind::Npz => npz::load(path)?.into(),
            Kind::Npy => npy::load(path)?.into(),
        })
    }
}
