//! Pooling and its gradients.

use crate::both::*;
use crate::operand::{Numbers, Operand};
use crate::support::{SAME, asked, device};
use taper_kernels::{DType, Error, PoolOp, PoolParams};

fn params(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2], dilation: [usize; 2]) -> PoolParams {
    PoolParams { kernel, stride, padding, dilation, count_include_pad: true }
}

fn pooled(size: [usize; 2], p: &PoolParams, ceil: bool) -> [usize; 2] {
    std::array::from_fn(|d| {
        let room = size[d] + 2 * p.padding[d] - (p.kernel[d] - 1) * p.dilation[d] - 1;
        let n = if ceil { room.div_ceil(p.stride[d]) } else { room / p.stride[d] } + 1;
        // The last window begins inside.
        if (n - 1) * p.stride[d] >= size[d] + p.padding[d] { n - 1 } else { n }
    })
}

fn cases() -> Vec<(PoolParams, bool)> {
    vec![
        (params([2, 2], [2, 2], [0, 0], [1, 1]), false),
        (params([3, 2], [1, 2], [1, 1], [2, 1]), false),
        (params([3, 3], [2, 2], [1, 1], [1, 1]), true),
        (params([1, 1], [3, 2], [0, 0], [1, 1]), false),
    ]
}

#[test]
fn windows() {
    let mut rng = Numbers(20);
    let (x_shape, size) = ([2, 3, 11, 9], [11, 9]);
    for dtype in asked(FLOATS) {
        for (mut p, ceil) in cases() {
            for random in [false, true] {
                let mut make = |shape: &[usize], dtype: DType| match random {
                    false => Operand::dense(shape, dtype, || rng.value()),
                    true => Operand::random(&mut rng, shape, dtype, false),
                };
                let [h, w] = pooled(size, &p, ceil);
                let y_shape = [2, 3, h, w];
                let (x, y, positions) =
                    (make(&x_shape, dtype), make(&y_shape, dtype), make(&y_shape, DType::I64));
                let found = both(&[x.clone(), positions, y.clone()], SAME, |be, o| {
                    let [x, at, y] = o else { panic!("three") };
                    be.pool(PoolOp::Max { x: x.view(), indices: at.view_mut() }, p, y.view_mut())
                });
                both(&[y.clone(), found[1].clone(), x.clone()], SAME, |be, o| {
                    let [g, at, dx] = o else { panic!("three") };
                    be.pool(PoolOp::MaxGrad { g: g.view(), indices: at.view() }, p, dx.view_mut())
                });
                p.count_include_pad = random;
                p.dilation = [1, 1];
                let [h, w] = pooled(size, &p, ceil);
                let y = make(&[2, 3, h, w], dtype);
                both(&[x.clone(), y.clone()], SAME, |be, o| {
                    let [x, y] = o else { panic!("two") };
                    be.pool(PoolOp::Avg { x: x.view() }, p, y.view_mut())
                });
                both(&[y, x], SAME, |be, o| {
                    let [g, dx] = o else { panic!("two") };
                    be.pool(PoolOp::AvgGrad { g: g.view() }, p, dx.view_mut())
                });
            }
        }
    }
}

#[test]
fn adaptive() {
    let mut rng = Numbers(21);
    let p = params([1, 1], [1, 1], [0, 0], [1, 1]);
    for dtype in asked(FLOATS) {
        for [h, w] in [[4, 3], [1, 1], [13, 20], [11, 9]] {
            let x = Operand::random(&mut rng, &[2, 3, 11, 9], dtype, false);
            let y = Operand::random(&mut rng, &[2, 3, h, w], dtype, false);
            both(&[x.clone(), y.clone()], SAME, |be, o| {
                let [x, y] = o else { panic!("two") };
                be.pool(PoolOp::AdaptiveAvg { x: x.view() }, p, y.view_mut())
            });
            both(&[y, x], SAME, |be, o| {
                let [g, dx] = o else { panic!("two") };
                be.pool(PoolOp::AdaptiveAvgGrad { g: g.view() }, p, dx.view_mut())
            });
        }
    }
}

#[test]
fn maxima_of_integers_nan_and_nothing() {
    let mut rng = Numbers(22);
    let p = params([2, 2], [2, 2], [0, 0], [1, 1]);
    for dtype in asked([DType::U8, DType::I8, DType::I16, DType::I32, DType::I64, DType::F32]) {
        let mut x = Operand::dense(&[1, 2, 6, 6], dtype, || (rng.value() * 3.0).abs().floor());
        if dtype == DType::F32 {
            x.set(&[0, 0, 0, 0], f64::NAN);
            x.set(&[0, 1, 3, 3], f64::NAN);
            x.set(&[0, 1, 2, 2], f64::NEG_INFINITY);
        }
        let (at, y) =
            (Operand::dense(&[1, 2, 3, 3], DType::I64, || 0.0), Operand::dense(&[1, 2, 3, 3], dtype, || 0.0));
        both(&[x, at, y], SAME, |be, o| {
            let [x, at, y] = o else { panic!("three") };
            be.pool(PoolOp::Max { x: x.view(), indices: at.view_mut() }, p, y.view_mut())
        });
    }
    let none = |dtype| Operand::dense(&[0, 2, 3, 3], dtype, || 0.0);
    both(&[none(DType::F32), none(DType::F32)], SAME, |be, o| {
        let [x, y] = o else { panic!("two") };
        be.pool(PoolOp::Avg { x: x.view() }, p, y.view_mut())
    });
    let Some(be) = device() else { return };
    let mut y = upload(&Operand::dense(&[1, 1, 1, 1], DType::I32, || 0.0), be);
    let x = upload(&Operand::dense(&[1, 1, 2, 2], DType::I32, || 0.0), be);
    let error = be.pool(PoolOp::Avg { x: x.view() }, p, y.view_mut()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { op: "pool2d", dtype: DType::I32, .. }), "{error}");
}
