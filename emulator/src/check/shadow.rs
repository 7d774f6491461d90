//! What is remembered about each piece of memory.

use super::order::{Logs, Order, Who};
use crate::error::FaultKind;
use crate::exec::lanes_of;
use std::collections::HashMap;

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    /// A write; `true` where it leaves the value as it was.
    Write(bool),
    Atomic,
    /// A read for a `cas` to compare with: it may find an old value, so it does not race with atomics.
    Guess,
    /// A strong read (`volatile`, `relaxed`, `acquire`): it does not race with strong writes.
    Peek,
    /// A strong write.
    Post,
}

impl Kind {
    pub fn writes(self) -> bool {
        matches!(self, Kind::Write(_) | Kind::Post)
    }
}

/// Last accesses to one piece of memory.
#[derive(Clone, Copy)]
struct Entry {
    write: Who,
    /// The write was an atomic or a strong one.
    strong: bool,
    /// The last reader; its block is `u32::MAX` where several blocks have read.
    read: Who,
    /// Warps that have read at the time of `read`.
    warps: u32,
    /// Lanes of `read`'s warp that have read at its time.
    lanes: u32,
}

/// Whether a byte of shared memory has a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    No,
    /// An asynchronous copy is on its way.
    Pending,
    Yes,
}

const FRESH: Entry = Entry { write: Who::NOBODY, strong: false, read: Who::NOBODY, warps: 0, lanes: 0 };
const PAGE: u64 = 256;

/// The memory of check mode for one launch.
pub(crate) struct Checker {
    granule: u64,
    shared: Vec<Entry>,
    shared_written: Vec<Written>,
    pages: HashMap<u64, u32>,
    global: Vec<[Entry; PAGE as usize]>,
    /// The page used last.
    recent: (u64, u32),
    pub logs: Logs,
}

/// A report: the class, the words, and the other access.
pub(crate) type Report = (FaultKind, String, Option<Who>);

impl Checker {
    pub fn new(granule: u32, shared_bytes: u32) -> Self {
        let granule = granule.max(1) as u64;
        let entries = (shared_bytes as u64).div_ceil(granule) as usize;
        Checker {
            granule,
            shared: vec![FRESH; entries],
            shared_written: vec![Written::No; shared_bytes as usize],
            pages: HashMap::new(),
            global: Vec::new(),
            recent: (u64::MAX, 0),
            logs: Logs::default(),
        }
    }

    /// A new block has fresh shared memory.
    pub fn new_block(&mut self) {
        self.shared.fill(FRESH);
        self.shared_written.fill(Written::No);
    }

    /// An access to shared memory at byte `at`.
    pub fn shared(&mut self, at: u64, bytes: u32, kind: Kind, who: Who, order: &Order) -> Result<(), Report> {
        let range = at as usize..at as usize + bytes as usize;
        if kind.writes() {
            self.shared_written[range].fill(Written::Yes);
        } else if let Some(why) = self.shared_written[range].iter().find(|w| **w != Written::Yes) {
            let mut what = format!("uninitialised read of shared memory: {bytes} bytes at byte {at}");
            if *why == Written::Pending {
                what += ", to which an asynchronous copy goes that nobody has waited for";
            }
            return Err((FaultKind::Uninitialised, what, None));
        }
        for g in at / self.granule..(at + bytes as u64).div_ceil(self.granule) {
            step(&mut self.shared[g as usize], kind, who, order, &self.logs).map_err(|(what, other)| {
                let what = format!("race in shared memory at byte {}: {what}", g * self.granule);
                (FaultKind::Race, what, Some(other))
            })?;
        }
        Ok(())
    }

    /// Bytes that an asynchronous copy will write.
    pub fn pending(&mut self, at: u64, bytes: u32) {
        self.shared_written[at as usize..at as usize + bytes as usize].fill(Written::Pending);
    }

    /// An access to global memory.
    pub fn global(
        &mut self,
        address: u64,
        bytes: u32,
        kind: Kind,
        who: Who,
        order: &Order,
    ) -> Result<(), Report> {
        for g in address / self.granule..(address + bytes as u64).div_ceil(self.granule) {
            if self.recent.0 != g / PAGE {
                let global = &mut self.global;
                let index = *self.pages.entry(g / PAGE).or_insert_with(|| {
                    global.push([FRESH; PAGE as usize]);
                    global.len() as u32 - 1
                });
                self.recent = (g / PAGE, index);
            }
            let entry = &mut self.global[self.recent.1 as usize][(g % PAGE) as usize];
            step(entry, kind, who, order, &self.logs).map_err(|(what, other)| {
                let what = format!("race in global memory at {:#x}: {what}", g * self.granule);
                (FaultKind::Race, what, Some(other))
            })?;
        }
        Ok(())
    }
}

fn name(who: Who, now: Who) -> String {
    if who.block == now.block {
        format!("thread {} of the block", who.thread())
    } else if who.block == u32::MAX {
        "other blocks".to_string()
    } else {
        format!("block {}", who.block)
    }
}

/// Whether somebody has read what `who` writes, and nothing orders the two.
fn read_clash(e: &Entry, who: Who, order: &Order, logs: &Logs) -> bool {
    if e.read.is_nobody() {
        return false;
    }
    if e.read.block == u32::MAX {
        // Which blocks have read is not kept: one that has taken over something may know.
        return order.taken.is_empty();
    }
    if e.read.block != who.block {
        return !logs.ordered(e.read, who, order);
    }
    let me = who.warp();
    // Of other warps than the last reader's only the time is known.
    let others = e.warps & !(1 << me) & !(1 << e.read.warp());
    if (0..32).any(|w| others >> w & 1 != 0 && order.clock[w] <= e.read.time) && order.taken.is_empty() {
        return true;
    }
    if e.read.warp() != me {
        return !logs.ordered(e.read, who, order);
    }
    order.clock[me] <= e.read.time
        && lanes_of(e.lanes).any(|lane| !logs.ordered(e.read.with_lane(lane as u32), who, order))
}

fn step(e: &mut Entry, kind: Kind, who: Who, order: &Order, logs: &Logs) -> Result<(), (String, Who)> {
    let write_clash = || !logs.ordered(e.write, who, order);
    let clash = |verb: &str, noun: &str, other: Who| {
        Err((format!("{verb}, and an unordered {noun} by {}", name(other, who)), other))
    };
    match kind {
        Kind::Read => {
            if write_clash() {
                return clash("a read", "write", e.write);
            }
            if !e.read.is_nobody() && e.read.block != who.block {
                // Readers of several blocks: any write of one of them clashes with the others.
                e.read = Who { block: u32::MAX, ..who };
                return Ok(());
            }
            let same_time = !e.read.is_nobody() && e.read.time == who.time;
            let same_warp = same_time && e.read.warp() == who.warp();
            let lane = 1 << who.lane();
            e.lanes = if same_warp && e.read.lane_time() == who.lane_time() { e.lanes | lane } else { lane };
            e.warps = if same_time { e.warps | 1 << who.warp() } else { 1 << who.warp() };
            e.read = who;
        }
        Kind::Peek | Kind::Guess => {
            if !e.strong && write_clash() {
                return clash(if kind == Kind::Guess { "a read" } else { "a strong read" }, "write", e.write);
            }
        }
        Kind::Write(same_value) => {
            if (!same_value || e.strong) && write_clash() {
                return clash("a write", "write", e.write);
            }
            if !same_value && read_clash(e, who, order, logs) {
                return clash("a write", "read", e.read);
            }
            e.write = who;
            e.strong = false;
        }
        Kind::Atomic | Kind::Post => {
            let verb = if kind == Kind::Atomic { "an atomic" } else { "a strong write" };
            if !e.strong && write_clash() {
                return clash(verb, "write", e.write);
            }
            if read_clash(e, who, order, logs) {
                return clash(verb, "read", e.read);
            }
            e.write = who;
            e.strong = true;
        }
    }
    Ok(())
}
