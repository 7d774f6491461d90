//! Integer arithmetic.

use super::build::{Builder, Res, count, immediate, unsupported_type};
use super::mods::{Mods, Ty};
use super::op::Op;
use crate::exec::lanes::{map1, map2, map3};
use crate::exec::regs::{Regs, lanes};
use crate::ptx::Instruction;

fn sx16(x: u32) -> i32 {
    x as u16 as i16 as i32
}

/// One- and two-operand functions of one type, for 16, 32 and 64 bits.
macro_rules! by_width {
    ($b:ident, $i:ident, $ty:ident, $n:tt, |$($x:ident),*| $u:expr, $s:expr) => {
        by_width!(@ $b, $i, $ty, $n, [$($x),*], $u, $s)
    };
    (@ $b:ident, $i:ident, $ty:ident, 2, [$x:ident, $y:ident], $u:expr, $s:expr) => {{
        count($i, 3)?;
        match ($ty.bits, $ty.signed()) {
            (16, false) => map2($b.dst_w($i, 0)?, $b.w($i, 1, 16)?, $b.w($i, 2, 16)?, |$x: u32, $y: u32| {
                let ($x, $y) = ($x as u16, $y as u16);
                ($u) as u32
            }),
            (16, true) => map2($b.dst_w($i, 0)?, $b.w($i, 1, 16)?, $b.w($i, 2, 16)?, |$x: u32, $y: u32| {
                let ($x, $y) = ($x as u16 as i16, $y as u16 as i16);
                ($s) as u16 as u32
            }),
            (32, false) => map2($b.dst_w($i, 0)?, $b.w($i, 1, 32)?, $b.w($i, 2, 32)?, |$x: u32, $y: u32| $u),
            (32, true) => map2($b.dst_w($i, 0)?, $b.w($i, 1, 32)?, $b.w($i, 2, 32)?, |$x: u32, $y: u32| {
                let ($x, $y) = ($x as i32, $y as i32);
                ($s) as u32
            }),
            (64, false) => map2($b.dst_d($i, 0)?, $b.d($i, 1)?, $b.d($i, 2)?, |$x: u64, $y: u64| $u),
            (64, true) => map2($b.dst_d($i, 0)?, $b.d($i, 1)?, $b.d($i, 2)?, |$x: u64, $y: u64| {
                let ($x, $y) = ($x as i64, $y as i64);
                ($s) as u64
            }),
            _ => return Err(unsupported_type($ty)),
        }
    }};
    (@ $b:ident, $i:ident, $ty:ident, 1, [$x:ident], $u:expr, $s:expr) => {{
        count($i, 2)?;
        match ($ty.bits, $ty.signed()) {
            (16, _) => map1($b.dst_w($i, 0)?, $b.w($i, 1, 16)?, |$x: u32| {
                let $x = $x as u16 as i16;
                ($s) as u16 as u32
            }),
            (32, _) => map1($b.dst_w($i, 0)?, $b.w($i, 1, 32)?, |$x: u32| {
                let $x = $x as i32;
                ($s) as u32
            }),
            (64, _) => map1($b.dst_d($i, 0)?, $b.d($i, 1)?, |$x: u64| {
                let $x = $x as i64;
                ($s) as u64
            }),
            _ => return Err(unsupported_type($ty)),
        }
    }};
}

/// Decodes an integer instruction.
pub(super) fn decode(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    let alu = match i.base.as_str() {
        "add" | "sub" | "addc" | "subc" if m.take("cc") => return carry(b, i, m, ty, true),
        "addc" | "subc" => return carry(b, i, m, ty, false),
        "mad" | "madc" if m.take("cc") => return carry(b, i, m, ty, true),
        "madc" => return carry(b, i, m, ty, false),
        "add" | "sub" if m.take("sat") => {
            if !(ty.signed() && ty.bits == 32) {
                return Err("`.sat` is for s32 only".into());
            }
            if i.base == "add" {
                by_width!(b, i, ty, 2, |x, y| x.saturating_add(y), x.saturating_add(y))
            } else {
                by_width!(b, i, ty, 2, |x, y| x.saturating_sub(y), x.saturating_sub(y))
            }
        }
        "add" => by_width!(b, i, ty, 2, |x, y| x.wrapping_add(y), x.wrapping_add(y)),
        "sub" => by_width!(b, i, ty, 2, |x, y| x.wrapping_sub(y), x.wrapping_sub(y)),
        "min" => by_width!(b, i, ty, 2, |x, y| x.min(y), x.min(y)),
        "max" => by_width!(b, i, ty, 2, |x, y| x.max(y), x.max(y)),
        // Division by zero is undefined; all ones is what the hardware gives.
        "div" => by_width!(
            b,
            i,
            ty,
            2,
            |x, y| x.checked_div(y).unwrap_or(!0),
            if y == 0 { -1 } else { x.wrapping_div(y) }
        ),
        "rem" => by_width!(
            b,
            i,
            ty,
            2,
            |x, y| x.checked_rem(y).unwrap_or(x),
            if y == 0 { x } else { x.wrapping_rem(y) }
        ),
        "neg" => by_width!(b, i, ty, 1, |x| 0, x.wrapping_neg()),
        "abs" => by_width!(b, i, ty, 1, |x| 0, x.wrapping_abs()),
        "mul" | "mad" => return multiply(b, i, m, ty),
        "mul24" | "mad24" => return multiply24(b, i, m, ty),
        "sad" => {
            count(i, 4)?;
            let s =
                |b: &mut Builder| -> Res<[u32; 3]> { Ok([b.w(i, 1, 32)?, b.w(i, 2, 32)?, b.w(i, 3, 32)?]) };
            match (ty.bits, ty.signed()) {
                (32, true) => map3(b.dst_w(i, 0)?, s(b)?, |x: u32, y: u32, z: u32| {
                    (x as i32).abs_diff(y as i32).wrapping_add(z)
                }),
                (32, false) => {
                    map3(b.dst_w(i, 0)?, s(b)?, |x: u32, y: u32, z: u32| x.abs_diff(y).wrapping_add(z))
                }
                _ => return Err(unsupported_type(ty)),
            }
        }
        "dp4a" => return dot4(b, i, m, ty),
        other => return Err(format!("the instruction `{other}` is not supported for integers")),
    };
    Ok(Op::Alu(alu))
}

fn multiply(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    #[derive(Clone, Copy, PartialEq)]
    enum Half {
        Low,
        High,
        Wide,
    }
    let half = m
        .one_of(&[("lo", Half::Low), ("hi", Half::High), ("wide", Half::Wide)])
        .ok_or("`.lo`, `.hi` or `.wide` is missing")?;
    if m.take("sat") {
        return Err("saturating products are not supported".into());
    }
    let mad = i.base == "mad";
    count(i, 3 + mad as usize)?;
    let signed = ty.signed();
    Ok(Op::Alu(match (half, ty.bits) {
        (Half::Wide, 16) => {
            let s = [b.w(i, 1, 16)?, b.w(i, 2, 16)?, if mad { b.w(i, 3, 32)? } else { b.constant_w(0) }];
            let d = b.dst_w(i, 0)?;
            if signed {
                map3(d, s, |x: u32, y: u32, z: u32| ((sx16(x) * sx16(y)) as u32).wrapping_add(z))
            } else {
                map3(d, s, |x: u32, y: u32, z: u32| ((x & 0xffff) * (y & 0xffff)).wrapping_add(z))
            }
        }
        (Half::Wide, 32) => {
            let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, if mad { b.d(i, 3)? } else { b.constant_d(0) }];
            let d = b.dst_d(i, 0)?;
            if signed {
                map3(d, s, |x: u32, y: u32, z: u64| {
                    ((x as i32 as i64 * y as i32 as i64) as u64).wrapping_add(z)
                })
            } else {
                map3(d, s, |x: u32, y: u32, z: u64| (x as u64 * y as u64).wrapping_add(z))
            }
        }
        (Half::Low, 16) => {
            let s = [b.w(i, 1, 16)?, b.w(i, 2, 16)?, if mad { b.w(i, 3, 16)? } else { b.constant_w(0) }];
            map3(b.dst_w(i, 0)?, s, |x: u32, y: u32, z: u32| x.wrapping_mul(y).wrapping_add(z) & 0xffff)
        }
        (Half::Low, 32) => {
            let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, if mad { b.w(i, 3, 32)? } else { b.constant_w(0) }];
            map3(b.dst_w(i, 0)?, s, |x: u32, y: u32, z: u32| x.wrapping_mul(y).wrapping_add(z))
        }
        (Half::Low, 64) => {
            let s = [b.d(i, 1)?, b.d(i, 2)?, if mad { b.d(i, 3)? } else { b.constant_d(0) }];
            map3(b.dst_d(i, 0)?, s, |x: u64, y: u64, z: u64| x.wrapping_mul(y).wrapping_add(z))
        }
        (Half::High, 16) => {
            let s = [b.w(i, 1, 16)?, b.w(i, 2, 16)?, if mad { b.w(i, 3, 16)? } else { b.constant_w(0) }];
            map3(b.dst_w(i, 0)?, s, move |x: u32, y: u32, z: u32| {
                let product = if signed { (sx16(x) * sx16(y)) as u32 } else { (x & 0xffff) * (y & 0xffff) };
                (product >> 16).wrapping_add(z) & 0xffff
            })
        }
        (Half::High, 32) => {
            let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, if mad { b.w(i, 3, 32)? } else { b.constant_w(0) }];
            let d = b.dst_w(i, 0)?;
            if signed {
                map3(d, s, |x: u32, y: u32, z: u32| {
                    (((x as i32 as i64 * y as i32 as i64) >> 32) as u32).wrapping_add(z)
                })
            } else {
                map3(d, s, |x: u32, y: u32, z: u32| (((x as u64 * y as u64) >> 32) as u32).wrapping_add(z))
            }
        }
        (Half::High, 64) => {
            let s = [b.d(i, 1)?, b.d(i, 2)?, if mad { b.d(i, 3)? } else { b.constant_d(0) }];
            map3(b.dst_d(i, 0)?, s, move |x: u64, y: u64, z: u64| {
                let product = if signed {
                    ((x as i64 as i128 * y as i64 as i128) >> 64) as u64
                } else {
                    ((x as u128 * y as u128) >> 64) as u64
                };
                product.wrapping_add(z)
            })
        }
        _ => return Err(unsupported_type(ty)),
    }))
}

fn multiply24(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    let high = m.one_of(&[("lo", false), ("hi", true)]).ok_or("`.lo` or `.hi` is missing")?;
    if ty.bits != 32 {
        return Err(unsupported_type(ty));
    }
    let mad = i.base == "mad24";
    count(i, 3 + mad as usize)?;
    let signed = ty.signed();
    let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, if mad { b.w(i, 3, 32)? } else { b.constant_w(0) }];
    Ok(Op::Alu(map3(b.dst_w(i, 0)?, s, move |x: u32, y: u32, z: u32| {
        let product = if signed {
            let cut = |v: u32| ((v << 8) as i32 >> 8) as i64;
            cut(x) * cut(y)
        } else {
            ((x & 0xff_ffff) as u64 * (y & 0xff_ffff) as u64) as i64
        };
        ((if high { product >> 16 } else { product }) as u32).wrapping_add(z)
    })))
}

fn dot4(b: &mut Builder, i: &Instruction, m: &mut Mods, second: Ty) -> Res<Op> {
    let first = m.ty()?;
    count(i, 4)?;
    let (sa, sb) = (first.signed(), second.signed());
    let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, b.w(i, 3, 32)?];
    Ok(Op::Alu(map3(b.dst_w(i, 0)?, s, move |x: u32, y: u32, z: u32| {
        let byte = |v: u32, k: u32, signed: bool| {
            let v = (v >> (8 * k)) as u8;
            if signed { v as i8 as i32 } else { v as i32 }
        };
        (0..4).fold(z, |sum, k| sum.wrapping_add((byte(x, k, sa) * byte(y, k, sb)) as u32))
    })))
}

/// Sums, differences and products with sums that read the carry flag (`addc`, `subc`, `madc`) or
/// write it (`.cc`).
fn carry(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty, writes: bool) -> Res<Op> {
    let (subtract, multiply) = (i.base.starts_with("sub"), i.base.starts_with("mad"));
    let reads = i.base.ends_with('c');
    let high = multiply && m.one_of(&[("lo", false), ("hi", true)]).ok_or("`.lo` or `.hi` is missing")?;
    count(i, 3 + multiply as usize)?;
    let (bits, signed) = (ty.bits, ty.signed());
    let product = move |x: u64, y: u64| -> u64 {
        let extend = |v: u64| match (bits, signed) {
            (32, true) => v as u32 as i32 as i128,
            (32, false) => v as u32 as i128,
            (_, true) => v as i64 as i128,
            (_, false) => v as i128,
        };
        // Of two unsigned 64-bit numbers it would not fit a signed one; its bits are the same.
        let wide = extend(x).wrapping_mul(extend(y)) as u128;
        let part = (if high { wide >> bits } else { wide }) as u64;
        if bits == 32 { part as u32 as u64 } else { part }
    };
    let step = move |x: u64, y: u64, z: u64, carry: bool| -> (u64, bool) {
        let carry = reads && carry;
        if subtract {
            let wide = x as i128 - y as i128 - carry as i128;
            return (wide as u64, wide < 0);
        }
        let (x, y) = if multiply { (product(x, y), z) } else { (x, y) };
        let wide = x as u128 + y as u128 + carry as u128;
        (wide as u64, wide >> bits != 0)
    };
    let flag = move |r: &mut Regs, lane: usize, out: bool| {
        if writes {
            r.carry = r.carry & !(1 << lane) | (out as u32) << lane;
        }
    };
    Ok(Op::Alu(match bits {
        32 => {
            let (d, x, y) = (b.dst_w(i, 0)?, b.w(i, 1, 32)?, b.w(i, 2, 32)?);
            let z = if multiply { b.w(i, 3, 32)? } else { x };
            Box::new(move |r: &mut Regs, mask: u32| {
                for lane in lanes(mask) {
                    let [x, y, z] = [x, y, z].map(|s| r.w[s as usize].0[lane] as u64);
                    let (sum, out) = step(x, y, z, r.carry >> lane & 1 != 0);
                    r.w[d as usize].0[lane] = sum as u32;
                    flag(r, lane, out);
                }
            })
        }
        64 => {
            let (d, x, y) = (b.dst_d(i, 0)?, b.d(i, 1)?, b.d(i, 2)?);
            let z = if multiply { b.d(i, 3)? } else { x };
            Box::new(move |r: &mut Regs, mask: u32| {
                for lane in lanes(mask) {
                    let [x, y, z] = [x, y, z].map(|s| r.d[s as usize].0[lane]);
                    let (sum, out) = step(x, y, z, r.carry >> lane & 1 != 0);
                    r.d[d as usize].0[lane] = sum;
                    flag(r, lane, out);
                }
            })
        }
        _ => return Err(unsupported_type(ty)),
    }))
}

/// Bit fields and counts of bits.
pub(super) fn bits(b: &mut Builder, i: &Instruction, m: &mut Mods, ty: Ty) -> Res<Op> {
    let alu = match (i.base.as_str(), ty.bits) {
        ("popc", 32) => map1(b.dst_w(i, 0)?, b.w(i, 1, 32)?, |x: u32| x.count_ones()),
        ("popc", 64) => map1(b.dst_w(i, 0)?, b.d(i, 1)?, |x: u64| x.count_ones()),
        ("clz", 32) => map1(b.dst_w(i, 0)?, b.w(i, 1, 32)?, |x: u32| x.leading_zeros()),
        ("clz", 64) => map1(b.dst_w(i, 0)?, b.d(i, 1)?, |x: u64| x.leading_zeros()),
        ("brev", 32) => map1(b.dst_w(i, 0)?, b.w(i, 1, 32)?, |x: u32| x.reverse_bits()),
        ("brev", 64) => map1(b.dst_d(i, 0)?, b.d(i, 1)?, |x: u64| x.reverse_bits()),
        ("bfind", bits @ (32 | 64)) => {
            let (amount, signed) = (m.take("shiftamt"), ty.signed());
            let find = move |x: u64| -> u32 {
                let x = if signed && (x as i64) < 0 { !x } else { x };
                match 63u32.wrapping_sub(x.leading_zeros()) {
                    _ if x == 0 => !0,
                    at if amount => bits - 1 - at,
                    at => at,
                }
            };
            if bits == 32 {
                map1(b.dst_w(i, 0)?, b.w(i, 1, 32)?, move |x: u32| {
                    find(if signed { x as i32 as i64 as u64 } else { x as u64 })
                })
            } else {
                map1(b.dst_w(i, 0)?, b.d(i, 1)?, find)
            }
        }
        ("bfe", bits @ (32 | 64)) => {
            count(i, 4)?;
            let signed = ty.signed();
            let extract = move |x: u64, at: u32, len: u32| -> u64 {
                let (at, len) = (at & 0xff, len & 0xff);
                if len == 0 {
                    return 0;
                }
                // Bits beyond the value are copies of its sign, or zeros.
                let wide = if !signed {
                    x as u128
                } else if bits == 32 {
                    x as u32 as i32 as i128 as u128
                } else {
                    x as i64 as i128 as u128
                };
                let shifted = if signed {
                    (wide as i128 >> at.min(127)) as u128
                } else {
                    wide.checked_shr(at).unwrap_or(0)
                };
                if len >= bits {
                    return shifted as u64;
                }
                let field = shifted & ((1 << len) - 1);
                // The sign of the field is its last bit, or the value's where the field runs over.
                let sign = signed && (wide >> (at + len - 1).min(bits - 1)) & 1 != 0;
                (if sign { field | !0 << len } else { field }) as u64
            };
            let (at, len) = (b.w(i, 2, 32)?, b.w(i, 3, 32)?);
            if bits == 32 {
                let s = [b.w(i, 1, 32)?, at, len];
                map3(b.dst_w(i, 0)?, s, move |x: u32, at: u32, len: u32| extract(x as u64, at, len) as u32)
            } else {
                let s = [b.d(i, 1)?, at, len];
                map3(b.dst_d(i, 0)?, s, extract)
            }
        }
        ("bfi", bits @ (32 | 64)) => {
            count(i, 5)?;
            let insert = move |x: u64, into: u64, at: u32, len: u32| -> u64 {
                let (at, len) = (at & 0xff, len & 0xff);
                let ones = if len >= 64 { !0 } else { (1u64 << len) - 1 };
                let mask = ones.checked_shl(at).unwrap_or(0);
                into & !mask | x.checked_shl(at).unwrap_or(0) & mask
            };
            let (at, len) = (b.w(i, 3, 32)?, b.w(i, 4, 32)?);
            use crate::exec::lanes::map4;
            if bits == 32 {
                let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, at, len];
                map4(b.dst_w(i, 0)?, s, move |x: u32, into: u32, at: u32, len: u32| {
                    insert(x as u64, into as u64, at, len) as u32
                })
            } else {
                let s = [b.d(i, 1)?, b.d(i, 2)?, at, len];
                map4(b.dst_d(i, 0)?, s, insert)
            }
        }
        ("bmsk", 32) => {
            let clamp =
                m.one_of(&[("clamp", true), ("wrap", false)]).ok_or("`.clamp` or `.wrap` is missing")?;
            map2(b.dst_w(i, 0)?, b.w(i, 1, 32)?, b.w(i, 2, 32)?, move |at: u32, len: u32| {
                let (at, len) = if clamp { (at.min(32), len.min(32)) } else { (at & 31, len & 31) };
                let ones = if len >= 32 { !0 } else { (1u32 << len) - 1 };
                ones.checked_shl(at).unwrap_or(0)
            })
        }
        ("prmt", 32) => return permute(b, i, m),
        ("lop3", 32) => {
            count(i, 5)?;
            let table = immediate(i, 4)? as u32;
            let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, b.w(i, 3, 32)?];
            let on = |k: u32| if table >> k & 1 != 0 { !0u32 } else { 0 };
            let rows: [u32; 8] = std::array::from_fn(|k| on(k as u32));
            map3(b.dst_w(i, 0)?, s, move |x: u32, y: u32, z: u32| {
                let pick = |high: u32, low: u32, by: u32| by & high | !by & low;
                let with =
                    |k: usize| pick(pick(rows[k + 3], rows[k + 2], z), pick(rows[k + 1], rows[k], z), y);
                pick(with(4), with(0), x)
            })
        }
        _ => return Err(unsupported_type(ty)),
    };
    Ok(Op::Alu(alu))
}

fn permute(b: &mut Builder, i: &Instruction, m: &mut Mods) -> Res<Op> {
    #[derive(Clone, Copy)]
    enum Mode {
        Index,
        Forward4,
        Backward4,
        Copy8,
        ClampLeft,
        ClampRight,
        Copy16,
    }
    count(i, 4)?;
    let mode = m
        .one_of(&[
            ("f4e", Mode::Forward4),
            ("b4e", Mode::Backward4),
            ("rc8", Mode::Copy8),
            ("ecl", Mode::ClampLeft),
            ("ecr", Mode::ClampRight),
            ("rc16", Mode::Copy16),
        ])
        .unwrap_or(Mode::Index);
    let s = [b.w(i, 1, 32)?, b.w(i, 2, 32)?, b.w(i, 3, 32)?];
    Ok(Op::Alu(map3(b.dst_w(i, 0)?, s, move |x: u32, y: u32, c: u32| {
        let all = x as u64 | (y as u64) << 32;
        let n = c & 3;
        let select = |k: u32| -> u32 {
            match mode {
                Mode::Index => c >> (4 * k) & 0xf,
                Mode::Forward4 => n + k,
                Mode::Backward4 => n.wrapping_sub(k) & 7,
                Mode::Copy8 => n,
                Mode::ClampLeft => k.max(n),
                Mode::ClampRight => k.min(n),
                Mode::Copy16 => (n & 1) * 2 + (k & 1),
            }
        };
        (0..4).fold(0, |out, k| {
            let at = select(k);
            let byte = (all >> (8 * (at & 7))) as u32 & 0xff;
            let byte = if at & 8 != 0 { if byte & 0x80 != 0 { 0xff } else { 0 } } else { byte };
            out | byte << (8 * k)
        })
    })))
}
