//! A block: its shared memory, its barriers, and the turns its warps take.

use super::address::Targets;
use super::launch::{Dice, Launch};
use super::regs::{LANES, Plane, lanes};
use super::warp::{State, Warp};
use crate::check::Checker;
use crate::counts::Counts;
use crate::decode::Special;
use crate::decode::op::{BarrierKind, Reg};
use crate::error::{Fault, FaultKind};
use std::sync::atomic::Ordering::Relaxed;

/// Instructions a warp runs before another one has its turn, so that one that waits for another
/// in a loop does not wait for ever.
const TURN: u64 = 1 << 16;
/// Likewise once lanes of one warp wait for each other.
pub(super) const SHORT_TURN: u64 = 1 << 9;

/// One of a block's 16 barriers.
#[derive(Clone, Default)]
pub(super) struct Barrier {
    /// Threads that have arrived, in whole warps.
    pub arrived: u32,
    /// Threads it needs, where the instruction says so.
    pub count: Option<u32>,
    /// Warps that wait.
    pub waiting: Vec<(u32, BarrierKind)>,
    /// Warps that arrived, waiting or not.
    pub who: u32,
    pub popc: u32,
    pub all: bool,
    pub any: bool,
    pub pc: u32,
}

/// Runs blocks, one after another, on one host thread.
pub(super) struct Worker<'a> {
    pub l: &'a Launch<'a>,
    pub warps: Vec<Warp>,
    pub block: [u32; 3],
    pub block_index: u32,
    pub shared: Vec<u128>,
    pub barriers: Vec<Barrier>,
    /// Barriers this block has completed.
    pub time: u32,
    pub check: Option<Checker>,
    pub counts: Counts,
    /// Executions of each instruction, by warps and by threads.
    pub executed: Vec<(u64, u64)>,
    /// The allocation that each instruction used last.
    pub hints: Vec<u32>,
    pub dice: Option<Dice>,
    pub fast: bool,
    /// What the running access refers to.
    pub targets: Targets,
}

pub(super) type Run<T> = Result<T, Box<Fault>>;

impl<'a> Worker<'a> {
    pub fn new(l: &'a Launch<'a>, check: Option<Checker>) -> Self {
        let warps = l.block.count().div_ceil(LANES as u64);
        let warps =
            (0..warps).map(|_| Warp::new(l.kernel.init.clone(), l.kernel.local, check.is_some())).collect();
        let mut worker = Worker {
            l,
            warps,
            block: [0; 3],
            block_index: 0,
            shared: vec![0; (l.shared as usize).div_ceil(16) + 1],
            barriers: vec![Barrier::default(); 16],
            time: 0,
            check,
            counts: Counts::new(&l.kernel.name, l.grid, l.block, l.shared),
            executed: vec![(0, 0); l.kernel.code.len()],
            hints: vec![0; l.kernel.code.len()],
            dice: None,
            fast: super::run::has_fast_level(),
            targets: Targets::new(),
        };
        for w in 0..worker.warps.len() {
            worker.set_specials(w);
        }
        worker
    }

    /// The counts of all blocks.
    pub fn finish(mut self) -> Counts {
        if self.l.kernel.mutant.is_some_and(|pc| self.executed[pc as usize].1 > 0) {
            self.l.kernel.reached.store(true, Relaxed);
        }
        for (i, &(warps, threads)) in self.l.kernel.code.iter().zip(&self.executed) {
            self.counts.warp_instructions += warps;
            self.counts.thread_instructions += threads;
            self.counts.classes[i.class as usize].1 += warps;
        }
        self.counts
    }

    /// Runs one block.
    pub fn block(&mut self, index: u64) -> Run<()> {
        self.block = self.l.grid.place(index);
        self.block_index = index as u32;
        self.dice =
            self.l.options.shuffle.map(|seed| Dice(seed ^ (index + 1).wrapping_mul(0x1234_5678_9abc_def1)));
        // Garbage, and NaN as a float: nobody may rely on what a block finds there.
        self.shared.fill(u128::MAX);
        self.barriers.fill(Barrier::default());
        self.time = 0;
        if let Some(check) = &mut self.check {
            check.new_block();
        }
        let threads = self.l.block.count() as u32;
        for w in 0..self.warps.len() {
            self.warps[w].start(w as u32, threads);
            self.place_block(w);
        }
        loop {
            let ready: Vec<usize> =
                (0..self.warps.len()).filter(|&w| self.warps[w].state == State::Ready).collect();
            if ready.is_empty() {
                break;
            }
            match self.dice.as_mut().map(|d| (d.below(ready.len()), d.below(200) as u64 + 1)) {
                Some((k, turn)) => self.turn(ready[k], turn)?,
                None => {
                    for w in ready {
                        if self.warps[w].state == State::Ready {
                            self.turn(w, if self.warps[w].hurried { SHORT_TURN } else { TURN })?;
                        }
                    }
                }
            }
            if self.warps.iter().map(|w| w.steps).sum::<u64>() > self.l.options.limit {
                let what =
                    format!("the block has not ended after {} warp instructions", self.l.options.limit);
                return Err(self.place_fault(FaultKind::Hang, what, 0, self.warps[0].pc, 0));
            }
        }
        self.all_ended()
    }

    fn turn(&mut self, w: usize, turn: u64) -> Run<()> {
        // The warps are out of the worker's reach while one of them runs.
        let mut warps = std::mem::take(&mut self.warps);
        let result = self.run(&mut warps[w], turn);
        self.warps = warps;
        result?;
        match self.warps[w].state {
            State::Done => (0..self.barriers.len() as u32).try_for_each(|id| self.complete(id)),
            State::Waiting(id) => self.complete(id),
            State::Ready => Ok(()),
        }
    }

    /// A warp has arrived at a barrier with all its live lanes.
    pub fn arrive(
        &mut self,
        warp: &mut Warp,
        pc: u32,
        id: u32,
        count: Option<u32>,
        kind: BarrierKind,
        mask: u32,
    ) -> Run<()> {
        let Some(barrier) = self.barriers.get_mut(id as usize) else {
            return Err(self.place_fault(
                FaultKind::Divergence,
                format!("there is no barrier {id}"),
                warp.index,
                pc,
                0,
            ));
        };
        if barrier.who == 0 {
            barrier.all = true;
            barrier.pc = pc;
            barrier.count = count;
        }
        let other = barrier.pc;
        barrier.arrived += 32;
        barrier.who |= 1 << warp.index;
        if let BarrierKind::Popc(_, p, n) | BarrierKind::And(_, p, n) | BarrierKind::Or(_, p, n) = kind {
            let votes = (warp.regs.p[p as usize] ^ if n { !0 } else { 0 }) & mask;
            barrier.popc += votes.count_ones();
            barrier.all &= votes == mask;
            barrier.any |= votes != 0;
        }
        if kind == BarrierKind::Arrive {
            return self.complete(id);
        }
        barrier.waiting.push((warp.index, kind));
        warp.state = State::Waiting(id);
        if self.check.is_some() {
            if other != pc && count.is_none() {
                let line = self.l.kernel.code[other as usize].line;
                let what =
                    format!("divergent barrier: other warps of the block wait at the one of PTX line {line}");
                return Err(self.place_fault(
                    FaultKind::Divergence,
                    what,
                    warp.index,
                    pc,
                    mask.trailing_zeros(),
                ));
            }
            if warp.live != warp.all {
                let what = "divergent barrier: threads of this warp have exited before it".to_string();
                let gone = (warp.all & !warp.live).trailing_zeros();
                return Err(self.place_fault(FaultKind::Divergence, what, warp.index, pc, gone));
            }
        }
        Ok(())
    }

    /// Lets the warps go on whose barrier is complete.
    fn complete(&mut self, id: u32) -> Run<()> {
        let done: u32 =
            self.warps.iter().filter(|w| w.state == State::Done).fold(0, |mask, w| mask | 1 << w.index);
        let all = if self.warps.len() == 32 { !0u32 } else { (1 << self.warps.len()) - 1 };
        let barrier = &self.barriers[id as usize];
        if barrier.who == 0 {
            return Ok(());
        }
        let complete = match barrier.count {
            Some(count) => barrier.arrived >= count,
            None => barrier.who | done == all,
        };
        if !complete {
            return Ok(());
        }
        let barrier = std::mem::take(&mut self.barriers[id as usize]);
        if self.check.is_some() && barrier.count.is_none() && barrier.who != all {
            let (n, k) = (barrier.who.count_ones(), self.warps.len());
            let what = format!("divergent barrier: {n} of {k} warps reach it, the others have exited");
            let waiting = barrier.who.trailing_zeros();
            return Err(self.place_fault(FaultKind::Divergence, what, waiting, barrier.pc, 0));
        }
        self.counts.barriers += 1;
        self.time += 1;
        if self.check.is_some() {
            self.order_at_barrier(barrier.who);
        }
        for (w, kind) in barrier.waiting {
            let warp = &mut self.warps[w as usize];
            warp.state = State::Ready;
            let live = warp.live;
            let put_w = |warp: &mut Warp, d: Reg, value: u32| {
                if let Reg::W(d, _) = d {
                    super::regs::put(&mut warp.regs, d, &[value; LANES], live);
                }
            };
            let put_p = |warp: &mut Warp, d: Reg, value: bool| {
                if let Reg::P(d) = d {
                    let out = &mut warp.regs.p[d as usize];
                    *out = *out & !live | if value { live } else { 0 };
                }
            };
            match kind {
                BarrierKind::Sync | BarrierKind::Arrive => {}
                BarrierKind::Popc(d, ..) => put_w(warp, d, barrier.popc),
                BarrierKind::And(d, ..) => put_p(warp, d, barrier.all),
                BarrierKind::Or(d, ..) => put_p(warp, d, barrier.any),
            }
        }
        Ok(())
    }

    /// Everything the participants did before is ordered before all they do from now on.
    fn order_at_barrier(&mut self, who: u32) {
        let mut clock = [0u32; 32];
        let mut taken = Vec::new();
        for w in lanes(who) {
            let Some(order) = &self.warps[w].order else { continue };
            for (a, b) in clock.iter_mut().zip(order.clock) {
                *a = (*a).max(b);
            }
            if !order.taken.is_empty() {
                taken.push(order.taken.clone());
            }
        }
        for w in lanes(who) {
            clock[w] = self.time;
        }
        for w in lanes(who) {
            let Some(order) = &mut self.warps[w].order else { continue };
            order.clock = clock;
            for t in &taken {
                order.take(t);
            }
        }
    }

    /// No warp can run: that is right where all have ended.
    fn all_ended(&mut self) -> Run<()> {
        let waiting = self.warps.iter().find_map(|w| match w.state {
            State::Waiting(id) => Some((w.index, id)),
            _ => None,
        });
        let Some((warp, id)) = waiting else { return Ok(()) };
        let barrier = &self.barriers[id as usize];
        let n = barrier.waiting.len();
        let what = format!("barrier {id} is never complete: {n} of {} warps wait at it", self.warps.len());
        Err(self.place_fault(FaultKind::Divergence, what, warp, barrier.pc, 0))
    }

    /// A report about one thread.
    pub fn place_fault(&self, kind: FaultKind, what: String, warp: u32, pc: u32, lane: u32) -> Box<Fault> {
        let k = self.l.kernel;
        let i = &k.code[(pc as usize).min(k.code.len() - 1)];
        let thread = self.l.block.place((warp * 32 + lane.min(31)) as u64);
        Box::new(Fault {
            kind,
            what,
            kernel: k.name.clone(),
            block: self.block,
            thread,
            line: i.line,
            text: k.text(i.line).into(),
            source: k.place(i, self.l.options),
        })
    }

    /// The registers that say which block this is.
    fn place_block(&mut self, w: usize) {
        for &(special, plane) in &self.l.kernel.specials {
            if let Special::Ctaid(axis) = special {
                self.warps[w].regs.w[plane as usize] = Plane([self.block[axis]; LANES]);
            }
        }
    }

    fn set_specials(&mut self, w: usize) {
        let (block, grid) = (self.l.block, self.l.grid);
        let dims = |d: super::Dim| [d.x, d.y, d.z];
        let warps = self.warps.len() as u32;
        for &(special, plane) in &self.l.kernel.specials {
            let lane_mask = |kind: u8| {
                std::array::from_fn(|lane| {
                    let bit = 1u32 << lane;
                    match kind {
                        0 => bit,
                        1 => bit | (bit - 1),
                        2 => bit - 1,
                        3 => !(bit - 1),
                        _ => !(bit | (bit - 1)),
                    }
                })
            };
            let value: [u32; LANES] = match special {
                Special::Tid(axis) => std::array::from_fn(|lane| block.place((w * 32 + lane) as u64)[axis]),
                Special::Ntid(axis) => [dims(block)[axis]; LANES],
                Special::Ctaid(axis) => [self.block[axis]; LANES],
                Special::Nctaid(axis) => [dims(grid)[axis]; LANES],
                Special::Lane => std::array::from_fn(|lane| lane as u32),
                Special::Warp => [w as u32; LANES],
                Special::Nwarp => [warps; LANES],
                Special::LaneMask(kind) => lane_mask(kind),
                Special::SharedTotal => [self.l.shared; LANES],
                Special::SharedDynamic => [self.l.dynamic; LANES],
                Special::Zero => [0; LANES],
            };
            self.warps[w].regs.w[plane as usize] = Plane(value);
        }
    }
}
