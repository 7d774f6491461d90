//! Giving a file to the system in pieces that suit it, and bringing it to the disk meanwhile.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Result, Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

/// The file is given to the system in pieces that begin at multiples of this. It is the size of a large
/// page: Linux then keeps the file in large pages, and whoever maps it has five hundred times fewer of them
/// to be shown. (Of 256 MiB, to look at each small page took 7.6 ms, and 0.9 ms in large ones.)
const BLOCK: usize = 2 << 20;

/// Bytes after which the disk is told to begin. Smaller files are brought there at their end alone.
const STRIDE: usize = 32 << 20;

/// The file that [`write_atomic`](crate::write_atomic) writes. Small pieces are gathered. A large file is on
/// its way to the disk while more of it is written, so that the wait at the end is short.
pub struct AtomicFile<'a> {
    file: &'a File,
    /// Where in the file the gathered bytes go.
    at: u64,
    gathered: Vec<u8>,
    since: usize,
    /// Whether it is to be on the disk in the end.
    sync: bool,
    /// Whether to ask for room on the disk before writing.
    reserve: bool,
    helper: Option<Helper>,
}

struct Helper {
    nudge: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl<'a> AtomicFile<'a> {
    pub(crate) fn new(file: &'a File, sync: bool) -> Self {
        let reserve = gains_by_reserving(file);
        AtomicFile { file, at: 0, gathered: Vec::new(), since: 0, sync, reserve, helper: None }
    }

    /// Gives the system the rest and, if asked to, waits until everything is on the disk.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.give(&[])?;
        if let Some(Helper { nudge, thread }) = self.helper {
            drop(nudge);
            // The system reports an error to one caller alone, so the helper's must not be lost.
            thread.join().unwrap_or(Ok(()))?;
        }
        if self.sync { self.file.sync_all() } else { Ok(()) }
    }

    /// Gives the system what was gathered and the bytes after it, in one piece.
    fn give(&mut self, bytes: &[u8]) -> Result<()> {
        let len = self.gathered.len() + bytes.len();
        if self.reserve && len >= BLOCK {
            reserve(self.file, self.at, len as u64);
        }
        let mut parts = [IoSlice::new(&self.gathered), IoSlice::new(bytes)];
        let mut parts = &mut parts[..];
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match self.file.write_vectored(parts) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => IoSlice::advance_slices(&mut parts, n),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.gathered.clear();
        self.at += len as u64;
        self.since += len;
        if self.sync && self.since >= STRIDE {
            self.since = 0;
            self.nudge();
        }
        Ok(())
    }

    fn nudge(&mut self) {
        if self.helper.is_none() {
            self.helper = Helper::start(self.file);
        }
        if let Some(helper) = &self.helper {
            // Where it has met an error, `finish` finds it.
            let _ = helper.nudge.send(());
        }
    }
}

impl Helper {
    /// None where the system gives no thread: then all waiting is at the end.
    fn start(file: &File) -> Option<Helper> {
        let file = file.try_clone().ok()?;
        let (nudge, nudges) = channel();
        let work = move || write_back(&file, &nudges);
        Some(Helper { nudge, thread: Builder::new().name("taper-writeback".into()).spawn(work).ok()? })
    }
}

fn write_back(file: &File, nudges: &Receiver<()>) -> Result<()> {
    while nudges.recv().is_ok() {
        while nudges.try_recv().is_ok() {}
        file.sync_data()?;
    }
    Ok(())
}

/// Asks for room on the disk, for bytes that are about to be written there. The system then has no blocks to
/// find for each page of 4 KiB that is written. Where it has no room, or cannot say, the write will tell.
#[cfg(target_os = "linux")]
fn reserve(file: &File, at: u64, len: u64) {
    let _ = rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, at, len);
}

/// Files in memory have no blocks to find, and would be looked through once more.
#[cfg(target_os = "linux")]
fn gains_by_reserving(file: &File) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    rustix::fs::fstatfs(file).is_ok_and(|fs| fs.f_type as u64 != TMPFS)
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64, _: u64) {}

#[cfg(not(target_os = "linux"))]
fn gains_by_reserving(_: &File) -> bool {
    false
}

impl Write for AtomicFile<'_> {
    /// Fills the block that was begun and as many more as there are bytes for; the rest is gathered.
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let begun = (self.at % BLOCK as u64) as usize + self.gathered.len();
        let room = BLOCK - begun;
        if bytes.len() < room {
            self.gathered.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let n = room + (bytes.len() - room).min(STRIDE) / BLOCK * BLOCK;
        self.give(&bytes[..n])?;
        Ok(n)
    }

    /// Gives the system what was gathered.
    fn flush(&mut self) -> Result<()> {
        self.give(&[])
    }
}

impl Seek for AtomicFile<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.flush()?;
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}
