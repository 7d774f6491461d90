//! Logic, shifts, comparisons, selection and moves.

use super::build::{Builder, Res, count, elements, operand, unsupported_type};
use super::mods::{Kind, Mods, Ty};
use super::op::{Op, Reg};
use super::small;
use crate::exec::lanes::*;
use crate::exec::num::*;
use crate::exec::regs::{Regs, lanes};
use crate::ptx::{Instruction, Operand};

/// `and`, `or`, `xor`, `not`, `cnot`.
pub(super) fn bitwise(b: &mut Builder, i: &Instruction, ty: Ty) -> Res<Op> {
    if ty.kind == Kind::Pred {
        let d = b.dst_p_of(operand(i, 0)?)?;
        let (x, nx) = b.p(i, 1)?;
        let (y, ny) = if i.base == "not" { (x, nx) } else { b.p(i, 2)? };
        let logic = match i.base.as_str() {
            "and" => Logic::And,
            "or" => Logic::Or,
            "xor" => Logic::Xor,
            "not" => {
                return Ok(Op::Alu(predicates(d, move |r| r.p[x as usize] ^ if nx { 0 } else { !0 })));
            }
            other => return Err(format!("`{other}` is not supported for predicates")),
        };
        let flip = |n: bool| if n { !0 } else { 0 };
        let (fx, fy) = (flip(nx), flip(ny));
        return Ok(Op::Alu(predicates(d, move |r| logic.apply(r.p[x as usize] ^ fx, r.p[y as usize] ^ fy))));
    }
    macro_rules! pair {
        ($f:expr, $g:expr) => {{
            count(i, 3)?;
            match ty.bits {
                64 => map2(b.dst_d(i, 0)?, b.d(i, 1)?, b.d(i, 2)?, $g),
                16 | 32 => map2(b.dst_w(i, 0)?, b.w(i, 1, ty.bits)?, b.w(i, 2, ty.bits)?, $f),
                _ => return Err(unsupported_type(ty)),
            }
        }};
    }
    let keep = if ty.bits == 16 { 0xffff } else { !0u32 };
    Ok(Op::Alu(match i.base.as_str() {
        "and" => pair!(|x: u32, y: u32| x & y, |x: u64, y: u64| x & y),
        "or" => pair!(|x: u32, y: u32| x | y, |x: u64, y: u64| x | y),
        "xor" => pair!(|x: u32, y: u32| x ^ y, |x: u64, y: u64| x ^ y),
        "not" if ty.wide() => map1(b.dst_d(i, 0)?, b.d(i, 1)?, |x: u64| !x),
        "not" => map1(b.dst_w(i, 0)?, b.w(i, 1, ty.bits)?, move |x: u32| !x & keep),
        "cnot" if ty.wide() => map1(b.dst_d(i, 0)?, b.d(i, 1)?, |x: u64| (x == 0) as u64),
        _ => map1(b.dst_w(i, 0)?, b.w(i, 1, ty.bits)?, |x: u32| (x == 0) as u32),
    }))
}

fn predicates(d: u32, f: impl Fn(&Regs) -> u32 + Send + Sync + 'static) -> Alu {
    Box::new(move |r: &mut Regs, mask: u32| {
        let value = f(r);
        let out = &mut r.p[d as usize];
        *out = *out & !mask | value & mask;
    })
}

/// `shl`, `shr`, `shf`.
pub(super) fn shift(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    if i.base == "shf" {
        count(i, 4)?;
        let left = m.one_of(&[("l", true), ("r", false)]).ok_or("`.l` or `.r` is missing")?;
        let clamp = m.one_of(&[("clamp", true), ("wrap", false)]).ok_or("`.clamp` or `.wrap` is missing")?;
        let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, b.w(i, 3, 32)?];
        return Ok(Op::Alu(map3(b.dst_w(i, 0)?, s, move |low: u32, high: u32, n: u32| {
            let n = if clamp { n.min(32) } else { n & 31 };
            let all = low as u64 | (high as u64) << 32;
            if left { (all << n >> 32) as u32 } else { (all >> n) as u32 }
        })));
    }
    count(i, 3)?;
    let signed = ty.signed();
    let n = b.w(i, 2, 32)?;
    Ok(Op::Alu(match (i.base.as_str(), ty.bits) {
        ("shl", 16) => map2(b.dst_w(i, 0)?, b.w(i, 1, 16)?, n, |x: u32, n: u32| (x << n.min(16)) & 0xffff),
        ("shl", 32) => {
            map2(b.dst_w(i, 0)?, b.w(i, 1, 32)?, n, |x: u32, n: u32| if n > 31 { 0 } else { x << (n & 31) })
        }
        ("shl", 64) => {
            map2(b.dst_d(i, 0)?, b.d(i, 1)?, n, |x: u64, n: u32| if n > 63 { 0 } else { x << (n & 63) })
        }
        ("shr", 16) if signed => map2(b.dst_w(i, 0)?, b.w(i, 1, 16)?, n, |x: u32, n: u32| {
            (x as u16 as i16 as i32 >> n.min(31)) as u32 & 0xffff
        }),
        ("shr", 16) => map2(b.dst_w(i, 0)?, b.w(i, 1, 16)?, n, |x: u32, n: u32| (x & 0xffff) >> n.min(31)),
        ("shr", 32) if signed => {
            map2(b.dst_w(i, 0)?, b.w(i, 1, 32)?, n, |x: u32, n: u32| (x as i32 >> n.min(31)) as u32)
        }
        ("shr", 32) => {
            map2(b.dst_w(i, 0)?, b.w(i, 1, 32)?, n, |x: u32, n: u32| if n > 31 { 0 } else { x >> (n & 31) })
        }
        ("shr", 64) if signed => {
            map2(b.dst_d(i, 0)?, b.d(i, 1)?, n, |x: u64, n: u32| (x as i64 >> n.min(63)) as u64)
        }
        ("shr", 64) => {
            map2(b.dst_d(i, 0)?, b.d(i, 1)?, n, |x: u64, n: u32| if n > 63 { 0 } else { x >> (n & 63) })
        }
        _ => return Err(unsupported_type(ty)),
    }))
}

/// A comparison operator, and whether NaN makes it true.
#[derive(Clone, Copy, PartialEq)]
enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Number,
    Nan,
}

/// The operator, whether it is unsigned by name (`lo`, `hi`), and whether it is unordered.
fn comparison(m: &mut Mods) -> Res<(Compare, bool, bool)> {
    let name = m.first().ok_or("no comparison")?;
    Ok(match name {
        "eq" => (Compare::Eq, false, false),
        "ne" => (Compare::Ne, false, false),
        "lt" => (Compare::Lt, false, false),
        "le" => (Compare::Le, false, false),
        "gt" => (Compare::Gt, false, false),
        "ge" => (Compare::Ge, false, false),
        "lo" => (Compare::Lt, true, false),
        "ls" => (Compare::Le, true, false),
        "hi" => (Compare::Gt, true, false),
        "hs" => (Compare::Ge, true, false),
        "equ" => (Compare::Eq, false, true),
        "neu" => (Compare::Ne, false, true),
        "ltu" => (Compare::Lt, false, true),
        "leu" => (Compare::Le, false, true),
        "gtu" => (Compare::Gt, false, true),
        "geu" => (Compare::Ge, false, true),
        "num" => (Compare::Number, false, false),
        "nan" => (Compare::Nan, false, false),
        other => return Err(format!("the comparison `.{other}` is not supported")),
    })
}

/// The comparison of operands 1 and 2, or of two planes of half precision, into predicates.
fn compare(
    b: &mut Builder,
    i: &Instruction,
    halves: Option<[u32; 2]>,
    ty: Ty,
    z: bool,
    (op, by_name, unordered): (Compare, bool, bool),
    into: TestInto,
) -> Res<Alu> {
    macro_rules! ordered {
        ($x:expr, $y:expr, $read:expr) => {{
            let (x, y, read) = ($x, $y, $read);
            match op {
                Compare::Eq => test(into, x, y, move |a, c| read(a) == read(c)),
                Compare::Ne => test(into, x, y, move |a, c| read(a) != read(c)),
                Compare::Lt => test(into, x, y, move |a, c| read(a) < read(c)),
                Compare::Le => test(into, x, y, move |a, c| read(a) <= read(c)),
                Compare::Gt => test(into, x, y, move |a, c| read(a) > read(c)),
                Compare::Ge => test(into, x, y, move |a, c| read(a) >= read(c)),
                _ => return Err("this comparison is for floating point only".into()),
            }
        }};
    }
    macro_rules! floating {
        ($x:expr, $y:expr, $read:expr) => {{
            let (x, y, read) = ($x, $y, $read);
            macro_rules! form {
                ($f:expr) => {
                    test(into, x, y, move |a, c| {
                        let (a, c) = (read(a), read(c));
                        let nan = a.is_nan() | c.is_nan();
                        let f = $f;
                        if nan { unordered } else { f(a, c) }
                    })
                };
            }
            match op {
                Compare::Eq => form!(|a, c| a == c),
                Compare::Ne => form!(|a, c| a != c),
                Compare::Lt => form!(|a, c| a < c),
                Compare::Le => form!(|a, c| a <= c),
                Compare::Gt => form!(|a, c| a > c),
                Compare::Ge => form!(|a, c| a >= c),
                Compare::Number => test(into, x, y, move |a, c| !(read(a).is_nan() | read(c).is_nan())),
                Compare::Nan => test(into, x, y, move |a, c| read(a).is_nan() | read(c).is_nan()),
            }
        }};
    }
    let signed = ty.signed() && !by_name;
    Ok(match (ty.kind, ty.bits) {
        (Kind::Float, 32) => floating!(b.w(i, 1, 32)?, b.w(i, 2, 32)?, move |v: u32| in32(v, z)),
        (Kind::Float, 64) => floating!(b.d(i, 1)?, b.d(i, 2)?, |v: u64| f64_of(v)),
        (Kind::Half | Kind::Brain, _) => {
            let small = small::format(ty).ok_or("no format")?.0;
            let [x, y] = match halves {
                Some(planes) => planes,
                None => [b.w(i, 1, 16)?, b.w(i, 2, 16)?],
            };
            let flush = z && ty.kind == Kind::Half;
            floating!(x, y, move |v: u32| {
                small.load(if flush && v & 0x7c00 == 0 { v & 0x8000 } else { v })
            })
        }
        (_, 16) if signed => ordered!(b.w(i, 1, 16)?, b.w(i, 2, 16)?, |v: u32| v as u16 as i16),
        (_, 16) if ty.integer() => ordered!(b.w(i, 1, 16)?, b.w(i, 2, 16)?, |v: u32| v as u16),
        (_, 32) if signed => ordered!(b.w(i, 1, 32)?, b.w(i, 2, 32)?, |v: u32| v as i32),
        (_, 32) if ty.integer() => ordered!(b.w(i, 1, 32)?, b.w(i, 2, 32)?, |v: u32| v),
        (_, 64) if signed => ordered!(b.d(i, 1)?, b.d(i, 2)?, |v: u64| v as i64),
        (_, 64) if ty.integer() => ordered!(b.d(i, 1)?, b.d(i, 2)?, |v: u64| v),
        _ => return Err(unsupported_type(ty)),
    })
}

fn combine(b: &mut Builder, i: &Instruction, m: &mut Mods) -> Res<Option<(Logic, u32, bool)>> {
    match m.one_of(&[("and", Logic::And), ("or", Logic::Or), ("xor", Logic::Xor)]) {
        None => {
            count(i, 3)?;
            Ok(None)
        }
        Some(logic) => {
            count(i, 4)?;
            let (p, negated) = b.p(i, 3)?;
            Ok(Some((logic, p, negated)))
        }
    }
}

/// The comparison of the low and of the high halves of two pairs.
fn both_halves(
    b: &mut Builder,
    i: &Instruction,
    pair: Ty,
    z: bool,
    op: (Compare, bool, bool),
    combine: Option<(Logic, u32, bool)>,
    [low, high]: [u32; 2],
) -> Res<Alu> {
    let kind = if pair.kind == Kind::HalfPair { Kind::Half } else { Kind::Brain };
    let one = Ty { kind, bits: 16 };
    let [x, y] = [b.w(i, 1, 32)?, b.w(i, 2, 32)?];
    let upper = [b.new_w(), b.new_w()];
    let first = compare(b, i, Some([x, y]), one, z, op, TestInto { yes: low, no: None, combine })?;
    let second = compare(b, i, Some(upper), one, z, op, TestInto { yes: high, no: None, combine })?;
    Ok(Box::new(move |r: &mut Regs, mask: u32| {
        for (from, to) in [x, y].into_iter().zip(upper) {
            r.w[to as usize].0 = r.w[from as usize].0.map(|v| v >> 16);
        }
        first(r, mask);
        second(r, mask);
    }))
}

/// `setp`.
pub(super) fn set_predicate(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    let op = comparison(m)?;
    let z = m.take("ftz");
    let combine = combine(b, i, m)?;
    if small::format(ty).is_some_and(|f| f.1) {
        let Operand::Pair(low, high) = operand(i, 0)? else {
            return Err("the comparison of two pairs needs two predicates".into());
        };
        let (low, high) = (b.dst_p_of(low)?, b.dst_p_of(high)?);
        return Ok(Op::Alu(both_halves(b, i, ty, z, op, combine, [low, high])?));
    }
    let (yes, no) = match operand(i, 0)? {
        Operand::Pair(p, q) => (b.dst_p_of(p)?, Some(b.dst_p_of(q)?)),
        one => (b.dst_p_of(one)?, None),
    };
    Ok(Op::Alu(compare(b, i, None, ty, z, op, TestInto { yes, no, combine })?))
}

/// `set`: a comparison into a register, all ones or 1.0.
pub(super) fn set(b: &mut Builder, i: &Instruction, m: &mut Mods, source: Ty) -> Res<Op> {
    let target = m.ty()?;
    let op = comparison(m)?;
    let z = m.take("ftz");
    let combine = combine(b, i, m)?;
    if let Some((_, true)) = small::format(source) {
        let halves = [b.new_p(), b.new_p()];
        let test = both_halves(b, i, source, z, op, combine, halves)?;
        let on = match (target.kind, target.bits) {
            _ if target == source => {
                if target.kind == Kind::HalfPair {
                    0x3c00u32
                } else {
                    0x3f80
                }
            }
            (_, 32) if target.integer() => 0xffff,
            _ => return Err(unsupported_type(target)),
        };
        let d = b.dst_w(i, 0)?;
        return Ok(Op::Alu(Box::new(move |r: &mut Regs, mask: u32| {
            test(r, mask);
            let [low, high] = halves.map(|p| r.p[p as usize]);
            for lane in lanes(mask) {
                let value = if low >> lane & 1 != 0 { on } else { 0 }
                    | if high >> lane & 1 != 0 { on << 16 } else { 0 };
                r.w[d as usize].0[lane] = value;
            }
        })));
    }
    let yes = b.new_p();
    let test = compare(b, i, None, source, z, op, TestInto { yes, no: None, combine })?;
    let d = b.dst_w(i, 0)?;
    let (on, off) = match (target.kind, target.bits) {
        (Kind::Float, 32) => (b.constant_w(1f32.to_bits()), b.constant_w(0)),
        (_, 32) if target.integer() => (b.constant_w(!0), b.constant_w(0)),
        (_, 16) if target.integer() => (b.constant_w(0xffff), b.constant_w(0)),
        (Kind::Half, _) => (b.constant_w(0x3c00), b.constant_w(0)),
        (Kind::Brain, _) => (b.constant_w(0x3f80), b.constant_w(0)),
        _ => return Err(unsupported_type(target)),
    };
    let choose = select::<u32>(d, on, off, yes, false);
    Ok(Op::Alu(Box::new(move |r: &mut Regs, mask: u32| {
        test(r, mask);
        choose(r, mask);
    })))
}

/// `selp` and `slct`.
pub(super) fn choose(b: &mut Builder, i: &Instruction, m: &mut Mods, mut ty: Ty) -> Res<Op> {
    count(i, 4)?;
    if i.base == "selp" {
        let (p, negated) = b.p(i, 3)?;
        return Ok(Op::Alu(if ty.wide() {
            select::<u64>(b.dst_d(i, 0)?, b.d(i, 1)?, b.d(i, 2)?, p, negated)
        } else if ty.bits >= 16 {
            select::<u32>(b.dst_w(i, 0)?, b.w(i, 1, ty.bits)?, b.w(i, 2, ty.bits)?, p, negated)
        } else {
            return Err(unsupported_type(ty));
        }));
    }
    let by = ty;
    ty = m.ty()?;
    m.take("ftz");
    let c = b.w(i, 3, 32)?;
    let holds = move |c: u32| if by.kind == Kind::Float { f32_of(c) >= 0.0 } else { c as i32 >= 0 };
    Ok(Op::Alu(if ty.wide() {
        map3(
            b.dst_d(i, 0)?,
            [b.d(i, 1)?, b.d(i, 2)?, c],
            move |x: u64, y: u64, c: u32| if holds(c) { x } else { y },
        )
    } else {
        let s = [b.w(i, 1, ty.bits)?, b.w(i, 2, ty.bits)?, c];
        map3(b.dst_w(i, 0)?, s, move |x: u32, y: u32, c: u32| if holds(c) { x } else { y })
    }))
}

/// `mov`, packing and unpacking.
pub(super) fn copy(b: &mut Builder, i: &Instruction, ty: Ty) -> Res<Op> {
    count(i, 2)?;
    let (d, s) = (operand(i, 0)?, operand(i, 1)?);
    match (d, s) {
        (Operand::Vector(parts), _) => return unpack(b, parts, s, ty.bits),
        (_, Operand::Vector(parts)) => return pack(b, parts, d, ty.bits),
        _ => {}
    }
    if let Operand::Name(name) = s
        && matches!(name.as_str(), "%clock" | "%clock64" | "%globaltimer" | "%globaltimer_lo" | "%clock_hi")
    {
        let d = b.dst_of(d, ty.bits)?;
        return Ok(Op::Clock(d));
    }
    Ok(Op::Alu(match ty.bits {
        1 => {
            let d = b.dst_p_of(d)?;
            let (p, negated) = b.p_of(s)?;
            let flip = if negated { !0 } else { 0 };
            predicates(d, move |r| r.p[p as usize] ^ flip)
        }
        64 => map1(b.dst_d(i, 0)?, b.d(i, 1)?, |x: u64| x),
        16 | 32 => map1(b.dst_w(i, 0)?, b.w(i, 1, ty.bits)?, |x: u32| x),
        _ => return Err(unsupported_type(ty)),
    }))
}

fn pack(b: &mut Builder, parts: &[Operand], d: &Operand, bits: u32) -> Res<Op> {
    let each = bits / parts.len() as u32;
    if !matches!(each, 8 | 16 | 32) || each * parts.len() as u32 != bits {
        return Err("a vector of this shape is not supported".into());
    }
    let mut planes = Vec::new();
    for part in parts {
        match b.value(part, each)? {
            Reg::W(plane, _) => planes.push(plane),
            other => return Err(format!("{other:?} in a vector of {each}-bit values")),
        }
    }
    let d = b.dst_of(d, bits)?;
    if let (Reg::D(d), [low, high], 32) = (d, planes.as_slice(), each) {
        return Ok(Op::Alu(map2(d, *low, *high, |x: u32, y: u32| x as u64 | (y as u64) << 32)));
    }
    if let (Reg::W(d, _), [low, high], 16) = (d, planes.as_slice(), each) {
        return Ok(Op::Alu(map2(d, *low, *high, |x: u32, y: u32| x & 0xffff | y << 16)));
    }
    let keep = if each == 32 { !0u32 } else { (1 << each) - 1 };
    Ok(Op::Alu(Box::new(move |r: &mut Regs, mask: u32| {
        for lane in lanes(mask) {
            let value =
                planes.iter().rev().fold(0u64, |v, &p| v << each | (r.w[p as usize].0[lane] & keep) as u64);
            match d {
                Reg::D(d) => r.d[d as usize].0[lane] = value,
                Reg::W(d, _) => r.w[d as usize].0[lane] = value as u32,
                Reg::P(_) => {}
            }
        }
    })))
}

fn unpack(b: &mut Builder, parts: &[Operand], s: &Operand, bits: u32) -> Res<Op> {
    let each = bits / parts.len() as u32;
    if !matches!(each, 8 | 16 | 32) || each * parts.len() as u32 != bits {
        return Err("a vector of this shape is not supported".into());
    }
    let s = b.value(s, bits)?;
    let mut planes = Vec::new();
    for (k, part) in parts.iter().enumerate() {
        if *part == Operand::Name("_".into()) {
            continue;
        }
        match b.dst_of(part, each)? {
            Reg::W(plane, _) => planes.push((plane, k as u32 * each)),
            other => return Err(format!("{other:?} in a vector of {each}-bit values")),
        }
    }
    let keep = if each == 32 { !0u32 } else { (1 << each) - 1 };
    Ok(Op::Alu(Box::new(move |r: &mut Regs, mask: u32| {
        // The source may be one of the targets, so all of it is read first.
        let source: [u64; 32] = match s {
            Reg::D(s) => r.d[s as usize].0,
            Reg::W(s, _) => r.w[s as usize].0.map(u64::from),
            Reg::P(_) => [0; 32],
        };
        for &(plane, at) in &planes {
            let mut out = [0u32; 32];
            for lane in 0..32 {
                out[lane] = (source[lane] >> at) as u32 & keep;
            }
            crate::exec::regs::put(r, plane, &out, mask);
        }
    })))
}

/// The registers of a vector operand, as destinations or sources of `bits` bits.
pub(super) fn vector(b: &mut Builder, operand: &Operand, bits: u32, into: bool) -> Res<Vec<Reg>> {
    elements(operand).into_iter().map(|e| if into { b.dst_of(e, bits) } else { b.value(e, bits) }).collect()
}
