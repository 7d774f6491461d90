//! Updates against PyTorch's trajectories (`fixtures/optimizers.py`), bit for bit, and on any layout.

use crate::operand::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;
use taper_kernels::random::Generator;
use taper_kernels::{Backend, DType, OptimizerOp, RandomOp, cpu::Cpu};

/// A parameter with all the state any optimizer wants.
#[derive(Clone)]
struct Trained {
    param: Operand,
    states: [Operand; 3],
}

impl Trained {
    /// One step of the optimizer that a fixture names, with its arguments as in Python.
    fn step(&mut self, name: &str, args: &Value, t: usize, grad: &Operand) {
        let arg = |key: &str, default: f64| args.get(key).map_or(default, |v| v.as_f64().unwrap());
        let flag = |key: &str| args.get(key).is_some_and(|v| v.as_bool().unwrap());
        let [s0, s1, s2] = &mut self.states;
        let (lr, maximize) = (arg("lr", 0.001), flag("maximize"));
        let eps = arg("eps", if name == "Adagrad" { 1e-10 } else { 1e-8 });
        let weight_decay = arg("weight_decay", if name == "AdamW" { 0.01 } else { 0.0 });
        let momentum = arg("momentum", 0.0);
        let has_buffer = momentum != 0.0;
        let op = match name {
            "SGD" => OptimizerOp::Sgd {
                lr,
                momentum,
                dampening: arg("dampening", 0.0),
                weight_decay,
                nesterov: flag("nesterov"),
                maximize,
                first: t == 1,
                buffer: has_buffer.then(|| s0.view_mut()),
            },
            "Adam" | "AdamW" => {
                let beta = |i: usize, default| args.get("betas").map_or(default, |b| b[i].as_f64().unwrap());
                OptimizerOp::Adam {
                    lr,
                    beta1: beta(0, 0.9),
                    beta2: beta(1, 0.999),
                    eps,
                    weight_decay,
                    decoupled: name == "AdamW",
                    maximize,
                    step: t as f64,
                    exp_avg: s0.view_mut(),
                    exp_avg_sq: s1.view_mut(),
                    max_exp_avg_sq: flag("amsgrad").then(|| s2.view_mut()),
                }
            }
            "RMSprop" => OptimizerOp::RmsProp {
                lr,
                alpha: arg("alpha", 0.99),
                eps,
                weight_decay,
                momentum,
                maximize,
                square_avg: s0.view_mut(),
                grad_avg: flag("centered").then(|| s1.view_mut()),
                buffer: has_buffer.then(|| s2.view_mut()),
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
            _ => panic!("{name}"),
        };
        Cpu.optimizer_step(op, grad.view(), self.param.view_mut()).unwrap();
    }
}

/// `torch.rand(n) - 0.5`
fn centred(g: &mut Generator, dtype: DType, n: usize) -> Operand {
    let mut x = Operand::dense(&[n], dtype, || 0.0);
    Cpu.random(RandomOp::Uniform { lo: 0.0, hi: 1.0 }, g, x.view_mut()).unwrap();
    let mut values = x.values().into_iter();
    Operand::dense(&[n], dtype, || values.next().unwrap() - 0.5)
}

fn zeros(n: usize, dtype: DType) -> [Operand; 3] {
    std::array::from_fn(|_| Operand::dense(&[n], dtype, || 0.0))
}

fn cases() -> &'static [Value] {
    static CASES: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let text = include_str!("../fixtures/optimizers.json");
        if !cfg!(miri) {
            return serde_json::from_str(text).unwrap();
        }
        // A case per line; a few are enough for Miri, as no two are the same optimizer.
        let lines = text
            .lines()
            .skip(1)
            .step_by(13)
            .filter_map(|l| serde_json::from_str(l.trim_end_matches(',')).ok());
        lines.collect()
    });
    &CASES
}

#[test]
fn trajectories_are_pytorchs() {
    crate::at_every_level(trajectories);
}

fn trajectories() {
    for case in cases() {
        let dtype = if case["dtype"] == "float32" { DType::F32 } else { DType::F64 };
        let n = case["n"].as_u64().unwrap() as usize;
        let mut g = Generator::new(7);
        let mut model = Trained { param: centred(&mut g, dtype, n), states: zeros(n, dtype) };
        for t in 1..=5 {
            let grad = centred(&mut g, dtype, n);
            model.step(case["optimizer"].as_str().unwrap(), &case["args"], t, &grad);
        }
        let list = |key: &str| -> Vec<f64> {
            case[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let (exact, torch) = (list("exact"), list("torch"));
        let got = &model.param.values()[n - exact.len()..];
        let what = format!("{} {} {} n={n}", case["optimizer"], case["args"], case["dtype"]);
        // Miri's powf is inexact on purpose.
        if !cfg!(miri) {
            assert_eq!(got, exact, "{what}");
        }
        let tolerance = if dtype == DType::F32 { 1e-6 } else { 1e-14 };
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance;
        assert!(got.iter().zip(&torch).all(near), "{what}: {got:?} {torch:?}");
    }
}

fn any_case() -> impl Strategy<Value = (u64, usize)> {
    (any::<u64>(), 0..cases().len())
}

proptest! {
    #![proptest_config(crate::operand::cases(120))]

    /// Strides, levels and threads change no bit.
    #[test]
    fn any_layout((seed, case) in any_case(), f64s: bool) {
        let case = &cases()[case];
        let (name, args) = (case["optimizer"].as_str().unwrap(), &case["args"]);
        let dtype = if f64s { DType::F64 } else { DType::F32 };
        let rng = &mut Numbers(seed);
        let most = if cfg!(miri) { [2, 20, 2] } else { [6, 30, 4] };
        let shape = most.map(|n| 1 + rng.below(n));
        let mut grads: Vec<Operand> = (0..2).map(|_| Operand::random(rng, &shape, dtype, true)).collect();
        let mut strided = Trained {
            param: Operand::random(rng, &shape, dtype, false),
            states: std::array::from_fn(|_| Operand::random(rng, &shape, dtype, false)),
        };
        for s in &mut strided.states {
            for i in indices(&shape) {
                s.set(&i, s.get(&i).abs());
            }
        }
        let untouched = grads.clone();
        let mut dense =
            Trained { param: strided.param.to_dense(), states: strided.states.each_ref().map(Operand::to_dense) };
        for (t, grad) in grads.iter_mut().enumerate() {
            on_threads(3, || strided.step(name, args, t + 1, grad));
            on_threads(1, || dense.step(name, args, t + 1, &grad.to_dense()));
        }
        for (a, b) in grads.iter().zip(&untouched) {
            prop_assert_eq!(a.bytes(), b.bytes());
        }
        prop_assert_eq!(bits(&strided.param), bits(&dense.param));
        for (a, b) in strided.states.iter().zip(&dense.states) {
            prop_assert_eq!(bits(a), bits(b));
        }
    }

    /// f16 and bf16 are the f32 step, rounded once; state may be of any float dtype.
    #[test]
    fn half_precision((seed, case) in any_case(), bf16: bool, wide_state: bool) {
        let case = &cases()[case];
        let (name, args) = (case["optimizer"].as_str().unwrap(), &case["args"]);
        let dtype = if bf16 { DType::BF16 } else { DType::F16 };
        let state = if wide_state { DType::F32 } else { dtype };
        let rng = &mut Numbers(seed);
        let n = 1 + rng.below(40);
        let mut half = Trained {
            param: Operand::random(rng, &[n], dtype, false),
            states: std::array::from_fn(|_| Operand::dense(&[n], state, || rng.value().abs())),
        };
        let grad = Operand::random(rng, &[n], dtype, false);
        let mut full = Trained {
            param: cast(&half.param, DType::F32),
            states: half.states.each_ref().map(|s| cast(s, DType::F32)),
        };
        half.step(name, args, 3, &grad);
        full.step(name, args, 3, &cast(&grad, DType::F32));
        prop_assert_eq!(bits(&half.param), bits(&cast(&full.param, dtype)));
        for (a, b) in half.states.iter().zip(&full.states) {
            prop_assert_eq!(bits(a), bits(&cast(b, state)));
        }
    }
}

fn bits(x: &Operand) -> Vec<u64> {
    // One NaN is as good as another.
    x.values().iter().map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect()
}

fn cast(x: &Operand, dtype: DType) -> Operand {
    let mut values = x.values().into_iter();
    Operand::dense(x.layout.shape(), dtype, || values.next().unwrap())
}

#[test]
fn many_elements_on_threads() {
    let (n, args) = (if cfg!(miri) { 100 } else { 100_003 }, json!({"lr": 0.01, "amsgrad": true}));
    let rng = &mut Numbers(1);
    let grad = Operand::dense(&[n], DType::F32, || rng.value());
    let start =
        Trained { param: Operand::dense(&[n], DType::F32, || rng.value()), states: zeros(n, DType::F32) };
    let trained = [1, 2, 5].map(|threads| {
        let mut model = start.clone();
        on_threads(threads, || (1..4).for_each(|t| model.step("Adam", &args, t, &grad)));
        model.param
    });
    assert!(trained[0].bytes() == trained[1].bytes() && trained[0].bytes() == trained[2].bytes());
}
