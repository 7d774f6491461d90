//! Tensors of a device, used by several threads at once.

use crate::{ALONE, device};
use taper::nn::Linear;
use taper::optim::SGD;
use taper::prelude::*;

#[test]
fn threads_share_tensors() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let x = taper::with_seed(1, || Tensor::randn([40, 30])).to_device(cuda);
    let work = |k: usize| {
        let mut y = x.clone();
        for _ in 0..10 {
            // Memory comes and goes, and one's own is not another's.
            y = (&y * 0.9 + k as f64).sin() + x.matmul(x.t()).sum_dim(1, true);
            y.add_(1.0);
        }
        y.to_bytes()
    };
    let alone: Vec<Vec<u8>> = (0..4).map(work).collect();
    let together: Vec<Vec<u8>> = std::thread::scope(|s| {
        let threads: Vec<_> = (0..4).map(|k| s.spawn(move || work(k))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(alone == together);
}

/// Each thread trains a model of its own.
#[test]
fn threads_train() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let train = |seed: u64| {
        taper::with_seed(seed, || {
            let model = Linear::new(6, 3);
            model.to_device(cuda);
            let mut optimizer = SGD::new(model.parameters(), 0.1);
            let x = Tensor::randn([12, 6]).to_device(cuda);
            let y = Tensor::randint(0, 3, 12).to_device(cuda);
            let mut step = || {
                optimizer.zero_grad();
                let loss = F::cross_entropy(&model.forward(&x), &y);
                loss.backward();
                optimizer.step();
                loss.item()
            };
            (0..5).map(|_| step()).collect::<Vec<f64>>()
        })
    };
    let alone: Vec<Vec<f64>> = (0..3).map(train).collect();
    let together: Vec<Vec<f64>> = std::thread::scope(|s| {
        let threads: Vec<_> = (0..3).map(|k| s.spawn(move || train(k))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

/// What a thread's kernels still read may be dropped by another one.
#[test]
fn drops_elsewhere() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let results: Vec<Tensor> = (0..20)
        .map(|k| {
            let x = Tensor::full_with([5000], k as f64, cuda);
            let y = &x * 2.0;
            std::thread::spawn(move || drop(x)).join().unwrap();
            let z = Tensor::full_with([5000], -1.0, cuda);
            &y + &z
        })
        .collect();
    for (k, y) in results.iter().enumerate() {
        assert!(y.to_vec::<f64>().iter().all(|v| *v == 2.0 * k as f64 - 1.0), "{k}");
    }
}
