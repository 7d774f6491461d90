//! A second device (`PTX_EMULATOR_DEVICES=2`): nothing of one is taken for the other's.

use crate::errors::message;
use crate::{ALONE, device};
use taper::kernels::cuda;
use taper::nn::{BatchNorm2d, Conv2d, Flatten, Linear, Sequential, sequential};
use taper::optim::Adam;
use taper::prelude::*;

/// Both devices, or `None` where there is no second one.
fn devices() -> Option<[Device; 2]> {
    let first = device()?;
    match Device::cuda(1) {
        Ok(second) => Some([first, second]),
        Err(e) => {
            eprintln!("!!! SKIPPED: {e} (the emulator has two with PTX_EMULATOR_DEVICES=2)");
            None
        }
    }
}

fn model() -> Sequential {
    sequential![Conv2d::new(1, 4, 3), BatchNorm2d::new(4), Flatten::new(), Linear::new(16, 3)]
}

#[test]
fn tensors_and_state_dicts_move_between_devices() {
    let Some([first, second]) = devices() else { return };
    let _shared = ALONE.read();
    let x = Tensor::randn([5, 7]);
    let there = x.to_device(first).t().to_device(second);
    assert_eq!((there.device(), there.to_vec::<f32>()), (second, x.t().to_vec::<f32>()));
    // Models of each device, by their state dicts.
    let (a, b) = (model(), model());
    a.to_device(first);
    b.to_device(second);
    b.load_state_dict(&a.state_dict(), true).unwrap();
    assert!(b.state_dict().values().all(|t| t.device() == second));
    for ((name, x), (_, y)) in a.state_dict().iter().zip(b.state_dict().iter()) {
        assert_eq!(x.to_bytes(), y.to_bytes(), "{name}");
    }
    // A gradient goes back over the move.
    let w = x.to_device(first).requires_grad_(true);
    (w.to_device(second) * 3.0).sum().backward();
    let g = w.grad().unwrap();
    assert_eq!((g.device(), g.to_vec::<f32>()), (first, vec![3.0; 35]));
}

#[test]
fn each_device_trains_alike() {
    let Some(devices) = devices() else { return };
    let _alone = ALONE.write();
    let before = cuda::counts(1).unwrap();
    let losses = devices.map(|device| {
        manual_seed(5);
        let model = model();
        model.to_device(device);
        let mut optimizer = Adam::new(model.parameters(), 1e-2);
        let x = Tensor::randn([6, 1, 4, 4]).to_device(device);
        let y = Tensor::randint(0, 3, 6).to_device(device);
        let step = |_| {
            let loss = F::cross_entropy(&model.forward(&x), &y);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            loss.item()
        };
        (0..3).map(step).collect::<Vec<f64>>()
    });
    assert_eq!(losses[0], losses[1]);
    assert!(losses[0][2] < losses[0][0]);
    assert!((cuda::counts(1).unwrap() - before).launches > 30);
}

#[test]
fn errors_name_the_device() {
    let Some([first, second]) = devices() else { return };
    let _alone = ALONE.write();
    let (a, b) = (Tensor::ones_with([2, 2], first), Tensor::ones_with([2, 2], second));
    let cases: [&dyn Fn(); 2] = [&|| drop(&a + &b), &|| drop(b.matmul(&a))];
    for f in cases {
        let text = message(f);
        assert!(text.contains("cuda:0") && text.contains("cuda:1"), "{text}");
    }
    let count = Device::cuda_count();
    let error = Device::cuda(count).unwrap_err().to_string();
    assert!(
        error.contains(&format!("cuda:{count} is not available: the driver sees {count} devices")),
        "{error}"
    );
    // What one device finds wrong is its own.
    let bad = b.index_select(0, &tensor([0, 4]).to_device(second));
    assert_eq!(a.sum().item(), 4.0);
    let text = message(|| drop(bad.to_vec::<f32>()));
    assert!(text.contains("index 4") && text.contains("cuda:1"), "{text}");
    let text = message(|| drop(Tensor::zeros_with([1 << 46], second)));
    assert!(text.contains("out of memory on cuda:1"), "{text}");
}
