//! The instruction loop of a warp.

use super::block::{Run, Worker};
use super::warp::{State, Stuck, Warp};
use crate::decode::op::{Inst, Op, Reg};
use crate::error::FaultKind;

/// Whether the processor has what the faster copy of the loop was compiled for.
pub(super) fn has_fast_level() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl Worker<'_> {
    /// Runs a warp until it ends, waits at a barrier, or has had its turn.
    pub fn run(&mut self, w: &mut Warp, turn: u64) -> Run<()> {
        #[cfg(target_arch = "x86_64")]
        if self.fast {
            // SAFETY: `fast` says that the processor has these features.
            return unsafe { self.run_fast(w, turn) };
        }
        self.run_plain(w, turn)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn run_fast(&mut self, w: &mut Warp, turn: u64) -> Run<()> {
        self.run_plain(w, turn)
    }

    #[inline(always)]
    fn run_plain(&mut self, w: &mut Warp, turn: u64) -> Run<()> {
        let code: &[Inst] = &self.l.kernel.code;
        let end = w.steps + turn;
        loop {
            let mut inst = &code[w.pc as usize];
            if inst.leader {
                if !w.groups.is_empty() && (w.lowest <= w.pc || self.dice.is_some()) {
                    w.meet(self.dice.as_mut());
                    inst = &code[w.pc as usize];
                }
                if w.steps >= end {
                    if self.dice.is_none() {
                        w.take_turns(super::block::SHORT_TURN);
                    }
                    return Ok(());
                }
            }
            let pc = w.pc;
            let m = match inst.guard {
                None => w.mask,
                Some((p, negated)) => w.mask & (w.regs.p[p as usize] ^ if negated { !0 } else { 0 }),
            };
            w.steps += 1;
            let executed = &mut self.executed[pc as usize];
            executed.0 += 1;
            executed.1 += m.count_ones() as u64;
            self.counts.divergent_instructions += (w.mask != w.live) as u64;
            match &inst.op {
                Op::Alu(f) => f(&mut w.regs, m),
                Op::Load(a) => {
                    if m != 0 {
                        self.load(w, a, m)?;
                    }
                }
                Op::Argument(a, at) => {
                    if m != 0 {
                        self.load_argument(w, a, *at, m)?;
                    }
                }
                Op::Store(a) => {
                    if m != 0 {
                        self.store(w, a, m)?;
                    }
                }
                Op::Branch(target) => {
                    if m == w.mask {
                        w.pc = *target;
                    } else if m != 0 {
                        self.counts.divergent_branches += 1;
                        let stay = w.mask & !m;
                        w.mask = stay;
                        w.pc += 1;
                        w.add(*target, m, false);
                    } else {
                        w.pc += 1;
                    }
                    continue;
                }
                Op::BranchIndex { index, targets } => {
                    self.branch_index(w, *index, targets, m)?;
                    continue;
                }
                Op::Exit => {
                    w.live &= !m;
                    w.retry |= m != 0;
                    w.mask &= !m;
                    if w.mask == 0 {
                        if !self.resume(w)? {
                            w.state = State::Done;
                            return Ok(());
                        }
                    } else {
                        w.pc += 1;
                    }
                    continue;
                }
                Op::Barrier { id, count, kind } => {
                    if m == 0 {
                        w.pc += 1;
                        continue;
                    }
                    let live = w.live;
                    let Some(m) = self.gather(w, m, |_| live)? else { continue };
                    let lane = m.trailing_zeros() as usize;
                    let id = w.regs.w[*id as usize].0[lane];
                    let count = count.map(|c| w.regs.w[c as usize].0[lane]);
                    self.arrive(w, pc, id, count, *kind, m)?;
                    w.pc += 1;
                    if w.state != State::Ready {
                        return Ok(());
                    }
                    continue;
                }
                Op::WarpBarrier { mask } => {
                    if m != 0 {
                        let Some(m) = self.gather_mask(w, m, *mask)? else { continue };
                        self.sync_warp(w, *mask, m);
                    }
                }
                Op::Shuffle { mode, d, ok, a, b, c, mask } => {
                    if m != 0 {
                        let Some(m) = self.gather_mask(w, m, *mask)? else { continue };
                        self.shuffle(w, *mode, (*d, *ok), [*a, *b, *c], m)?;
                    }
                }
                Op::Vote { mode, d, p, negated, mask } => {
                    if m != 0 {
                        let Some(m) = self.gather_mask(w, m, *mask)? else { continue };
                        self.vote(w, *mode, *d, (*p, *negated), *mask, m);
                    }
                }
                Op::Match { all, d, ok, a, mask } => {
                    if m != 0 {
                        let Some(m) = self.gather_mask(w, m, *mask)? else { continue };
                        self.match_values(w, *all, (*d, *ok), *a, *mask, m);
                    }
                }
                Op::Reduce { op, signed, d, a, mask } => {
                    if m != 0 {
                        let Some(m) = self.gather_mask(w, m, *mask)? else { continue };
                        self.reduce(w, *op, *signed, *d, *a, *mask, m);
                    }
                }
                Op::ActiveMask { d } => super::regs::put(&mut w.regs, *d, &[m; 32], m),
                Op::Atomic { at, op, ty, d, b, c } => {
                    if m != 0 {
                        self.atomic(w, at, *op, *ty, *d, (*b, *c), m)?;
                    }
                }
                Op::CopyAsync { to, from, bytes, size } => {
                    if m != 0 {
                        self.copy_async(w, to, from, *bytes, *size, m)?;
                    }
                }
                Op::CopyCommit => w.copy_group += 1,
                Op::CopyWait(n) => self.copy_wait(w, *n)?,
                Op::LoadMatrix { at, transposed } => {
                    if m != 0 {
                        let all = w.all;
                        let Some(m) = self.gather(w, m, |_| all)? else { continue };
                        self.load_matrix(w, at, *transposed, m)?;
                    }
                }
                Op::Mma(mma) => {
                    if m != 0 {
                        let all = w.all;
                        let Some(m) = self.gather(w, m, |_| all)? else { continue };
                        if m != !0 {
                            return Err(self.fault(
                                w,
                                FaultKind::Divergence,
                                "`mma` needs all 32 threads".into(),
                                0,
                            ));
                        }
                        super::mma::multiply(&mut w.regs, mma);
                    }
                }
                Op::Clock(d) => {
                    // Time is the number of instructions, which at least goes forward.
                    let now = w.steps;
                    match d {
                        Reg::D(d) => super::regs::put(&mut w.regs, *d, &[now; 32], m),
                        Reg::W(d, _) => super::regs::put(&mut w.regs, *d, &[now as u32; 32], m),
                        Reg::P(_) => {}
                    }
                }
                Op::Fence(sync) => {
                    if m != 0 {
                        self.fence(w, m, *sync);
                    }
                }
                Op::Nop => {}
                Op::Trap => {
                    if m != 0 {
                        return Err(self.fault(w, FaultKind::Trap, "`trap`".into(), m.trailing_zeros()));
                    }
                }
            }
            w.pc += 1;
        }
    }

    pub(super) fn fault(&self, w: &Warp, kind: FaultKind, what: String, lane: u32) -> Box<crate::Fault> {
        self.place_fault(kind, what, w.index, w.pc, lane)
    }

    fn resume(&mut self, w: &mut Warp) -> Run<bool> {
        match w.resume(self.dice.as_mut()) {
            Ok(more) => Ok(more),
            Err(Stuck) => {
                let places: Vec<String> = w
                    .groups
                    .iter()
                    .map(|g| {
                        let line = self.l.kernel.code[g.pc as usize].line;
                        format!("lanes {:#010x} at PTX line {line}", g.mask)
                    })
                    .collect();
                let what = format!(
                    "divergent warp: a barrier or warp-wide instruction that not all threads of its mask reach ({})",
                    places.join(", ")
                );
                let (pc, lane) = w.groups.first().map_or((w.pc, 0), |g| (g.pc, g.mask.trailing_zeros()));
                Err(self.place_fault(FaultKind::Divergence, what, w.index, pc, lane))
            }
        }
    }

    /// Brings the lanes together that a warp-wide instruction needs. `None` where some have not
    /// arrived: then the group has parked and another one runs.
    #[inline(always)]
    fn gather(&mut self, w: &mut Warp, m: u32, need: impl Fn(&Warp) -> u32) -> Run<Option<u32>> {
        if m == w.live && w.mask == m {
            return Ok(Some(m));
        }
        let need = need(w);
        self.gather_slowly(w, m, |_, _| need)
    }

    #[cold]
    fn gather_slowly(
        &mut self,
        w: &mut Warp,
        m: u32,
        need: impl Fn(&Warp, usize) -> u32,
    ) -> Run<Option<u32>> {
        // Lanes whose predicate is false go on without the others.
        w.add(w.pc + 1, w.mask & !m, false);
        w.mask = m;
        w.absorb(true);
        // Lanes with different masks do not wait for each other.
        let (pc, here) = (w.pc, w.mask);
        let complete = |lane: &usize| need(w, *lane) & w.live & !here == 0;
        let ready = super::regs::lanes(here).filter(complete).fold(0u32, |all, lane| all | 1 << lane);
        w.add(pc, here & !ready, true);
        w.mask = ready;
        if ready != 0 {
            return Ok(Some(ready));
        }
        self.resume(w)?;
        Ok(None)
    }

    /// Likewise, with the lanes that the masks of the instruction name.
    #[inline(always)]
    fn gather_mask(&mut self, w: &mut Warp, m: u32, mask: u32) -> Run<Option<u32>> {
        let masks = &w.regs.w[mask as usize].0;
        let whole = self.check.is_none() || w.live == w.all && masks.iter().all(|&v| v == !0);
        if m == w.live && w.mask == m && whole {
            return Ok(Some(m));
        }
        self.gather_mask_slowly(w, m, mask)
    }

    #[cold]
    fn gather_mask_slowly(&mut self, w: &mut Warp, m: u32, mask: u32) -> Run<Option<u32>> {
        if self.check.is_some() {
            for lane in super::regs::lanes(m) {
                let named = w.regs.w[mask as usize].0[lane];
                let problem = if named >> lane & 1 == 0 {
                    "does not name the thread itself"
                } else if named & w.all & !w.live != 0 {
                    "names threads that have exited"
                } else {
                    continue;
                };
                let what = format!("bad mask: {named:#010x} {problem}");
                return Err(self.fault(w, FaultKind::Mask, what, lane as u32));
            }
        }
        self.gather_slowly(w, m, |w, lane| w.regs.w[mask as usize].0[lane])
    }

    /// `bar.warp.sync` by lanes that have all arrived; each belongs to the group its mask names.
    #[cold]
    fn sync_warp(&mut self, w: &mut Warp, mask: u32, m: u32) {
        let Some(order) = &mut w.order else { return };
        let masks = &w.regs.w[mask as usize].0;
        let mut rest = m;
        while rest != 0 {
            let named = masks[rest.trailing_zeros() as usize];
            let group = super::regs::lanes(rest)
                .filter(|&lane| masks[lane] == named)
                .fold(0u32, |all, lane| all | 1 << lane);
            order.sync(group);
            rest &= !group;
        }
    }

    #[cold]
    fn branch_index(&mut self, w: &mut Warp, index: u32, targets: &[u32], m: u32) -> Run<()> {
        let stay = w.mask & !m;
        w.add(w.pc + 1, stay, false);
        let mut parts = 0;
        for lane in super::regs::lanes(m) {
            let k = w.regs.w[index as usize].0[lane];
            match targets.get(k as usize) {
                Some(&target) => w.add(target, 1 << lane, false),
                None => {
                    let what = format!("branch index {k} of {}", targets.len());
                    return Err(self.fault(w, FaultKind::Trap, what, lane as u32));
                }
            }
            parts += 1;
        }
        self.counts.divergent_branches += (parts > 1 && w.groups.len() > 1) as u64;
        self.resume(w)?;
        Ok(())
    }
}
