//! Options that PyTorch refuses are refused, with its words.

use std::panic::{AssertUnwindSafe, catch_unwind};
use taper_nn::Parameter;
use taper_optim::{
    Adagrad, AdagradOptions, Adam, AdamOptions, AdamW, AdamWOptions, Algorithm, Optim, RMSprop,
    RMSpropOptions, SGD, SGDOptions,
};
use taper_tensor::tensor;

fn refused<A: Algorithm>(_: fn(Vec<Parameter>, A::Options) -> Optim<A>, options: A::Options) -> String {
    let make = AssertUnwindSafe(|| drop(Optim::<A>::with(vec![Parameter::new(tensor([1.0]))], options)));
    let payload = catch_unwind(make).expect_err("refused");
    payload.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn what_pytorch_refuses() {
    macro_rules! cases {
        ($($optimizer:ident $options:ident { $($field:ident: $value:expr),* } => $message:literal,)*) => { $(
            let options = $options { $($field: $value,)* ..Default::default() };
            assert_eq!(refused($optimizer::with, options), $message);
        )* };
    }
    cases! {
        SGD SGDOptions { lr: -1.0 } => "SGD: invalid learning rate -1",
        SGD SGDOptions { lr: f64::NAN } => "SGD: invalid learning rate NaN",
        SGD SGDOptions { momentum: -0.5 } => "SGD: invalid momentum -0.5",
        SGD SGDOptions { weight_decay: -1.0 } => "SGD: invalid weight_decay -1",
        SGD SGDOptions { nesterov: true } => "SGD: nesterov needs a momentum and zero dampening",
        SGD SGDOptions { nesterov: true, momentum: 0.9, dampening: 0.1 } => "SGD: nesterov needs a momentum and zero dampening",
        Adam AdamOptions { eps: -1.0 } => "Adam: invalid epsilon -1",
        Adam AdamOptions { betas: (1.0, 0.9) } => "Adam: invalid beta parameter at index 0: 1",
        Adam AdamOptions { betas: (0.9, -0.1) } => "Adam: invalid beta parameter at index 1: -0.1",
        AdamW AdamWOptions { weight_decay: -1.0 } => "AdamW: invalid weight_decay -1",
        RMSprop RMSpropOptions { alpha: -1.0 } => "RMSprop: invalid alpha -1",
        RMSprop RMSpropOptions { momentum: -1.0 } => "RMSprop: invalid momentum -1",
        Adagrad AdagradOptions { lr_decay: -1.0 } => "Adagrad: invalid lr_decay -1",
        Adagrad AdagradOptions { initial_accumulator_value: -1.0 } => "Adagrad: invalid initial_accumulator_value -1",
    }
    // These are strange, and PyTorch takes them.
    let p = || vec![Parameter::new(tensor([1.0]))];
    RMSprop::with(p(), RMSpropOptions { alpha: 2.0, ..Default::default() });
    SGD::with(p(), SGDOptions { dampening: -1.0, ..Default::default() });
}
