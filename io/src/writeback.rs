//! Bringing a file to the disk while it is still being written.

use std::fs::File;
use std::io::{Result, Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

/// Bytes after which the disk is told to begin. Smaller files are brought there at their end alone.
const STRIDE: usize = 32 << 20;

/// The file that [`write_atomic`](crate::write_atomic) writes. A large one is on its way to the disk while
/// more of it is written, so that the wait at the end is short.
pub struct AtomicFile<'a> {
    file: &'a File,
    since: usize,
    helper: Option<Helper>,
}

struct Helper {
    nudge: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

impl<'a> AtomicFile<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        AtomicFile { file, since: 0, helper: None }
    }

    /// Brings everything to the disk.
    pub(crate) fn sync(self) -> Result<()> {
        if let Some(Helper { nudge, thread }) = self.helper {
            drop(nudge);
            // The system reports an error to one caller alone, so the helper's must not be lost.
            thread.join().unwrap_or(Ok(()))?;
        }
        self.file.sync_all()
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
        let n = self.file.write(&bytes[..bytes.len().min(STRIDE)])?;
        self.since += n;
        if self.since >= STRIDE {
            self.since = 0;
            self.nudge();
        }
        Ok(n)
    }
    fn flush(&mut self) -> Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.file.seek(to)
    }
}
