//! Softmax, layer norm and batch norm.

use crate::both::*;
use crate::operand::{Numbers, Operand};
use crate::support::{Near, asked, device};
use taper_kernels::{Backend, DType, Error, NormOp, Result, SoftmaxOp};

#[test]
fn softmax() {
    let mut rng = Numbers(40);
    for dtype in asked(FLOATS) {
        let shapes = [
            (&[5, 37, 8][..], 1),
            (&[4, 3], 1),
            (&[3, 3000], 1),
            (&[2, 300], 1),
            // Several lines in a warp.
            (&[9, 2], 1),
            (&[70, 11], 1),
            (&[40, 100], 1),
            (&[7, 2, 9], 0),
            (&[1, 1], 0),
        ];
        for (shape, axis) in shapes {
            for log in [false, true] {
                let mut x = Operand::random(&mut rng, shape, dtype, false);
                if shape.len() == 3 {
                    (0..shape[1]).for_each(|i| x.set(&[0, i, 0], f64::NEG_INFINITY));
                    x.set(&[1, 1, 1], f64::NAN);
                    x.set(&[1, 0, 2], f64::NEG_INFINITY);
                }
                let out = Operand::random(&mut rng, shape, dtype, false);
                // Logarithms of some ten: relative to 1, ten times as many roundings.
                let near = near(dtype, if log { 64.0 } else { 16.0 });
                both(&[x, out.clone()], near, |be, o| {
                    let [x, out] = o else { panic!("two") };
                    be.softmax(SoftmaxOp::Forward { x: x.view() }, log, axis, out.view_mut())
                });
                let y = Operand::random(&mut rng, shape, dtype, false);
                let g = Operand::random(&mut rng, shape, dtype, false);
                let n = shape[axis] as f64;
                let near = crate::both::near(dtype, 16.0 + n);
                both(&[y, g, out], near, |be, o| {
                    let [y, g, out] = o else { panic!("three") };
                    be.softmax(SoftmaxOp::Grad { y: y.view(), g: g.view() }, log, axis, out.view_mut())
                });
            }
        }
    }
    let Some(be) = device() else { return };
    let x = upload(&Operand::dense(&[2], DType::I32, || 0.0), be);
    let mut y = upload(&Operand::dense(&[2], DType::I32, || 0.0), be);
    let error = be.softmax(SoftmaxOp::Forward { x: x.view() }, false, 0, y.view_mut()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { op: "softmax", .. }), "{error}");
}

/// What weights and statistics may be of, for a dtype.
fn wide(dtype: DType) -> Vec<DType> {
    if dtype.compute() == dtype { vec![dtype] } else { vec![dtype, DType::F32] }
}

/// Operands x, g, weight, bias, mean, rstd, dweight, dbias, out.
fn layer(be: &dyn Backend, o: &mut [Operand], affine: bool, wanted: [bool; 2], backward: bool) -> Result {
    let [x, g, w, b, mean, rstd, dw, db, out] = o else { panic!("nine") };
    let (weight, bias) = (affine.then(|| w.view()), affine.then(|| b.view()));
    if backward {
        let (dweight, dbias) = (wanted[0].then(|| dw.view_mut()), wanted[1].then(|| db.view_mut()));
        let (mean, rstd) = (mean.view(), rstd.view());
        let op = NormOp::LayerGrad { g: g.view(), x: x.view(), weight, mean, rstd, dweight, dbias };
        return be.norm(op, Some(out.view_mut()));
    }
    let (mean, rstd) = (mean.view_mut(), rstd.view_mut());
    be.norm(NormOp::Layer { x: x.view(), weight, bias, eps: 1e-5, mean, rstd }, Some(out.view_mut()))
}

#[test]
fn layer_norm() {
    let mut rng = Numbers(41);
    for dtype in asked(FLOATS) {
        for of_weight in wide(dtype) {
            // Lines of 5, 11 and 100 share a warp with others.
            let shapes =
                [[21, 75], [3, 2], [300, 33], [2, 3000], [1, 1], [0, 4], [70, 11], [9, 5], [40, 100]];
            for (i, [rows, n]) in shapes.into_iter().enumerate() {
                let mut of = |shape: &[usize], dtype| match i % 2 {
                    0 => Operand::dense(shape, dtype, || rng.value()),
                    _ => Operand::random(&mut rng, shape, dtype, false),
                };
                let square = [of(&[rows, n], dtype), of(&[rows, n], dtype)];
                let numbers = [
                    of(&[n], of_weight),
                    of(&[n], of_weight),
                    of(&[rows], of_weight),
                    of(&[rows], of_weight),
                ];
                let grads = [of(&[n], of_weight), of(&[n], of_weight), of(&[rows, n], dtype)];
                let operands = [&square[..], &numbers, &grads].concat();
                let near = near(dtype, 64.0 + 4.0 * n.max(rows) as f64);
                let affine = i % 3 != 1;
                let done = both(&operands, near, |be, o| layer(be, o, affine, [false; 2], false));
                let wanted = [[true, true], [true, false], [false, true]][i % 3];
                both(&done, near, |be, o| layer(be, o, affine, wanted, true));
            }
        }
    }
}

/// Operands x, g, weight, bias, mean, var or rstd, dweight, dbias, out.
fn batch(be: &dyn Backend, o: &mut [Operand], which: usize, affine: bool, wanted: [bool; 2]) -> Result {
    let [x, g, w, b, mean, second, dw, db, out] = o else { panic!("nine") };
    let (weight, bias) = (affine.then(|| w.view()), affine.then(|| b.view()));
    match which {
        0 => be.norm(NormOp::BatchStats { x: x.view(), mean: mean.view_mut(), var: second.view_mut() }, None),
        1 => {
            let (mean, rstd) = (mean.view(), second.view());
            be.norm(NormOp::BatchApply { x: x.view(), mean, rstd, weight, bias }, Some(out.view_mut()))
        }
        _ => {
            let (dweight, dbias) = (wanted[0].then(|| dw.view_mut()), wanted[1].then(|| db.view_mut()));
            let (mean, rstd) = (mean.view(), second.view());
            let op = NormOp::BatchGrad { g: g.view(), x: x.view(), weight, mean, rstd, dweight, dbias };
            be.norm(op, Some(out.view_mut()))
        }
    }
}

#[test]
fn batch_norm() {
    let mut rng = Numbers(42);
    for dtype in asked(FLOATS) {
        for of_weight in wide(dtype) {
            let shapes =
                [[4, 5, 33], [64, 8, 1], [3, 2, 3000], [2, 3, 16], [1, 1, 2], [5, 9, 70], [700, 40, 1]];
            for (i, shape) in shapes.into_iter().enumerate() {
                let [n, c, l] = shape;
                let mut of = |shape: &[usize], dtype| match i % 2 {
                    0 => Operand::dense(shape, dtype, || rng.value()),
                    _ => Operand::random(&mut rng, shape, dtype, false),
                };
                let big = [of(&shape, dtype), of(&shape, dtype)];
                let numbers = std::array::from_fn::<_, 6, _>(|_| of(&[c], of_weight));
                let operands = [&big[..], &numbers, &[of(&shape, dtype)]].concat();
                let roundings = 64.0 + 4.0 * (n * l) as f64;
                // Statistics of f16 and bf16 may be f32 numbers, with the roundings of all their terms.
                let near = Near { ulps: near(of_weight, roundings).ulps, ..near(dtype, roundings) };
                for which in 0..3 {
                    let affine = i % 3 != 1;
                    let wanted = [[true, true], [true, false], [false, false]][i % 3];
                    both(&operands, near, |be, o| batch(be, o, which, affine, wanted));
                }
            }
        }
    }
}
