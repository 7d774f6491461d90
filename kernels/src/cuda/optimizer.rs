//! Optimizer steps (`kernels/cuda/optimizer.cu`): one pass over a parameter, its gradient and its states.

use super::context::Context;
use super::launch::{Operand, Order, Parameter, Walk, arg, blocks, tag};
use super::temp::Fitting;
use crate::{OptimizerOp, Result, View, ViewMut};

/// `Rule` of `optimizer.cu`; scalars have the signs with which PyTorch passes them on.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Rule {
    weight_decay: f64,
    momentum: f64,
    undamped: f64,
    lr: f64,
    shrink: f64,
    weight1: f64,
    beta2: f64,
    weight2: f64,
    root_correction2: f64,
    eps: f64,
    maximize: u32,
    nesterov: u32,
    first: u32,
    wide: u32,
    extra: u32,
    decoupled: u32,
}
// SAFETY: the members of optimizer.cu in its order.
unsafe impl Parameter for Rule {}

pub(super) fn step(cx: &'static Context, op: OptimizerOp, grad: View, param: ViewMut) -> Result {
    let (rule, name, states) = rule(op);
    let dtype = param.dtype;
    if !dtype.is_float() {
        return Err(cx.unsupported(name, dtype));
    }
    // All states are of the parameter's dtype, or all of what it is computed in.
    let mut dtypes = states.iter().flatten().map(|s| s.dtype);
    let state = dtypes.next().unwrap_or(dtype);
    if dtypes.any(|d| d != state) || state != dtype && state != dtype.compute() {
        return Err(cx.unsupported(name, state));
    }
    let rule = Rule { wide: (state != dtype) as u32, ..rule };
    let grad = Fitting::new(cx, grad, dtype, |_| true)?;
    let grad = grad.view();
    let mut inputs = [Operand::Number(0); 4];
    inputs[0] = Operand::At { address: cx.address(&grad)?, layout: grad.layout, size: dtype.size() };
    for (input, s) in inputs[1..].iter_mut().zip(&states) {
        if let Some(s) = s {
            *input = Operand::output(cx, s)?;
        }
    }
    Walk::<4, 5>::new(Operand::output(cx, &param)?, inputs, Order::Any).launches(1, |map, _| {
        // SAFETY: optimizer.cu takes a Map<4> and a Rule; it reads and writes the states that the rule says
        // are there, which the views are.
        unsafe { cx.launch(("optimizer", name, tag(dtype)), blocks(map.count, 4), &[arg(map), arg(&rule)]) }
    })
}

/// A step's scalars, its kernel, and its states in the kernel's order.
fn rule(op: OptimizerOp<'_>) -> (Rule, &'static str, [Option<ViewMut<'_>>; 3]) {
    match op {
        OptimizerOp::Sgd { lr, momentum, dampening, weight_decay, nesterov, maximize, first, buffer } => {
            assert!(momentum == 0.0 || buffer.is_some(), "momentum needs a buffer");
            let rule = Rule {
                weight_decay,
                momentum,
                undamped: 1.0 - dampening,
                lr: -lr,
                maximize: maximize as u32,
                nesterov: nesterov as u32,
                first: first as u32,
                ..Rule::default()
            };
            (rule, "sgd", [buffer, None, None])
        }
        OptimizerOp::Adam {
            lr,
            beta1,
            beta2,
            eps,
            weight_decay,
            decoupled,
            maximize,
            step,
            exp_avg,
            exp_avg_sq,
            max_exp_avg_sq,
        } => {
            let rule = Rule {
                weight_decay: if decoupled { 0.0 } else { weight_decay },
                lr: -(lr / (1.0 - beta1.powf(step))),
                shrink: 1.0 - lr * weight_decay,
                weight1: 1.0 - beta1,
                beta2,
                weight2: 1.0 - beta2,
                root_correction2: (1.0 - beta2.powf(step)).powf(0.5),
                eps,
                maximize: maximize as u32,
                extra: max_exp_avg_sq.is_some() as u32,
                decoupled: (decoupled && weight_decay != 0.0) as u32,
                ..Rule::default()
            };
            (rule, "adam", [Some(exp_avg), Some(exp_avg_sq), max_exp_avg_sq])
        }
        OptimizerOp::RmsProp {
            lr,
            alpha,
            eps,
            weight_decay,
            momentum,
            maximize,
            square_avg,
            grad_avg,
            buffer,
        } => {
            assert!(momentum == 0.0 || buffer.is_some(), "momentum needs a buffer");
            let rule = Rule {
                weight_decay,
                momentum,
                lr: -lr,
                beta2: alpha,
                weight2: 1.0 - alpha,
                eps,
                maximize: maximize as u32,
                extra: grad_avg.is_some() as u32,
                ..Rule::default()
            };
            (rule, "rmsprop", [Some(square_avg), grad_avg, buffer])
        }
        OptimizerOp::Adagrad { lr, lr_decay, eps, weight_decay, maximize, step, sum } => {
            let rule = Rule {
                weight_decay,
                lr: -(lr / (1.0 + (step - 1.0) * lr_decay)),
                eps,
                maximize: maximize as u32,
                ..Rule::default()
            };
            (rule, "adagrad", [Some(sum), None, None])
        }
    }
}
