//! Accuracy against double precision (f32) and against `libm` (f64), over samples of all bit patterns.

use crate::cpu::test_support::{apply_binary, apply_unary};
use crate::{BinaryOp, UnaryOp, UnaryOp::*};

/// Distance of `got` from the exact value `want`, in units of the last place of the f32 nearest to it.
fn ulps32(got: f32, want: f64) -> f64 {
    let near = want as f32;
    if got.is_nan() || near.is_nan() {
        return if got.is_nan() == near.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got == near {
        return if got == 0.0 && got.is_sign_negative() != near.is_sign_negative() {
            f64::INFINITY
        } else {
            0.0
        };
    }
    if got.is_infinite() {
        return if want.abs() > f32::MAX as f64 * (1.0 - 1e-7) { 1.0 } else { f64::INFINITY };
    }
    let size = near.abs().clamp(f32::MIN_POSITIVE, f32::MAX);
    let ulp = 2f64.powi(size.log2().floor() as i32 - 23);
    (got as f64 - want).abs() / ulp
}

fn check32(op: UnaryOp, bound: f64, truth: impl Fn(f64) -> f64) {
    let step = if cfg!(miri) { 400_000_009 } else { 1009 };
    let special = [
        0.0f32,
        -0.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MIN_POSITIVE,
        1e-45,
        -1e-45,
        1.0,
        -1.0,
    ];
    let x: Vec<f32> = (0..=u32::MAX).step_by(step).map(f32::from_bits).chain(special).collect();
    let y = apply_unary(op, &x);
    let (worst, at) = x
        .iter()
        .zip(&y)
        .map(|(&x, &y)| (ulps32(y, truth(x as f64)), x))
        .fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
    println!("{op:?}: {worst:.3} ulp at {at:e}");
    assert!(worst <= bound, "{op:?}({at:e}) is {worst} ulp from {:e}", truth(at as f64));
}

#[test]
fn f32_is_within_its_bounds() {
    check32(Exp, 1.0, f64::exp);
    check32(Expm1, 2.0, f64::exp_m1);
    check32(Ln, 1.0, f64::ln);
    check32(Log1p, 1.0, f64::ln_1p);
    check32(Log2, 0.51, f64::log2);
    check32(Log10, 0.51, f64::log10);
    check32(Sin, 2.0, f64::sin);
    check32(Cos, 2.0, f64::cos);
    check32(Tanh, 2.0, f64::tanh);
    check32(Sigmoid, 2.5, |x| 1.0 / (1.0 + (-x).exp()));
    check32(Erf, 1.0, libm::erf);
    check32(Softplus, 2.0, |x| x.max(0.0) + (-x.abs()).exp().ln_1p());
}

/// GELU of f32 has a formula of its own. Below 0 its bound is one of the argument, as PyTorch's is; but it
/// keeps digits where `1 + erf` has none.
#[test]
fn gelu_of_f32_is_within_its_bounds() {
    let truth = |x: f64| 0.5 * x * libm::erfc(-x / 2f64.sqrt());
    let step = if cfg!(miri) { 400_000_009 } else { 1009 };
    let x: Vec<f32> = (0..=u32::MAX).step_by(step).map(f32::from_bits).filter(|x| x.is_finite()).collect();
    for (&x, y) in x.iter().zip(apply_unary(Gelu, &x)) {
        let want = truth(x as f64);
        let bound = if x > 0.0 { 1.6 * want } else { 0.8 * x.abs() as f64 };
        let off = (y as f64 - want).abs();
        assert!(off <= bound * 2f64.powi(-23) || y == want as f32, "{x:e}: {y:e}, not {want:e}");
        assert!(
            !(-5.0..-1e-30).contains(&x) || (y as f64 / want - 1.0).abs() < 1e-3,
            "{x:e}: {y:e}, not {want:e}"
        );
    }
    let special = apply_unary(Gelu, &[0.0, -0.0, f32::NAN, f32::INFINITY, -1e30, f32::MAX, -1e-45]);
    assert_eq!(special[..2].iter().map(|v| v.to_bits()).collect::<Vec<_>>(), [0, 0x8000_0000]);
    assert!(special[2].is_nan());
    assert_eq!(special[3..6], [f32::INFINITY, 0.0, f32::MAX]);
}

#[test]
fn slope_of_gelu_of_f32_is_within_its_bound() {
    let steps = if cfg!(miri) { 20 } else { 60_000 };
    let x: Vec<f32> =
        (-steps..=steps).map(|i| i as f32 * (15.0 / steps as f32)).chain([1e5, -1e30]).collect();
    for (&x, y) in x.iter().zip(apply_binary(BinaryOp::GeluGrad, &vec![1.0; x.len()], &x)) {
        let wide = x as f64;
        let density = (-0.5 * wide * wide).exp() / std::f64::consts::TAU.sqrt();
        let want = 0.5 * libm::erfc(-wide / 2f64.sqrt()) + wide * density;
        assert!((y as f64 - want).abs() <= 1.2 * 2f64.powi(-23), "{x:e}: {y:e}, not {want:e}");
    }
}

/// Distance in units of the last place of the f64 nearest to the truth, itself good to `slack` ulp.
fn ulps64(got: f64, want: f64) -> f64 {
    if got.is_nan() || want.is_nan() {
        return if got.is_nan() == want.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got == want {
        return if got == 0.0 && got.is_sign_negative() != want.is_sign_negative() {
            f64::INFINITY
        } else {
            0.0
        };
    }
    let key = |x: f64| {
        let b = x.to_bits() as i64;
        if b < 0 { i64::MIN - b } else { b }
    };
    key(got).abs_diff(key(want)) as f64
}

fn check64(op: UnaryOp, bound: f64, truth: impl Fn(f64) -> f64) {
    let (coarse, fine) = if cfg!(miri) { (usize::MAX / 9, 5) } else { (90_000_000_000_000, 200_000) };
    let special = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, -5e-324, 1.0, -1.0];
    let every = (0..=u64::MAX).step_by(coarse).map(f64::from_bits);
    // Where it matters, densely.
    let near = (0..fine).map(|i| (i as f64 - fine as f64 / 2.0) * (60.0 / fine as f64) + 1e-9);
    let x: Vec<f64> = every.chain(near).chain(special).collect();
    let y = apply_unary(op, &x);
    let (worst, at) = x
        .iter()
        .zip(&y)
        .map(|(&x, &y)| (ulps64(y, truth(x)), x))
        .fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
    println!("{op:?} f64: {worst} ulp at {at:e}");
    assert!(worst <= bound, "{op:?}({at:e}) is {worst} ulp from {:e}", truth(at));
}

#[test]
fn f64_is_within_its_bounds() {
    check64(Exp, 1.0, f64::exp);
    check64(Expm1, 2.0, f64::exp_m1);
    check64(Ln, 1.0, f64::ln);
    check64(Log1p, 1.0, f64::ln_1p);
    check64(Sin, 1.0, f64::sin);
    check64(Cos, 1.0, f64::cos);
    check64(Tanh, 2.0, f64::tanh);
    check64(Erf, 2.0, libm::erf);
}
