//! Bringing a file to the disk while it is still being written.

use std::fs::File;
use std::io::{Result, Seek, SeekFrom, Write};
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
    helper: Option<Helper>,
}

struct Helper {
    nudge: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl<'a> AtomicFile<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        AtomicFile { file, at: 0, gathered: Vec::new(), since: 0, helper: None }
    }

    /// Brings everything to the disk.
    pub(crate) fn sync(mut self) -> Result<()> {
        self.flush()?;
        if let Some(Helper { nudge, thread }) = self.helper {
            drop(nudge);
            // The system reports an error to one caller alone, so the helper's must not be lost.
            thread.join().unwrap_or(Ok(()))?;
        }
        self.file.sync_all()
    }

    /// Gives the system bytes that go where the gathered ones would.
    fn give(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes)?;
        self.at += bytes.len() as u64;
        self.since += bytes.len();
        if self.since >= STRIDE {
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
            // Where it has met an error, `sync` finds it.
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

impl Write for AtomicFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let begun = (self.at % BLOCK as u64) as usize + self.gathered.len();
        let whole = bytes.len().min(STRIDE) / BLOCK * BLOCK;
        if begun == 0 && whole > 0 {
            self.give(&bytes[..whole])?;
            return Ok(whole);
        }
        let n = bytes.len().min(BLOCK - begun);
        self.gathered.extend_from_slice(&bytes[..n]);
        if begun + n == BLOCK {
            self.flush()?;
        }
        Ok(n)
    }

    /// Gives the system what was gathered.
    fn flush(&mut self) -> Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        self.give(&gathered)?;
        // The memory is used again.
        self.gathered = gathered;
        self.gathered.clear();
        Ok(())
    }
}

impl Seek for AtomicFile<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.flush()?;
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}
