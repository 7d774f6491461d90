//! Optimizer updates against PyTorch's trajectories (`fixtures/optimizers.py`), bit for bit.

mod common;

use common::{Array, thread_counts};
use proptest::prelude::*;
use serde_json::Value;
use taper_kernels::random::Generator;
use taper_kernels::{Backend, DType, Layout, OptimizerOp, RandomOp, cpu::Cpu};

/// A parameter with all the state any optimizer wants.
struct Trained {
    param: Array,
    states: [Array; 3],
}

impl Trained {
    fn new(param: Array, state: DType, layout: &Layout) -> Self {
        Trained { param, states: std::array::from_fn(|_| Array::zeros(state, layout)) }
    }

    /// One step of the optimizer that a fixture names.
    fn step(&mut self, name: &str, args: &Value, t: usize, grad: &Array) {
        let arg = |key: &str, default: f64| args.get(key).map_or(default, |v| v.as_f64().unwrap());
        let flag = |key: &str| args.get(key).is_some_and(|v| v.as_bool().unwrap());
        let [s0, s1, s2] = &mut self.states;
        let adam = name.starts_with("Adam");
        let (lr, maximize) = (arg("lr", 0.001), flag("maximize"));
        let (eps, weight_decay) = (arg("eps", if name == "Adagrad" { 1e-10 } else { 1e-8 }), arg("weight_decay", 0.0));
        let momentum = arg("momentum", 0.0);
        let buffer = momentum != 0.0;
        let op = match name {
            "SGD" => OptimizerOp::Sgd {
                lr,
                momentum,
                dampening: arg("dampening", 0.0),
                weight_decay,
                nesterov: flag("nesterov"),
                maximize,
                first: t == 1,
                buffer: buffer.then(|| s0.view_mut()),
            },
            "RMSprop" => OptimizerOp::RmsProp {
                lr,
                alpha: arg("alpha", 0.99),
                eps,
                weight_decay,
                momentum,
                maximize,
                square_avg: s0.view_mut(),
                grad_avg: flag("centered").then(|| s1.view_mut()),
                buffer: buffer.then(|| s2.view_mut()),
            },
            "Adagrad" => OptimizerOp::Adagrad {
                lr,
                lr_decay: arg("lr_decay", 0.0),
                eps,
                weight_decay,
                maximize,
                step: t as f64,
                sum: s0.view_mut(),
            },
            _ => {
                assert!(adam, "{name}");
                let beta = |i: usize, default| args.get("betas").map_or(default, |b| b[i].as_f64().unwrap());
                OptimizerOp::Adam {
                    lr,
                    beta1: beta(0, 0.9),
                    beta2: beta(1, 0.999),
                    eps,
                    weight_decay: arg("weight_decay", if name == "AdamW" { 0.01 } else { 0.0 }),
                    decoupled: name == "AdamW",
                    maximize,
                    step: t as f64,
                    exp_avg: s0.view_mut(),
                    exp_avg_sq: s1.view_mut(),
                    max_exp_avg_sq: flag("amsgrad").then(|| s2.view_mut()),
                }
            }
        };
        Cpu.optimizer_step(op, grad.view(), self.param.view_mut()).unwrap();
    }
}
