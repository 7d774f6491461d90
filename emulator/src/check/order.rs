//! What is ordered before what, beside block barriers: warp barriers between lanes, and fences
//! with atomics between blocks.
//!
//! A fence closes what its thread has done and seen. A strong write or an atomic by that thread
//! then publishes it at its address, and a strong read or an atomic of that address by another
//! thread takes it over, for its whole warp and, after the next barrier, its whole block. So a last
//! block may read what the others wrote before they drew their tickets.

use crate::exec::lanes_of;
use std::collections::HashMap;
use std::rc::Rc;

/// Who accesses, when and where. There are two of these for each piece of memory, so it is small.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub block: u32,
    /// Number of barriers that the block had completed.
    pub time: u32,
    /// The instruction.
    pub pc: u32,
    /// Thread in the block in the lowest 10 bits; above, the number of warp barriers and fences
    /// that the lane had passed.
    pub lane_bits: u32,
}

const THREADS: u32 = 1 << 10;

impl Who {
    /// `u32::MAX` would be thread 1023 at the last time there is, which nobody reaches.
    pub const NOBODY: Who = Who { block: 0, time: 0, pc: 0, lane_bits: u32::MAX };

    pub fn new(block: u32, thread: u32, time: u32, lane_time: u32, pc: u32) -> Self {
        let lane_bits = lane_time.min(u32::MAX / THREADS - 1) * THREADS + thread;
        Who { block, time, pc, lane_bits }
    }

    /// The same moment, another lane of the warp.
    pub fn with_lane(self, lane: u32) -> Self {
        Who { lane_bits: self.lane_bits & !31 | lane, ..self }
    }

    pub fn thread(&self) -> u32 {
        self.lane_bits % THREADS
    }

    pub fn lane_time(&self) -> u32 {
        self.lane_bits / THREADS
    }

    pub fn warp(&self) -> usize {
        self.thread() as usize / 32
    }

    pub fn lane(&self) -> usize {
        self.thread() as usize % 32
    }

    pub fn is_nobody(&self) -> bool {
        self.lane_bits == u32::MAX
    }
}

/// For each warp of the block, the time up to which its accesses are ordered before this warp.
pub(crate) type Clock = [u32; 32];

/// What one thread had done and seen at a fence.
pub(crate) struct Fence {
    warp: usize,
    lanes: u32,
    clock: Clock,
    /// For each lane of the warp, the time up to which its accesses had been seen.
    row: [u32; 32],
}

impl Fence {
    fn covers(&self, then: Who) -> bool {
        let own = then.warp() == self.warp && self.row[then.lane()] > then.lane_time();
        own || self.clock[then.warp()] > then.time
    }
}

/// Which entries of which logs a warp has taken over: number of the log, and entries.
pub(crate) type Taken = Vec<(u32, u32)>;

/// The order of one warp.
#[derive(Clone)]
pub(crate) struct Order {
    pub clock: Clock,
    /// Warp barriers and fences that each lane has passed.
    pub times: [u32; 32],
    /// For each lane, the time up to which each other lane's accesses are ordered before it.
    pub rows: [[u32; 32]; 32],
    /// The last fence of each lane: of any scope, and of the device's.
    fences: [Vec<Rc<Fence>>; 2],
    pub taken: Taken,
}

impl Order {
    pub fn new() -> Self {
        Order {
            clock: [0; 32],
            times: [0; 32],
            rows: [[0; 32]; 32],
            fences: Default::default(),
            taken: Vec::new(),
        }
    }

    /// What these lanes know together; the time of each moves on.
    fn joined(&mut self, mask: u32) -> [u32; 32] {
        let mut row = [0u32; 32];
        for lane in lanes_of(mask) {
            for (a, b) in row.iter_mut().zip(&self.rows[lane]) {
                *a = (*a).max(*b);
            }
        }
        for lane in lanes_of(mask) {
            self.times[lane] += 1;
            row[lane] = self.times[lane];
        }
        row
    }

    /// A warp barrier of these lanes.
    pub fn sync(&mut self, mask: u32) {
        let row = self.joined(mask);
        for lane in lanes_of(mask) {
            self.rows[lane] = row;
        }
    }

    /// A fence by these lanes; `wide` where other blocks see it.
    pub fn fence(&mut self, warp: u32, mask: u32, wide: bool) {
        let row = self.joined(mask);
        let fence = Rc::new(Fence { warp: warp as usize, lanes: mask, clock: self.clock, row });
        for list in &mut self.fences[..1 + wide as usize] {
            // One that all its lanes have repeated is of no use any more.
            list.retain(|f| f.lanes & !mask != 0);
            list.push(fence.clone());
        }
    }

    fn fence_of(&self, lane: usize, wide: bool) -> Option<Rc<Fence>> {
        self.fences[wide as usize].iter().rev().find(|f| f.lanes >> lane & 1 != 0).cloned()
    }

    /// Takes over what another warp has.
    pub fn take(&mut self, other: &[(u32, u32)]) {
        for &(log, n) in other {
            match self.taken.iter_mut().find(|t| t.0 == log) {
                Some(t) => t.1 = t.1.max(n),
                None => self.taken.push((log, n)),
            }
        }
    }
}

/// What was published at one address.
#[derive(Default)]
struct Log {
    len: u32,
    /// By block: the entry's number, whether other blocks see it, and the fence.
    fences: HashMap<u32, Vec<(u32, bool, Rc<Fence>)>>,
    /// What the publisher had taken over from other logs.
    others: Vec<(u32, Rc<Taken>)>,
}

/// All that was published in a launch.
#[derive(Default)]
pub(crate) struct Logs {
    at: HashMap<u64, u32>,
    logs: Vec<Log>,
}

impl Logs {
    /// A strong access of a lane at an address: takes over, and publishes where it writes.
    pub fn touch(&mut self, address: u64, writes: bool, who: Who, order: &mut Order) {
        if let Some(&log) = self.at.get(&address) {
            order.take(&[(log, self.logs[log as usize].len)]);
        }
        if !writes {
            return;
        }
        for wide in [true, false] {
            let Some(fence) = order.fence_of(who.lane(), wide) else { continue };
            let id = *self.at.entry(address).or_insert_with(|| {
                self.logs.push(Log::default());
                self.logs.len() as u32 - 1
            });
            let log = &mut self.logs[id as usize];
            let others: Taken = order.taken.iter().copied().filter(|t| t.0 != id).collect();
            if !others.is_empty() {
                log.others.push((log.len, Rc::new(others)));
            }
            log.fences.entry(who.block).or_default().push((log.len, wide, fence));
            log.len += 1;
        }
    }

    /// Whether what was taken over covers an access.
    fn cover(&self, then: Who, wide: bool, taken: &[(u32, u32)], seen: &mut Taken) -> bool {
        taken.iter().any(|&(id, n)| {
            match seen.iter_mut().find(|s| s.0 == id) {
                Some(s) if s.1 >= n => return false,
                Some(s) => s.1 = n,
                None => seen.push((id, n)),
            }
            let log = &self.logs[id as usize];
            let direct = log.fences.get(&then.block).is_some_and(|list| {
                list.iter().any(|(k, far, f)| *k < n && (*far || !wide) && f.covers(then))
            });
            direct || log.others.iter().any(|(k, more)| *k < n && self.cover(then, wide, more, seen))
        })
    }

    /// Whether an earlier access of `then` is ordered before one of `now`.
    #[inline]
    pub fn ordered(&self, then: Who, now: Who, order: &Order) -> bool {
        then.is_nobody()
            || then.block == now.block && then.thread() == now.thread()
            || self.ordered_threads(then, now, order)
    }

    fn ordered_threads(&self, then: Who, now: Who, order: &Order) -> bool {
        let same = then.block == now.block;
        if same {
            if order.clock[then.warp()] > then.time {
                return true;
            }
            if then.warp() == now.warp() && order.rows[now.lane()][then.lane()] > then.lane_time() {
                return true;
            }
        }
        !order.taken.is_empty() && self.cover(then, !same, &order.taken, &mut Vec::new())
    }
}
