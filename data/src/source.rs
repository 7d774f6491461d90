//! Bytes from a file, plain or gzip, with the position for error messages.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::{Error, Result};

/// A reader that knows its file and how far it got, and never trusts a length it was told.
pub(crate) struct Source<'a> {
    path: PathBuf,
    reader: Box<dyn Read + 'a>,
    offset: u64,
    packed: bool,
}

impl<'a> Source<'a> {
    /// Opens a file; whether it is packed is told by gzip's magic, not by its name.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|source| Error::Io { path: path.into(), source })?;
        Self::new(path, BufReader::with_capacity(1 << 16, file))
    }

    /// Reads from `reader`, calling it `path` in messages.
    pub fn new(path: &Path, mut reader: impl BufRead + 'a) -> Result<Self> {
        let start = reader.fill_buf().map_err(|source| Error::Io { path: path.into(), source })?;
        let packed = start.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn Read> =
            if packed { Box::new(MultiGzDecoder::new(reader)) } else { Box::new(reader) };
        Ok(Self { path: path.into(), reader, offset: 0, packed })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error about the bytes that start at `offset`.
    pub fn format(&self, offset: u64, message: impl Into<String>) -> Error {
        Error::Format { path: self.path.clone(), offset, message: message.into() }
    }

    fn failed(&self, source: std::io::Error) -> Error {
        let (path, offset) = (self.path.clone(), self.offset);
        // The decoder reports a stream that stops early or does not add up by these kinds.
        let damaged = matches!(
            source.kind(),
            ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::UnexpectedEof
        );
        if self.packed && damaged { Error::Gzip { path, offset, source } } else { Error::Io { path, source } }
    }

    /// Exactly `length` bytes. The buffer grows with what arrives, so a length that a damaged header
    /// merely claims costs nothing.
    pub fn bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let read = (&mut self.reader).take(length).read_to_end(&mut out);
        self.offset += out.len() as u64;
        read.map_err(|e| self.failed(e))?;
        let missing = length - out.len() as u64;
        if missing > 0 {
            return Err(Error::Truncated { path: self.path.clone(), offset: self.offset, missing });
        }
        Ok(out)
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.bytes(N as u64)?;
        Ok(std::array::from_fn(|i| bytes[i]))
    }

    /// All that is left.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let read = self.reader.read_to_end(&mut out);
        self.offset += out.len() as u64;
        read.map_err(|e| self.failed(e))?;
        Ok(out)
    }

    /// Nothing may be left. Reads to the end, which also lets gzip check its sums.
    pub fn finish(mut self) -> Result<()> {
        match self.reader.by_ref().take(1).read_to_end(&mut Vec::new()) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Error::Trailing { path: self.path, offset: self.offset }),
            Err(e) => Err(self.failed(e)),
        }
    }
}
