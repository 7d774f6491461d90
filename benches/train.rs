//! Training steps as a user writes them: forward, loss, backward, optimizer, and the loss is read.

mod common;

use common::{Family, Work, numbers};
use taper::nn::{
    AttentionOptions, Conv2d, Flatten, Linear, MaxPool2d, ReLU, TransformerActivation,
    TransformerEncoderLayer, sequential,
};
use taper::optim::{Adam, AdamW};
use taper::prelude::*;

fn steps<O: Optimizer>(
    f: &mut Family,
    name: &str,
    flops: usize,
    setup: impl Fn() -> (O, Box<dyn Fn() -> Tensor>),
) {
    f.bench(name, Work::Flops(flops), || {
        let (mut optimizer, loss) = setup();
        move || {
            optimizer.zero_grad();
            let loss = loss();
            loss.backward();
            optimizer.step();
            loss.item()
        }
    });
}

/// Ten classes.
fn labels(n: i64) -> Tensor {
    Tensor::arange(0, n, 1) * 7 % 10
}

fn main() {
    common::run("train", |f| {
        steps(f, "train_mlp", 2 * 64 * (2 * 784 * 256 + 3 * 2560), || {
            let net = sequential![Linear::new(784, 256), ReLU::new(), Linear::new(256, 10)];
            let (x, y) = (numbers([64, 784]), labels(64));
            (Adam::new(net.parameters(), 1e-3), Box::new(move || F::cross_entropy(&net.forward(&x), &y)))
        });
        let products = 2 * 32 * 900 * 27 + 3 * (64 * 169 * 288 + 2304 * 128 + 1280);
        steps(f, "train_cnn", 2 * 32 * products, || {
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
            let (x, y) = (numbers([32, 3, 32, 32]), labels(32));
            (Adam::new(net.parameters(), 1e-3), Box::new(move || F::cross_entropy(&net.forward(&x), &y)))
        });
        let products = 1024 * 786_432 + 8 * 8 * 128 * 128 * 32;
        steps(f, "train_transformer", 3 * 2 * products, || {
            let net = TransformerEncoderLayer::builder(256, 8)
                .dim_feedforward(1024)
                .activation(TransformerActivation::Gelu)
                .dropout(0.0)
                .batch_first(true)
                .norm_first(true)
                .build();
            let (x, y) = (numbers([8, 128, 256]), numbers([8, 128, 256]));
            let causal = AttentionOptions::default().is_causal(true);
            (
                AdamW::new(net.parameters(), 1e-3),
                Box::new(move || F::mse_loss(&net.forward_with(&x, &causal), &y)),
            )
        });
        steps(f, "train_tiny", 3 * 2 * 32 * (640 + 2048 + 32), || {
            let net = sequential![
                Linear::new(10, 64),
                ReLU::new(),
                Linear::new(64, 32),
                ReLU::new(),
                Linear::new(32, 1)
            ];
            let (x, y) = (numbers([32, 10]), numbers([32, 1]));
            (Adam::new(net.parameters(), 1e-3), Box::new(move || F::mse_loss(&net.forward(&x), &y)))
        });
    });
}
