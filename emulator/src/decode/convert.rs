//! `cvt`: every pair of types, rounding mode and saturation.

use super::build::{Builder, Res, count, operand};
use super::eight::{self, Eight};
use super::mods::{Kind, Mods, Ty};
use super::op::{Op, Reg};
use super::small;
use crate::exec::lanes::{Alu, map1, map2};
use crate::exec::num::*;
use crate::ptx::Instruction;

/// Decodes a conversion.
pub(super) fn decode(b: &mut Builder, i: &Instruction, m: &mut Mods, from: Ty) -> Res<Op> {
    let to = m.ty()?;
    if Eight::of(from).or(Eight::of(to)).is_some() {
        return eight::convert(b, i, m, from, to);
    }
    if matches!(to.kind, Kind::HalfPair | Kind::BrainPair) {
        return pair(b, i, m, from, to);
    }
    count(i, 2)?;
    let z = m.take("ftz");
    let sat = m.take("sat");
    let relu = m.take("relu");
    let finite = m.take("satfinite");
    if (relu || finite) && small::format(to).is_none() {
        return Err("`.relu` and `.satfinite` are supported only towards f16 and bf16".into());
    }
    if finite {
        return Err("`.satfinite` is not supported".into());
    }
    // Both planes may be wider than the types; what is above a narrow target stays zero, or
    // holds its sign where the register is wider than a signed type.
    let s = b.value(operand(i, 1)?, from.bits.max(16))?;
    let d = b.dst_of(operand(i, 0)?, to.bits)?;
    Ok(Op::Alu(match (class(from)?, class(to)?) {
        (Class::Int, Class::Int) => int_to_int(s, d, from, to, sat)?,
        (Class::Int, Class::Float) => {
            let round = m.round().unwrap_or(Round::Near);
            int_to_float(s, d, from, to, round, sat)?
        }
        (Class::Float, Class::Int) => {
            let round = m.round_integral().ok_or("a rounding mode is missing")?;
            float_to_int(s, d, from, to, round, z)?
        }
        (Class::Float, Class::Float) => float_to_float(s, d, from, to, m, z, sat, relu)?,
    }))
}

#[derive(PartialEq)]
enum Class {
    Int,
    Float,
}

fn class(ty: Ty) -> Res<Class> {
    match ty.kind {
        Kind::Unsigned | Kind::Signed => Ok(Class::Int),
        Kind::Bits => Err("`cvt` needs signed or unsigned types".into()),
        Kind::Float | Kind::Half | Kind::Brain | Kind::Tf32 => Ok(Class::Float),
        _ => Err("this type cannot be converted".into()),
    }
}

/// `from` in the low bits, extended to 64 bits.
#[inline(always)]
fn extend(x: u64, bits: u32, signed: bool) -> u64 {
    let by = 64 - bits;
    if signed { ((x << by) as i64 >> by) as u64 } else { x << by >> by }
}

fn wrong(s: Reg, d: Reg) -> String {
    format!("cannot convert from {s:?} to {d:?}")
}

fn int_to_int(s: Reg, d: Reg, from: Ty, to: Ty, sat: bool) -> Res<Alu> {
    let register = match d {
        Reg::W(_, bits) => bits,
        Reg::D(_) => 64,
        Reg::P(_) => return Err(wrong(s, d)),
    };
    let (signed, target) = (from.signed(), to.signed());
    if !sat {
        // The common cases, in forms that vectorise.
        let narrow = to.bits.min(from.bits);
        let sign = if to.bits > from.bits { signed } else { target };
        let keep = if register >= 32 { !0u32 } else { (1 << register) - 1 };
        let extend32 = move |x: u32| {
            let by = 32 - narrow.min(32);
            (if sign { ((x << by) as i32 >> by) as u32 } else { x << by >> by }) & keep
        };
        return Ok(match (s, d) {
            (Reg::W(s, _), Reg::W(d, _)) => map1(d, s, extend32),
            (Reg::D(s), Reg::W(d, _)) => map1(d, s, move |x: u64| extend32(x as u32)),
            (Reg::W(s, _), Reg::D(d)) => map1(d, s, move |x: u32| extend(x as u64, narrow.min(32), sign)),
            (Reg::D(s), Reg::D(d)) => map1(d, s, move |x: u64| extend(x, narrow, sign)),
            _ => return Err(wrong(s, d)),
        });
    }
    let (least, greatest) = if target {
        (-(1i128 << (to.bits - 1)), (1i128 << (to.bits - 1)) - 1)
    } else {
        (0, (1i128 << to.bits) - 1)
    };
    let clamp = move |x: u64| -> u64 {
        let x = extend(x, from.bits, signed);
        let wide = if signed { x as i64 as i128 } else { x as i128 };
        extend(wide.clamp(least, greatest) as u64, register, false)
    };
    Ok(match (s, d) {
        (Reg::W(s, _), Reg::W(d, _)) => map1(d, s, move |x: u32| clamp(x as u64) as u32),
        (Reg::D(s), Reg::W(d, _)) => map1(d, s, move |x: u64| clamp(x) as u32),
        (Reg::W(s, _), Reg::D(d)) => map1(d, s, move |x: u32| clamp(x as u64)),
        (Reg::D(s), Reg::D(d)) => map1(d, s, clamp),
        _ => return Err(wrong(s, d)),
    })
}

/// An integer rounded to 53 bits with a sticky last bit, so that a second rounding is exact.
#[inline(always)]
fn integer_sticky(x: i128) -> f64 {
    let near = x as f64;
    let rest = x - near as i128;
    sticky((near, rest as f64))
}

fn int_to_float(s: Reg, d: Reg, from: Ty, to: Ty, round: Round, sat: bool) -> Res<Alu> {
    if sat {
        return Err("`.sat` from an integer is not supported".into());
    }
    let signed = from.signed();
    let integer = move |x: u64| -> i128 {
        let x = extend(x, from.bits, signed);
        if signed { x as i64 as i128 } else { x as i128 }
    };
    // The common cases first.
    match (to.kind, to.bits, from.bits, round, s, d) {
        (Kind::Float, 32, 32, Round::Near, Reg::W(s, _), Reg::W(d, _)) => {
            return Ok(if signed {
                map1(d, s, |x: u32| (x as i32 as f32).to_bits())
            } else {
                map1(d, s, |x: u32| (x as f32).to_bits())
            });
        }
        (Kind::Float, 64, 32, _, Reg::W(s, _), Reg::D(d)) => {
            return Ok(if signed {
                map1(d, s, |x: u32| (x as i32 as f64).to_bits())
            } else {
                map1(d, s, |x: u32| (x as f64).to_bits())
            });
        }
        _ => {}
    }
    let single = move |x: u64| to_f32(integer_sticky(integer(x)), round).to_bits();
    let double = move |x: u64| (integer(x) as f64).to_bits();
    Ok(match (to.kind, to.bits, s, d) {
        (Kind::Float, 32, Reg::W(s, _), Reg::W(d, _)) => map1(d, s, move |x: u32| single(x as u64)),
        (Kind::Float, 32, Reg::D(s), Reg::W(d, _)) => map1(d, s, single),
        (Kind::Float, 64, Reg::W(s, _), Reg::D(d)) => map1(d, s, move |x: u32| double(x as u64)),
        (Kind::Float, 64, Reg::D(s), Reg::D(d)) => {
            if round != Round::Near {
                return Err("towards f64 only rounding to nearest is supported".into());
            }
            map1(d, s, double)
        }
        (Kind::Half | Kind::Brain, _, s, Reg::W(d, _)) => {
            let format = small::format(to).ok_or("no format")?.0;
            let convert = move |x: u64| format.round_f64(integer_sticky(integer(x)), round);
            match s {
                Reg::W(s, _) => map1(d, s, move |x: u32| convert(x as u64)),
                Reg::D(s) => map1(d, s, convert),
                Reg::P(_) => return Err(wrong(s, d_of(d))),
            }
        }
        _ => return Err(wrong(s, d)),
    })
}

fn d_of(plane: u32) -> Reg {
    Reg::W(plane, 32)
}

fn float_to_int(s: Reg, d: Reg, from: Ty, to: Ty, round: Round, z: bool) -> Res<Alu> {
    // Conversions to integers saturate. NaN becomes zero, but where one side has 64 bits: then the
    // least integer, or the highest bit alone.
    let high = 1u64 << (to.bits - 1);
    let nan = match (from.bits == 64 || to.bits == 64, to.signed()) {
        (false, _) => 0,
        (true, true) => high.wrapping_neg(),
        (true, false) => high,
    };
    let finish = move |is_nan: bool, v: u64| if is_nan { nan } else { v };
    macro_rules! target {
        ($x:expr, $integral:ident, $map:expr) => {
            match (to.bits, to.signed()) {
                (8, true) => $map(move |v| finish($x(v).is_nan(), $integral($x(v), round) as i8 as u64)),
                (8, false) => $map(move |v| finish($x(v).is_nan(), $integral($x(v), round) as u8 as u64)),
                (16, true) => $map(move |v| finish($x(v).is_nan(), $integral($x(v), round) as i16 as u64)),
                (16, false) => $map(move |v| finish($x(v).is_nan(), $integral($x(v), round) as u16 as u64)),
                (32, true) => $map(move |v| finish($x(v).is_nan(), $integral($x(v), round) as i32 as u64)),
                (32, false) => $map(move |v| finish($x(v).is_nan(), $integral($x(v), round) as u32 as u64)),
                (64, true) => $map(move |v| finish($x(v).is_nan(), $integral($x(v), round) as i64 as u64)),
                (64, false) => $map(move |v| finish($x(v).is_nan(), $integral($x(v), round) as u64)),
                _ => return Err("an integer of this size is not supported".into()),
            }
        };
    }
    let register = match d {
        Reg::W(_, bits) => bits,
        _ => 64,
    };
    let keep = if register >= 32 { !0u32 } else { (1 << register) - 1 };
    fn to_w<A: crate::exec::regs::Lane>(
        d: u32,
        s: u32,
        keep: u32,
        f: impl Fn(A) -> u64 + Send + Sync + 'static,
    ) -> Alu {
        map1(d, s, move |x: A| f(x) as u32 & keep)
    }
    Ok(match (from.kind, from.bits, s, d) {
        (Kind::Float, 64, Reg::D(s), Reg::D(d)) => {
            fn into(d: u32, s: u32, f: impl Fn(u64) -> u64 + Send + Sync + 'static) -> Alu {
                map1(d, s, f)
            }
            target!(|v: u64| f64_of(v), integral64, |f| into(d, s, f))
        }
        (Kind::Float, 64, Reg::D(s), Reg::W(d, _)) => {
            target!(|v: u64| f64_of(v), integral64, |f| to_w::<u64>(d, s, keep, f))
        }
        (_, _, Reg::W(s, _), d) => {
            let format = small::format(from).map(|f| f.0);
            let read = move |v: u32| match format {
                Some(format) => format.load(v),
                None => in32(v, z),
            };
            fn wide(d: u32, s: u32, f: impl Fn(u32) -> u64 + Send + Sync + 'static) -> Alu {
                map1(d, s, f)
            }
            match d {
                Reg::W(d, _) => target!(read, integral32, |f| to_w::<u32>(d, s, keep, f)),
                Reg::D(d) => target!(read, integral32, |f| wide(d, s, f)),
                Reg::P(_) => return Err(wrong(Reg::W(s, 32), d)),
            }
        }
        _ => return Err(wrong(s, d)),
    })
}

#[allow(clippy::too_many_arguments)] // One modifier each.
fn float_to_float(
    s: Reg,
    d: Reg,
    from: Ty,
    to: Ty,
    m: &mut Mods,
    z: bool,
    sat: bool,
    relu: bool,
) -> Res<Alu> {
    let integral = m.round_integral();
    let away = m.take("rna");
    let round = m.round();
    let mode = round.unwrap_or(Round::Near);
    let unit = move |x: f64| {
        if !sat {
            x
        } else if x > 0.0 {
            x.min(1.0)
        } else {
            0.0
        }
    };
    let same = from == to;
    if integral.is_some() && !same {
        return Err("rounding to an integer needs two equal types".into());
    }
    let whole = move |x: f64| match integral {
        Some(round) => integral64(x, round),
        None => x,
    };
    let from_small = small::format(from).map(|f| f.0);
    let to_small = small::format(to).map(|f| f.0);
    let rectify = move |x: u32| {
        if !relu || x & 0x8000 == 0 || x & 0x7fff > 0x7f80 && to_small == Some(Small::Brain) { x } else { 0 }
    };
    Ok(match (s, d) {
        (Reg::W(s, _), Reg::W(d, _)) if to.kind == Kind::Tf32 => {
            if !away || from.kind != Kind::Float {
                return Err("towards tf32 only `cvt.rna.tf32.f32` is supported".into());
            }
            map1(d, s, |x: u32| tf32(f32_of(x)))
        }
        (Reg::W(s, _), Reg::W(d, _)) => match (from_small, to_small) {
            (None, None) => {
                if round.is_some() {
                    return Err("a rounding mode has no meaning here".into());
                }
                map1(d, s, move |x: u32| bits32(unit(whole(in32(x, z) as f64)) as f32, z))
            }
            (Some(format), None) => map1(d, s, move |x: u32| bits32(unit(format.load(x) as f64) as f32, z)),
            (None, Some(format)) if mode == Round::Near && !sat && !relu && round.is_some() => {
                map1(d, s, move |x: u32| format.store(in32(x, z)))
            }
            (None, Some(format)) => {
                if round.is_none() {
                    return Err("a rounding mode is missing".into());
                }
                map1(d, s, move |x: u32| rectify(format.round_f64(unit(in32(x, z) as f64), mode)))
            }
            (Some(source), Some(target)) => {
                map1(d, s, move |x: u32| target.round_f64(unit(whole(source.load(x) as f64)), mode))
            }
        },
        (Reg::W(s, _), Reg::D(d)) => {
            let read = move |x: u32| match from_small {
                Some(format) => format.load(x),
                None => in32(x, z),
            };
            map1(d, s, move |x: u32| unit(read(x) as f64).to_bits())
        }
        (Reg::D(s), Reg::W(d, _)) => {
            if round.is_none() {
                return Err("a rounding mode is missing".into());
            }
            match to_small {
                None => map1(d, s, move |x: u64| bits32(to_f32(unit(f64_of(x)), mode), z)),
                Some(format) => map1(d, s, move |x: u64| format.round_f64(unit(f64_of(x)), mode)),
            }
        }
        (Reg::D(s), Reg::D(d)) => map1(d, s, move |x: u64| unit(whole(f64_of(x))).to_bits()),
        _ => return Err(wrong(s, d)),
    })
}

/// `cvt.rn.f16x2.f32 d, a, b`: `a` goes above, `b` below.
fn pair(b: &mut Builder, i: &Instruction, m: &mut Mods, from: Ty, to: Ty) -> Res<Op> {
    count(i, 3)?;
    let relu = m.take("relu");
    let mode = m.round().ok_or("a rounding mode is missing")?;
    if !from.is(Kind::Float, 32) {
        return Err("a pair is converted from f32 only".into());
    }
    let format = small::format(to).ok_or("no format")?.0;
    let one = move |x: u32| {
        let v = if mode == Round::Near {
            format.store(f32_of(x))
        } else {
            format.round_f64(f32_of(x) as f64, mode)
        };
        if relu && v & 0x8000 != 0 && !f32_of(x).is_nan() { 0 } else { v }
    };
    let (d, high, low) = (b.dst_w(i, 0)?, b.w(i, 1, 32)?, b.w(i, 2, 32)?);
    Ok(Op::Alu(map2(d, high, low, move |high: u32, low: u32| one(high) << 16 | one(low))))
}
