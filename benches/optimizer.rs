//! One step on four parameters of 250,000 elements each.

mod common;

use common::{Family, Work, numbers};
use taper::nn::Parameter;
use taper::optim::{Adagrad, Adam, AdamW, Optimizer, RMSprop, SGD, SGDOptions};

/// `state`: tensors that an optimizer keeps for each parameter, read and written.
fn step<O: Optimizer>(f: &mut Family, name: &str, state: usize, make: fn(Vec<Parameter>) -> O) {
    f.bench(&format!("optim_{name}_1e6"), Work::Bytes(4 * (3 + 2 * state) * 1_000_000), || {
        let params: Vec<Parameter> = (0..4).map(|_| Parameter::new(numbers([500, 500]))).collect();
        params.iter().for_each(|p| p.set_grad(Some(numbers([500, 500]))));
        let mut optimizer = make(params);
        move || optimizer.step()
    });
}

fn main() {
    common::run("optimizer", |f| {
        step(f, "sgd", 0, |p| SGD::new(p, 1e-3));
        step(f, "sgd_momentum", 1, |p| SGD::with(p, SGDOptions { momentum: 0.9, ..Default::default() }));
        step(f, "adam", 2, |p| Adam::new(p, 1e-3));
        step(f, "adamw", 2, |p| AdamW::new(p, 1e-3));
        step(f, "rmsprop", 1, |p| RMSprop::new(p, 1e-3));
        step(f, "adagrad", 1, |p| Adagrad::new(p, 1e-3));
    });
}
