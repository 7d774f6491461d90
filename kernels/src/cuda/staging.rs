//! Transfers through pinned memory of the host, which the device reads and writes by itself.
//!
//! Uploads fill blocks in turn and return at once; a block is filled again when its last copy has been made.
//! Downloads go through two halves, so that one is copied out while the other is on its way.

use super::context::Context;
use super::counters::Counters;
use super::driver::{Driver, Event};
use crate::Result;
use std::sync::{Mutex, PoisonError};

/// Bytes of an upload block, and how many there are.
const BLOCK: usize = 1 << 20;
const BLOCKS: usize = 8;
/// Bytes of half the download memory.
const HALF: usize = 1 << 20;
/// Bytes of what may come along with a download.
const WORDS: usize = 4096;
/// Uploads begin at multiples of it.
const ALIGN: usize = 256;

pub(super) struct Staging {
    up: Mutex<Option<Up>>,
    down: Mutex<Option<Down>>,
}

struct Pinned(*mut u8, usize);
// SAFETY: memory that is owned alone.
unsafe impl Send for Pinned {}

impl Pinned {
    fn new(driver: &Driver, bytes: usize) -> Result<Pinned> {
        Ok(Pinned(driver.alloc_host(bytes)?, bytes))
    }
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: pinned for the program's life, zeroed or written since, and borrowed uniquely.
        unsafe { std::slice::from_raw_parts_mut(self.0, self.1) }
    }
}

/// Blocks that are filled in turn.
struct Up {
    memory: Pinned,
    /// Happens when the copies of a block have been made.
    done: Vec<Event>,
    /// Whether the block has copies that nobody has waited for.
    pending: [bool; BLOCKS],
    block: usize,
    /// Bytes of it that are filled.
    filled: usize,
}

struct Down {
    memory: Pinned,
    arrived: [Event; 2],
}

impl Staging {
    pub const fn new() -> Self {
        Staging { up: Mutex::new(None), down: Mutex::new(None) }
    }

    /// Copies bytes to a device's memory; they may be forgotten at once.
    ///
    /// # Safety
    /// The memory at `to` is as long.
    pub unsafe fn upload(&self, cx: &Context, mut to: u64, bytes: &[u8]) -> Result {
        let mut up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
        let up = match &mut *up {
            Some(up) => up,
            none => none.insert(Up::new(&cx.driver)?),
        };
        Counters::add(&cx.counters.uploads, 1);
        Counters::add(&cx.counters.uploaded_bytes, bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = BLOCK - up.filled;
            // What fits into a block goes into one.
            if room == 0 || (room < rest.len() && rest.len() <= BLOCK) {
                up.turn(cx)?;
                continue;
            }
            let (part, next) = rest.split_at(rest.len().min(room));
            let at = up.block * BLOCK + up.filled;
            let pinned = &mut up.memory.bytes()[at..at + part.len()];
            pinned.copy_from_slice(part);
            // SAFETY: the block is not filled again before its event; the range is the caller's.
            unsafe { cx.driver.to_device(to, pinned) }?;
            up.filled = (up.filled + part.len()).next_multiple_of(ALIGN);
            (rest, to) = (next, to + part.len() as u64);
        }
        Ok(())
    }

    /// Copies a device's memory to the host, and `words`, a few bytes from elsewhere, in the same go; waits
    /// for all work before.
    ///
    /// # Safety
    /// The memory at `from` is as long as `to`, and so for `words`.
    pub unsafe fn download(
        &self,
        cx: &Context,
        from: u64,
        to: &mut [u8],
        words: Option<(u64, &mut [u8])>,
    ) -> Result {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        let down = match &mut *down {
            Some(down) => down,
            none => none.insert(Down::new(&cx.driver)?),
        };
        if !to.is_empty() {
            Counters::add(&cx.counters.downloads, 1);
            Counters::add(&cx.counters.downloaded_bytes, to.len());
        }
        if let Some((at, words)) = &words {
            // SAFETY: nobody reads there yet; the range is the caller's.
            unsafe { cx.driver.to_host(&mut down.memory.bytes()[2 * HALF..][..words.len()], *at) }?;
        }
        if to.is_empty() {
            cx.driver.synchronize()?;
        }
        let (all, parts) = (to.len(), to.len().div_ceil(HALF));
        let length = |k: usize| HALF.min(all - k * HALF);
        for k in 0..=parts {
            if k < parts {
                let half = &mut down.memory.bytes()[k % 2 * HALF..][..length(k)];
                // SAFETY: the half was copied out two parts ago; the range is the caller's.
                unsafe { cx.driver.to_host(half, from + (k * HALF) as u64) }?;
                cx.driver.record(&down.arrived[k % 2])?;
            }
            if k > 0 {
                let (at, len) = ((k - 1) * HALF, length(k - 1));
                cx.driver.wait(&down.arrived[(k - 1) % 2])?;
                to[at..at + len].copy_from_slice(&down.memory.bytes()[(k - 1) % 2 * HALF..][..len]);
            }
        }
        if let Some((_, words)) = words {
            words.copy_from_slice(&down.memory.bytes()[2 * HALF..][..words.len()]);
        }
        Ok(())
    }
}

impl Up {
    fn new(driver: &Driver) -> Result<Up> {
        let done = (0..BLOCKS).map(|_| driver.event()).collect::<Result<_>>()?;
        let memory = Pinned::new(driver, BLOCK * BLOCKS)?;
        Ok(Up { memory, done, pending: [false; BLOCKS], block: 0, filled: 0 })
    }

    /// On to the next block, when its copies have been made.
    fn turn(&mut self, cx: &Context) -> Result {
        cx.driver.record(&self.done[self.block])?;
        self.pending[self.block] = true;
        self.block = (self.block + 1) % BLOCKS;
        self.filled = 0;
        if std::mem::take(&mut self.pending[self.block]) {
            Counters::add(&cx.counters.staging_waits, 1);
            cx.driver.wait(&self.done[self.block])?;
        }
        Ok(())
    }
}

impl Down {
    fn new(driver: &Driver) -> Result<Down> {
        Ok(Down {
            memory: Pinned::new(driver, 2 * HALF + WORDS)?,
            arrived: [driver.event()?, driver.event()?],
        })
    }
}
