//! What a training step asks of the device, against numbers that were looked at. A change that makes one larger must
//! say why.

use crate::{ALONE, device};
use taper::kernels::cuda;
use taper::nn::*;
use taper::optim::Adam;
use taper::prelude::*;

/// Of one part of a step: launches, copies inside the device, blocks of memory from the cache; transfers; waits, and
/// blocks from the driver.
type Part = (&'static str, u64, u64, u64, u64, u64);

/// The parts of the third step: modules and memory come with the first ones.
fn third_step(parameters: Vec<Parameter>, scores: impl Fn() -> Tensor, classes: &Tensor) -> Vec<Part> {
    let mut optimizer = Adam::new(parameters, 1e-3);
    let mut parts = Vec::new();
    for step in 0..3 {
        let mut last = cuda::counts(0).unwrap();
        let mut part = |name: &'static str| {
            let now = cuda::counts(0).unwrap();
            let c = now - std::mem::replace(&mut last, now);
            if step == 2 {
                let waits = c.synchronizations + c.staging_waits + c.allocations;
                parts.push((name, c.launches, c.device_copies, c.requests, c.uploads + c.downloads, waits));
            }
        };
        optimizer.zero_grad();
        part("zero_grad");
        let scores = scores();
        part("model");
        let loss = F::cross_entropy(&scores, classes);
        part("loss");
        loss.backward();
        part("backward");
        optimizer.step();
        part("optimizer");
        assert!(loss.item().is_finite());
    }
    parts
}

/// Trains a model on numbers of its own and compares its third step. Scores are of `classes` classes, and as many as
/// `targets`.
fn golden_step(
    model: impl FnOnce() -> Sequential,
    x: impl FnOnce() -> Tensor,
    [targets, classes]: [usize; 2],
    golden: [Part; 5],
) {
    let Some(device) = device() else { return };
    let _alone = ALONE.write();
    manual_seed(1);
    let model = model();
    model.to_device(device);
    let x = x().to_device(device);
    let y = Tensor::randint(0, classes as i64, targets).to_device(device);
    let parts = third_step(model.parameters(), || model.forward(&x).reshape([targets, classes]), &y);
    if std::env::var("TAPER_CUDA_CACHE").map_or(true, |v| v != "0") {
        assert_eq!(parts, golden);
    }
}

#[test]
fn a_step_of_a_perceptron() {
    golden_step(
        || sequential![Linear::new(20, 16), ReLU::new(), Linear::new(16, 10)],
        || Tensor::randn([8, 20]),
        [8, 10],
        [
            ("zero_grad", 0, 0, 0, 0, 0),
            ("model", 3, 0, 3, 0, 0),
            ("loss", 10, 0, 10, 0, 0),
            ("backward", 13, 1, 13, 0, 0),
            ("optimizer", 4, 0, 0, 0, 0),
        ],
    );
}

#[test]
fn a_step_of_a_convolutional_network() {
    golden_step(
        || {
            sequential![
                Conv2d::new(3, 8, 3),
                BatchNorm2d::new(8),
                ReLU::new(),
                MaxPool2d::new(2),
                Conv2d::new(8, 8, 3),
                ReLU::new(),
                Flatten::new(),
                Dropout::new(0.5),
                Linear::new(8 * 3 * 3, 10),
            ]
        },
        || Tensor::randn([4, 3, 12, 12]),
        [4, 10],
        [
            ("zero_grad", 0, 0, 0, 0, 0),
            ("model", 25, 0, 22, 0, 0),
            ("loss", 10, 0, 10, 0, 0),
            ("backward", 23, 1, 26, 0, 0),
            ("optimizer", 8, 0, 0, 0, 0),
        ],
    );
}

#[test]
fn a_step_of_a_transformer() {
    golden_step(
        || {
            let layer = TransformerEncoderLayer::builder(16, 4)
                .dim_feedforward(32)
                .dropout(0.0)
                .batch_first(true)
                .build();
            sequential![Embedding::new(20, 16), layer, Linear::new(16, 20)]
        },
        || Tensor::randint(0, 20, [2, 6]),
        [12, 20],
        [
            ("zero_grad", 0, 0, 0, 0, 0),
            ("model", 18, 0, 22, 0, 0),
            ("loss", 10, 0, 10, 0, 0),
            ("backward", 59, 8, 53, 0, 0),
            ("optimizer", 15, 0, 0, 0, 0),
        ],
    );
}
