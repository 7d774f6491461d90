//! Every op × dtype on random layouts against plain scalar code.

use crate::cpu::Cpu;
use crate::cpu::simd::available_levels;
use crate::cpu::test_support::{Operand, Rng, at_level};
use crate::{Backend, BinaryOp, DType, Element, Error, Scalar, Src, UnaryOp, bf16, dispatch_dtype, f16};
use proptest::prelude::*;

/// Cases of each property; `PROPTEST_CASES` asks for more. Under Miri one, always the same.
pub(crate) fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|v| v.parse().ok());
    let cases = asked.unwrap_or(if cfg!(miri) { 1 } else { 12 });
    let mut config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    if cfg!(miri) {
        // Shrinking takes hours there.
        (config.rng_seed, config.max_shrink_iters) = (proptest::test_runner::RngSeed::Fixed(1), 0);
    }
    config
}

fn unary_ops() -> Vec<UnaryOp> {
    use UnaryOp::*;
    let clamp =
        |lo: Option<f64>, hi: Option<f64>| Clamp { lo: lo.map(Scalar::Float), hi: hi.map(Scalar::Float) };
    vec![
        Neg,
        Abs,
        Sign,
        Square,
        Sqrt,
        Rsqrt,
        Recip,
        Exp,
        Expm1,
        Ln,
        Log2,
        Log10,
        Log1p,
        Sin,
        Cos,
        Tan,
        Asin,
        Acos,
        Atan,
        Sinh,
        Cosh,
        Tanh,
        Erf,
        Sigmoid,
        Relu,
        Gelu,
        GeluTanh,
        Silu,
        Softplus,
        LeakyRelu(0.25),
        Elu(1.5),
        Floor,
        Ceil,
        Round,
        Trunc,
        clamp(Some(-1.0), Some(2.0)),
        clamp(None, Some(0.0)),
        clamp(Some(2.0), Some(-1.0)),
        Pow(Scalar::Int(0)),
        Pow(Scalar::Int(1)),
        Pow(Scalar::Int(2)),
        Pow(Scalar::Int(3)),
        Pow(Scalar::Int(5)),
        Pow(Scalar::Float(0.5)),
        Pow(Scalar::Float(-0.5)),
        Pow(Scalar::Int(-1)),
        Pow(Scalar::Int(-2)),
        Pow(Scalar::Float(1.75)),
    ]
}

fn unary_truth(op: UnaryOp, x: f64) -> f64 {
    use UnaryOp::*;
    match op {
        Neg => -x,
        Abs => x.abs(),
        Sign => {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                0.0
            }
        }
        Square => x * x,
        Sqrt => x.sqrt(),
        Rsqrt => 1.0 / x.sqrt(),
        Recip => 1.0 / x,
        Exp => x.exp(),
        Expm1 => x.exp_m1(),
        Ln => x.ln(),
        Log2 => x.log2(),
        Log10 => x.log10(),
        Log1p => x.ln_1p(),
        Sin => x.sin(),
        Cos => x.cos(),
        Tan => x.tan(),
        Asin => x.asin(),
        Acos => x.acos(),
        Atan => x.atan(),
        Sinh => x.sinh(),
        Cosh => x.cosh(),
        Tanh => x.tanh(),
        Erf => libm::erf(x),
        Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Gelu => 0.5 * x * (1.0 + libm::erf(x / 2f64.sqrt())),
        GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }
        Silu => x / (1.0 + (-x).exp()),
        Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        LeakyRelu(s) => {
            if x > 0.0 {
                x
            } else {
                x * s
            }
        }
        Elu(a) => {
            if x > 0.0 {
                x
            } else {
                a * x.exp_m1()
            }
        }
        Floor => x.floor(),
        Ceil => x.ceil(),
        Round => x.round_ties_even(),
        Trunc => x.trunc(),
        Clamp { lo, hi } => {
            let lo = lo.map_or(f64::NEG_INFINITY, Scalar::to_f64);
            let hi = hi.map_or(f64::INFINITY, Scalar::to_f64);
            if x.is_nan() { x } else { x.max(lo).min(hi) }
        }
        Pow(p) => x.powf(p.to_f64()),
    }
}

fn unary_truth_int(op: UnaryOp, x: i64) -> Option<i64> {
    use UnaryOp::*;
    Some(match op {
        Neg => -x,
        Abs => x.abs(),
        Sign => x.signum(),
        Square => x.wrapping_mul(x),
        Relu => x.max(0),
        Floor | Ceil | Round | Trunc => x,
        Clamp { lo, hi } => {
            let lo = lo.map_or(i64::MIN, Scalar::to_i64);
            x.max(lo).min(hi.map_or(i64::MAX, Scalar::to_i64))
        }
        Pow(p) => match p.to_i64() {
            // By the bits from the top.
            p if p >= 0 => (0..63)
                .rev()
                .fold(1i64, |y, bit| y.wrapping_mul(y).wrapping_mul(if p >> bit & 1 == 1 { x } else { 1 })),
            p => match x {
                1 => 1,
                -1 => {
                    if p % 2 == 0 {
                        1
                    } else {
                        -1
                    }
                }
                _ => 0,
            },
        },
        _ => return None,
    })
}

/// Derivative by central differences of a smooth function.
fn slope(op: UnaryOp, x: f64) -> f64 {
    let h = 1e-5;
    (unary_truth(op, x + h) - unary_truth(op, x - h)) / (2.0 * h)
}

fn binary_truth(op: BinaryOp, a: f64, b: f64) -> f64 {
    use BinaryOp::*;
    match op {
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        Div => a / b,
        FloorDiv => {
            if b == 0.0 {
                a / b
            } else {
                ((a - a.rem_euclid(b.abs())) / b.abs() * b.signum()
                    - if b < 0.0 && a.rem_euclid(-b) != 0.0 { 1.0 } else { 0.0 })
                .round()
            }
        }
        Rem => {
            let m = a.rem_euclid(b.abs());
            if b < 0.0 && m != 0.0 { m + b } else { m }
        }
        TruncDiv => (a / b).trunc(),
        Fmod => a % b,
        BitAnd | BitOr | BitXor | Shl | Shr => unreachable!("integers only"),
        Pow => a.powf(b),
        Maximum => {
            if a.is_nan() || b.is_nan() {
                f64::NAN
            } else {
                a.max(b)
            }
        }
        Minimum => {
            if a.is_nan() || b.is_nan() {
                f64::NAN
            } else {
                a.min(b)
            }
        }
        Atan2 => a.atan2(b),
        ReluGrad => {
            if b <= 0.0 {
                0.0
            } else {
                a
            }
        }
        SigmoidGrad => a * b * (1.0 - b),
        TanhGrad => a * ((1.0 - b) * (1.0 + b)),
        GeluGrad => a * slope(UnaryOp::Gelu, b),
        GeluTanhGrad => a * slope(UnaryOp::GeluTanh, b),
        SiluGrad => a * slope(UnaryOp::Silu, b),
    }
}

fn binary_truth_int(op: BinaryOp, a: i64, b: i64) -> Option<i64> {
    use BinaryOp::*;
    Some(match op {
        Add => a.wrapping_add(b),
        Sub => a.wrapping_sub(b),
        Mul => a.wrapping_mul(b),
        FloorDiv => (a as f64 / b as f64).floor() as i64,
        Rem => a.rem_euclid(b) + if b < 0 && a.rem_euclid(b) != 0 { b } else { 0 },
        Pow => unary_truth_int(UnaryOp::Pow(Scalar::Int(b)), a)?,
        TruncDiv => a / b,
        Fmod => a % b,
        BitAnd => a & b,
        BitOr => a | b,
        BitXor => a ^ b,
        Shl => a.checked_shl(b.try_into().unwrap_or(64)).unwrap_or(0),
        Shr => a >> if b < 0 { 63 } else { b.min(63) },
        Maximum => a.max(b),
        Minimum => a.min(b),
        ReluGrad => {
            if b > 0 {
                a
            } else {
                0
            }
        }
        _ => return None,
    })
}

/// Relative spacing of a dtype's numbers.
fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 2f64.powi(-10),
        DType::BF16 => 2f64.powi(-7),
        DType::F32 => 2f64.powi(-23),
        _ => 2f64.powi(-52),
    }
}

/// Rounds as the dtype does.
fn rounded(dtype: DType, v: f64) -> f64 {
    match dtype {
        DType::F16 => f16::from_f64(v).to_f64(),
        DType::BF16 => bf16::from_f64(v).to_f64(),
        DType::F32 => v as f32 as f64,
        _ => v,
    }
}

/// Near enough: `ulps` spacings of the number, or `absolute` spacings of 1.
fn close(dtype: DType, got: f64, want: f64, ulps: f64, absolute: f64) -> bool {
    let near = rounded(dtype, want);
    if near.is_nan() || got.is_nan() {
        return near.is_nan() == got.is_nan();
    }
    got == near || (got - want).abs() <= epsilon(dtype) * (ulps * want.abs() + absolute) + tiniest(dtype)
}

fn tiniest(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => 6e-8,
        DType::F64 => 5e-324,
        _ => 1e-38,
    }
}

fn random_float(rng: &mut Rng) -> Scalar {
    Scalar::Float(match rng.below(24) {
        0 => 0.0,
        1 => -0.0,
        2 => 1.0,
        3 => -1.0,
        4 => 0.5 + rng.below(5) as f64,
        5 => rng.below(9) as f64 - 4.0,
        _ => (rng.next() as f64 / u64::MAX as f64 - 0.5) * 16.0,
    })
}

fn random_int(rng: &mut Rng) -> Scalar {
    Scalar::Int(match rng.below(8) {
        0 => i64::MIN | rng.next() as i64,
        1 => 0,
        _ => rng.below(19) as i64 - 9,
    })
}

fn operand(rng: &mut Rng, shape: &[usize], dtype: DType, broadcast: bool) -> Operand {
    Operand::random(rng, shape, dtype, broadcast, if dtype.is_float() { random_float } else { random_int })
}

/// The output of `f`, which must not write beside its elements.
fn output(rng: &mut Rng, shape: &[usize], dtype: DType, f: impl FnOnce(&mut Operand)) -> Operand {
    let mut out = operand(rng, shape, dtype, false);
    let before = out.clone();
    f(&mut out);
    // Put the elements back: then nothing may differ.
    let mut after = out.clone();
    Cpu.copy(before.view(), after.view_mut()).unwrap();
    assert_eq!(after.bytes(), before.bytes(), "wrote beside the output's elements");
    out
}

fn narrow(dtype: DType, v: i64) -> i64 {
    dispatch_dtype!(dtype, T => T::from_i64(v).to_i64())
}

fn check_unary(op: UnaryOp, dtype: DType, seed: u64) {
    let rng = &mut Rng(seed);
    let shape = rng.shape();
    let mut x = operand(rng, &shape, dtype, true);
    let mut result = Ok(());
    let out = output(rng, &shape, dtype, |out| result = Cpu.unary(op, x.view().into(), out.view_mut()));
    if !dtype.is_float() && unary_truth_int(op, 1).is_none() {
        assert!(matches!(result, Err(Error::Unsupported { .. })), "{op:?} of {dtype}");
        return;
    }
    result.unwrap();
    if dtype.is_float() {
        // These cancel where they are small; sin and cos of f16 are exact beyond need.
        let absolute = if matches!(op, UnaryOp::Gelu | UnaryOp::GeluTanh) { 4.0 } else { 0.0 };
        for (&x, got) in x.floats().iter().zip(out.floats()) {
            let want = unary_truth(op, x);
            assert!(close(dtype, got, want, 4.0, absolute), "{op:?} of {dtype} {x:?}: {got:?}, not {want:?}");
        }
    } else {
        for (&x, got) in x.ints().iter().zip(out.ints()) {
            let want = unary_truth_int(op, x).unwrap();
            // Bounds saturate, arithmetic wraps.
            let bounded = matches!(op, UnaryOp::Clamp { .. });
            #[allow(clippy::unnecessary_cast, reason = "the dtype may be i64")]
            let fit =
                |v: i64| dispatch_dtype!(dtype, ints T => v.clamp(T::MIN as i64, T::MAX as i64), else v);
            let want = if bounded { fit(want) } else { narrow(dtype, want) };
            assert_eq!(got, want, "{op:?} of {dtype} {x}");
        }
    }
    // In place.
    x = Operand::random(rng, &shape, dtype, false, |_| Scalar::Int(0));
    Cpu.unary(UnaryOp::Clamp { lo: None, hi: None }, out.view().into(), x.view_mut()).unwrap();
    let once_more = output(rng, &shape, dtype, |o| Cpu.unary(op, out.view().into(), o.view_mut()).unwrap());
    Cpu.unary(op, Src::Out, x.view_mut()).unwrap();
    assert_eq!(x.bits(), once_more.bits(), "{op:?} of {dtype} in place");
}

fn check_binary(op: BinaryOp, dtype: DType, seed: u64) {
    let rng = &mut Rng(seed);
    let shape = rng.shape();
    let a = operand(rng, &shape, dtype, true);
    let mut b = operand(rng, &shape, dtype, true);
    use BinaryOp::*;
    let divides = matches!(op, FloorDiv | Rem | TruncDiv | Fmod);
    let bitwise = matches!(op, BitAnd | BitOr | BitXor | Shl | Shr);
    if divides && !dtype.is_float() {
        let no_zero =
            |rng: &mut Rng| Scalar::Int(1 + rng.below(5) as i64 - if rng.chance(50) { 6 } else { 0 });
        b = Operand::random(rng, &shape, dtype, true, no_zero);
    }
    // A scalar in place of one operand, sometimes; exact in every dtype.
    let s = 1 + rng.below(5) as i64;
    let (sa, sb) = (rng.chance(15), rng.chance(15));
    let left = if sa { Src::Scalar(Scalar::Int(s)) } else { a.view().into() };
    let right = if sb { Src::Scalar(Scalar::Int(s)) } else { b.view().into() };
    let mut result = Ok(());
    let out = output(rng, &shape, dtype, |out| result = Cpu.binary(op, left, right, out.view_mut()));
    let refused = if dtype.is_float() { bitwise } else { binary_truth_int(op, 1, 1).is_none() };
    if refused {
        assert!(matches!(result, Err(Error::Unsupported { .. })), "{op:?} of {dtype}");
        return;
    }
    result.unwrap();
    if dtype.is_float() {
        let (mut xs, mut ys) = (a.floats(), b.floats());
        if sa {
            xs.fill(s as f64)
        }
        if sb {
            ys.fill(s as f64)
        }
        // Differences give the truth to some 1e-10 only; powers amplify no error of ours.
        let smooth = matches!(op, BinaryOp::GeluGrad | BinaryOp::GeluTanhGrad | BinaryOp::SiluGrad);
        for ((x, y), got) in xs.into_iter().zip(ys).zip(out.floats()) {
            let want = binary_truth(op, x, y);
            let absolute = if smooth { x.abs() * 8.0 + x.abs() * 1e-9 / epsilon(dtype) } else { 0.0 };
            // A quotient at an integer's edge may fall on either side in the dtype's arithmetic.
            let edge = divides && {
                let q = x / y;
                (q - q.round()).abs() < 1e-6 * q.abs().max(1.0)
            };

            assert!(
                close(dtype, got, want, 4.0, absolute) || edge && (got - want).abs() <= y.abs().max(1.0),
                "{op:?} of {dtype} {x:?}, {y:?}: {got:?}, not {want:?}"
            );
        }
    } else {
        let (mut xs, mut ys) = (a.ints(), b.ints());
        if sa {
            xs.fill(s)
        }
        if sb {
            ys.fill(s)
        }
        for ((x, y), got) in xs.into_iter().zip(ys).zip(out.ints()) {
            if divides && x.unsigned_abs() > 1 << 50 {
                continue; // the reference divides in f64
            }
            assert_eq!(got, narrow(dtype, binary_truth_int(op, x, y).unwrap()), "{op:?} of {dtype} {x}, {y}");
        }
    }
    // In place, as the first and as the second operand.
    if divides && !dtype.is_float() {
        return;
    }
    for first in [true, false] {
        let mut x = operand(rng, &shape, dtype, false);
        let apart = output(rng, &shape, dtype, |o| {
            let (l, r) = if first { (&x, &b) } else { (&b, &x) };
            Cpu.binary(op, l.view().into(), r.view().into(), o.view_mut()).unwrap();
        });
        let (l, r) = if first { (Src::Out, b.view().into()) } else { (b.view().into(), Src::Out) };
        Cpu.binary(op, l, r, x.view_mut()).unwrap();
        assert_eq!(x.bits(), apart.bits(), "{op:?} of {dtype} in place, first: {first}");
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn unary_ops_equal_scalar_code(seed: u64) {
        for (i, op) in unary_ops().into_iter().enumerate() {
            for (j, dtype) in DType::ALL.into_iter().enumerate() {
                let spared = cfg!(miri) && !(i + j + seed as usize).is_multiple_of(17);
                if dtype != DType::Bool && !spared {
                    check_unary(op, dtype, seed + i as u64);
                }
            }
        }
    }

    #[test]
    fn binary_ops_equal_scalar_code(seed: u64) {
        for (i, op) in BinaryOp::ALL.into_iter().enumerate() {
            for (j, dtype) in DType::ALL.into_iter().enumerate() {
                let spared = cfg!(miri) && !(i + j + seed as usize).is_multiple_of(13);
                if dtype != DType::Bool && !spared {
                    check_binary(op, dtype, seed + i as u64);
                }
            }
        }
    }
}

/// One long run of each op: its bits must not depend on the SIMD level or the number of threads.
fn all_bits(dtype: DType, n: usize) -> Vec<Vec<u64>> {
    let rng = &mut Rng(7);
    let any = |rng: &mut Rng| match rng.below(10) {
        0 => {
            Scalar::Float([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-40, -3e4, 1e9, 90.0][rng.below(7)])
        }
        _ => random_float(rng),
    };
    let a = Operand::random(rng, &[n], dtype, false, any);
    let b = Operand::random(rng, &[n], dtype, false, any);
    let mut out = Operand::random(rng, &[n], dtype, false, any);
    let mut all = vec![];
    for op in unary_ops() {
        Cpu.unary(op, a.view().into(), out.view_mut()).unwrap();
        all.push(canonical(&out));
    }
    use BinaryOp::{BitAnd, BitOr, BitXor, Shl, Shr};
    for op in BinaryOp::ALL.into_iter().filter(|op| !matches!(op, BitAnd | BitOr | BitXor | Shl | Shr)) {
        Cpu.binary(op, a.view().into(), b.view().into(), out.view_mut()).unwrap();
        all.push(canonical(&out));
    }
    all
}

/// Bits, with all NaNs the same (their payload is the processor's choice).
fn canonical(x: &Operand) -> Vec<u64> {
    x.bits().into_iter().zip(x.floats()).map(|(b, f)| if f.is_nan() { u64::MAX } else { b }).collect()
}

#[test]
#[cfg_attr(miri, ignore = "there is one level")]
fn simd_levels_agree_to_the_bit() {
    for dtype in [DType::F32, DType::F64, DType::F16] {
        let n = 3001;
        let levels = available_levels();
        let truth = at_level(levels[0], || all_bits(dtype, n));
        for &level in &levels[1..] {
            for (i, (got, want)) in at_level(level, || all_bits(dtype, n)).iter().zip(&truth).enumerate() {
                assert_eq!(got, want, "op {i} of {dtype} at {level:?}");
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "kernels always run on two threads there")]
fn thread_counts_agree_to_the_bit() {
    let n = 300_001;
    let on = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| all_bits(DType::F32, n))
    };
    let truth = on(1);
    for threads in [2, 3] {
        assert!(on(threads) == truth, "{threads} threads differ from 1");
    }
}

#[test]
fn special_values_are_pytorchs() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let x = [nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.5];
    let cases: &[(UnaryOp, [f32; 10])] = &[
        (UnaryOp::Sign, [0.0, 1.0, -1.0, 0.0, 0.0, 1.0, -1.0, 1.0, -1.0, 1.0]),
        (UnaryOp::Rsqrt, [nan, 0.0, nan, inf, -inf, 1.0, nan, std::f32::consts::SQRT_2, nan, 0.5345225]),
        (UnaryOp::Recip, [nan, 0.0, -0.0, inf, -inf, 1.0, -1.0, 2.0, -0.4, 0.2857143]),
        (UnaryOp::Relu, [nan, inf, 0.0, 0.0, -0.0, 1.0, 0.0, 0.5, 0.0, 3.5]),
        (UnaryOp::Round, [nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 0.0, -2.0, 4.0]),
        (UnaryOp::LeakyRelu(0.1), [nan, inf, -inf, 0.0, -0.0, 1.0, -0.1, 0.5, -0.25, 3.5]),
        (
            UnaryOp::Clamp { lo: Some(Scalar::Int(0)), hi: Some(Scalar::Int(1)) },
            [nan, 1.0, 0.0, 0.0, -0.0, 1.0, 0.0, 0.5, 0.0, 1.0],
        ),
        (UnaryOp::Clamp { lo: Some(Scalar::Int(0)), hi: Some(Scalar::Float(f64::NAN)) }, [nan; 10]),
        (UnaryOp::Pow(Scalar::Int(0)), [1.0; 10]),
        (UnaryOp::Pow(Scalar::Float(0.5)), [nan, inf, nan, 0.0, -0.0, 1.0, nan, 0.70710677, nan, 1.8708287]),
        (UnaryOp::Pow(Scalar::Float(2.5)), [nan, inf, inf, 0.0, 0.0, 1.0, nan, 0.17677669, nan, 22.917652]),
        (UnaryOp::Pow(Scalar::Int(5)), [nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 0.03125, -97.65625, 525.21875]),
    ];
    for &(op, want) in cases {
        let got = crate::cpu::test_support::apply_unary(op, &x);
        let bits = |v: &[f32]| v.iter().map(|v| if v.is_nan() { 0 } else { v.to_bits() }).collect::<Vec<_>>();
        assert_eq!(bits(&got), bits(&want), "{op:?}: {got:?}, not {want:?}");
    }
}

#[test]
fn division_is_pythons() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let a = [7., -7., 7., -7., 0., -0., 5., inf, 5., -5., nan, 0., 1e20, 6., -6., 5., -5.];
    let b = [3., 3., -3., -3., 3., 3., 0., 3., inf, inf, 3., 0., 3., 3., 3., -inf, -inf];
    let floor = [2., -3., -3., 2., 0., -0., inf, nan, 0., -1., nan, nan, 3.333_333_3e19, 2., -2., -1., 0.];
    let rem = [1., 2., -2., -1., 0., -0., nan, nan, 5., inf, nan, nan, 2., 0., -0., -inf, -5.];
    let layout = crate::Layout::contiguous(&[a.len()]);
    let make = |v: &[f32]| Operand {
        storage: crate::cpu::test_support::storage(v),
        layout: layout.clone(),
        dtype: DType::F32,
    };
    let mut out = make(&a);
    for (op, want) in [(BinaryOp::FloorDiv, floor), (BinaryOp::Rem, rem)] {
        Cpu.binary(op, make(&a).view().into(), make(&b).view().into(), out.view_mut()).unwrap();
        assert_eq!(canonical(&out), canonical(&make(&want)), "{op:?}: {:?}", out.floats());
    }
}

#[test]
fn integers_do_not_divide_by_zero() {
    let rng = &mut Rng(1);
    for dtype in [DType::U8, DType::I8, DType::I16, DType::I32, DType::I64] {
        let mut out = Operand::random(rng, &[3], dtype, false, |_| Scalar::Int(5));
        for op in [BinaryOp::FloorDiv, BinaryOp::Rem, BinaryOp::TruncDiv, BinaryOp::Fmod] {
            let e = Cpu.binary(op, Src::Out, Src::Scalar(Scalar::Int(0)), out.view_mut()).unwrap_err();
            assert_eq!(e, Error::ZeroDivision { op: op.name() });
        }
    }
}
