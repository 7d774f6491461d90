//! Loads, stores, atomics, asynchronous copies and addresses.

use super::build::{Builder, Res, count, immediate, operand, unsupported_type};
use super::logic::vector;
use super::mods::{Kind, Mods, Ty};
use super::op::{AtomicOp, AtomicType, Op, Reg};
use crate::exec::lanes::map1;
use crate::memory::{GENERIC_LOCAL, GENERIC_PARAM, GENERIC_SHARED};
use crate::ptx::{Instruction, Operand, Space};

fn space(m: &mut Mods) -> Space {
    m.one_of(&[
        ("global", Space::Global),
        ("shared", Space::Shared),
        ("shared::cta", Space::Shared),
        ("local", Space::Local),
        ("param", Space::Param),
        ("param::entry", Space::Param),
        ("param::func", Space::Param),
        ("const", Space::Const),
    ])
    .unwrap_or(Space::Generic)
}

/// `ld`, `ldu`, `st`.
pub(super) fn load_store(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    count(i, 2)?;
    let volatile = i.modifiers.iter().any(|m| m == "volatile");
    let mut sync = m.take_order();
    let space = space(m);
    // Threads of a block that share `volatile` variables still need barriers.
    sync.strong &= !(volatile && space == Space::Shared);
    let n = m.one_of(&[("v2", 2), ("v4", 4), ("v8", 8)]).unwrap_or(1);
    if ty.bits == 128 || ty.kind == Kind::Pred {
        return Err(unsupported_type(ty));
    }
    let store = i.base == "st";
    let (value, address) = if store { (1, 0) } else { (0, 1) };
    let regs = vector(b, operand(i, value)?, ty.bits.max(16), !store)?;
    if regs.len() != n {
        return Err(format!("{} registers for a vector of {n}", regs.len()));
    }
    let bytes = ty.bits / 8;
    if regs.iter().any(|r| matches!(r, Reg::P(_)) || matches!(r, Reg::W(..)) && bytes == 8) {
        return Err("a register that does not fit the type".into());
    }
    let mut access = b.access(operand(i, address)?, space, bytes, ty.signed(), regs)?;
    access.sync = sync;
    if store && matches!(access.space, Space::Const | Space::Param) {
        return Err("a store to read-only memory".into());
    }
    if store {
        return Ok(Op::Store(access));
    }
    Ok(match argument(b, operand(i, address)?) {
        Some(at) if access.space == Space::Param => Op::Argument(access, at),
        _ => Op::Load(access),
    })
}

/// The offset of `[name + offset]`, where that is an argument of the kernel.
fn argument(b: &Builder, operand: &Operand) -> Option<u32> {
    let Operand::Address(base, offset) = operand else { return None };
    let Operand::Name(name) = &**base else { return None };
    match b.variable(name) {
        Some((Space::Param, at)) if b.register(name).is_none() => {
            at.checked_add_signed(*offset).and_then(|at| u32::try_from(at).ok())
        }
        _ => None,
    }
}

/// What `atom`, `red` and `redux` can do.
pub(super) const REDUCTIONS: [(&str, AtomicOp); 6] = [
    ("add", AtomicOp::Add),
    ("min", AtomicOp::Min),
    ("max", AtomicOp::Max),
    ("and", AtomicOp::And),
    ("or", AtomicOp::Or),
    ("xor", AtomicOp::Xor),
];
/// What only `atom` and `red` can do.
const EXCHANGES: [(&str, AtomicOp); 4] = [
    ("exch", AtomicOp::Exchange),
    ("cas", AtomicOp::CompareSwap),
    ("inc", AtomicOp::Increment),
    ("dec", AtomicOp::Decrement),
];

/// `atom` and `red`.
pub(super) fn atomic(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    let sync = m.take_order();
    m.take("noftz");
    let space = space(m);
    let op = m
        .one_of(&REDUCTIONS)
        .or_else(|| m.one_of(&EXCHANGES))
        .ok_or("this atomic operation is not supported")?;
    let kind = match (ty.kind, ty.bits) {
        (Kind::Bits, 16) if op == AtomicOp::CompareSwap => AtomicType::U16,
        (Kind::Bits | Kind::Unsigned, 32) => AtomicType::U32,
        (Kind::Bits | Kind::Unsigned, 64) => AtomicType::U64,
        (Kind::Signed, 32) => AtomicType::S32,
        (Kind::Signed, 64) => AtomicType::S64,
        (Kind::Float, 32) => AtomicType::F32,
        (Kind::Float, 64) => AtomicType::F64,
        (Kind::Half, _) => AtomicType::Half,
        (Kind::Brain, _) => AtomicType::Brain,
        (Kind::HalfPair, _) => AtomicType::HalfPair,
        (Kind::BrainPair, _) => AtomicType::BrainPair,
        _ => return Err(unsupported_type(ty)),
    };
    let float = !matches!(
        kind,
        AtomicType::U16 | AtomicType::U32 | AtomicType::U64 | AtomicType::S32 | AtomicType::S64
    );
    if float && op != AtomicOp::Add {
        return Err("floating-point atomics other than `.add` are not supported".into());
    }
    let first = if i.base == "atom" { 1 } else { 0 };
    count(i, first + 2 + (op == AtomicOp::CompareSwap) as usize)?;
    let bits = kind.bytes() * 8;
    let d = if first == 1 { Some(b.dst_of(operand(i, 0)?, bits)?) } else { None };
    let mut at = b.access(operand(i, first)?, space, kind.bytes(), false, Vec::new())?;
    at.sync = sync;
    if !matches!(at.space, Space::Global | Space::Shared | Space::Generic) {
        return Err("atomics work on global and shared memory".into());
    }
    let value = b.value(operand(i, first + 1)?, bits)?;
    let c = if op == AtomicOp::CompareSwap { Some(b.value(operand(i, first + 2)?, bits)?) } else { None };
    Ok(Op::Atomic { at, op, ty: kind, d, b: value, c })
}

/// `cp.async` and its groups.
pub(super) fn copy_async(b: &mut Builder, i: &Instruction, m: &mut Mods) -> Res<Op> {
    if !m.take("async") {
        return Err("only `cp.async` is supported of `cp`".into());
    }
    if b.capability < 80 {
        return Err("`cp.async` needs a target of sm_80 or later".into());
    }
    if m.take("commit_group") {
        return Ok(Op::CopyCommit);
    }
    if m.take("wait_group") {
        return Ok(Op::CopyWait(Some(immediate(i, 0)? as u32)));
    }
    if m.take("wait_all") {
        return Ok(Op::CopyWait(None));
    }
    if m.take("bulk") || m.take("mbarrier") {
        return Err("bulk copies and mbarriers are not supported".into());
    }
    m.take_order();
    if !(m.take("shared") || m.take("shared::cta")) || !m.take("global") {
        return Err("`cp.async` goes from global to shared memory".into());
    }
    let bytes = immediate(i, 2)? as u32;
    if !matches!(bytes, 4 | 8 | 16) {
        return Err("`cp.async` copies 4, 8 or 16 bytes".into());
    }
    let to = b.access(operand(i, 0)?, Space::Shared, bytes, false, Vec::new())?;
    let from = b.access(operand(i, 1)?, Space::Global, bytes, false, Vec::new())?;
    let size = if i.operands.len() > 3 { Some(b.w(i, 3, 32)?) } else { None };
    Ok(Op::CopyAsync { to, from, bytes, size })
}

/// `ldmatrix`.
pub(super) fn load_matrix(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    let transposed = m.take("trans");
    let n = m.one_of(&[("x1", 1), ("x2", 2), ("x4", 4)]).ok_or("`.x1`, `.x2` or `.x4` is missing")?;
    if !(m.take("sync") && m.take("aligned") && m.take("m8n8") && ty.is(Kind::Bits, 16)) {
        return Err("this form of `ldmatrix` is not supported".into());
    }
    let space = space(m);
    let regs = vector(b, operand(i, 0)?, 32, true)?;
    if regs.len() != n {
        return Err(format!("{} registers for {n} matrices", regs.len()));
    }
    if regs.iter().any(|r| !matches!(r, Reg::W(..))) {
        return Err("`ldmatrix` needs 32-bit registers".into());
    }
    let mut at = b.access(operand(i, 1)?, space, 16, false, Vec::new())?;
    at.regs = regs;
    Ok(Op::LoadMatrix { at, transposed })
}

/// `cvta`: addresses to and from the generic space.
pub(super) fn convert_address(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    count(i, 2)?;
    if !ty.wide() {
        return Err("only 64-bit addresses are supported".into());
    }
    let to = m.take("to");
    let window = window(m)?;
    let (d, s) = (b.dst_d(i, 0)?, b.d(i, 1)?);
    Ok(Op::Alu(if to {
        map1(d, s, move |x: u64| x.wrapping_sub(window))
    } else {
        map1(d, s, move |x: u64| x.wrapping_add(window))
    }))
}

fn window(m: &mut Mods) -> Res<u64> {
    m.one_of(&[
        ("global", 0),
        ("const", 0),
        ("shared", GENERIC_SHARED),
        ("shared::cta", GENERIC_SHARED),
        ("local", GENERIC_LOCAL),
        ("param", GENERIC_PARAM),
        ("param::entry", GENERIC_PARAM),
    ])
    .ok_or_else(|| "a state space is missing".to_string())
}

/// `isspacep`: whether a generic address lies in a space.
pub(super) fn is_space(b: &mut Builder, i: &Instruction, m: &mut Mods) -> Res<Op> {
    count(i, 2)?;
    let window = window(m)?;
    let p = b.dst_p_of(operand(i, 0)?)?;
    let x = b.d(i, 1)?;
    let into = crate::exec::lanes::TestInto { yes: p, no: None, combine: None };
    Ok(Op::Alu(crate::exec::lanes::test(into, x, x, move |x: u64, _: u64| {
        crate::memory::window_of(x) == window
    })))
}
