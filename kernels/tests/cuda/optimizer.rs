//! Optimizer steps.

use crate::both::*;
use crate::operand::{Numbers, Operand};
use crate::support::device;
use taper_kernels::{DType, Error, OptimizerOp, Result};

/// Runs one of the rules on parameter, gradient and up to three states.
fn step(which: usize, be: &dyn taper_kernels::Backend, o: &mut [Operand], t: f64) -> Result {
    let [param, grad, s0, s1, s2] = o else { panic!("five") };
    let (grad, param) = (grad.view(), param.view_mut());
    let odd = which % 2 == 1;
    let op = match which / 2 {
        0 => OptimizerOp::Sgd {
            lr: 0.1,
            momentum: if odd { 0.9 } else { 0.0 },
            dampening: 0.2,
            weight_decay: 0.01,
            nesterov: false,
            maximize: odd,
            first: t == 1.0,
            buffer: odd.then(|| s0.view_mut()),
        },
        1 => OptimizerOp::Sgd {
            lr: 0.1,
            momentum: 0.8,
            dampening: 0.0,
            weight_decay: 0.0,
            nesterov: true,
            maximize: false,
            first: false,
            buffer: Some(s0.view_mut()),
        },
        2 => OptimizerOp::Adam {
            lr: 0.01,
            beta1: 0.9,
            beta2: 0.99,
            eps: 1e-8,
            weight_decay: 0.1,
            decoupled: odd,
            maximize: false,
            step: t,
            exp_avg: s0.view_mut(),
            exp_avg_sq: s1.view_mut(),
            max_exp_avg_sq: odd.then(|| s2.view_mut()),
        },
        3 => OptimizerOp::RmsProp {
            lr: 0.01,
            alpha: 0.99,
            eps: 1e-8,
            weight_decay: 0.1,
            momentum: if odd { 0.9 } else { 0.0 },
            maximize: odd,
            square_avg: s0.view_mut(),
            grad_avg: odd.then(|| s1.view_mut()),
            buffer: odd.then(|| s2.view_mut()),
        },
        _ => OptimizerOp::Adagrad {
            lr: 0.1,
            lr_decay: 0.1,
            eps: 1e-10,
            weight_decay: 0.01,
            maximize: odd,
            step: t,
            sum: s0.view_mut(),
        },
    };
    be.optimizer_step(op, grad, param)
}

#[test]
fn every_rule() {
    let mut rng = Numbers(60);
    for dtype in FLOATS {
        let states = if dtype.compute() == dtype { vec![dtype] } else { vec![dtype, DType::F32] };
        for of_state in states {
            for which in 0..10 {
                for random in [false, true] {
                    let mut of = |dtype| match random {
                        false => Operand::dense(&[7, 333], dtype, || rng.value()),
                        true => Operand::random(&mut rng, &[5, 3, 9], dtype, false),
                    };
                    let mut operands = vec![of(dtype), of(dtype)];
                    for k in 0..3 {
                        let mut s = of(of_state);
                        // Means of squares: a centred variance takes more than the square of the mean.
                        for i in crate::operand::indices(s.layout.shape().to_vec().as_slice()) {
                            let v = s.get(&i).abs();
                            s.set(&i, if k == 0 { 4.0 + v } else { 0.2 * v });
                        }
                        operands.push(s);
                    }
                    let done = both(&operands, near(dtype, 4.0), |be, o| step(which, be, o, 1.0));
                    both(&done, near(dtype, 4.0), |be, o| step(which, be, o, 2.0));
                }
            }
        }
    }
}

#[test]
fn gradients_of_other_dtypes_and_states_that_differ() {
    let mut rng = Numbers(61);
    let mut of = |dtype| Operand::dense(&[50], dtype, || 1.0 + rng.value().abs());
    let operands: Vec<_> = [DType::F32, DType::F16, DType::F32, DType::F32, DType::F32].map(&mut of).into();
    both(&operands, near(DType::F32, 4.0), |be, o| step(4, be, o, 1.0));
    let Some(be) = device() else { return };
    let mut far: Vec<_> =
        [DType::F32, DType::F32, DType::F64, DType::F32, DType::F32].map(|d| upload(&of(d), be)).into();
    let error = step(4, be, &mut far, 1.0).unwrap_err();
    assert!(matches!(error, Error::Unsupported { op: "adam", .. }), "{error}");
}
