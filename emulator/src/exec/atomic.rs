//! Atomics on global and shared memory.

use super::access::source;
use super::block::{Run, Worker};
use super::num::*;
use super::regs::lanes;
use super::warp::Warp;
use crate::check::Kind;
use crate::decode::op::{Access, AtomicOp, AtomicType, Reg};
use crate::memory::raw;

impl Worker<'_> {
    #[allow(clippy::too_many_arguments)] // The operands of the instruction.
    pub(super) fn atomic(
        &mut self,
        w: &mut Warp,
        a: &Access,
        op: AtomicOp,
        ty: AtomicType,
        d: Option<Reg>,
        (b, c): (Reg, Option<Reg>),
        m: u32,
    ) -> Run<()> {
        self.counts.atomics += m.count_ones() as u64;
        self.fence(w, m, a.sync);
        self.resolve(w, a, a.bytes, m, Kind::Atomic)?;
        let host = self.targets.host;
        for lane in lanes(m) {
            let operand = source(&w.regs, b, lane);
            let other = c.map_or(0, |c| source(&w.regs, c, lane));
            // SAFETY: `resolve` checked bounds and alignment.
            let old = unsafe { raw::update(host[lane], a.bytes, |x| combine(op, ty, x, operand, other)) };
            match d {
                Some(Reg::W(d, _)) => w.regs.w[d as usize].0[lane] = old as u32,
                Some(Reg::D(d)) => w.regs.d[d as usize].0[lane] = old,
                _ => {}
            }
        }
        Ok(())
    }
}

/// What an atomic leaves in memory.
pub(super) fn combine(op: AtomicOp, ty: AtomicType, x: u64, b: u64, c: u64) -> u64 {
    let (x32, b32) = (x as u32, b as u32);
    let small = |small: Small| small.store(small.load(x32) + small.load(b32)) as u64;
    let pair = |small: Small| {
        let low = small.store(small.load(x32) + small.load(b32));
        let high = small.store(small.load(x32 >> 16) + small.load(b32 >> 16));
        (high << 16 | low) as u64
    };
    match (op, ty) {
        (AtomicOp::Exchange, _) => b,
        (AtomicOp::CompareSwap, _) => {
            let keep = if ty.bytes() == 8 { !0 } else { (1u64 << (8 * ty.bytes())) - 1 };
            if x == b & keep { c } else { x }
        }
        (AtomicOp::Add, AtomicType::F32) => bits32(f32_of(x32) + f32_of(b32), false) as u64,
        (AtomicOp::Add, AtomicType::F64) => (f64_of(x) + f64_of(b)).to_bits(),
        (AtomicOp::Add, AtomicType::Half) => small(Small::Half),
        (AtomicOp::Add, AtomicType::Brain) => small(Small::Brain),
        (AtomicOp::Add, AtomicType::HalfPair) => pair(Small::Half),
        (AtomicOp::Add, AtomicType::BrainPair) => pair(Small::Brain),
        (AtomicOp::Add, _) => x.wrapping_add(b),
        (AtomicOp::Min, AtomicType::S32) => (x32 as i32).min(b32 as i32) as u32 as u64,
        (AtomicOp::Max, AtomicType::S32) => (x32 as i32).max(b32 as i32) as u32 as u64,
        (AtomicOp::Min, AtomicType::S64) => (x as i64).min(b as i64) as u64,
        (AtomicOp::Max, AtomicType::S64) => (x as i64).max(b as i64) as u64,
        (AtomicOp::Min, _) => x.min(b),
        (AtomicOp::Max, _) => x.max(b),
        (AtomicOp::And, _) => x & b,
        (AtomicOp::Or, _) => x | b,
        (AtomicOp::Xor, _) => x ^ b,
        (AtomicOp::Increment, _) => {
            if x32 >= b32 {
                0
            } else {
                x + 1
            }
        }
        (AtomicOp::Decrement, _) => {
            if x32 == 0 || x32 > b32 {
                b
            } else {
                x - 1
            }
        }
    }
}
