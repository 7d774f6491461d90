//! Layers, losses and optimizers: what they compute, the gradients of their parameters, and a few steps.

use crate::check::{Check, Results, check};
use crate::suite::weights;
use taper::nn::*;
use taper::optim::{Adagrad, Adam, AdamW, RMSprop, SGD};
use taper::prelude::*;
use taper::with_seed;

/// Value, gradient of the input and of every parameter, of the same module on any device.
fn results<M: Module>(
    device: Device,
    make: impl Fn() -> M,
    input: &Tensor,
    forward: impl Fn(&M, &Tensor) -> Tensor,
) -> Results {
    let module = with_seed(5, make);
    module.to_device(device);
    let float = input.dtype().is_float();
    let x = input.to_device(device).requires_grad_(float);
    let y = forward(&module, &x);
    y.backward_with(Some(&weights(&y)), Default::default());
    let mut results = vec![("value".to_string(), y.detach())];
    results.extend(x.grad().map(|g| ("gradient of the input".to_string(), g)));
    for (name, p) in module.named_parameters() {
        results.extend(p.grad().map(|g| (format!("gradient of {name}"), g)));
    }
    for (name, b) in module.named_buffers() {
        results.push((name, b.value()));
    }
    results
}

macro_rules! layers {
    ($device:expr, $done:expr; $($name:literal $make:expr, $input:expr, |$m:ident, $x:ident| $forward:expr;)*) => {
        vec![$({
            let input = $input;
            let run = |device| results(device, || $make, &input, |$m, $x| $forward);
            // A layer is several operations, each with an error of its own.
            let check = check("layers", $name.into(), $device, 8.0, run);
            $done(&check);
            check
        }),*]
    };
}

/// Layers with parameters, or with more to them than one operation.
pub fn layers(device: Device, mut done: impl FnMut(&Check)) -> Vec<Check> {
    let tokens = || (Tensor::rand([4, 9]) * 20.0).to_dtype(DType::I64);
    layers! { device, done;
        "Linear" Linear::new(30, 20), Tensor::randn([7, 30]), |m, x| m.forward(x);
        "Conv2d" Conv2d::builder(3, 16, 3).padding(1).build(), Tensor::randn([2, 3, 12, 12]), |m, x| m.forward(x);
        "ConvTranspose2d" ConvTranspose2d::new(4, 6, 3), Tensor::randn([2, 4, 5, 5]), |m, x| m.forward(x);
        "BatchNorm1d" BatchNorm1d::new(12), Tensor::randn([20, 12]), |m, x| m.forward(x);
        "BatchNorm2d" BatchNorm2d::new(5), Tensor::randn([4, 5, 6, 6]), |m, x| m.forward(x);
        "BatchNorm2d, evaluating" BatchNorm2d::new(5), Tensor::randn([4, 5, 6, 6]), |m, x| {
            m.eval();
            m.forward(x)
        };
        "LayerNorm" LayerNorm::new(40), Tensor::randn([6, 40]), |m, x| m.forward(x);
        "Embedding" Embedding::new(20, 16), tokens(), |m, x| m.forward(x);
        "RNN" RNN::new(6, 8), Tensor::randn([5, 3, 6]), |m, x| m.forward(x).0;
        "LSTM" LSTM::new(6, 8), Tensor::randn([5, 3, 6]), |m, x| m.forward(x).0;
        "GRU" GRU::new(6, 8), Tensor::randn([5, 3, 6]), |m, x| m.forward(x).0;
        "MultiheadAttention" MultiheadAttention::builder(16, 4).batch_first(true).build(), Tensor::randn([2, 7, 16]),
            |m, x| m.forward(x, x, x).0;
        "TransformerEncoderLayer" TransformerEncoderLayer::builder(16, 4).dim_feedforward(32).dropout(0.0)
            .batch_first(true).build(), Tensor::randn([2, 7, 16]), |m, x| m.forward(x);
    }
}

/// A loss of scores and a target: value and gradient.
pub fn losses(device: Device, mut done: impl FnMut(&Check)) -> Vec<Check> {
    let (scores, target) = (Tensor::randn([12, 7]), Tensor::rand([12, 7]));
    let classes = (Tensor::rand(12) * 7.0).to_dtype(DType::I64);
    type Loss = fn(&Tensor, &Tensor) -> Tensor;
    let all: [(&str, &Tensor, Loss); 8] = [
        ("cross_entropy", &classes, F::cross_entropy),
        ("nll_loss", &classes, |x, y| F::nll_loss(&x.log_softmax(1), y)),
        ("mse_loss", &target, F::mse_loss),
        ("l1_loss", &target, F::l1_loss),
        ("smooth_l1_loss", &target, F::smooth_l1_loss),
        ("huber_loss", &target, F::huber_loss),
        ("binary_cross_entropy_with_logits", &target, F::binary_cross_entropy_with_logits),
        ("kl_div", &target, |x, y| F::kl_div(&x.log_softmax(1), &y.softmax(1))),
    ];
    let mut checks = Vec::new();
    for (name, target, loss) in all {
        checks.push(check("losses", name.into(), device, 4.0, |device| {
            let x = scores.to_device(device).requires_grad_(true);
            let y = loss(&x, &target.to_device(device));
            y.backward();
            vec![("value".into(), y.detach()), ("gradient".into(), x.grad().expect("a gradient"))]
        }));
        done(checks.last().expect("just put there"));
    }
    checks
}

/// Parameters after five steps.
pub fn optimizers(device: Device, mut done: impl FnMut(&Check)) -> Vec<Check> {
    let start = [Tensor::randn([33, 9]), Tensor::randn(33)];
    let x = Tensor::randn([12, 9]);
    let steps = |device: Device, make: &dyn Fn(Vec<Parameter>) -> Box<dyn Optimizer>| -> Results {
        let params: Vec<Parameter> = start.iter().map(|t| Parameter::new(t.to_device(device))).collect();
        let x = x.to_device(device);
        let mut optimizer = make(params.clone());
        for _ in 0..5 {
            optimizer.zero_grad();
            F::linear(&x, &params[0], Some(&params[1])).square().mean().backward();
            optimizer.step();
        }
        params.iter().enumerate().map(|(i, p)| (format!("parameter {i}"), p.value().detach())).collect()
    };
    type Make = fn(Vec<Parameter>) -> Box<dyn Optimizer>;
    let all: [(&str, Make); 5] = [
        ("SGD", |p| Box::new(SGD::new(p, 0.1))),
        ("Adam", |p| Box::new(Adam::new(p, 0.01))),
        ("AdamW", |p| Box::new(AdamW::new(p, 0.01))),
        ("RMSprop", |p| Box::new(RMSprop::new(p, 0.01))),
        ("Adagrad", |p| Box::new(Adagrad::new(p, 0.1))),
    ];
    let mut checks = Vec::new();
    for (name, make) in all {
        checks.push(check("optimizers", name.into(), device, 8.0, |device| steps(device, &make)));
        done(checks.last().expect("just put there"));
    }
    checks
}
