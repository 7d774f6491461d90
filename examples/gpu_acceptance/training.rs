//! A few steps of training on pictures of clothing: on the device as on the CPU.

use std::time::Instant;
use taper::data::mnist_from_bytes;
use taper::nn::{Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, sequential};
use taper::optim::Adam;
use taper::prelude::*;

/// What came of it.
pub struct Training {
    pub batch: usize,
    /// Losses of the steps: on the CPU, on the device.
    pub losses: Vec<(f64, f64)>,
    /// Scores of the device's model for the last batch, computed on the device, and on the CPU from its
    /// weights after they went through a file: their largest difference, in shares of the largest score.
    pub through_a_file: f64,
    /// Seconds of a step on the device, the first ones excepted.
    pub step: f64,
}

/// Rounding grows from step to step: what may come of it in a few dozen steps.
pub const LOSS_LIMIT: f64 = 1e-4;
/// The same weights, other kernels.
pub const SCORE_LIMIT: f64 = 1e-4;

impl Training {
    /// The largest difference of two losses, in shares of the CPU's.
    pub fn worst(&self) -> f64 {
        largest(self.losses.iter().map(|(a, b)| (a - b).abs() / a))
    }
    pub fn passed(&self) -> bool {
        self.worst() <= LOSS_LIMIT && self.through_a_file <= SCORE_LIMIT
    }
}

/// The largest of some sizes; what is no number is larger than all.
fn largest(sizes: impl Iterator<Item = f64>) -> f64 {
    sizes.fold(0.0, |m, e| if e.is_nan() { f64::INFINITY } else { m.max(e) })
}

fn build(seed: u64) -> Sequential {
    manual_seed(seed);
    sequential![
        Conv2d::new(1, 32, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Conv2d::new(32, 64, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(64 * 5 * 5, 128),
        ReLU::new(),
        Linear::new(128, 10),
    ]
}

pub fn run(
    device: Device,
    seed: u64,
    steps: usize,
    batch: usize,
) -> Result<Training, Box<dyn std::error::Error>> {
    let (images, labels) = mnist_from_bytes(
        include_bytes!("../../assets/fashion-mnist/train-images-idx3-ubyte.gz"),
        include_bytes!("../../assets/fashion-mnist/train-labels-idx1-ubyte.gz"),
    )?;
    let batches: Vec<(Tensor, Tensor)> = (0..steps)
        .map(|i| (i * batch % (images.size(0) - batch)) as isize)
        .map(|at| (images.narrow(0, at, batch), labels.narrow(0, at, batch)))
        .collect();
    let on = |device: Device| {
        let model = build(seed);
        model.to_device(device);
        let mut optimizer = Adam::new(model.parameters(), 1e-3);
        let mut losses = Vec::new();
        let mut began = Instant::now();
        for (i, (x, y)) in batches.iter().enumerate() {
            if i == steps / 4 {
                began = Instant::now();
            }
            let loss = F::cross_entropy(&model.forward(&x.to_device(device)), &y.to_device(device));
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            losses.push(loss.item());
        }
        (model, losses, began.elapsed().as_secs_f64() / (steps - steps / 4) as f64)
    };
    let (_, right, _) = on(Device::Cpu);
    let (model, found, step) = on(device);

    let file = std::env::temp_dir().join(format!("taper-acceptance-{}.safetensors", std::process::id()));
    taper::save(&model.state_dict(), &file)?;
    let copy = build(seed + 1);
    copy.load_state_dict(&taper::load_state_dict(&file)?, true)?;
    std::fs::remove_file(&file)?;
    let x = &batches[steps - 1].0;
    let scores =
        inference_mode(|| (copy.forward(x), model.forward(&x.to_device(device)).to_device(Device::Cpu)));
    let size = |t: Tensor| largest(t.abs().to_vec::<f64>().into_iter());
    let through_a_file = size(&scores.0 - &scores.1) / size(scores.0.clone());
    Ok(Training { batch, losses: right.into_iter().zip(found).collect(), through_a_file, step })
}
