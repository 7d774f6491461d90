//! Instructions of a whole warp or block: barriers, shuffles, votes, matrices.

use super::build::{Builder, Res, count, operand};
use super::logic::vector;
use super::mods::{Kind, Mods, Ty};
use super::op::{BarrierKind, Mma, MmaType, Op, Reg, ShuffleMode, VoteMode};
use crate::ptx::{Instruction, Operand};

/// `bar` and `barrier`.
pub(super) fn barrier(b: &mut Builder, i: &Instruction, m: &mut Mods) -> Res<Op> {
    if m.take("cluster") {
        return Err("clusters are not supported".into());
    }
    m.take("cta");
    m.take("aligned");
    if m.take("warp") {
        m.take("sync");
        count(i, 1)?;
        return Ok(Op::WarpBarrier { mask: b.w(i, 0, 32)? });
    }
    if m.take("red") {
        let logic =
            m.one_of(&[("popc", 0), ("and", 1), ("or", 2)]).ok_or("this reduction is not supported")?;
        m.ty()?;
        let n = i.operands.len();
        if !(3..=4).contains(&n) {
            return Err("3 or 4 operands are needed".into());
        }
        let (p, negated) = b.p(i, n - 1)?;
        let count = if n == 4 { Some(b.w(i, 2, 32)?) } else { None };
        let d = b.dst_of(operand(i, 0)?, if logic == 0 { 32 } else { 1 })?;
        let kind = match logic {
            0 => BarrierKind::Popc(d, p, negated),
            1 => BarrierKind::And(d, p, negated),
            _ => BarrierKind::Or(d, p, negated),
        };
        return Ok(Op::Barrier { id: b.w(i, 1, 32)?, count, kind });
    }
    let kind = m
        .one_of(&[("sync", BarrierKind::Sync), ("arrive", BarrierKind::Arrive)])
        .ok_or("this barrier is not supported")?;
    let count = if i.operands.len() > 1 { Some(b.w(i, 1, 32)?) } else { None };
    if kind == BarrierKind::Arrive && count.is_none() {
        return Err("`bar.arrive` needs a number of threads".into());
    }
    Ok(Op::Barrier { id: b.w(i, 0, 32)?, count, kind })
}

/// `a|b`: a destination and its predicate.
fn with_predicate(b: &mut Builder, operand: &Operand) -> Res<(u32, Option<u32>)> {
    let (first, ok) = match operand {
        Operand::Pair(first, second) => (&**first, Some(b.dst_p_of(second)?)),
        one => (one, None),
    };
    match b.dst_of(first, 32)? {
        Reg::W(plane, _) => Ok((plane, ok)),
        other => Err(format!("{other:?} where a 32-bit register is needed")),
    }
}

/// `shfl.sync`.
pub(super) fn shuffle(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    if !m.take("sync") || !ty.is(Kind::Bits, 32) {
        return Err("only `shfl.sync` with `.b32` is supported".into());
    }
    count(i, 5)?;
    let mode = m
        .one_of(&[
            ("up", ShuffleMode::Up),
            ("down", ShuffleMode::Down),
            ("bfly", ShuffleMode::Butterfly),
            ("idx", ShuffleMode::Index),
        ])
        .ok_or("this shuffle is not supported")?;
    let (d, ok) = with_predicate(b, operand(i, 0)?)?;
    Ok(Op::Shuffle {
        mode,
        d,
        ok,
        a: b.w(i, 1, 32)?,
        b: b.w(i, 2, 32)?,
        c: b.w(i, 3, 32)?,
        mask: b.w(i, 4, 32)?,
    })
}

/// `vote.sync`.
pub(super) fn vote(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    if !m.take("sync") {
        return Err("only `vote.sync` is supported".into());
    }
    count(i, 3)?;
    let mode = m
        .one_of(&[
            ("all", VoteMode::All),
            ("any", VoteMode::Any),
            ("uni", VoteMode::Uniform),
            ("ballot", VoteMode::Ballot),
        ])
        .ok_or("this vote is not supported")?;
    let d = b.dst_of(operand(i, 0)?, if mode == VoteMode::Ballot { 32 } else { 1 })?;
    if matches!(d, Reg::P(_)) != (ty.kind == Kind::Pred) {
        return Err("a register that does not fit the type".into());
    }
    let (p, negated) = b.p(i, 1)?;
    Ok(Op::Vote { mode, d, p, negated, mask: b.w(i, 2, 32)? })
}

/// `match.sync`.
pub(super) fn match_(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    count(i, 3)?;
    let all = m.one_of(&[("any", false), ("all", true)]).ok_or("`.any` or `.all` is missing")?;
    if !m.take("sync") {
        return Err("only `match.sync` is supported".into());
    }
    let (d, ok) = with_predicate(b, operand(i, 0)?)?;
    let a = b.value(operand(i, 1)?, ty.bits)?;
    Ok(Op::Match { all, d, ok, a, mask: b.w(i, 2, 32)? })
}

/// `redux.sync`.
pub(super) fn reduce(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    if b.capability < 80 {
        return Err("`redux` needs a target of sm_80 or later".into());
    }
    count(i, 3)?;
    let op = m.one_of(&super::memory::REDUCTIONS).ok_or("this reduction is not supported")?;
    if !m.take("sync") || !ty.integer() || ty.bits != 32 {
        return Err("only `redux.sync` of 32-bit integers is supported".into());
    }
    Ok(Op::Reduce { op, signed: ty.signed(), d: b.dst_w(i, 0)?, a: b.w(i, 1, 32)?, mask: b.w(i, 2, 32)? })
}

/// `mma.sync`.
pub(super) fn mma(b: &mut Builder, i: &Instruction, m: &mut Mods) -> Res<Op> {
    count(i, 4)?;
    if !(m.take("sync") && m.take("aligned") && m.take("row") && m.take("col")) {
        return Err("only `mma.sync.aligned` with `.row.col` is supported".into());
    }
    let saturate = m.take("satfinite");
    let (rows, k) = m
        .one_of(&[
            ("m16n8k4", (16, 4)),
            ("m16n8k8", (16, 8)),
            ("m16n8k16", (16, 16)),
            ("m16n8k32", (16, 32)),
            ("m8n8k4", (8, 4)),
        ])
        .ok_or("this shape is not supported")?;
    let c = m.ty()?;
    let second = m.ty()?;
    let first = m.ty()?;
    let d = m.ty()?;
    let half = |ty: Ty| ty.kind == Kind::Half;
    let ty = match (first.kind, second.kind, first.bits, rows, k) {
        (Kind::Half, Kind::Half, _, 16, 8 | 16) => MmaType::Half,
        (Kind::Brain, Kind::Brain, _, 16, 8 | 16) => MmaType::Brain,
        (Kind::Tf32, Kind::Tf32, _, 16, 4 | 8) => MmaType::Tf32,
        (Kind::Float, Kind::Float, 64, 8, 4) => MmaType::Double,
        (Kind::Signed | Kind::Unsigned, Kind::Signed | Kind::Unsigned, 8, 16, 16 | 32) => {
            MmaType::Bytes(first.signed(), second.signed())
        }
        _ => return Err("this combination of shape and types is not supported".into()),
    };
    let least = if ty == MmaType::Half && k == 8 { 75 } else { 80 };
    if b.capability < least {
        return Err(format!("this `mma` needs a target of sm_{least} or later"));
    }
    let accumulators = match ty {
        MmaType::Half => (half(d) || d.is(Kind::Float, 32)) && (half(c) || c.is(Kind::Float, 32)),
        MmaType::Brain | MmaType::Tf32 => d.is(Kind::Float, 32) && c.is(Kind::Float, 32),
        MmaType::Double => d.is(Kind::Float, 64) && c.is(Kind::Float, 64),
        MmaType::Bytes(..) => d.is(Kind::Signed, 32) && c.is(Kind::Signed, 32),
    };
    if !accumulators {
        return Err("these accumulators are not supported".into());
    }
    let bits = if ty == MmaType::Double { 64 } else { 32 };
    let out = Mma {
        m: rows,
        k,
        ty,
        half_in: half(c),
        half_out: half(d),
        saturate,
        d: vector(b, operand(i, 0)?, bits, true)?,
        a: vector(b, operand(i, 1)?, bits, false)?,
        b: vector(b, operand(i, 2)?, bits, false)?,
        c: vector(b, operand(i, 3)?, bits, false)?,
    };
    let element = match ty {
        MmaType::Half | MmaType::Brain => 2,
        MmaType::Tf32 => 4,
        MmaType::Double => 8,
        MmaType::Bytes(..) => 1,
    };
    let register = if bits == 64 { 8 } else { 4 };
    let need = |bytes: usize| bytes / 32 / register;
    let sum = |half: bool| rows * 8 * if half { 2 } else { register };
    let expected =
        [need(sum(out.half_out)), need(rows * k * element), need(8 * k * element), need(sum(out.half_in))];
    let found = [out.d.len(), out.a.len(), out.b.len(), out.c.len()];
    if found != expected {
        return Err(format!("{found:?} registers where {expected:?} are needed"));
    }
    Ok(Op::Mma(Box::new(out)))
}
