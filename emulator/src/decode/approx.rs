//! Approximate instructions as inexact as the manual allows.
//!
//! Bounds are those of the PTX ISA manual 9.1, in the sections that `bound` and `bent16` name.
//!
//! A GPU's `.approx` results differ from the exact ones and from one generation to the next; here
//! they are nearly exact, which hides a program that relies on more than is promised. With a seed
//! they are bent: each by its own amount, which depends on seed, instruction and argument alone, and
//! stays within the documented error. Zeros, infinities, NaN and results at which the manual names
//! an exact value (of an argument 0) stay as they are.

use crate::exec::num::*;
use std::f64::consts::PI;

/// How far a result may be from the exact value.
#[derive(Clone, Copy)]
enum Bound {
    /// Units in the last place of single precision.
    Ulp(f64),
    /// Relative to the value: 2 to the power of this.
    Relative(f64),
    /// 2 to the power of this.
    Absolute(f64),
}

/// An approximate function of one or two arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Divide,
    Reciprocal,
    Root,
    ReciprocalRoot,
    Exp2,
    Log2,
    Sine,
    Cosine,
    Tanh,
}

impl Function {
    /// The function of an instruction, where it is an approximate one.
    pub fn of(base: &str) -> Option<Function> {
        Some(match base {
            "div" => Function::Divide,
            "rcp" => Function::Reciprocal,
            "sqrt" => Function::Root,
            "rsqrt" => Function::ReciprocalRoot,
            "ex2" => Function::Exp2,
            "lg2" => Function::Log2,
            "sin" => Function::Sine,
            "cos" => Function::Cosine,
            "tanh" => Function::Tanh,
            _ => return None,
        })
    }

    pub fn exact(self, x: f64, y: f64) -> f64 {
        match self {
            Function::Divide => x / y,
            Function::Reciprocal => 1.0 / x,
            Function::Root => x.sqrt(),
            Function::ReciprocalRoot => 1.0 / x.sqrt(),
            Function::Exp2 => x.exp2(),
            Function::Log2 => x.log2(),
            Function::Sine => x.sin(),
            Function::Cosine => x.cos(),
            Function::Tanh => x.tanh(),
        }
    }

    /// What section 9.7.3 of the manual promises for single precision.
    fn bound(self, x: f64) -> Bound {
        match self {
            Function::Divide => Bound::Ulp(2.0),                // 9.7.3.8
            Function::Reciprocal => Bound::Ulp(1.0),            // 9.7.3.13
            Function::Root => Bound::Relative(-23.0),           // 9.7.3.15
            Function::ReciprocalRoot => Bound::Relative(-22.9), // 9.7.3.16
            // 9.7.3.18 and 19; beyond 100 π nothing is promised.
            Function::Sine | Function::Cosine if x.abs() <= 2.0 * PI => Bound::Absolute(-20.5),
            Function::Sine | Function::Cosine => Bound::Absolute(-14.7),
            Function::Log2 if x > 0.5 && x < 2.0 => Bound::Absolute(-22.0), // 9.7.3.20
            Function::Log2 => Bound::Relative(-22.0),
            Function::Exp2 => Bound::Ulp(2.0),        // 9.7.3.21
            Function::Tanh => Bound::Relative(-11.0), // 9.7.3.22
        }
    }
}

/// `div.approx`: the quotient, but for divisors above 2¹²⁶, whose reciprocals are subnormal: the manual
/// (9.7.3.8) has 0 with the quotient's sign there, and NaN for infinity.
pub(super) fn divide(x: f32, y: f32) -> f32 {
    const LARGE: f32 = f32::from_bits(253 << 23);
    if y.abs() > LARGE && y.is_finite() { x * 0f32.copysign(y) } else { x / y }
}

/// `rcp.approx.ftz.f64` and `rsqrt.approx.ftz.f64` (9.7.3.14 and 17): of the upper 32 bits of an argument, to
/// the upper 32 bits of the result; subnormal numbers are 0.
pub(super) fn gross(root: bool, x: u64) -> u64 {
    const UPPER: u64 = !0 << 32;
    let flushed = |v: f64| if v.is_subnormal() { 0f64.copysign(v) } else { v };
    let x = flushed(f64::from_bits(x & UPPER));
    let v = flushed(if root && x != 0.0 { 1.0 / x.sqrt() } else { 1.0 / x });
    if v.is_nan() { 0x7fff_ffff << 32 } else { v.to_bits() & UPPER }
}

/// A number in -1..1 that depends on all of these.
fn noise(seed: u64, f: Function, x: f64, y: f64) -> f64 {
    let mut z = seed ^ (f as u64) << 56 ^ x.to_bits().rotate_left(17) ^ y.to_bits().rotate_left(41);
    for factor in [0xbf58_476d_1ce4_e5b9u64, 0x94d0_49bb_1331_11eb] {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(factor);
    }
    (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// The result in single precision, bent. Rounding takes half a unit of what is allowed.
pub(super) fn bent32(seed: u64, f: Function, x: f32, y: f32) -> f32 {
    let (x, y) = (x as f64, y as f64);
    let exact = f.exact(x, y);
    let rounded = exact as f32;
    if !rounded.is_finite() || !rounded.is_normal() || x == 0.0 {
        return rounded;
    }
    let ulp = f64::exp2(((rounded.to_bits() >> 23 & 0xff) as i32 - 150) as f64);
    let allowed = match f.bound(x) {
        Bound::Ulp(n) => n * ulp,
        Bound::Relative(power) => exact.abs() * power.exp2(),
        Bound::Absolute(power) => power.exp2(),
    };
    let bent = exact + noise(seed, f, x, y) * (allowed - 0.5 * ulp).max(0.0);
    if (bent as f32).is_finite() { bent as f32 } else { rounded }
}

/// Likewise in half precision or bfloat16, of which the manual promises a relative error for `ex2`
/// (9.7.4.10) and an absolute one for `tanh` (9.7.4.9).
pub(super) fn bent16(seed: u64, f: Function, small: Small, x: f32) -> u32 {
    let exact = f.exact(x as f64, 0.0);
    let rounded = small.load(small.store(exact as f32)) as f64;
    let allowed = match (f, small) {
        (Function::Exp2, Small::Half) => exact * (-9.9f64).exp2(),
        (Function::Exp2, Small::Brain) => exact * (-7.0f64).exp2(),
        (_, Small::Half) => (-10.987f64).exp2(),
        (_, Small::Brain) => (-8.0f64).exp2(),
    };
    if rounded == 0.0 || !rounded.is_finite() || x == 0.0 {
        return small.store(rounded as f32);
    }
    // What rounding adds is taken off: half a unit, of which these have 11 and 8 bits.
    let ulp =
        exact.abs().log2().floor().exp2() * if small == Small::Half { 2f64.powi(-10) } else { 2f64.powi(-7) };
    let bent = exact + noise(seed, f, x as f64, 0.0) * (allowed - 0.5 * ulp).max(0.0);
    small.store(bent as f32)
}
