//! What counts and check mode note about an access.

use super::address::space_of;
use super::block::{Run, Worker};
use super::regs::{LANES, lanes};
use super::warp::Warp;
use crate::check::{Kind, Who};
use crate::counts::{sectors, wavefronts};
use crate::decode::op::Sync;
use crate::error::FaultKind;
use crate::memory::window_of;
use crate::ptx::Space;
use std::sync::atomic::Ordering::Relaxed;

impl Worker<'_> {
    /// Counts the request in `targets`; one whose lanes are in several spaces is one in each.
    #[cold]
    pub(super) fn count(&mut self, bytes: u32, m: u32, kind: Kind) {
        let t = &self.targets;
        let (space, at) = (t.space, t.at);
        if space != Space::Generic {
            return self.count_in(space, &at, bytes, m, kind);
        }
        for space in [Space::Shared, Space::Global] {
            let there = lanes(m).filter(|&l| space_of(at[l]) == space).fold(0u32, |all, l| all | 1 << l);
            if there != 0 {
                self.count_in(space, &at.map(|x| x - window_of(x)), bytes, there, kind);
            }
        }
    }

    fn count_in(&mut self, space: Space, at: &[u64; LANES], bytes: u32, m: u32, kind: Kind) {
        let (mut active, mut n) = ([0u64; LANES], 0);
        for lane in lanes(m) {
            active[n] = at[lane];
            n += 1;
        }
        let active = &active[..n];
        match space {
            Space::Shared => {
                let (passes, ideal) = wavefronts(active, bytes);
                self.counts.shared_requests += 1;
                self.counts.shared_wavefronts += passes;
                self.counts.shared_ideal += ideal;
            }
            Space::Global => {
                let r = if matches!(kind, Kind::Read | Kind::Peek | Kind::Guess) {
                    &mut self.counts.global_loads
                } else {
                    &mut self.counts.global_stores
                };
                r.requests += 1;
                r.sectors += sectors(active, bytes);
                r.bytes += n as u64 * bytes as u64;
            }
            _ => {}
        }
    }

    /// Check mode's look at an access of all lanes.
    #[cold]
    pub(super) fn inspect(&mut self, w: &mut Warp, bytes: u32, m: u32, kind: Kind) -> Run<()> {
        let (space, at, owner) = (self.targets.space, self.targets.at, self.targets.owner);
        if !matches!(space, Space::Global | Space::Shared | Space::Generic) {
            return Ok(());
        }
        lanes(m).try_for_each(|lane| self.inspect_lane(w, space, at[lane], owner, bytes, lane, kind))
    }

    #[allow(clippy::too_many_arguments)] // What an access is.
    pub(super) fn inspect_lane(
        &mut self,
        w: &mut Warp,
        mut space: Space,
        mut at: u64,
        owner: Option<u32>,
        bytes: u32,
        lane: usize,
        kind: Kind,
    ) -> Run<()> {
        let (Some(check), Some(order)) = (&mut self.check, &mut w.order) else { return Ok(()) };
        if space == Space::Generic {
            space = space_of(at);
            at -= window_of(at);
        }
        let thread = w.index * 32 + lane as u32;
        let who = Who::new(self.block_index, thread, self.time, order.times[lane], w.pc);
        let result = match space {
            Space::Shared => check.shared(at, bytes, kind, who, order),
            Space::Global => {
                let table = self.l.table;
                let owner = owner.map(|k| k as usize).or_else(|| table.find(at)).map(|k| &table.owners[k]);
                let unwritten = match owner {
                    Some(a) if (kind.writes() || kind == Kind::Atomic) && a.read_only.load(Relaxed) => {
                        Err((FaultKind::Trap, "a write to constant memory".to_string(), None))
                    }
                    Some(a) if kind.writes() => {
                        a.mark(at - a.start, bytes as u64);
                        Ok(())
                    }
                    Some(a) if !a.is_written(at - a.start, bytes as u64) => {
                        let offset = at - a.start;
                        let what = format!(
                            "uninitialised read of global memory: {bytes} bytes at byte {offset} of the {}-byte allocation at {:#x}",
                            a.len, a.start
                        );
                        Err((FaultKind::Uninitialised, what, None))
                    }
                    _ => Ok(()),
                };
                unwritten.and_then(|()| check.global(at, bytes, kind, who, order))
            }
            _ => Ok(()),
        };
        if result.is_ok() && matches!(kind, Kind::Atomic | Kind::Peek | Kind::Post) {
            // Shared memory has a key of its own in each block.
            let key = if space == Space::Shared { at | (who.block as u64) << 20 | 1 << 63 } else { at };
            check.logs.touch(key, kind != Kind::Peek, who, order);
        }
        result.map_err(|(kind, mut what, other)| {
            if let Some(other) = other {
                let i = &self.l.kernel.code[(other.pc as usize).min(self.l.kernel.code.len() - 1)];
                what += &format!(" at PTX line {}", i.line);
                if let Some(place) = self.l.kernel.place(i, self.l.options) {
                    what += &format!(" ({place})");
                }
            }
            self.fault(w, kind, what, lane as u32)
        })
    }

    /// A fence by the lanes of the mask, for check mode; the emulator's memory is always coherent.
    pub(super) fn fence(&mut self, w: &mut Warp, m: u32, sync: Sync) {
        if let (Some(order), true) = (&mut w.order, sync.fence) {
            order.fence(w.index, m, sync.wide);
        }
    }
}
