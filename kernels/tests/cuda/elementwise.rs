//! Unary and binary functions, relations, choices.

use crate::support::*;
use taper_kernels::{BinaryOp, CompareOp, DType, Scalar, Src, UnaryOp};

fn unary_ops() -> Vec<(UnaryOp, Near)> {
    use UnaryOp::*;
    let exact = [Neg, Abs, Sign, Square, Sqrt, Recip, Relu, LeakyRelu(0.1), Floor, Ceil, Round, Trunc]
        .map(|o| (o, SAME));
    let near = [
        Rsqrt, Exp, Expm1, Ln, Log2, Log10, Log1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh, Erf,
        Sigmoid, Silu, Softplus,
    ]
    .map(|o| (o, FUNCTION));
    let cancels = [Gelu, GeluTanh, Elu(0.7)].map(|o| (o, CANCELS));
    let bound = |v: f64| Some(Scalar::Float(v));
    let clamps = [
        Clamp { lo: bound(-1.5), hi: bound(2.0) },
        Clamp { lo: None, hi: Some(Scalar::Int(1)) },
        Clamp { lo: bound(1.0), hi: bound(-1.0) },
        Clamp { lo: bound(f64::NAN), hi: None },
        Clamp { lo: Some(Scalar::Int(-300)), hi: Some(Scalar::Int(1 << 40)) },
    ]
    .map(|o| (o, SAME));
    let powers = [0.0, 1.0, 2.0, 3.0, -1.0, -2.0, 0.5, -0.5]
        .map(|p| (Pow(Scalar::Float(p)), FUNCTION))
        .into_iter()
        .chain([(Pow(Scalar::Float(2.7)), FUNCTION), (Pow(Scalar::Int(5)), FUNCTION)]);
    exact.into_iter().chain(near).chain(cancels).chain(clamps).chain(powers).collect()
}

#[test]
fn unary() {
    let Some(cuda) = device() else { return };
    for (seed, (op, near)) in unary_ops().into_iter().enumerate() {
        for dtype in DType::ALL {
            let rng = &mut Rng::new(seed as u64 * 17 + dtype as u64);
            let shape = rng.shape();
            let x = Operand::random(rng, &shape, dtype, true, 6.0);
            let out = Operand::random(rng, &shape, dtype, false, 6.0);
            let what = format!("{op:?}");
            let near = if dtype.is_float() { near } else { SAME };
            match seed % 4 {
                0 => compare(&what, cuda, near, &[], &out, |b, _, out| b.unary(op, Src::Out, out)),
                _ => compare(&what, cuda, near, &[&x], &out, |b, x, out| b.unary(op, x[0].into(), out)),
            }
        }
    }
}

#[test]
fn binary() {
    use BinaryOp::*;
    let Some(cuda) = device() else { return };
    for (seed, op) in BinaryOp::ALL.into_iter().enumerate() {
        for dtype in DType::ALL {
            for way in 0..4 {
                let rng = &mut Rng::new(seed as u64 * 40 + dtype as u64 * 4 + way);
                let shape = rng.shape();
                let a = Operand::random(rng, &shape, dtype, true, 9.0);
                // At ±∞ f32's kernel on the CPU has the limit; others, and PyTorch, ∞·0.
                let limits = matches!(op, GeluGrad | GeluTanhGrad | SiluGrad);
                // Integers are divided by zero in a test of its own.
                let draw = if limits { Operand::plain } else { Operand::random };
                let mut b = draw(rng, &shape, dtype, true, 4.0);
                let ints = !dtype.is_float();
                if ints && matches!(op, FloorDiv | Rem | TruncDiv | Fmod) {
                    b = Operand::with(b.layout, dtype, || 1.0 + rng.below(5) as f64);
                }
                let out = draw(rng, &shape, dtype, false, 9.0);
                let near = match op {
                    Pow | Atan2 | SigmoidGrad | TanhGrad if !ints => FUNCTION,
                    GeluGrad | GeluTanhGrad | SiluGrad if !ints => CANCELS,
                    _ => SAME,
                };
                let what = format!("{op:?} {way}");
                let three = Src::Scalar(Scalar::Int(3));
                match way {
                    0 => compare(&what, cuda, near, &[&b], &out, |c, x, out| {
                        c.binary(op, Src::Out, x[0].into(), out)
                    }),
                    1 => compare(&what, cuda, near, &[&a], &out, |c, x, out| {
                        c.binary(op, x[0].into(), three, out)
                    }),
                    2 => compare(&what, cuda, near, &[&b], &out, |c, x, out| {
                        c.binary(op, three, x[0].into(), out)
                    }),
                    _ => compare(&what, cuda, near, &[&a, &b], &out, |c, x, out| {
                        c.binary(op, x[0].into(), x[1].into(), out)
                    }),
                }
            }
        }
    }
}

#[test]
fn relations_and_choices() {
    use CompareOp::*;
    let Some(cuda) = device() else { return };
    for (seed, op) in [Eq, Ne, Lt, Le, Gt, Ge, And, Or, Xor].into_iter().enumerate() {
        for dtype in DType::ALL {
            let rng = &mut Rng::new(seed as u64 * 10 + dtype as u64);
            let shape = rng.shape();
            let a = Operand::random(rng, &shape, dtype, true, 3.0);
            let b = Operand::random(rng, &shape, dtype, true, 3.0);
            let out = Operand::plain(rng, &shape, DType::Bool, false, 1.0);
            let number = Src::Scalar(Scalar::Float(0.1));
            compare(&format!("{op:?}"), cuda, SAME, &[&a, &b], &out, |c, x, out| {
                c.compare(op, x[0].into(), x[1].into(), out)
            });
            compare(&format!("{op:?} of a number"), cuda, SAME, &[&a], &out, |c, x, out| {
                c.compare(op, x[0].into(), number, out)
            });
            let cond = Operand::plain(rng, &shape, DType::Bool, true, 1.0);
            let out = Operand::random(rng, &shape, dtype, false, 3.0);
            compare("select", cuda, SAME, &[&cond, &a, &b], &out, |c, x, out| {
                c.select(x[0], x[1].into(), x[2].into(), out)
            });
            compare("select in place", cuda, SAME, &[&cond], &out, |c, x, out| {
                c.select(x[0], Src::Scalar(Scalar::Int(1)), Src::Out, out)
            });
        }
    }
}
