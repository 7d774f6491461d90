//! `cvt` between integers and floating point.

use crate::common::*;

fn types() -> [(&'static str, u32, bool); 8] {
    [
        ("u8", 8, false),
        ("s8", 8, true),
        ("u16", 16, false),
        ("s16", 16, true),
        ("u32", 32, false),
        ("s32", 32, true),
        ("u64", 64, false),
        ("s64", 64, true),
    ]
}

fn read(x: u64, bits: u32, signed: bool) -> i128 {
    let x = (x as u128 & ((1u128 << bits) - 1)) as i128;
    if signed && x >> (bits - 1) != 0 { x - (1 << bits) } else { x }
}

fn range(bits: u32, signed: bool) -> (i128, i128) {
    if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

fn low(x: i128, bits: u32) -> u64 {
    (x as u128 & ((1u128 << bits) - 1)) as u64
}

#[test]
fn between_integers() {
    for (from, fb, fs) in types() {
        for (to, tb, ts) in types() {
            let inputs = tuples(&EDGES64, 1);
            verify(&format!("cvt.{to}.{from} $d, $a;"), to, &[from], &inputs, |v| {
                low(read(v[0], fb, fs), tb)
            });
            let (least, greatest) = range(tb, ts);
            verify(&format!("cvt.sat.{to}.{from} $d, $a;"), to, &[from], &inputs, |v| {
                low(read(v[0], fb, fs).clamp(least, greatest), tb)
            });
        }
    }
    // A narrow signed type in a wide register keeps its sign there.
    verify("cvt.s8.s32 $d, $a;", "b32", &["b32"], &tuples(&EDGES, 1), |v| v[0] as i8 as u32 as u64);
}

fn round(x: f64, mode: &str) -> f64 {
    match mode {
        "rni" => x.round_ties_even(),
        "rzi" => x.trunc(),
        "rmi" => x.floor(),
        _ => x.ceil(),
    }
}

#[test]
fn to_integers() {
    let mut values = DOUBLES.to_vec();
    values.extend([
        0.5,
        1.5,
        2.5,
        -0.5,
        -1.5,
        127.5,
        -128.5,
        255.5,
        65535.5,
        2147483647.5,
        -2147483648.5,
        4294967295.5,
    ]);
    for (to, bits, signed) in types() {
        let (least, greatest) = range(bits, signed);
        let right = |x: f64, from: u32, mode: &str| {
            if x.is_nan() {
                return if from == 64 || bits == 64 { 1 << (bits - 1) } else { 0 };
            }
            let r = round(x, mode);
            // A cast to i128 saturates, so that the clamp is exact.
            low((r as i128).clamp(least, greatest), bits)
        };
        for mode in ["rni", "rzi", "rmi", "rpi"] {
            let wide = tuples(&values.iter().map(|x| x.to_bits()).collect::<Vec<u64>>(), 1);
            verify(&format!("cvt.{mode}.{to}.f64 $d, $a;"), to, &["b64"], &wide, |v| {
                right(f64::from_bits(v[0]), 64, mode)
            });
            let narrow = tuples(&values.iter().map(|&x| (x as f32).to_bits()).collect::<Vec<u32>>(), 1);
            verify(&format!("cvt.{mode}.{to}.f32 $d, $a;"), to, &["b32"], &narrow, |v| {
                right(f32::from_bits(v[0] as u32) as f64, 32, mode)
            });
        }
    }
    let halves = [vec![0x4100u64], vec![0xc100], vec![0x7c00], vec![0x7e00]];
    assert_eq!(
        results("cvt.rni.s32.f16 $d, $a;", "b32", &["b16"], &halves),
        [2, 0xffff_fffe, 0x7fff_ffff, 0]
    );
}

#[test]
fn from_integers() {
    for (from, bits, signed) in types() {
        let inputs = tuples(&EDGES64, 1);
        verify(&format!("cvt.rn.f64.{from} $d, $a;"), "b64", &[from], &inputs, |v| {
            (read(v[0], bits, signed) as f64).to_bits()
        });
        verify(&format!("cvt.rn.f32.{from} $d, $a;"), "b32", &[from], &inputs, |v| {
            (read(v[0], bits, signed) as f32).to_bits() as u64
        });
        for mode in ["rz", "rm", "rp"] {
            verify(&format!("cvt.{mode}.f32.{from} $d, $a;"), "b32", &[from], &inputs, |v| {
                let x = read(v[0], bits, signed);
                let near = x as f32;
                let side = (near as i128).cmp(&x);
                use std::cmp::Ordering::*;
                let right = match (mode, side, x < 0) {
                    ("rm", Greater, _) | ("rz", Greater, false) => near.next_down(),
                    ("rp", Less, _) | ("rz", Less, true) => near.next_up(),
                    _ => near,
                };
                right.to_bits() as u64
            });
        }
    }
    let found =
        results("cvt.rn.f16.s32 $d, $a;", "b16", &["b32"], &[vec![2049], vec![65520], vec![0xffff_ffff]]);
    assert_eq!(found, [0x6800, 0x7c00, 0xbc00]);
}

#[test]
fn between_floats() {
    let one = tuples(&SINGLES.map(f32::to_bits), 1);
    let f = |x: u64| f32::from_bits(x as u32);
    let b = |x: f32| if x.is_nan() { 0x7fff_ffff } else { x.to_bits() as u64 };
    for mode in ["rni", "rzi", "rmi", "rpi"] {
        verify(&format!("cvt.{mode}.f32.f32 $d, $a;"), "b32", &["b32"], &one, |v| {
            b(round(f(v[0]) as f64, mode) as f32)
        });
    }
    verify("cvt.sat.f32.f32 $d, $a;", "b32", &["b32"], &one, |v| {
        let x = f(v[0]);
        b(if x > 0.0 { x.min(1.0) } else { 0.0 })
    });
    verify("cvt.f64.f32 $d, $a;", "b64", &["b32"], &one[..19], |v| (f(v[0]) as f64).to_bits());
    let two = tuples(&DOUBLES.map(f64::to_bits), 1);
    verify("cvt.rn.f32.f64 $d, $a;", "b32", &["b64"], &two, |v| b(f64::from_bits(v[0]) as f32));
    verify("cvt.rz.f32.f64 $d, $a;", "b32", &["b64"], &two, |v| {
        let x = f64::from_bits(v[0]);
        let near = x as f32;
        if x.is_finite() && (near as f64).abs() > x.abs() { (near.to_bits() - 1) as u64 } else { b(near) }
    });
    verify("cvt.rmi.f64.f64 $d, $a;", "b64", &["b64"], &two[..15], |v| {
        f64::from_bits(v[0]).floor().to_bits()
    });
    verify("cvt.rna.tf32.f32 $d, $a;", "b32", &["b32"], &one[..17], |v| {
        // Nearest with 10 bits of fraction, ties away: half a unit is added to the magnitude.
        let m = v[0] & 0x7fff_ffff;
        v[0] & 0x8000_0000 | ((m / 0x2000 + (m % 0x2000 >= 0x1000) as u64) * 0x2000)
    });
}
