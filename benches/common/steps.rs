//! Training steps as a user writes them: zero-grad, forward, loss, backward, optimizer, and the loss is read.
#![allow(dead_code)] // Not every benchmark takes all.

use taper::IntoShape;
use taper::nn::{
    AttentionOptions, Conv2d, Flatten, Linear, MaxPool2d, ReLU, TransformerActivation,
    TransformerEncoderLayer, sequential,
};
use taper::optim::{Adam, AdamW};
use taper::prelude::*;

/// One step; its value is the loss.
pub type Step = Box<dyn FnMut() -> f64>;

/// A training: its name, its batch, the flops of its products for each example, and what makes a step of
/// any batch.
pub struct Training {
    pub name: &'static str,
    pub batch: usize,
    pub flops: usize,
    pub step: fn(usize) -> Step,
}

pub const TRAINING: [Training; 4] = [
    Training { name: "train_mlp", batch: 64, flops: 2 * (2 * 784 * 256 + 3 * 2560), step: mlp },
    Training {
        name: "train_cnn",
        batch: 32,
        flops: 2 * (2 * 32 * 900 * 27 + 3 * (64 * 169 * 288 + 2304 * 128 + 1280)),
        step: cnn,
    },
    Training {
        name: "train_transformer",
        batch: 8,
        flops: 3 * 2 * (128 * 786_432 + 8 * 128 * 128 * 32),
        step: transformer,
    },
    Training { name: "train_tiny", batch: 32, flops: 3 * 2 * (640 + 2048 + 32), step: tiny },
];

/// f32 numbers, uniform in `[-0.5, 0.5)`.
pub fn numbers(shape: impl IntoShape) -> Tensor {
    Tensor::uniform(-0.5, 0.5, shape)
}

/// Ten classes.
fn labels(n: usize) -> Tensor {
    Tensor::arange(0, n as i64, 1) * 7 % 10
}

fn step(mut optimizer: impl Optimizer + 'static, loss: impl Fn() -> Tensor + 'static) -> Step {
    Box::new(move || {
        optimizer.zero_grad();
        let loss = loss();
        loss.backward();
        optimizer.step();
        loss.item()
    })
}

fn mlp(batch: usize) -> Step {
    let net = sequential![Linear::new(784, 256), ReLU::new(), Linear::new(256, 10)];
    let (x, y) = (numbers([batch, 784]), labels(batch));
    step(Adam::new(net.parameters(), 1e-3), move || F::cross_entropy(&net.forward(&x), &y))
}

fn cnn(batch: usize) -> Step {
    let net = sequential![
        Conv2d::new(3, 32, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Conv2d::new(32, 64, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(2304, 128),
        ReLU::new(),
        Linear::new(128, 10),
    ];
    let (x, y) = (numbers([batch, 3, 32, 32]), labels(batch));
    step(Adam::new(net.parameters(), 1e-3), move || F::cross_entropy(&net.forward(&x), &y))
}

fn transformer(batch: usize) -> Step {
    let net = TransformerEncoderLayer::builder(256, 8)
        .dim_feedforward(1024)
        .activation(TransformerActivation::Gelu)
        .dropout(0.0)
        .batch_first(true)
        .norm_first(true)
        .build();
    let (x, y) = (numbers([batch, 128, 256]), numbers([batch, 128, 256]));
    let causal = AttentionOptions::default().is_causal(true);
    step(AdamW::new(net.parameters(), 1e-3), move || F::mse_loss(&net.forward_with(&x, &causal), &y))
}

fn tiny(batch: usize) -> Step {
    let net =
        sequential![Linear::new(10, 64), ReLU::new(), Linear::new(64, 32), ReLU::new(), Linear::new(32, 1)];
    let (x, y) = (numbers([batch, 10]), numbers([batch, 1]));
    step(Adam::new(net.parameters(), 1e-3), move || F::mse_loss(&net.forward(&x), &y))
}
