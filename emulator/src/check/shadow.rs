//! What is remembered about each piece of memory.

use crate::error::FaultKind;
use std::collections::HashMap;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// A write; `true` where it leaves the value as it was.
    Write(bool),
    Atomic,
}

/// Who accesses: block, thread in it, and the warp's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub block: u32,
    pub thread: u32,
    /// Number of barriers that the block had completed.
    pub time: u32,
    /// Number of warp barriers that the warp had passed.
    pub warp_time: u32,
}

impl Who {
    fn warp(&self) -> usize {
        self.thread as usize / 32
    }
}

/// For each warp of the block, the time up to which its accesses are ordered before this warp.
pub(crate) type Clock = [u32; 32];

/// Last accesses to one piece of memory. `thread` is `u32::MAX` where there was none.
#[derive(Clone, Copy)]
struct Entry {
    write: Who,
    write_atomic: bool,
    read: Who,
    /// Warps that have read at the time of `read`.
    readers: u32,
    /// Several lanes of `read`'s warp have read.
    many: bool,
}

const NOBODY: Who = Who { block: 0, thread: u32::MAX, time: 0, warp_time: 0 };
const FRESH: Entry = Entry { write: NOBODY, write_atomic: false, read: NOBODY, readers: 0, many: false };
const PAGE: u64 = 1024;

/// The memory of check mode for one launch.
pub(crate) struct Checker {
    granule: u64,
    shared: Vec<Entry>,
    shared_written: Vec<bool>,
    global: HashMap<u64, Box<[Entry; PAGE as usize]>>,
}

/// A report: the class and the words.
pub(crate) type Report = (FaultKind, String);

impl Checker {
    pub fn new(granule: u32, shared_bytes: u32) -> Self {
        let granule = granule.max(1) as u64;
        let entries = (shared_bytes as u64).div_ceil(granule) as usize;
        Checker {
            granule,
            shared: vec![FRESH; entries],
            shared_written: vec![false; shared_bytes as usize],
            global: HashMap::new(),
        }
    }

    /// A new block has fresh shared memory.
    pub fn new_block(&mut self) {
        self.shared.fill(FRESH);
        self.shared_written.fill(false);
    }

    /// An access to shared memory at byte `at`.
    pub fn shared(&mut self, at: u64, bytes: u32, kind: Kind, who: Who, clock: &Clock) -> Result<(), Report> {
        let range = at as usize..at as usize + bytes as usize;
        match kind {
            Kind::Write(_) => self.shared_written[range].fill(true),
            _ => {
                if self.shared_written[range].contains(&false) {
                    let what = format!("uninitialised read of shared memory: {bytes} bytes at byte {at}");
                    return Err((FaultKind::Uninitialised, what));
                }
            }
        }
        for g in at / self.granule..(at + bytes as u64).div_ceil(self.granule) {
            step(&mut self.shared[g as usize], kind, who, clock).map_err(|w| {
                (FaultKind::Race, format!("race in shared memory at byte {}: {w}", g * self.granule))
            })?;
        }
        Ok(())
    }

    /// An access to global memory.
    pub fn global(
        &mut self,
        address: u64,
        bytes: u32,
        kind: Kind,
        who: Who,
        clock: &Clock,
    ) -> Result<(), Report> {
        for g in address / self.granule..(address + bytes as u64).div_ceil(self.granule) {
            let page = self.global.entry(g / PAGE).or_insert_with(|| Box::new([FRESH; PAGE as usize]));
            step(&mut page[(g % PAGE) as usize], kind, who, clock).map_err(|w| {
                (FaultKind::Race, format!("race in global memory at {:#x}: {w}", g * self.granule))
            })?;
        }
        Ok(())
    }
}

/// Whether an earlier access of `then` is ordered before one of `now`.
fn ordered(then: Who, now: Who, clock: &Clock) -> bool {
    if then.thread == u32::MAX || then.block == now.block && then.thread == now.thread {
        return true;
    }
    if then.block != now.block {
        return false;
    }
    if then.warp() == now.warp() {
        return then.warp_time < now.warp_time || clock[then.warp()] > then.time;
    }
    clock[then.warp()] > then.time
}

fn name(who: Who, now: Who) -> String {
    if who.block == now.block {
        format!("thread {} of the block", who.thread)
    } else {
        format!("block {}", who.block)
    }
}

fn step(e: &mut Entry, kind: Kind, who: Who, clock: &Clock) -> Result<(), String> {
    let write_clash = !ordered(e.write, who, clock);
    let read_clash = e.read.thread != u32::MAX
        && if e.read.block != who.block {
            true
        } else {
            let others = e.readers & !(1 << who.warp());
            let other_warps = (0..32).any(|w| others >> w & 1 != 0 && clock[w] <= e.read.time);
            let own = e.readers >> who.warp() & 1 != 0
                && (e.many || e.read.thread != who.thread)
                && e.read.warp() == who.warp()
                && !(e.read.warp_time < who.warp_time || clock[who.warp()] > e.read.time);
            other_warps || own
        };
    match kind {
        Kind::Read => {
            if write_clash {
                return Err(format!("a read, and an unordered write by {}", name(e.write, who)));
            }
            let same_time = e.read.thread != u32::MAX && e.read.block == who.block && e.read.time == who.time;
            if same_time && e.readers >> who.warp() & 1 != 0 && e.read.warp() == who.warp() {
                e.many = e.read.warp_time == who.warp_time && (e.many || e.read.thread != who.thread);
            } else {
                e.many = false;
            }
            if e.read.thread != u32::MAX && e.read.block != who.block {
                // Readers of several blocks: any write of one of them clashes with the others.
                e.read = Who { block: u32::MAX, ..who };
                return Ok(());
            }
            e.readers = if same_time { e.readers | 1 << who.warp() } else { 1 << who.warp() };
            e.read = who;
        }
        Kind::Write(same_value) => {
            if write_clash && (!same_value || e.write_atomic) {
                return Err(format!("a write, and an unordered write by {}", name(e.write, who)));
            }
            if read_clash && !same_value {
                let other =
                    if e.read.block == u32::MAX { "other blocks".to_string() } else { name(e.read, who) };
                return Err(format!("a write, and an unordered read by {other}"));
            }
            e.write = who;
            e.write_atomic = false;
        }
        Kind::Atomic => {
            if write_clash && !e.write_atomic {
                return Err(format!("an atomic, and an unordered write by {}", name(e.write, who)));
            }
            if read_clash {
                let other =
                    if e.read.block == u32::MAX { "other blocks".to_string() } else { name(e.read, who) };
                return Err(format!("an atomic, and an unordered read by {other}"));
            }
            e.write = who;
            e.write_atomic = true;
        }
    }
    Ok(())
}
