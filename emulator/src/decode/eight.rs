//! Pairs of 8-bit floating-point numbers (`e4m3x2`, `e5m2x2`): conversions only.

use super::build::{Builder, Res, count};
use super::mods::{Kind, Mods, Ty};
use super::op::Op;
use super::small;
use crate::exec::lanes::{map1, map2};
use crate::exec::num::{NAN16, Round, Small, f32_of};
use crate::ptx::Instruction;

/// An 8-bit format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eight {
    /// 4 bits of exponent, 3 of fraction; no infinity, one NaN.
    E4m3,
    /// 5 bits of exponent, 2 of fraction: the upper half of half precision.
    E5m2,
}

/// The one NaN that conversions give.
const NAN8: u32 = 0x7f;

impl Eight {
    pub fn of(ty: Ty) -> Option<Self> {
        match ty.kind {
            Kind::E4m3Pair => Some(Eight::E4m3),
            Kind::E5m2Pair => Some(Eight::E5m2),
            _ => None,
        }
    }

    /// The largest finite number's bits.
    fn greatest(self) -> u32 {
        match self {
            Eight::E4m3 => 0x7e,
            Eight::E5m2 => 0x7b,
        }
    }

    /// Every number of these formats is one of half precision.
    fn load(self, x: u32) -> f32 {
        let (sign, a) = (x & 0x80, x & 0x7f);
        match self {
            Eight::E5m2 => Small::Half.load(x << 8),
            Eight::E4m3 if a == NAN8 => f32::NAN,
            // Half precision with 8 more in the exponent's bias.
            Eight::E4m3 => Small::Half.load(sign << 8 | a << 7) * 256.0,
        }
    }

    /// To the nearest, ties to even; too large becomes the greatest.
    fn store(self, x: f32, relu: bool) -> u32 {
        if x.is_nan() {
            return NAN8;
        }
        let sign = if x.is_sign_negative() { 0x80 } else { 0 };
        let a = x.abs();
        // The neighbours of `a`: the bits of positive numbers grow with their values.
        let (mut low, mut high) = (0, self.greatest());
        if a >= self.load(high) {
            low = high;
        }
        while low + 1 < high {
            let middle = (low + high) / 2;
            if self.load(middle) <= a { low = middle } else { high = middle }
        }
        let (below, above) = (a as f64 - self.load(low) as f64, self.load(high) as f64 - a as f64);
        let up = low < high && (below > above || below == above && low & 1 == 1);
        if relu && sign != 0 { 0 } else { sign | (low + up as u32) }
    }
}

/// `cvt` from a pair of 8-bit numbers, or to one.
pub(super) fn convert(b: &mut Builder, i: &Instruction, m: &mut Mods, from: Ty, to: Ty) -> Res<Op> {
    let relu = m.take("relu");
    if m.round() != Some(Round::Near) {
        return Err("`.rn` is missing".into());
    }
    if let Some(eight) = Eight::of(from) {
        let (Some((small, true)), 2) = (small::format(to), i.operands.len()) else {
            return Err("this conversion from 8-bit numbers is not supported".into());
        };
        let one = move |x: u32| match small.store(eight.load(x & 0xff)) {
            NAN16 => NAN16,
            v if relu && v & 0x8000 != 0 => 0,
            v => v,
        };
        let (d, s) = (b.dst_w(i, 0)?, b.w(i, 1, 16)?);
        return Ok(Op::Alu(map1(d, s, move |x: u32| one(x) | one(x >> 8) << 16)));
    }
    let eight = Eight::of(to).ok_or("no 8-bit type")?;
    if !m.take("satfinite") {
        return Err("`.satfinite` is missing".into());
    }
    let d = b.dst_w(i, 0)?;
    Ok(Op::Alu(match small::format(from) {
        Some((small, true)) => {
            count(i, 2)?;
            let one = move |x: u32| eight.store(small.load(x & 0xffff), relu);
            map1(d, b.w(i, 1, 32)?, move |x: u32| one(x) | one(x >> 16) << 8)
        }
        None if from.is(Kind::Float, 32) => {
            count(i, 3)?;
            map2(d, b.w(i, 1, 32)?, b.w(i, 2, 32)?, move |high: u32, low: u32| {
                eight.store(f32_of(low), relu) | eight.store(f32_of(high), relu) << 8
            })
        }
        _ => return Err("this conversion to 8-bit numbers is not supported".into()),
    }))
}
