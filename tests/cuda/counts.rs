//! What a training step of a small network asks of the device, against numbers that were looked at. A change
//! that makes one larger must say why.

use crate::{ALONE, device};
use taper::kernels::cuda;
use taper::nn::{Linear, ReLU, sequential};
use taper::optim::Adam;
use taper::prelude::*;

#[test]
fn a_step_of_a_perceptron() {
    let Some(device) = device() else { return };
    let _alone = ALONE.write();
    manual_seed(1);
    let model = sequential![Linear::new(20, 16), ReLU::new(), Linear::new(16, 10)];
    model.to_device(device);
    let mut optimizer = Adam::new(model.parameters(), 1e-3);
    let x = Tensor::randn([8, 20]).to_device(device);
    let y = Tensor::randint(0, 10, 8).to_device(device);
    let mut parts = Vec::new();
    for step in 0..3 {
        let mut last = cuda::counts(0).unwrap();
        let mut part = |name: &'static str| {
            let now = cuda::counts(0).unwrap();
            let c = now - std::mem::replace(&mut last, now);
            // Modules and memory come with the first steps.
            if step == 2 {
                let waits = c.synchronizations + c.staging_waits + c.allocations;
                parts.push((name, c.launches, c.device_copies, c.requests, c.uploads + c.downloads, waits));
            }
        };
        optimizer.zero_grad();
        part("zero_grad");
        let scores = model.forward(&x);
        part("model");
        let loss = F::cross_entropy(&scores, &y);
        part("loss");
        loss.backward();
        part("backward");
        optimizer.step();
        part("optimizer");
        assert!(loss.item().is_finite());
    }
    // Launches, copies inside the device, blocks of memory from the cache; transfers; waits and blocks from the
    // driver.
    let golden = [
        ("zero_grad", 0, 0, 0, 0, 0),
        ("model", 3, 0, 3, 0, 0),
        ("loss", 12, 0, 12, 0, 0),
        ("backward", 13, 1, 13, 0, 0),
        ("optimizer", 4, 0, 0, 0, 0),
    ];
    if std::env::var("TAPER_CUDA_CACHE").map_or(true, |v| v != "0") {
        assert_eq!(parts, golden);
    }
}
