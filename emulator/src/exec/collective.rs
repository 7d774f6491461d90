//! Instructions by which lanes of a warp exchange values.

use super::block::{Run, Worker};
use super::regs::{LANES, lanes, put};
use super::warp::Warp;
use crate::decode::op::{AtomicOp, Reg, ShuffleMode, VoteMode};
use crate::error::FaultKind;

impl Worker<'_> {
    pub(super) fn shuffle(
        &mut self,
        w: &mut Warp,
        mode: ShuffleMode,
        (d, ok): (u32, Option<u32>),
        [a, b, c]: [u32; 3],
        m: u32,
    ) -> Run<()> {
        let value = w.regs.w[a as usize].0;
        let by = w.regs.w[b as usize].0;
        let control = w.regs.w[c as usize].0;
        let mut out = [0u32; LANES];
        let mut good = 0u32;
        for lane in lanes(m) {
            let me = lane as u32;
            // The manual's rule: segments of the warp, and the last lane that may be read.
            let (clamp, segment) = (control[lane] & 31, control[lane] >> 8 & 31);
            let n = by[lane] & 31;
            let first = me & segment;
            let last = first | clamp & !segment & 31;
            let (from, inside) = match mode {
                ShuffleMode::Up => (me.wrapping_sub(n), me as i32 - n as i32 >= last as i32),
                ShuffleMode::Down => (me + n, me + n <= last),
                ShuffleMode::Butterfly => (me ^ n, me ^ n <= last),
                ShuffleMode::Index => {
                    let from = first | n & !segment;
                    (from, from <= last)
                }
            };
            let from = if inside { from & 31 } else { me };
            if self.check.is_some() && m >> from & 1 == 0 {
                let what = format!("a shuffle reads lane {from}, which takes no part");
                return Err(self.fault(w, FaultKind::Mask, what, me));
            }
            out[lane] = value[from as usize];
            good |= (inside as u32) << lane;
        }
        put(&mut w.regs, d, &out, m);
        if let Some(ok) = ok {
            let p = &mut w.regs.p[ok as usize];
            *p = *p & !m | good;
        }
        Ok(())
    }

    pub(super) fn vote(
        &mut self,
        w: &mut Warp,
        mode: VoteMode,
        d: Reg,
        (p, negated): (u32, bool),
        mask: u32,
        m: u32,
    ) {
        let votes = (w.regs.p[p as usize] ^ if negated { !0 } else { 0 }) & m;
        for lane in lanes(m) {
            let members = w.regs.w[mask as usize].0[lane] & m;
            let (mine, members) = (votes & members, members);
            let holds = match mode {
                VoteMode::All => mine == members,
                VoteMode::Any => mine != 0,
                VoteMode::Uniform => mine == 0 || mine == members,
                VoteMode::Ballot => false,
            };
            match d {
                Reg::W(d, _) => w.regs.w[d as usize].0[lane] = mine,
                Reg::P(d) => {
                    let out = &mut w.regs.p[d as usize];
                    *out = *out & !(1 << lane) | (holds as u32) << lane;
                }
                Reg::D(_) => {}
            }
        }
    }

    pub(super) fn match_values(
        &mut self,
        w: &mut Warp,
        all: bool,
        (d, ok): (u32, Option<u32>),
        a: Reg,
        mask: u32,
        m: u32,
    ) {
        let value = |lane: usize| match a {
            Reg::W(p, _) => w.regs.w[p as usize].0[lane] as u64,
            Reg::D(p) => w.regs.d[p as usize].0[lane],
            Reg::P(_) => 0,
        };
        let mut out = [0u32; LANES];
        let mut good = 0;
        for lane in lanes(m) {
            let members = w.regs.w[mask as usize].0[lane] & m;
            let equal = lanes(members).filter(|&k| value(k) == value(lane)).fold(0u32, |e, k| e | 1 << k);
            out[lane] = if !all || equal == members { equal } else { 0 };
            good |= ((equal == members) as u32) << lane;
        }
        put(&mut w.regs, d, &out, m);
        if let Some(ok) = ok {
            let p = &mut w.regs.p[ok as usize];
            *p = *p & !m | good;
        }
    }

    #[allow(clippy::too_many_arguments)] // The operands of the instruction.
    pub(super) fn reduce(
        &mut self,
        w: &mut Warp,
        op: AtomicOp,
        signed: bool,
        d: u32,
        a: u32,
        mask: u32,
        m: u32,
    ) {
        let values = w.regs.w[a as usize].0;
        let mut out = [0u32; LANES];
        for lane in lanes(m) {
            let members = w.regs.w[mask as usize].0[lane] & m;
            let step = |x: u32, y: u32| match op {
                AtomicOp::Add => x.wrapping_add(y),
                AtomicOp::And => x & y,
                AtomicOp::Or => x | y,
                AtomicOp::Min if signed => (x as i32).min(y as i32) as u32,
                AtomicOp::Max if signed => (x as i32).max(y as i32) as u32,
                AtomicOp::Min => x.min(y),
                AtomicOp::Max => x.max(y),
                _ => x ^ y,
            };
            out[lane] = lanes(members).map(|k| values[k]).reduce(step).unwrap_or(0);
        }
        put(&mut w.regs, d, &out, m);
    }
}
