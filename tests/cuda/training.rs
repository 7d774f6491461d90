//! Training steps: the CPU's losses, and what a step asks of the device.

use crate::{ALONE, device};
use taper::kernels::cuda;
use taper::nn::{Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, sequential};
use taper::optim::{Adam, SGD, SGDOptions};
use taper::prelude::*;

/// The network of `examples/fashion_mnist`, narrower.
fn network() -> Sequential {
    manual_seed(3);
    sequential![
        Conv2d::new(1, 4, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Conv2d::new(4, 8, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(8 * 2 * 2, 16),
        ReLU::new(),
        Linear::new(16, 10),
    ]
}

fn batch(step: u64) -> (Tensor, Tensor) {
    taper::with_seed(100 + step, || (Tensor::rand([6, 1, 14, 14]), Tensor::randint(0, 10, 6)))
}

fn train(
    device: Device,
    steps: u64,
    optimizer: impl Fn(Vec<nn::Parameter>) -> Box<dyn Optimizer>,
) -> Vec<f64> {
    let model = network();
    model.to_device(device);
    let mut optimizer = optimizer(model.parameters());
    let step = |k: u64| {
        let (x, y) = batch(k % 2);
        let loss = F::cross_entropy(&model.forward(&x.to_device(device)), &y.to_device(device));
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        loss
    };
    (0..steps).map(step).collect::<Vec<_>>().iter().map(Tensor::item).collect()
}

#[test]
fn losses_are_the_cpus() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.write();
    type Make = fn(Vec<nn::Parameter>) -> Box<dyn Optimizer>;
    let makers: [Make; 2] = [
        |p| Box::new(Adam::new(p, 3e-3)),
        |p| Box::new(SGD::with(p, SGDOptions { lr: 0.05, momentum: 0.9, ..Default::default() })),
    ];
    for make in makers {
        let (here, there) = (train(Device::Cpu, 8, make), train(cuda, 8, make));
        for (step, (a, b)) in here.iter().zip(&there).enumerate() {
            // Rounding differs from the first step on, and each step carries it further.
            let tolerance = 1e-5 * 2f64.powi(step as i32);
            assert!((a - b).abs() <= tolerance * a.abs(), "step {step}: {b}, on the CPU {a}");
        }
        // The same batch, six steps later.
        assert!(here[6] < here[0] && there[6] < there[0], "{here:?} {there:?}");
    }
}

#[test]
fn a_step_waits_for_nothing() {
    let Some(device) = device() else { return };
    let _alone = ALONE.write();
    let model = network();
    model.to_device(device);
    let mut optimizer = Adam::new(model.parameters(), 1e-3);
    let (x, y) = batch(0);
    let mut step = || {
        let loss = F::cross_entropy(&model.forward(&x.to_device(device)), &y.to_device(device));
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
    };
    // Modules and memory come with the first steps.
    step();
    step();
    let before = cuda::counts(0).unwrap();
    for _ in 0..5 {
        step();
    }
    let counts = cuda::counts(0).unwrap() - before;
    println!("five steps: {counts:?}");
    assert_eq!(counts.synchronizations, 0, "{counts:?}");
    assert_eq!((counts.downloads, counts.downloaded_bytes, counts.modules), (0, 0, 0), "{counts:?}");
    // The batch and its labels, and nothing else.
    let bytes = 5 * (6 * 14 * 14 * 4 + 6 * 8);
    assert_eq!((counts.uploads, counts.uploaded_bytes), (10, bytes), "{counts:?}");
    if std::env::var("TAPER_CUDA_CACHE").map_or(true, |v| v != "0") {
        assert_eq!(counts.allocations, 0, "{counts:?}");
    }
    assert_eq!(counts.launches % 5, 0, "every step is the same: {counts:?}");
}
