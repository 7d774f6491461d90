//! Convolutions and their gradients.

use crate::both::*;
use crate::operand::{Numbers, Operand};
use crate::support::{Near, SAME, asked, device};
use taper_kernels::{Activation, ConvOp, ConvParams, DType, Error};

struct Case {
    x: [usize; 4],
    outputs: usize,
    kernel: [usize; 2],
    p: ConvParams,
}

fn case(x: [usize; 4], outputs: usize, kernel: [usize; 2], p: [[usize; 2]; 3], groups: usize) -> Case {
    let [stride, padding, dilation] = p;
    Case { x, outputs, kernel, p: ConvParams { stride, padding, dilation, groups } }
}

impl Case {
    fn weight(&self) -> [usize; 4] {
        [self.outputs, self.x[1] / self.p.groups, self.kernel[0], self.kernel[1]]
    }
    fn output(&self) -> [usize; 4] {
        let side = |d: usize| {
            (self.x[2 + d] + 2 * self.p.padding[d] - (self.kernel[d] - 1) * self.p.dilation[d] - 1)
                / self.p.stride[d]
                + 1
        };
        [self.x[0], self.outputs, side(0), side(1)]
    }
    /// Addends of a result of the forward pass, the input's gradient and the weight's.
    fn addends(&self) -> usize {
        let [_, c, kh, kw] = self.weight();
        let [n, o, h, w] = self.output();
        (c * kh * kw).max(o / self.p.groups * kh * kw).max(n * h * w)
    }
}

fn cases() -> Vec<Case> {
    let plain = [[1, 1], [0, 0], [1, 1]];
    vec![
        case([2, 6, 9, 8], 10, [3, 3], [[1, 1], [1, 1], [1, 1]], 1),
        case([2, 6, 9, 8], 10, [3, 2], [[2, 1], [1, 0], [1, 2]], 2),
        case([3, 4, 7, 11], 8, [3, 3], [[2, 3], [2, 1], [2, 1]], 4),
        case([1, 3, 1, 30], 5, [1, 4], [[1, 2], [0, 3], [1, 1]], 1),
        case([2, 5, 6, 6], 7, [1, 1], plain, 1),
        case([1, 1, 4, 4], 1, [4, 4], plain, 1),
        case([1, 8, 5, 5], 8, [3, 3], [[1, 1], [1, 1], [1, 1]], 8),
        // Many images: the weight's gradient splits its sum.
        case([40, 2, 9, 9], 3, [3, 3], [[1, 1], [1, 1], [1, 1]], 1),
        case([2, 3, 9, 9], 4, [2, 2], [[3, 3], [0, 0], [1, 1]], 1),
    ]
}

/// Both gradients, from `y` as the output's.
fn gradients(p: ConvParams, [x, w, y]: [Operand; 3], near: Near) {
    both(&[y.clone(), w.clone(), x.clone()], near, |be, o| {
        let [g, w, dx] = o else { panic!("three") };
        be.conv(ConvOp::InputGrad { g: g.view(), w: w.view() }, p, dx.view_mut())
    });
    both(&[y, x, w], near, |be, o| {
        let [g, x, dw] = o else { panic!("three") };
        be.conv(ConvOp::WeightGrad { g: g.view(), x: x.view() }, p, dw.view_mut())
    });
}

fn check(dtype: DType, make: &mut dyn FnMut(&[usize]) -> Operand) {
    for (i, c) in cases().iter().enumerate() {
        let near = near(dtype, 16.0 + c.addends() as f64);
        let (x, w, y, bias) = (make(&c.x), make(&c.weight()), make(&c.output()), make(&[c.outputs]));
        let activation = [Activation::None, Activation::Relu, Activation::Tanh][i % 3];
        both(&[x.clone(), w.clone(), bias, y.clone()], near, |be, o| {
            let [x, w, bias, y] = o else { panic!("four") };
            let bias = (i % 4 != 1).then(|| bias.view());
            be.conv(ConvOp::Forward { x: x.view(), w: w.view(), bias, activation }, c.p, y.view_mut())
        });
        gradients(c.p, [x, w, y], near);
    }
}

#[test]
fn dense() {
    let mut rng = Numbers(10);
    for dtype in asked(FLOATS) {
        check(dtype, &mut |shape| Operand::dense(shape, dtype, || rng.value()));
    }
}

#[test]
fn any_strides() {
    let mut rng = Numbers(11);
    for dtype in asked(FLOATS) {
        check(dtype, &mut |shape| Operand::random(&mut rng, shape, dtype, false));
    }
}

/// Enough tiles that those of 128 × 128 are taken.
#[test]
fn large_tiles() {
    let mut rng = Numbers(12);
    for dtype in asked([DType::F32, DType::BF16]) {
        let c = case([12, 2, 32, 40], 140, [3, 3], [[1, 1], [1, 1], [1, 1]], 1);
        let mut make = |shape: &[usize]| Operand::dense(shape, dtype, || rng.value());
        let (x, w, y) = (make(&c.x), make(&c.weight()), make(&c.output()));
        both(&[x, w, y], near(dtype, 64.0), |be, o| {
            let [x, w, y] = o else { panic!("three") };
            let op = ConvOp::Forward { x: x.view(), w: w.view(), bias: None, activation: Activation::None };
            be.conv(op, c.p, y.view_mut())
        });
    }
}

/// Gradients that fill tiles of 128 × 128, which a device with few multiprocessors takes for them.
#[test]
fn gradients_of_large_tiles() {
    let mut rng = Numbers(13);
    let c = case([2, 14, 8, 8], 128, [3, 3], [[1, 1], [1, 1], [1, 1]], 1);
    let mut make = |shape: &[usize]| Operand::dense(shape, DType::F32, || rng.value());
    let (x, w, y) = (make(&c.x), make(&c.weight()), make(&c.output()));
    let near = near(DType::F32, 16.0 + c.addends() as f64);
    gradients(c.p, [x, w, y], near);
}

#[test]
fn nothing_to_sum_and_integers() {
    let p = ConvParams { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };
    let dense = |shape: &[usize]| Operand::dense(shape, DType::F32, || 1.0);
    both(&[dense(&[0, 2, 3, 3]), dense(&[0, 1, 4, 4]), dense(&[2, 1, 2, 2])], SAME, |be, o| {
        let [g, x, dw] = o else { panic!("three") };
        be.conv(ConvOp::WeightGrad { g: g.view(), x: x.view() }, p, dw.view_mut())
    });
    let Some(be) = device() else { return };
    let ints = upload(&Operand::dense(&[1, 1, 1, 1], DType::I32, || 1.0), be);
    let mut out = upload(&Operand::dense(&[1, 1, 1, 1], DType::I32, || 1.0), be);
    let op = ConvOp::InputGrad { g: ints.view(), w: ints.view() };
    let error = be.conv(op, p, out.view_mut()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { op: "conv2d", dtype: DType::I32, .. }), "{error}");
}
