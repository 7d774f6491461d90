//! Runs that change device, or go through a file, on the way.

use crate::{ALONE, device};
use taper::data::{DataLoader, TensorDataset};
use taper::nn::{BatchNorm1d, Dropout, Linear, ReLU, Sequential, sequential};
use taper::optim::{Adam, SGD, SGDOptions};
use taper::prelude::*;
use taper::train::Checkpoint;

fn network() -> Sequential {
    taper::with_seed(4, || {
        sequential![Linear::new(7, 9), BatchNorm1d::new(9), ReLU::new(), Linear::new(9, 3)]
    })
}

fn bytes(model: &Sequential) -> Vec<Vec<u8>> {
    model.state_dict().values().map(Tensor::to_bytes).collect()
}

/// A step where the model is: its loss.
fn step(model: &Sequential, optimizer: &mut dyn Optimizer, k: u64) -> f64 {
    let device = model.parameters()[0].value().device();
    let (x, y) = taper::with_seed(50 + k, || (Tensor::randn([11, 7]), Tensor::randint(0, 3, 11)));
    let loss = F::cross_entropy(&model.forward(&x.to_device(device)), &y.to_device(device));
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    loss.item()
}

/// To the device and back, every two steps, with the gradients of the last one; the optimizer's memory follows.
#[test]
fn training_changes_device() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    type Make = fn(&Sequential) -> Box<dyn Optimizer>;
    let makers: [Make; 2] = [
        |m| Box::new(Adam::new(m.parameters(), 0.01)),
        |m| {
            let options = SGDOptions { lr: 0.05, momentum: 0.9, ..Default::default() };
            Box::new(SGD::with(m.parameters(), options))
        },
    ];
    for make in makers {
        let (here, moved) = (network(), network());
        let (mut a, mut b) = (make(&here), make(&moved));
        for k in 0..8 {
            if k % 2 == 0 && k > 0 {
                let to = if k % 4 == 2 { cuda } else { Device::Cpu };
                let (before, grads): (_, Vec<Vec<u8>>) = (
                    bytes(&moved),
                    moved.parameters().iter().map(|p| p.grad().unwrap().to_bytes()).collect(),
                );
                moved.to_device(to);
                assert!(moved.state_dict().values().all(|t| t.device() == to));
                assert!(bytes(&moved) == before, "step {k}");
                for (p, g) in moved.parameters().iter().zip(grads) {
                    let moved = p.grad().expect("a gradient moves, too");
                    assert_eq!((moved.device(), moved.to_bytes()), (to, g));
                }
            }
            let (x, y) = (step(&here, &mut *a, k), step(&moved, &mut *b, k));
            assert!((x - y).abs() < 1e-5, "step {k}: {y} instead of {x}");
        }
    }
}

/// Killed and resumed on the device: the bits of the run that was not, dropout's numbers included.
#[test]
fn a_run_goes_through_a_file() {
    let Some(cuda) = device() else { return };
    let _alone = ALONE.write();
    let folder = tempfile::tempdir().unwrap();
    for name in ["run.safetensors", "run.pt"] {
        let path = folder.path().join(name);
        let start = || {
            let model = sequential![network(), Dropout::new(0.5)];
            model.to_device(cuda);
            let optimizer = Adam::new(model.parameters(), 0.01);
            (model, optimizer)
        };
        manual_seed(8);
        let (model, mut optimizer) = start();
        for k in 0..3 {
            step(&model, &mut optimizer, k);
        }
        // `step` has numbers of its own; these are the run's.
        let noise = Tensor::rand_with([5], cuda, None).to_bytes();
        Checkpoint::new().model(&model).with("optimizer", &optimizer).save(&path).unwrap();
        let losses: Vec<f64> = (3..6).map(|k| step(&model, &mut optimizer, k)).collect();
        let after = Tensor::rand_with([5], cuda, None).to_bytes();
        assert_ne!(noise, after);

        manual_seed(99);
        let (again, mut optimizer) = start();
        let saved = Checkpoint::load(&path).unwrap();
        saved.load_model(&again).unwrap();
        saved.load("optimizer", &mut optimizer).unwrap();
        saved.restore_rng().unwrap();
        let resumed: Vec<f64> = (3..6).map(|k| step(&again, &mut optimizer, k)).collect();
        assert_eq!(losses, resumed, "{name}");
        assert!(bytes(&model) == bytes(&again), "{name}");
        assert_eq!(after, Tensor::rand_with([5], cuda, None).to_bytes(), "{name}");

        // A file knows no device.
        let here = sequential![network(), Dropout::new(0.0)];
        saved.load_model(&here).unwrap();
        assert!(here.state_dict().values().all(|t| t.device() == Device::Cpu));
    }
}

/// Batches of a set that lies on the device, and of one that does not.
#[test]
fn loaders() {
    let Some(cuda) = device() else { return };
    let _alone = ALONE.write();
    let (x, y) = (Tensor::arange(0, 20, 1).reshape([10, 2]), Tensor::arange(0, 10, 1));
    let there = TensorDataset::new((x.to_device(cuda), y.to_device(cuda)));
    let here = TensorDataset::new((x, y));
    let batches = |set: TensorDataset<(Tensor, Tensor)>, workers: usize| -> Vec<(Vec<i64>, Vec<i64>)> {
        manual_seed(3);
        let loader = DataLoader::new(set).batch_size(4).shuffle(true).num_workers(workers);
        (&loader).into_iter().map(|(x, y)| (x.to_device(cuda).to_vec(), y.to_device(cuda).to_vec())).collect()
    };
    let want = batches(here.clone(), 0);
    assert_eq!(want.len(), 3);
    for workers in [0, 2] {
        assert_eq!(batches(here.clone(), workers), want);
        assert_eq!(batches(there.clone(), workers), want);
    }
}
