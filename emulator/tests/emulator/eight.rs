//! 8-bit floating point against the values that its bits mean.

use crate::common::*;

/// The value of a byte with so many bits of exponent, from its fields; NaN where it is none.
fn value(bits: u64, exponent_bits: u32) -> f64 {
    let fraction_bits = 7 - exponent_bits;
    let bias = (1i32 << (exponent_bits - 1)) - 1;
    let a = bits & 0x7f;
    let (e, m) = (a >> fraction_bits, (a & ((1 << fraction_bits) - 1)) as f64 / (1 << fraction_bits) as f64);
    let magnitude = match (exponent_bits, a) {
        (4, 0x7f) | (5, 0x7d..) => f64::NAN,
        (5, 0x7c) => f64::INFINITY,
        _ if e == 0 => m * 2f64.powi(1 - bias),
        _ => (1.0 + m) * 2f64.powi(e as i32 - bias),
    };
    if bits & 0x80 != 0 { -magnitude } else { magnitude }
}

/// The nearest finite byte, ties to the even one, by trying all.
fn nearest(x: f64, exponent_bits: u32) -> u64 {
    if x.is_nan() {
        return 0x7f;
    }
    let greatest = if exponent_bits == 4 { 0x7e } else { 0x7b };
    let distance =
        |bits: u64| (value(bits, exponent_bits) - x.abs().min(value(greatest, exponent_bits))).abs();
    let best = (0..=greatest)
        .min_by(|&a, &b| distance(a).partial_cmp(&distance(b)).unwrap().then((a & 1).cmp(&(b & 1))))
        .unwrap();
    best | if x.is_sign_negative() { 0x80 } else { 0 }
}

const FORMATS: [(&str, u32); 2] = [("e4m3x2", 4), ("e5m2x2", 5)];

#[test]
fn from_single_and_half() {
    let mut singles: Vec<f32> = SINGLES.to_vec();
    for (_, e) in FORMATS {
        for k in 0..0x7cu64 {
            // Every number, every midpoint, and what lies beside a midpoint.
            let (a, b) = (value(k, e), value(k + 1, e));
            let middle = ((a + b) / 2.0) as f32;
            singles.extend([a as f32, -(a as f32), middle, -middle, middle.next_up(), middle.next_down()]);
        }
    }
    let inputs: Vec<Vec<u64>> =
        singles.windows(2).map(|w| w.iter().map(|x| x.to_bits() as u64).collect()).collect();
    let single = |x: u64| f32::from_bits(x as u32) as f64;
    for (ty, e) in FORMATS {
        verify(&format!("cvt.rn.satfinite.{ty}.f32 $d, $a, $b;"), "b16", &["b32", "b32"], &inputs, |v| {
            nearest(single(v[0]), e) << 8 | nearest(single(v[1]), e)
        });
        verify(
            &format!("cvt.rn.satfinite.relu.{ty}.f32 $d, $a, $b;"),
            "b16",
            &["b32", "b32"],
            &inputs,
            |v| {
                let one = |x: f64| if x <= 0.0 { 0 } else { nearest(x, e) };
                one(single(v[0])) << 8 | one(single(v[1]))
            },
        );
        // All halves, paired with another one each.
        let halves: Vec<Vec<u64>> = (0..1u64 << 16).map(|k| vec![k | ((k * 40503) & 0xffff) << 16]).collect();
        let half = |x: u64| {
            let (m, s) = ((x & 0x3ff) as f64, if x & 0x8000 != 0 { -1.0 } else { 1.0 });
            s * match x >> 10 & 31 {
                31 if m == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                0 => m * 2f64.powi(-24),
                k => (1024.0 + m) * 2f64.powi(k as i32 - 25),
            }
        };
        verify(&format!("cvt.rn.satfinite.{ty}.f16x2 $d, $a;"), "b16", &["b32"], &halves, |v| {
            nearest(half(v[0] >> 16), e) << 8 | nearest(half(v[0] & 0xffff), e)
        });
    }
}

#[test]
fn to_half() {
    let inputs: Vec<Vec<u64>> = (0..1u64 << 16).map(|k| vec![k]).collect();
    for (ty, e) in FORMATS {
        let half = |bits: u64| -> u64 {
            let x = value(bits, e);
            let sign = bits >> 7 << 15;
            // Exact in half precision, so that its fields follow from logarithm and quotient.
            match x.abs() {
                a if a.is_nan() => 0x7fff,
                a if a.is_infinite() => sign | 0x7c00,
                0.0 => sign,
                a if a < 2f64.powi(-14) => sign | (a * 2f64.powi(24)) as u64,
                a => {
                    let k = a.log2().floor() as i32;
                    sign | ((k + 15) as u64) << 10 | ((a / 2f64.powi(k) - 1.0) * 1024.0) as u64
                }
            }
        };
        verify(&format!("cvt.rn.f16x2.{ty} $d, $a;"), "b32", &["b16"], &inputs, |v| {
            half(v[0] >> 8) << 16 | half(v[0] & 0xff)
        });
        verify(&format!("cvt.rn.relu.f16x2.{ty} $d, $a;"), "b32", &["b16"], &inputs, |v| {
            let one = |bits| if bits & 0x80 != 0 && !value(bits, e).is_nan() { 0 } else { half(bits) };
            one(v[0] >> 8) << 16 | one(v[0] & 0xff)
        });
    }
}
