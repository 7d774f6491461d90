//! Numbers as a GPU has them: flushing, canonical NaNs, directed rounding, half precision.

/// The one NaN that single-precision instructions return.
pub(crate) const NAN32: u32 = 0x7fff_ffff;
/// The one NaN of half precision and of bfloat16.
pub(crate) const NAN16: u32 = 0x7fff;

/// A rounding mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// To nearest, ties to even (`rn`).
    Near,
    /// Towards zero (`rz`).
    Zero,
    /// Downwards (`rm`).
    Down,
    /// Upwards (`rp`).
    Up,
}

#[inline(always)]
pub(crate) fn f32_of(bits: u32) -> f32 {
    f32::from_bits(bits)
}

#[inline(always)]
pub(crate) fn f64_of(bits: u64) -> f64 {
    f64::from_bits(bits)
}

/// Bits of a single-precision result: NaN is canonical, and `ftz` flushes subnormal numbers.
#[inline(always)]
pub(crate) fn bits32(x: f32, ftz: bool) -> u32 {
    let bits = x.to_bits();
    let magnitude = bits & 0x7fff_ffff;
    let bits = if magnitude > 0x7f80_0000 { NAN32 } else { bits };
    if ftz && magnitude < 0x0080_0000 { bits & 0x8000_0000 } else { bits }
}

/// A single-precision operand: `ftz` reads subnormal numbers as zeros.
#[inline(always)]
pub(crate) fn in32(bits: u32, ftz: bool) -> f32 {
    let flushed = if ftz && bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits };
    f32::from_bits(flushed)
}

/// `min` and `max` with PTX's rules: a number beats NaN, −0 is below +0; `nan` lets NaN through.
macro_rules! extreme {
    ($($name:ident $t:ident $better:tt $zeros:tt;)*) => { $(
        #[inline(always)]
        pub(crate) fn $name(a: $t, b: $t, nan: bool) -> $t {
            if nan && (a.is_nan() || b.is_nan()) {
                $t::NAN
            } else if a.is_nan() || b $better a {
                b
            } else if a == b && a == 0.0 {
                $t::from_bits(a.to_bits() $zeros b.to_bits())
            } else {
                a
            }
        }
    )* };
}
extreme! {
    min32 f32 < |;
    max32 f32 > &;
    min64 f64 < |;
    max64 f64 > &;
}

/// The exact sum of two doubles as a rounded sum and its error.
#[inline(always)]
pub(crate) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    if !s.is_finite() {
        return (s, 0.0);
    }
    let t = s - a;
    (s, (a - (s - t)) + (b - t))
}

/// `s + e` (an exact sum) with its last bit made sticky, so that rounding it once more to a
/// narrower format rounds the exact value.
#[inline(always)]
pub(crate) fn sticky((s, e): (f64, f64)) -> f64 {
    let bits = s.to_bits();
    if e == 0.0 || bits & 1 == 1 {
        return s;
    }
    // The exact value lies between s and its neighbour on the side of e, which is odd.
    let away = (e > 0.0) == (s > 0.0);
    if s == 0.0 {
        return e;
    }
    f64::from_bits(if away { bits + 1 } else { bits - 1 })
}

/// A double to single precision in any rounding mode.
#[inline(always)]
pub(crate) fn to_f32(x: f64, round: Round) -> f32 {
    let near = x as f32;
    let back = near as f64;
    match round {
        Round::Near => near,
        _ if near.is_nan() || back == x => near,
        Round::Zero if back.abs() > x.abs() => toward_zero(near),
        Round::Down if back > x => near.next_down(),
        Round::Up if back < x => near.next_up(),
        _ => near,
    }
}

fn toward_zero(x: f32) -> f32 {
    f32::from_bits(x.to_bits() - 1)
}

/// Sum, product and fused product of singles in any rounding mode.
#[inline(always)]
pub(crate) fn add32(a: f32, b: f32, round: Round) -> f32 {
    match round {
        Round::Near => a + b,
        _ => signed_zero(to_f32(sticky(two_sum(a as f64, b as f64)), round), a as f64, b as f64, round),
    }
}

#[inline(always)]
pub(crate) fn mul32(a: f32, b: f32, round: Round) -> f32 {
    match round {
        Round::Near => a * b,
        _ => to_f32(a as f64 * b as f64, round),
    }
}

#[inline(always)]
pub(crate) fn fma32(a: f32, b: f32, c: f32, round: Round) -> f32 {
    match round {
        Round::Near => a.mul_add(b, c),
        _ => {
            let product = a as f64 * b as f64;
            signed_zero(to_f32(sticky(two_sum(product, c as f64)), round), product, c as f64, round)
        }
    }
}

/// An exact sum of zero is −0 when rounding down, unless both are +0.
fn signed_zero(sum: f32, a: f64, b: f64, round: Round) -> f32 {
    if sum == 0.0 && round == Round::Down && a == -b && !(a == 0.0 && a.to_bits() == b.to_bits()) {
        -0.0
    } else {
        sum
    }
}

/// A quotient of singles in any rounding mode.
#[inline(always)]
pub(crate) fn div32(a: f32, b: f32, round: Round) -> f32 {
    let q = a / b;
    if round == Round::Near || !q.is_finite() && (a.is_infinite() || b == 0.0 || q.is_nan()) {
        return q;
    }
    // a − q·b with its exact sign says on which side of the quotient q lies. An overflowed or
    // underflowed q goes through doubles, which hold the quotient's neighbourhood.
    if q.is_infinite() || q.abs() < f32::MIN_POSITIVE {
        let wide = a as f64 / b as f64;
        let rest = (-wide).mul_add(b as f64, a as f64);
        return to_f32(sticky((wide, rest * b.signum() as f64)), round);
    }
    let rest = a as f64 - q as f64 * b as f64;
    nudge(q, rest * b.signum() as f64, round)
}

/// A square root of a single in any rounding mode.
#[inline(always)]
pub(crate) fn sqrt32(a: f32, round: Round) -> f32 {
    let q = a.sqrt();
    if round == Round::Near || !q.is_finite() || q == 0.0 {
        return q;
    }
    nudge(q, a as f64 - q as f64 * q as f64, round)
}

/// `q` moved to the neighbour that the mode asks for, where the exact value is `q` plus a
/// little of `rest`'s sign.
fn nudge(q: f32, rest: f64, round: Round) -> f32 {
    match round {
        Round::Down if rest < 0.0 => q.next_down(),
        Round::Up if rest > 0.0 => q.next_up(),
        Round::Zero if rest != 0.0 && (rest < 0.0) == (q > 0.0) => toward_zero(q),
        _ => q,
    }
}

/// A double to an integer value in the mode.
#[inline(always)]
pub(crate) fn integral64(x: f64, round: Round) -> f64 {
    match round {
        Round::Near => x.round_ties_even(),
        Round::Zero => x.trunc(),
        Round::Down => x.floor(),
        Round::Up => x.ceil(),
    }
}

/// A single to an integer value in the mode.
#[inline(always)]
pub(crate) fn integral32(x: f32, round: Round) -> f32 {
    match round {
        Round::Near => x.round_ties_even(),
        Round::Zero => x.trunc(),
        Round::Down => x.floor(),
        Round::Up => x.ceil(),
    }
}

/// Half precision to single.
#[inline(always)]
pub(crate) fn half_in(x: u32) -> f32 {
    let magnitude = x & 0x7fff;
    // The exponent's bias differs by 112; the multiplication also scales subnormal numbers.
    let scaled = (f32::from_bits(magnitude << 13) * f32::from_bits(0x7780_0000)).to_bits();
    let bits = if magnitude >= 0x7c00 { magnitude << 13 | 0x7f80_0000 } else { scaled };
    f32::from_bits(bits | (x & 0x8000) << 16)
}

/// Single to half precision, to nearest.
#[inline(always)]
pub(crate) fn half_out(x: f32) -> u32 {
    let bits = x.to_bits();
    let (sign, a) = (bits >> 16 & 0x8000, bits & 0x7fff_ffff);
    let small = (f32::from_bits(a) + 0.5).to_bits().wrapping_sub(0x3f00_0000);
    let normal = a.wrapping_add(0xc800_0fff).wrapping_add(a >> 13 & 1) >> 13;
    let finite = if a < 0x3880_0000 { small } else { normal };
    let magnitude = if a >= 0x4780_0000 { 0x7c00 } else { finite };
    if a > 0x7f80_0000 { NAN16 } else { magnitude | sign }
}

/// bfloat16 to single.
#[inline(always)]
pub(crate) fn brain_in(x: u32) -> f32 {
    f32::from_bits(x << 16)
}

/// Single to bfloat16, to nearest.
#[inline(always)]
pub(crate) fn brain_out(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    if bits & 0x7fff_ffff > 0x7f80_0000 { NAN16 } else { rounded }
}

/// A 16-bit format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Small {
    /// IEEE half precision: 5 bits of exponent, 10 of fraction.
    Half,
    /// bfloat16: 8 bits of exponent, 7 of fraction.
    Brain,
}

impl Small {
    #[inline(always)]
    pub(crate) fn load(self, x: u32) -> f32 {
        match self {
            Small::Half => half_in(x & 0xffff),
            Small::Brain => brain_in(x & 0xffff),
        }
    }

    #[inline(always)]
    pub(crate) fn store(self, x: f32) -> u32 {
        match self {
            Small::Half => half_out(x),
            Small::Brain => brain_out(x),
        }
    }

    /// An exact double (or one with a sticky last bit) rounded once, in any mode.
    pub(crate) fn round_f64(self, x: f64, round: Round) -> u32 {
        let (fraction, least, greatest) = match self {
            Small::Half => (10, -14, 15),
            Small::Brain => (7, -126, 127),
        };
        if x.is_nan() {
            return NAN16;
        }
        let sign = if x.is_sign_negative() { 0x8000 } else { 0 };
        let infinity = (2 * greatest as u32 + 1) << fraction;
        let a = x.abs();
        if a.is_infinite() {
            return infinity | sign;
        }
        let exponent = ((a.to_bits() >> 52) as i32 - 1023).max(least);
        // In units of the last place the value is below 2^(fraction + 1).
        let units = a * pow2(fraction - exponent);
        let up = match round {
            Round::Near => units.round_ties_even(),
            Round::Zero => units.floor(),
            Round::Down => {
                if sign != 0 {
                    units.ceil()
                } else {
                    units.floor()
                }
            }
            Round::Up => {
                if sign != 0 {
                    units.floor()
                } else {
                    units.ceil()
                }
            }
        } as u32;
        if exponent > greatest {
            let away = match round {
                Round::Near => true,
                Round::Zero => false,
                Round::Down => sign != 0,
                Round::Up => sign == 0,
            };
            return sign | if away { infinity } else { infinity - 1 };
        }
        // Adding instead of masking lets a carry run into the exponent, and into infinity.
        let bits = (((exponent - least) as u32) << fraction) + up;
        let magnitude = if bits > infinity { infinity } else { bits };
        if magnitude == infinity {
            let away = match round {
                Round::Near => true,
                Round::Zero => false,
                Round::Down => sign != 0,
                Round::Up => sign == 0,
            };
            return sign | if away { infinity } else { infinity - 1 };
        }
        sign | magnitude
    }

    /// A fused product, rounded once.
    #[inline(always)]
    pub(crate) fn fma(self, a: f32, b: f32, c: f32) -> u32 {
        let exact = sticky(two_sum(a as f64 * b as f64, c as f64));
        self.round_f64(exact, Round::Near)
    }
}

fn pow2(e: i32) -> f64 {
    // |e| stays below 200 here, far inside a double's range.
    f64::from_bits(((e + 1023) as u64) << 52)
}

/// Single to tf32: 10 bits of fraction, ties away from zero.
#[inline(always)]
pub(crate) fn tf32(x: f32) -> u32 {
    let bits = x.to_bits();
    if bits & 0x7fff_ffff > 0x7f80_0000 {
        return NAN32;
    }
    if bits & 0x7f80_0000 == 0x7f80_0000 { bits } else { bits.wrapping_add(0x1000) & !0x1fff }
}
