//! Arithmetic of half precision and bfloat16, single values and pairs.

use super::approx::{Function, bent16};
use super::build::{Builder, Res, count};
use super::mods::{Kind, Mods, Ty};
use super::op::Op;
use crate::exec::lanes::{map1, map2, map3};
use crate::exec::num::*;
use crate::ptx::Instruction;

/// The format of a type, and whether it is a pair.
pub(super) fn format(ty: Ty) -> Option<(Small, bool)> {
    match ty.kind {
        Kind::Half => Some((Small::Half, false)),
        Kind::Brain => Some((Small::Brain, false)),
        Kind::HalfPair => Some((Small::Half, true)),
        Kind::BrainPair => Some((Small::Brain, true)),
        _ => None,
    }
}

#[inline(always)]
fn both(pair: bool, x: u32, f: impl Fn(u32) -> u32) -> u32 {
    if pair { f(x & 0xffff) | f(x >> 16) << 16 } else { f(x & 0xffff) }
}

/// Decodes an instruction of half precision or bfloat16.
pub(super) fn decode(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    let (small, pair) = format(ty).ok_or("no half-precision type")?;
    let z = m.take("ftz");
    let (sat, relu) = (m.take("sat"), m.take("relu"));
    match m.round() {
        None | Some(Round::Near) => {}
        Some(_) => return Err("only rounding to nearest is supported".into()),
    }
    let bits = if pair { 32 } else { 16 };
    // Subnormal halves are flushed only by `.ftz`; bfloat16 has none of it.
    let flush = move |x: u32| if z && x & 0x7c00 == 0 { x & 0x8000 } else { x };
    let read = move |x: u32| small.load(flush(x));
    let finish = move |x: u32| {
        let x = flush(x);
        let v = small.load(x);
        if sat {
            // NaN saturates to zero.
            if v > 0.0 { small.store(v.min(1.0)) } else { 0 }
        } else if relu {
            if v.is_nan() {
                NAN16
            } else if v < 0.0 || x == 0x8000 {
                0
            } else {
                x
            }
        } else {
            x
        }
    };
    let alu = match i.base.as_str() {
        "add" | "sub" | "mul" | "min" | "max" => {
            count(i, 3)?;
            let nan = m.take("NaN");
            let (d, x, y) = (b.dst_w(i, 0)?, b.w(i, 1, bits)?, b.w(i, 2, bits)?);
            macro_rules! binary {
                ($f:expr) => {
                    map2(d, x, y, move |x: u32, y: u32| {
                        let f = $f;
                        let one = |x: u32, y: u32| finish(small.store(f(read(x), read(y))));
                        let low = one(x & 0xffff, y & 0xffff);
                        if pair { low | one(x >> 16, y >> 16) << 16 } else { low }
                    })
                };
            }
            // Single precision has more than twice the bits, so rounding twice is rounding once.
            match i.base.as_str() {
                "add" => binary!(|x: f32, y: f32| x + y),
                "sub" => binary!(|x: f32, y: f32| x - y),
                "mul" => binary!(|x: f32, y: f32| x * y),
                "min" => binary!(|x: f32, y: f32| min32(x, y, nan)),
                _ => binary!(|x: f32, y: f32| max32(x, y, nan)),
            }
        }
        "fma" => {
            count(i, 4)?;
            let s = [b.w(i, 1, bits)?, b.w(i, 2, bits)?, b.w(i, 3, bits)?];
            map3(b.dst_w(i, 0)?, s, move |x: u32, y: u32, c: u32| {
                let one = |x: u32, y: u32, c: u32| finish(small.fma(read(x), read(y), read(c)));
                let low = one(x & 0xffff, y & 0xffff, c & 0xffff);
                if pair { low | one(x >> 16, y >> 16, c >> 16) << 16 } else { low }
            })
        }
        "neg" => map1(b.dst_w(i, 0)?, b.w(i, 1, bits)?, move |x: u32| both(pair, x, |x| flush(x) ^ 0x8000)),
        "abs" => map1(b.dst_w(i, 0)?, b.w(i, 1, bits)?, move |x: u32| both(pair, x, |x| flush(x) & 0x7fff)),
        "ex2" | "tanh" => {
            count(i, 2)?;
            if !m.take("approx") {
                return Err("`.approx` is missing".into());
            }
            let exponential = i.base == "ex2";
            if let Some(seed) = b.approximate {
                let f = if exponential { Function::Exp2 } else { Function::Tanh };
                return Ok(Op::Alu(map1(b.dst_w(i, 0)?, b.w(i, 1, bits)?, move |x: u32| {
                    both(pair, x, |x| bent16(seed, f, small, read(x)))
                })));
            }
            map1(b.dst_w(i, 0)?, b.w(i, 1, bits)?, move |x: u32| {
                both(pair, x, |x| {
                    let v = read(x);
                    small.store(if exponential { v.exp2() } else { v.tanh() })
                })
            })
        }
        other => return Err(format!("the instruction `{other}` is not supported for {:?}", ty.kind)),
    };
    Ok(Op::Alu(alu))
}
