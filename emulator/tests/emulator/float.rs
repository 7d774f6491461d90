//! Single and double precision.

use crate::common::*;

fn singles(n: usize) -> Vec<Vec<u64>> {
    tuples(&SINGLES.map(f32::to_bits), n)
}

fn doubles(n: usize) -> Vec<Vec<u64>> {
    tuples(&DOUBLES.map(f64::to_bits), n)
}

fn f(x: u64) -> f32 {
    f32::from_bits(x as u32)
}

fn g(x: u64) -> f64 {
    f64::from_bits(x)
}

/// Bits with the one NaN of the hardware.
fn b(x: f32) -> u64 {
    if x.is_nan() { 0x7fff_ffff } else { x.to_bits() as u64 }
}

fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0f32.copysign(x) } else { x }
}

const T: [&str; 3] = ["b32"; 3];
const D: [&str; 3] = ["b64"; 3];

#[test]
fn arithmetic() {
    verify("add.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| b(f(v[0]) + f(v[1])));
    verify("sub.rn.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| b(f(v[0]) - f(v[1])));
    verify("mul.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| b(f(v[0]) * f(v[1])));
    verify("div.rn.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| b(f(v[0]) / f(v[1])));
    verify("fma.rn.f32 $d, $a, $b, $c;", "b32", &T, &singles(3), |v| b(f(v[0]).mul_add(f(v[1]), f(v[2]))));
    verify("rcp.rn.f32 $d, $a;", "b32", &T[..1], &singles(1), |v| b(1.0 / f(v[0])));
    verify("sqrt.rn.f32 $d, $a;", "b32", &T[..1], &singles(1), |v| b(f(v[0]).sqrt()));
    verify("neg.f32 $d, $a;", "b32", &T[..1], &singles(1), |v| v[0] ^ 1 << 31);
    verify("abs.f32 $d, $a;", "b32", &T[..1], &singles(1), |v| v[0] & 0x7fff_ffff);
    verify("copysign.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| v[1] & 0x7fff_ffff | v[0] & 1 << 31);
}

#[test]
fn flushing_and_saturating() {
    verify("add.ftz.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| {
        b(flush(flush(f(v[0])) + flush(f(v[1]))))
    });
    verify("mul.ftz.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| {
        b(flush(flush(f(v[0])) * flush(f(v[1]))))
    });
    let sat = |x: f32| if x > 0.0 { x.min(1.0) } else { 0.0 };
    verify("add.sat.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| b(sat(f(v[0]) + f(v[1]))));
    verify("fma.rn.sat.f32 $d, $a, $b, $c;", "b32", &T, &singles(3), |v| {
        b(sat(f(v[0]).mul_add(f(v[1]), f(v[2]))))
    });
    verify("setp.lt.ftz.f32 $d, $a, $b;", "pred", &T[..2], &singles(2), |v| {
        (flush(f(v[0])) < flush(f(v[1]))) as u64
    });
}

#[test]
fn extremes() {
    let least = |x: f32, y: f32| match (x.is_nan(), y.is_nan()) {
        (true, _) => y,
        (_, true) => x,
        _ if x == y => {
            if x.is_sign_negative() {
                x
            } else {
                y
            }
        }
        _ => {
            if x < y {
                x
            } else {
                y
            }
        }
    };
    verify("min.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| b(least(f(v[0]), f(v[1]))));
    verify("max.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| b(-least(-f(v[0]), -f(v[1]))));
    verify("min.NaN.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| {
        if f(v[0]).is_nan() || f(v[1]).is_nan() { 0x7fff_ffff } else { b(least(f(v[0]), f(v[1]))) }
    });
    verify("max.NaN.f32 $d, $a, $b;", "b32", &T[..2], &singles(2), |v| {
        if f(v[0]).is_nan() || f(v[1]).is_nan() { 0x7fff_ffff } else { b(-least(-f(v[0]), -f(v[1]))) }
    });
}

/// A directed rounding is right when its result is on the right side of the exact value and its
/// neighbour is not; `sign(r)` is the sign of r minus the exact value.
fn directed(op: &str, n: usize, sign: impl Fn(&[f32], f32) -> Option<std::cmp::Ordering>) {
    use std::cmp::Ordering::{Greater, Less};
    let values: Vec<u32> =
        [1.0f32, -1.0, 3.0, 0.1, -0.7, 1e-3, 16777215.0, 1.0000001, -3e7, 7e-20].map(f32::to_bits).to_vec();
    let inputs = tuples(&values, n);
    for mode in ["rz", "rm", "rp"] {
        let operands = ["$a", "$b", "$c"][..n].join(", ");
        let found = results(&format!("{op}.{mode}.f32 $d, {operands};"), "b32", &T[..n], &inputs);
        for (input, bits) in inputs.iter().zip(found) {
            let v: Vec<f32> = input.iter().map(|&x| f(x)).collect();
            let r = f(bits);
            let Some(side) = sign(&v, r).filter(|s| s.is_ne()) else { continue };
            let wrong = match mode {
                "rm" => side == Greater || sign(&v, r.next_up()) != Some(Greater),
                "rp" => side == Less || sign(&v, r.next_down()) != Some(Less),
                _ if r > 0.0 => side == Greater || sign(&v, r.next_up()) != Some(Greater),
                _ => side == Less || sign(&v, r.next_down()) != Some(Less),
            };
            assert!(!wrong, "{op}.{mode} of {v:?}: {r}");
        }
    }
}

/// Exact value of a finite single as an integer times 2^-160.
fn exact(x: f32) -> Option<i128> {
    let scaled = x as f64 * 2f64.powi(100);
    (scaled.abs() < 1e38 && scaled.fract() == 0.0).then_some(scaled as i128)
}

#[test]
fn directed_rounding() {
    directed("add", 2, |v, r| Some(exact(r)?.cmp(&exact(v[0])?.checked_add(exact(v[1])?)?)));
    directed("mul", 2, |v, r| (r as f64).partial_cmp(&(v[0] as f64 * v[1] as f64)));
    directed("div", 2, |v, r| {
        let side = (r as f64 * v[1] as f64).partial_cmp(&(v[0] as f64))?;
        Some(if v[1] < 0.0 { side.reverse() } else { side })
    });
    directed(
        "sqrt",
        1,
        |v, r| if v[0] < 0.0 { None } else { (r as f64 * r as f64).partial_cmp(&(v[0] as f64)) },
    );
    directed("fma", 3, |v, r| {
        let part = |x: f64| -> Option<i128> {
            let scaled = x * 2f64.powi(60);
            (scaled.abs() < 1e38 && scaled.fract() == 0.0).then_some(scaled as i128)
        };
        Some(part(r as f64)?.cmp(&part(v[0] as f64 * v[1] as f64)?.checked_add(part(v[2] as f64)?)?))
    });
    // Signed zeros and overflow.
    let found =
        results("add.rm.f32 $d, $a, $b;", "b32", &T[..2], &[vec![0x3f80_0000, 0xbf80_0000], vec![0, 0]]);
    assert_eq!(found, [0x8000_0000, 0]);
    let max = f32::MAX.to_bits() as u64;
    assert_eq!(results("add.rz.f32 $d, $a, $b;", "b32", &T[..2], &[vec![max, max]]), [max]);
    assert_eq!(results("mul.rp.f32 $d, $a, $b;", "b32", &T[..2], &[vec![1, 1]]), [1]);
    assert_eq!(results("mul.rm.f32 $d, $a, $b;", "b32", &T[..2], &[vec![1, 1]]), [0]);
}

#[test]
fn comparisons() {
    type Test = fn(f32, f32) -> bool;
    let all: [(&str, Test); 6] = [
        ("eq", |x, y| x == y),
        ("ne", |x, y| x != y && !x.is_nan() && !y.is_nan()),
        ("lt", |x, y| x < y),
        ("le", |x, y| x <= y),
        ("gt", |x, y| x > y),
        ("ge", |x, y| x >= y),
    ];
    for (name, holds) in all {
        verify(&format!("setp.{name}.f32 $d, $a, $b;"), "pred", &T[..2], &singles(2), |v| {
            holds(f(v[0]), f(v[1])) as u64
        });
        verify(&format!("setp.{name}u.f32 $d, $a, $b;"), "pred", &T[..2], &singles(2), |v| {
            (f(v[0]).is_nan() || f(v[1]).is_nan() || holds(f(v[0]), f(v[1]))) as u64
        });
    }
    verify("setp.num.f32 $d, $a, $b;", "pred", &T[..2], &singles(2), |v| {
        !(f(v[0]).is_nan() || f(v[1]).is_nan()) as u64
    });
    verify("setp.nan.f64 $d, $a, $b;", "pred", &D[..2], &doubles(2), |v| {
        (g(v[0]).is_nan() || g(v[1]).is_nan()) as u64
    });
    verify("setp.le.f64 $d, $a, $b;", "pred", &D[..2], &doubles(2), |v| (g(v[0]) <= g(v[1])) as u64);
    verify("setp.neu.f64 $d, $a, $b;", "pred", &D[..2], &doubles(2), |v| (g(v[0]) != g(v[1])) as u64);
    verify(
        "slct.f32.f32 $d, $a, $b, $c;",
        "b32",
        &T,
        &singles(3),
        |v| if f(v[2]) >= 0.0 { v[0] } else { v[1] },
    );
    let properties: [(&str, Test); 6] = [
        ("finite", |x, _| x.is_finite()),
        ("infinite", |x, _| x.is_infinite()),
        ("number", |x, _| !x.is_nan()),
        ("notanumber", |x, _| x.is_nan()),
        ("normal", |x, _| x.is_normal()),
        ("subnormal", |x, _| x.is_subnormal()),
    ];
    for (name, holds) in properties {
        verify(&format!("testp.{name}.f32 $d, $a;"), "pred", &T[..1], &singles(1), |v| {
            holds(f(v[0]), 0.0) as u64
        });
    }
}

/// Approximations within the bounds of the PTX manual.
#[test]
fn approximations() {
    let inputs: Vec<Vec<u64>> = (-400..400).map(|k| vec![(k as f32 * 0.0173).to_bits() as u64]).collect();
    let close = |op: &str, bound: f64, reference: fn(f64) -> f64, absolute: bool| {
        let found = results(&format!("{op}.f32 $d, $a;"), "b32", &T[..1], &inputs);
        for (input, bits) in inputs.iter().zip(found) {
            let (x, y) = (f(input[0]) as f64, f(bits) as f64);
            let right = reference(x);
            if right.is_nan() {
                assert!(y.is_nan(), "{op} of {x}");
            } else if right.is_infinite() {
                assert_eq!(y, right, "{op} of {x}");
            } else {
                let error = (y - right).abs() / if absolute { 1.0 } else { right.abs().max(1e-30) };
                assert!(error <= bound, "{op} of {x}: {y}, not {right}");
            }
        }
    };
    close("ex2.approx", 2f64.powi(-22), f64::exp2, false);
    close("lg2.approx", 2f64.powi(-22), f64::log2, true);
    close("sin.approx", 2f64.powi(-20), f64::sin, true);
    close("cos.approx", 2f64.powi(-20), f64::cos, true);
    close("tanh.approx", 2f64.powi(-11), f64::tanh, false);
    close("rsqrt.approx", 2f64.powf(-22.4), |x| 1.0 / x.sqrt(), false);
    close("rcp.approx.ftz", 2f64.powi(-23), |x| 1.0 / x, false);
    close("sqrt.approx", 2f64.powi(-23), f64::sqrt, false);
    verify("div.full.f32 $d, $a, $b;", "b32", &T[..2], &tuples(&[3f32.to_bits(), 7f32.to_bits()], 2), |v| {
        b(f(v[0]) / f(v[1]))
    });
}

/// Of the upper halves of double precision.
#[test]
fn gross_reciprocals() {
    let upper = !0u64 << 32;
    let subnormal = f64::MIN_POSITIVE / 2.0;
    let inputs =
        [3.0, -7.5, 1e300, f64::from_bits(0x3ff0_0000_ffff_ffff), 0.0, -0.0, subnormal, f64::INFINITY];
    let inputs: Vec<Vec<u64>> = inputs.iter().map(|x: &f64| vec![x.to_bits()]).collect();
    for (op, f) in [("rcp", (|x| 1.0 / x) as fn(f64) -> f64), ("rsqrt", |x| 1.0 / x.sqrt())] {
        let found = results(&format!("{op}.approx.ftz.f64 $d, $a;"), "b64", &["b64"], &inputs);
        for (input, &bits) in inputs.iter().zip(&found) {
            let x = f64::from_bits(input[0] & upper);
            let x = if x.is_subnormal() { 0.0 } else { x };
            let right = if x == 0.0 { 1.0 / x } else { f(x) };
            if right.is_nan() {
                assert_eq!(bits, 0x7fff_ffff_0000_0000, "{op} of {x}");
            } else {
                assert_eq!(bits, right.to_bits() & upper, "{op} of {x}");
            }
        }
    }
}

#[test]
fn double_precision() {
    let bits = |x: f64, found: u64| if x.is_nan() { g(found).is_nan() } else { x.to_bits() == found };
    let check = |text: &str, n: usize, reference: fn(&[f64]) -> f64| {
        let inputs = doubles(n);
        for (input, found) in inputs.iter().zip(results(text, "b64", &D[..n], &inputs)) {
            let v: Vec<f64> = input.iter().map(|&x| g(x)).collect();
            assert!(bits(reference(&v), found), "{text} of {v:?}: {}", g(found));
        }
    };
    check("add.f64 $d, $a, $b;", 2, |v| v[0] + v[1]);
    check("sub.rn.f64 $d, $a, $b;", 2, |v| v[0] - v[1]);
    check("mul.f64 $d, $a, $b;", 2, |v| v[0] * v[1]);
    check("div.rn.f64 $d, $a, $b;", 2, |v| v[0] / v[1]);
    check("fma.rn.f64 $d, $a, $b, $c;", 3, |v| v[0].mul_add(v[1], v[2]));
    check("rcp.rn.f64 $d, $a;", 1, |v| 1.0 / v[0]);
    check("sqrt.rn.f64 $d, $a;", 1, |v| v[0].sqrt());
    check("neg.f64 $d, $a;", 1, |v| -v[0]);
    check("abs.f64 $d, $a;", 1, |v| v[0].abs());
    check("min.f64 $d, $a, $b;", 2, |v| match (v[0], v[1]) {
        (x, y) if x == 0.0 && y == 0.0 => {
            if x.is_sign_negative() {
                x
            } else {
                y
            }
        }
        (x, y) => x.min(y),
    });
    check("max.f64 $d, $a, $b;", 2, |v| match (v[0], v[1]) {
        (x, y) if x == 0.0 && y == 0.0 => {
            if x.is_sign_negative() {
                y
            } else {
                x
            }
        }
        (x, y) => x.max(y),
    });
    check("copysign.f64 $d, $a, $b;", 2, |v| v[1].copysign(v[0]));
}
