//! Half precision and bfloat16, against exact arithmetic on all or many bit patterns.

use crate::common::*;

/// The value of a 16-bit pattern, from its fields.
fn value(bits: u64, exponent_bits: u32) -> f64 {
    let fraction_bits = 15 - exponent_bits;
    let bias = (1i32 << (exponent_bits - 1)) - 1;
    let sign = if bits & 0x8000 != 0 { -1.0 } else { 1.0 };
    let e = (bits as u32 & 0x7fff) >> fraction_bits;
    let m = (bits & ((1 << fraction_bits) - 1)) as f64 / (1u32 << fraction_bits) as f64;
    sign * match e {
        _ if e == (1 << exponent_bits) - 1 => {
            if m == 0.0 {
                f64::INFINITY
            } else {
                f64::NAN
            }
        }
        0 => m * 2f64.powi(1 - bias),
        _ => (1.0 + m) * 2f64.powi(e as i32 - bias),
    }
}

/// The nearest pattern, ties to even, by searching among all of them.
fn nearest(x: f64, exponent_bits: u32) -> u64 {
    if x.is_nan() {
        return 0x7fff;
    }
    let sign = if x.is_sign_negative() { 0x8000 } else { 0 };
    let infinity = ((1u64 << exponent_bits) - 1) << (15 - exponent_bits);
    let (mut low, mut high) = (0u64, infinity);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if middle < infinity && value(middle, exponent_bits) <= x.abs() {
            low = middle
        } else {
            high = middle - 1
        }
    }
    let below = value(low, exponent_bits);
    // One step above the largest number decides about infinity.
    let step = value(low, exponent_bits) - if low > 0 { value(low - 1, exponent_bits) } else { 0.0 };
    let above = if low + 1 == infinity { below + step } else { value(low + 1, exponent_bits) };
    let (down, up) = (x.abs() - below, above - x.abs());
    sign | if x.abs() > above || down > up || down == up && low & 1 == 1 { low + 1 } else { low }
}

const EDGES16: [u64; 24] = [
    0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x3c00, 0xbc00, 0x3c01, 0x4248, 0x7bff, 0xfbff, 0x7c00, 0xfc00,
    0x7e00, 0x3f80, 0xbf80, 0x3f81, 0x7f7f, 0x7f80, 0xff80, 0x0080, 0x5640, 0x3555,
];

fn formats() -> [(&'static str, u32); 2] {
    [("f16", 5), ("bf16", 8)]
}

#[test]
fn arithmetic() {
    for (ty, e) in formats() {
        let binary = |op: &str, f: fn(f64, f64) -> f64| {
            verify(&format!("{op}.{ty} $d, $a, $b;"), "b16", &["b16", "b16"], &tuples(&EDGES16, 2), |v| {
                nearest(f(value(v[0], e), value(v[1], e)), e)
            });
            // The two halves of a pair are two such operations.
            let words: Vec<u64> = EDGES16.iter().map(|&x| x | EDGES16[(x as usize * 7) % 24] << 16).collect();
            verify(&format!("{op}.{ty}x2 $d, $a, $b;"), "b32", &["b32", "b32"], &tuples(&words, 2), |v| {
                let half = |s: u64| nearest(f(value(v[0] >> s & 0xffff, e), value(v[1] >> s & 0xffff, e)), e);
                half(0) | half(16) << 16
            });
        };
        binary("add.rn", |x, y| x + y);
        binary("sub.rn", |x, y| x - y);
        binary("mul.rn", |x, y| x * y);
        let least = |x: f64, y: f64| {
            if x == 0.0 && y == 0.0 { if x.is_sign_negative() { x } else { y } } else { x.min(y) }
        };
        verify(&format!("min.{ty} $d, $a, $b;"), "b16", &["b16", "b16"], &tuples(&EDGES16, 2), |v| {
            nearest(least(value(v[0], e), value(v[1], e)), e)
        });
        verify(&format!("max.{ty} $d, $a, $b;"), "b16", &["b16", "b16"], &tuples(&EDGES16, 2), |v| {
            nearest(-least(-value(v[0], e), -value(v[1], e)), e)
        });
        verify(&format!("neg.{ty} $d, $a;"), "b16", &["b16"], &tuples(&EDGES16, 1), |v| v[0] ^ 0x8000);
        verify(&format!("abs.{ty}x2 $d, $a;"), "b32", &["b32"], &tuples(&EDGES, 1), |v| v[0] & 0x7fff_7fff);
        verify(&format!("setp.lt.{ty} $d, $a, $b;"), "pred", &["b16", "b16"], &tuples(&EDGES16, 2), |v| {
            (value(v[0], e) < value(v[1], e)) as u64
        });
    }
}

/// Products of halves are exact in a double; where the sum is too, one rounding is left.
#[test]
fn fused_products() {
    for (ty, e) in formats() {
        let inputs: Vec<Vec<u64>> = tuples(&EDGES16, 3)
            .into_iter()
            .filter(|v| {
                let (p, c) = (value(v[0], e) * value(v[1], e), value(v[2], e));
                let s = p + c;
                !s.is_finite() || (s - p == c && s - c == p)
            })
            .collect();
        assert!(inputs.len() > 5000);
        verify(&format!("fma.rn.{ty} $d, $a, $b, $c;"), "b16", &["b16"; 3], &inputs, |v| {
            nearest(value(v[0], e) * value(v[1], e) + value(v[2], e), e)
        });
    }
    // A tiny product beside a tie: rounding twice would round to even, wrongly.
    let found = results("fma.rn.bf16 $d, $a, $b, $c;", "b16", &["b16"; 3], &[vec![0x0100, 0x3f80, 0x3f81]]);
    assert_eq!(found, [0x3f81]);
    let found = results("fma.rn.relu.f16 $d, $a, $b, $c;", "b16", &["b16"; 3], &[vec![0xbc00, 0x3c00, 0]]);
    assert_eq!(found, [0]);
}

#[test]
fn from_single_precision() {
    let mut singles: Vec<u64> = Vec::new();
    for bits in (0..=0xffffu64).step_by(7) {
        // Around each value, around the ties beside it, and around zero.
        for low in [0u64, 1, 0x7fff, 0x8000, 0x8001, 0x0fff, 0x1000, 0x1001, 0x2fff, 0x3000] {
            singles.push(bits << 16 | low);
        }
    }
    let inputs = tuples(&singles, 1);
    for (ty, e) in formats() {
        verify(&format!("cvt.rn.{ty}.f32 $d, $a;"), "b16", &["b32"], &inputs, |v| {
            nearest(f32::from_bits(v[0] as u32) as f64, e)
        });
        let pairs: Vec<Vec<u64>> = inputs.windows(2).step_by(3).map(|w| vec![w[0][0], w[1][0]]).collect();
        verify(&format!("cvt.rn.{ty}x2.f32 $d, $a, $b;"), "b32", &["b32"; 2], &pairs, |v| {
            let one = |x: u64| nearest(f32::from_bits(x as u32) as f64, e);
            one(v[0]) << 16 | one(v[1])
        });
        // Towards zero: of the two neighbours the one that is not larger.
        verify(&format!("cvt.rz.{ty}.f32 $d, $a;"), "b16", &["b32"], &inputs, |v| {
            let x = f32::from_bits(v[0] as u32) as f64;
            let n = nearest(x, e);
            if !x.is_nan() && x.is_finite() && value(n, e).abs() > x.abs() { n - 1 } else { n }
        });
    }
}

#[test]
fn to_single_precision() {
    let all: Vec<u64> = (0..=0xffff).collect();
    for (ty, e) in formats() {
        verify(&format!("cvt.f32.{ty} $d, $a;"), "b32", &["b16"], &tuples(&all, 1), |v| {
            let x = value(v[0], e);
            if x.is_nan() { 0x7fff_ffff } else { (x as f32).to_bits() as u64 }
        });
    }
}

#[test]
fn comparisons_of_pairs() {
    let pairs: Vec<u64> = EDGES16.iter().zip(EDGES16.iter().rev()).map(|(a, b)| a | b << 16).collect();
    let inputs = tuples(&pairs, 2);
    type Relation = fn(f64, f64) -> bool;
    let relations: [(&str, Relation); 5] = [
        ("eq", |x, y| x == y),
        ("lt", |x, y| x < y),
        ("geu", |x, y| x.partial_cmp(&y).is_none_or(|o| o.is_ge())),
        ("nan", |x, y| x.is_nan() || y.is_nan()),
        ("num", |x, y| !x.is_nan() && !y.is_nan()),
    ];
    for (ty, e) in formats() {
        let one: u64 = if ty == "f16" { 0x3c00 } else { 0x3f80 };
        for (name, holds) in relations {
            let half =
                |v: &[u64], at: u32| holds(value(v[0] >> at & 0xffff, e), value(v[1] >> at & 0xffff, e));
            let both = |v: &[u64], on: u64| half(v, 0) as u64 * on + half(v, 16) as u64 * (on << 16);
            let types = ["b32", "b32"];
            verify(&format!("set.{name}.{ty}x2.{ty}x2 $d, $a, $b;"), "b32", &types, &inputs, |v| {
                both(v, one)
            });
            verify(&format!("set.{name}.u32.{ty}x2 $d, $a, $b;"), "b32", &types, &inputs, |v| {
                both(v, 0xffff)
            });
            let text = format!(
                "{{ .reg .pred p, q; .reg .b32 x, y; setp.{name}.{ty}x2 p|q, $a, $b; selp.u32 x, 1, 0, p; selp.u32 y, 2, 0, q; add.u32 $d, x, y; }}"
            );
            verify(&text, "b32", &types, &inputs, |v| half(v, 0) as u64 + 2 * half(v, 16) as u64);
            let low: Vec<Vec<u64>> = inputs.iter().map(|v| v.iter().map(|x| x & 0xffff).collect()).collect();
            let types = ["b16", "b16"];
            verify(&format!("set.{name}.{ty}.{ty} $d, $a, $b;"), "b16", &types, &low, |v| {
                half(v, 0) as u64 * one
            });
            verify(&format!("set.{name}.u16.{ty} $d, $a, $b;"), "b16", &types, &low, |v| {
                half(v, 0) as u64 * 0xffff
            });
        }
    }
}
