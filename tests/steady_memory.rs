//! From the third step on, training asks the operating system for no memory: what a step frees the next
//! one takes. Counted by the system: the size of the address space, and pages that were touched for the
//! first time.
#![cfg(target_os = "linux")]

use taper::nn::{TransformerActivation, TransformerEncoderLayer, sequential};
use taper::optim::{Adam, AdamW, SGD, SGDOptions};
use taper::prelude::*;

const STEPS: usize = 8;
/// Pages of 4 KiB in all the steps that are counted: some first use of a stack or a small allocation is
/// no memory of a step.
const FEW: usize = 64;

/// A number of a file under `/proc/self`, after its last parenthesis.
fn number(file: &str, field: usize) -> usize {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).expect("Linux's proc");
    let numbers = text.rsplit(')').next().expect("a line");
    numbers.split_whitespace().nth(field).expect("so many fields").parse().expect("a number")
}

/// Pages of the address space.
fn space() -> usize {
    number("statm", 0)
}

/// Pages touched for the first time.
fn faults() -> usize {
    number("stat", 7)
}

fn check(name: &str, mut optimizer: impl Optimizer, loss: impl Fn() -> Tensor) {
    let mut step = || {
        optimizer.zero_grad();
        let loss = loss();
        loss.backward();
        optimizer.step();
        loss.item()
    };
    let first = step();
    let bytes = space();
    step();
    let (space_before, faults_before) = (space(), faults());
    let last = (0..STEPS).map(|_| step()).last().expect("steps");
    let (grown, touched) = (space() as isize - space_before as isize, faults() - faults_before);
    assert!(last < first, "{name} does not learn: {first} to {last}");
    assert!(grown <= FEW as isize, "{name}: {STEPS} steps took {grown} pages of {bytes}");
    assert!(touched <= FEW, "{name}: {STEPS} steps touched {touched} new pages");
}

/// On one thread: of several, each takes scratch memory of its own when it works for the first time, which
/// may be in any step.
#[test]
fn training_asks_for_no_memory_after_its_second_step() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread pool");
    pool.install(train_all);
}

fn train_all() {
    manual_seed(1);
    let labels = |n: i64| Tensor::randint(0, 10, [n as usize]);

    let (x, y) = (Tensor::randn([128, 784]), labels(128));
    let mlp = sequential![nn::Linear::new(784, 512), nn::ReLU::new(), nn::Linear::new(512, 10)];
    check("the MLP", Adam::new(mlp.parameters(), 1e-3), || F::cross_entropy(&mlp.forward(&x), &y));

    let (x, y) = (Tensor::randn([32, 3, 32, 32]), labels(32));
    let cnn = sequential![
        nn::Conv2d::new(3, 32, 3),
        nn::BatchNorm2d::new(32),
        nn::ReLU::new(),
        nn::MaxPool2d::new(2),
        nn::Conv2d::new(32, 64, 3),
        nn::ReLU::new(),
        nn::MaxPool2d::new(2),
        nn::Flatten::new(),
        nn::Linear::new(2304, 10),
    ];
    let sgd = SGD::with(cnn.parameters(), SGDOptions { lr: 1e-2, momentum: 0.9, ..Default::default() });
    check("the CNN", sgd, || F::cross_entropy(&cnn.forward(&x), &y));

    let (x, y) = (Tensor::randn([4, 64, 128]), Tensor::randn([4, 64, 128]));
    let layer = TransformerEncoderLayer::builder(128, 4)
        .dim_feedforward(512)
        .dropout(0.0)
        .activation(TransformerActivation::Gelu)
        .batch_first(true)
        .build();
    check("the transformer", AdamW::new(layer.parameters(), 1e-3), || F::mse_loss(&layer.forward(&x), &y));
}
