//! Arithmetic of single and double precision.

use super::approx::{Function, bent32, divide, gross};
use super::build::{Builder, Res, count, operand, unsupported_type};
use super::mods::{Kind, Mods, Ty};
use super::op::Op;
use crate::exec::lanes::{map1, map2, map3};
use crate::exec::num::*;
use crate::ptx::Instruction;

/// Saturates to [0, 1]; NaN becomes +0.
#[inline(always)]
fn unit32(x: f32) -> f32 {
    if x > 0.0 { x.min(1.0) } else { 0.0 }
}

/// Decodes an instruction of single or double precision.
pub(super) fn decode(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    if ty.is(Kind::Float, 64) { double(b, i, m) } else { single(b, i, m) }
}

fn single(b: &mut Builder, i: &Instruction, m: &mut Mods) -> Res<Op> {
    let z = m.take("ftz");
    if let (Some(seed), Some(f)) = (b.approximate, Function::of(&i.base))
        && let fast = m.take("approx")
        && (fast || m.take("full"))
    {
        let (d, x) = (b.dst_w(i, 0)?, b.w(i, 1, 32)?);
        if f != Function::Divide {
            count(i, 2)?;
            return Ok(Op::Alu(map1(d, x, move |x: u32| bits32(bent32(seed, f, in32(x, z), 0.0), z))));
        }
        count(i, 3)?;
        let y = b.w(i, 2, 32)?;
        return Ok(Op::Alu(map2(d, x, y, move |x: u32, y: u32| {
            let (x, y) = (in32(x, z), in32(y, z));
            // Exactly 0 or NaN for the largest divisors.
            let v = divide(x, y);
            bits32(if fast && v.to_bits() != (x / y).to_bits() { v } else { bent32(seed, f, x, y) }, z)
        })));
    }
    let alu = match i.base.as_str() {
        "add" | "sub" | "mul" => {
            count(i, 3)?;
            let (round, sat) = (m.round().unwrap_or(Round::Near), m.take("sat"));
            let (d, x, y) = (b.dst_w(i, 0)?, b.w(i, 1, 32)?, b.w(i, 2, 32)?);
            match (i.base.as_str(), round, sat || z) {
                ("add", Round::Near, false) => {
                    map2(d, x, y, |x: u32, y: u32| bits32(f32_of(x) + f32_of(y), false))
                }
                ("sub", Round::Near, false) => {
                    map2(d, x, y, |x: u32, y: u32| bits32(f32_of(x) - f32_of(y), false))
                }
                ("mul", Round::Near, false) => {
                    map2(d, x, y, |x: u32, y: u32| bits32(f32_of(x) * f32_of(y), false))
                }
                (base, ..) => {
                    let (multiply, flip) = (base == "mul", if base == "sub" { 1u32 << 31 } else { 0 });
                    map2(d, x, y, move |x: u32, y: u32| {
                        let (x, y) = (in32(x, z), in32(y ^ flip, z));
                        let v = if multiply { mul32(x, y, round) } else { add32(x, y, round) };
                        bits32(if sat { unit32(v) } else { v }, z)
                    })
                }
            }
        }
        "fma" | "mad" => {
            count(i, 4)?;
            let (round, sat) = (m.round().unwrap_or(Round::Near), m.take("sat"));
            let (d, s) = (b.dst_w(i, 0)?, [b.w(i, 1, 32)?, b.w(i, 2, 32)?, b.w(i, 3, 32)?]);
            if round == Round::Near && !sat && !z {
                map3(d, s, |x: u32, y: u32, c: u32| bits32(f32_of(x).mul_add(f32_of(y), f32_of(c)), false))
            } else {
                map3(d, s, move |x: u32, y: u32, c: u32| {
                    let v = fma32(in32(x, z), in32(y, z), in32(c, z), round);
                    bits32(if sat { unit32(v) } else { v }, z)
                })
            }
        }
        "div" => {
            count(i, 3)?;
            let fast = m.take("approx");
            m.take("full");
            let round = m.round().unwrap_or(Round::Near);
            let (d, x, y) = (b.dst_w(i, 0)?, b.w(i, 1, 32)?, b.w(i, 2, 32)?);
            if fast {
                map2(d, x, y, move |x: u32, y: u32| bits32(divide(in32(x, z), in32(y, z)), z))
            } else if round == Round::Near {
                map2(d, x, y, move |x: u32, y: u32| bits32(in32(x, z) / in32(y, z), z))
            } else {
                map2(d, x, y, move |x: u32, y: u32| bits32(div32(in32(x, z), in32(y, z), round), z))
            }
        }
        "rcp" | "sqrt" => {
            count(i, 2)?;
            m.take("approx");
            let round = m.round().unwrap_or(Round::Near);
            let (d, x) = (b.dst_w(i, 0)?, b.w(i, 1, 32)?);
            match (i.base.as_str(), round) {
                ("rcp", Round::Near) => map1(d, x, move |x: u32| bits32(1.0 / in32(x, z), z)),
                ("rcp", _) => map1(d, x, move |x: u32| bits32(div32(1.0, in32(x, z), round), z)),
                (_, Round::Near) => map1(d, x, move |x: u32| bits32(in32(x, z).sqrt(), z)),
                _ => map1(d, x, move |x: u32| bits32(sqrt32(in32(x, z), round), z)),
            }
        }
        "rsqrt" | "ex2" | "lg2" | "sin" | "cos" | "tanh" => {
            count(i, 2)?;
            if !m.take("approx") {
                return Err("`.approx` is missing".into());
            }
            let (d, x) = (b.dst_w(i, 0)?, b.w(i, 1, 32)?);
            match i.base.as_str() {
                "rsqrt" => map1(d, x, move |x: u32| bits32((1.0 / (in32(x, z) as f64).sqrt()) as f32, z)),
                "ex2" => map1(d, x, move |x: u32| bits32(in32(x, z).exp2(), z)),
                "lg2" => map1(d, x, move |x: u32| bits32(in32(x, z).log2(), z)),
                "sin" => map1(d, x, move |x: u32| bits32(in32(x, z).sin(), z)),
                "cos" => map1(d, x, move |x: u32| bits32(in32(x, z).cos(), z)),
                _ => map1(d, x, move |x: u32| bits32(in32(x, z).tanh(), z)),
            }
        }
        "neg" => map1(b.dst_w(i, 0)?, b.w(i, 1, 32)?, move |x: u32| flip_sign(in32(x, z).to_bits())),
        "abs" => map1(b.dst_w(i, 0)?, b.w(i, 1, 32)?, move |x: u32| in32(x, z).to_bits() & 0x7fff_ffff),
        "min" | "max" => {
            count(i, 3)?;
            let nan = m.take("NaN");
            let (d, x, y) = (b.dst_w(i, 0)?, b.w(i, 1, 32)?, b.w(i, 2, 32)?);
            if i.base == "min" {
                map2(d, x, y, move |x: u32, y: u32| bits32(min32(in32(x, z), in32(y, z), nan), z))
            } else {
                map2(d, x, y, move |x: u32, y: u32| bits32(max32(in32(x, z), in32(y, z), nan), z))
            }
        }
        "copysign" => map2(b.dst_w(i, 0)?, b.w(i, 1, 32)?, b.w(i, 2, 32)?, |sign: u32, x: u32| {
            x & 0x7fff_ffff | sign & 0x8000_0000
        }),
        other => return Err(format!("the instruction `{other}` is not supported for f32")),
    };
    Ok(Op::Alu(alu))
}

#[inline(always)]
fn flip_sign(x: u32) -> u32 {
    x ^ 0x8000_0000
}

fn double(b: &mut Builder, i: &Instruction, m: &mut Mods) -> Res<Op> {
    let rounded = |m: &mut Mods| match m.round() {
        None | Some(Round::Near) => Ok(()),
        Some(_) => Err("for f64 only rounding to nearest is supported".to_string()),
    };
    let alu = match i.base.as_str() {
        "add" | "sub" | "mul" | "div" => {
            count(i, 3)?;
            rounded(m)?;
            let (d, x, y) = (b.dst_d(i, 0)?, b.d(i, 1)?, b.d(i, 2)?);
            match i.base.as_str() {
                "add" => map2(d, x, y, |x: u64, y: u64| (f64_of(x) + f64_of(y)).to_bits()),
                "sub" => map2(d, x, y, |x: u64, y: u64| (f64_of(x) - f64_of(y)).to_bits()),
                "mul" => map2(d, x, y, |x: u64, y: u64| (f64_of(x) * f64_of(y)).to_bits()),
                _ => map2(d, x, y, |x: u64, y: u64| (f64_of(x) / f64_of(y)).to_bits()),
            }
        }
        "fma" | "mad" => {
            count(i, 4)?;
            rounded(m)?;
            let s = [b.d(i, 1)?, b.d(i, 2)?, b.d(i, 3)?];
            map3(b.dst_d(i, 0)?, s, |x: u64, y: u64, c: u64| {
                f64_of(x).mul_add(f64_of(y), f64_of(c)).to_bits()
            })
        }
        "rcp" | "sqrt" | "rsqrt" => {
            count(i, 2)?;
            let approximate = m.take("approx");
            let (d, x) = (b.dst_d(i, 0)?, b.d(i, 1)?);
            if approximate && i.base != "sqrt" && m.take("ftz") {
                let root = i.base == "rsqrt";
                return Ok(Op::Alu(map1(d, x, move |x: u64| gross(root, x))));
            }
            if approximate && i.base != "rsqrt" {
                return Err("`.approx` of f64 is not supported".into());
            }
            rounded(m)?;
            match i.base.as_str() {
                "rcp" => map1(d, x, |x: u64| (1.0 / f64_of(x)).to_bits()),
                "sqrt" => map1(d, x, |x: u64| f64_of(x).sqrt().to_bits()),
                _ => map1(d, x, |x: u64| (1.0 / f64_of(x).sqrt()).to_bits()),
            }
        }
        "neg" => map1(b.dst_d(i, 0)?, b.d(i, 1)?, |x: u64| x ^ 1 << 63),
        "abs" => map1(b.dst_d(i, 0)?, b.d(i, 1)?, |x: u64| x & !(1 << 63)),
        "min" => map2(b.dst_d(i, 0)?, b.d(i, 1)?, b.d(i, 2)?, |x: u64, y: u64| {
            min64(f64_of(x), f64_of(y), false).to_bits()
        }),
        "max" => map2(b.dst_d(i, 0)?, b.d(i, 1)?, b.d(i, 2)?, |x: u64, y: u64| {
            max64(f64_of(x), f64_of(y), false).to_bits()
        }),
        "copysign" => {
            map2(b.dst_d(i, 0)?, b.d(i, 1)?, b.d(i, 2)?, |sign: u64, x: u64| x & !(1 << 63) | sign & 1 << 63)
        }
        other => return Err(format!("the instruction `{other}` is not supported for f64")),
    };
    Ok(Op::Alu(alu))
}

/// `testp`: what kind of number it is.
pub(super) fn test_property(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    #[derive(Clone, Copy)]
    enum Test {
        Finite,
        Infinite,
        Number,
        NotANumber,
        Normal,
        Subnormal,
    }
    let test = m
        .one_of(&[
            ("finite", Test::Finite),
            ("infinite", Test::Infinite),
            ("number", Test::Number),
            ("notanumber", Test::NotANumber),
            ("normal", Test::Normal),
            ("subnormal", Test::Subnormal),
        ])
        .ok_or("no property to test")?;
    let holds = move |x: f64, subnormal: bool| match test {
        Test::Finite => x.is_finite(),
        Test::Infinite => x.is_infinite(),
        Test::Number => !x.is_nan(),
        Test::NotANumber => x.is_nan(),
        Test::Normal => x.is_finite() && !subnormal && x != 0.0,
        Test::Subnormal => subnormal,
    };
    let d = b.dst_p_of(operand(i, 0)?)?;
    let into = crate::exec::lanes::TestInto { yes: d, no: None, combine: None };
    Ok(Op::Alu(match ty {
        Ty { kind: Kind::Float, bits: 32 } => {
            let x = b.w(i, 1, 32)?;
            crate::exec::lanes::test(into, x, x, move |x: u32, _: u32| {
                holds(f32_of(x) as f64, f32_of(x).is_subnormal())
            })
        }
        Ty { kind: Kind::Float, bits: 64 } => {
            let x = b.d(i, 1)?;
            crate::exec::lanes::test(into, x, x, move |x: u64, _: u64| {
                holds(f64_of(x), f64_of(x).is_subnormal())
            })
        }
        _ => return Err(unsupported_type(ty)),
    }))
}
