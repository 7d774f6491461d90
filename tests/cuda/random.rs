//! Random numbers of a device: where the stream stands, what they look like, and that the device draws them.

use crate::{ALONE, device};
use taper::kernels::cuda;
use taper::nn::init::{self, FanMode, Nonlinearity};
use taper::prelude::*;
use taper::{Generator, get_rng_state, set_rng_state};

#[test]
fn states_go_on() {
    let Some(cuda) = device() else { return };
    let _alone = ALONE.write();
    let draw = || {
        let x = Tensor::rand_with([300], cuda, None).to_bytes();
        let mut y = Tensor::empty_with([7], cuda);
        y.exponential_(2.0);
        let dropped = Tensor::ones_with([40], cuda).dropout(0.3, true).to_bytes();
        (
            x,
            y.to_bytes(),
            dropped,
            Tensor::randperm_with(50, (DType::I64, cuda), None).to_bytes(),
            Tensor::rand(3).to_bytes(),
        )
    };
    manual_seed(5);
    draw();
    let state = get_rng_state();
    let (first, second) = (draw(), draw());
    assert_ne!(first, second);
    set_rng_state(&state).unwrap();
    assert!(draw() == first && draw() == second);
    // Seeds begin anew, a generator of one's own has its own stream, and a scope leaves no trace.
    manual_seed(5);
    let own = |g: &mut Generator| Tensor::rand_with([300], cuda, Some(g)).to_bytes();
    assert!(Tensor::rand_with([300], cuda, None).to_bytes() == own(&mut Generator::new(5)));
    let mut g = Generator::new(6);
    own(&mut g);
    let mut copy = Generator::new(0);
    copy.set_state(&g.state()).unwrap();
    assert!(own(&mut g) == own(&mut copy));
    set_rng_state(&state).unwrap();
    taper::with_seed(1, draw);
    assert!(draw() == first);
}

fn mean_and_std(x: &Tensor) -> (f64, f64) {
    let x = x.to_dtype(DType::F64);
    (x.mean().item(), x.std().item())
}

/// Drawn by the device: nothing is uploaded. Moments are within five standard errors.
#[test]
fn distributions() {
    let Some(device) = device() else { return };
    let _alone = ALONE.write();
    manual_seed(10);
    let n = 20_000;
    type Draw = fn(&mut Tensor);
    let cases: [(&str, Draw, f64, f64); 4] = [
        ("exponential_", |x| _ = x.exponential_(2.0), 0.5, 0.5),
        ("geometric_", |x| _ = x.geometric_(0.25), 4.0, 12f64.sqrt()),
        ("log_normal_", |x| _ = x.log_normal_(0.5, 0.25), 1.7011, 0.43205),
        ("bernoulli_", |x| _ = x.bernoulli_(0.2), 0.2, 0.4),
    ];
    for (name, draw, mean, std) in cases {
        for dtype in [DType::F32, DType::F64] {
            let mut x = Tensor::empty_with([n], (dtype, device));
            let before = cuda::counts(0).unwrap();
            draw(&mut x);
            let counts = cuda::counts(0).unwrap() - before;
            assert_eq!((counts.uploads, counts.synchronizations), (0, 0), "{name}");
            let (m, s) = mean_and_std(&x);
            let error = std / (n as f64).sqrt();
            assert!(
                (m - mean).abs() < 5.0 * error && (s / std - 1.0).abs() < 0.1,
                "{name} {dtype}: {m} ± {s}"
            );
            assert!(name != "exponential_" || x.min().item() > 0.0);
            assert!(name != "geometric_" || x.min().item() == 1.0);
        }
    }
    let mut x = Tensor::empty_with([n], device);
    x.cauchy_(3.0, 0.5);
    let quarters = [0.25, 0.5, 0.75].map(|q| x.sort(0, false).0.index((q * n as f64) as i64).item());
    let near = |a: f64, b: f64| (a - b).abs() < 0.05;
    assert!(near(quarters[0], 2.5) && near(quarters[1], 3.0) && near(quarters[2], 3.5), "{quarters:?}");
    let mut bytes = Tensor::empty_with([n], (DType::I8, device));
    bytes.random_unbounded_();
    assert_eq!((bytes.min().item(), bytes.max().item()), (0.0, 127.0));
    let p = tensor([0.0, 0.5, 1.0]).to_device(device).expand([n, 3]);
    let hits = p.bernoulli().mean_dim(0, false).to_vec::<f64>();
    assert!(hits[0] == 0.0 && near(hits[1], 0.5) && hits[2] == 1.0, "{hits:?}");
    let powers = Tensor::logspace_with(-1.0, 2.0, 4, 10.0, device).to_vec::<f64>();
    assert!(
        powers.iter().zip([0.1, 1.0, 10.0, 100.0]).all(|(a, b)| (a / b - 1.0).abs() < 1e-6),
        "{powers:?}"
    );
}

#[test]
fn choices_by_weight() {
    let Some(device) = device() else { return };
    let _alone = ALONE.write();
    manual_seed(11);
    let weights = tensor([[1.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 0.0]]).to_device(device);
    let n = 8000;
    let picked = weights.multinomial(n, true);
    assert_eq!((picked.shape(), picked.dtype(), picked.device()), (&[2, n][..], DType::I64, device));
    let counts = picked.select(0, 0).bincount(4).to_vec::<f64>();
    for (count, share) in counts.iter().zip([0.125, 0.0, 0.375, 0.5]) {
        assert!((count / n as f64 - share).abs() < 0.03 && (share > 0.0 || *count == 0.0), "{counts:?}");
    }
    assert!(picked.select(0, 1).eq(1).all().item_as::<bool>());
    // Without replacement: all three, in an order that depends on the weights.
    let mut firsts = [0; 4];
    for _ in 0..50 {
        let order = weights.select(0, 0).multinomial(3, false).to_vec::<i64>();
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(sorted, [0, 2, 3]);
        firsts[order[0] as usize] += 1;
    }
    assert!(firsts[3] > firsts[0], "{firsts:?}");
    let refused = |w: Tensor, n: usize| {
        let f = std::panic::AssertUnwindSafe(|| drop(w.to_device(device).multinomial(n, false)));
        *std::panic::catch_unwind(f).unwrap_err().downcast::<String>().unwrap()
    };
    assert!(refused(tensor([1.0, -1.0]), 1).contains("not negative"));
    assert!(refused(tensor([[1.0, 1.0], [0.0, 0.0]]), 1).contains("all 0"));
    assert!(refused(tensor([1.0, 0.0]), 2).contains("2 draws without replacement from 1"));
}

/// Initial weights drawn on the device have the moments of those drawn on the CPU; the fixed ones are the same.
#[test]
fn initial_weights() {
    let Some(device) = device() else { return };
    let _alone = ALONE.write();
    manual_seed(12);
    type Init = fn(&Parameter);
    let random: [(&str, Init); 8] = [
        ("uniform_", |p| init::uniform_(p, -0.5, 1.0)),
        ("normal_", |p| init::normal_(p, 1.0, 0.5)),
        ("xavier_uniform_", |p| init::xavier_uniform_(p, 1.0)),
        ("xavier_normal_", |p| init::xavier_normal_(p, 1.0)),
        ("kaiming_uniform_", |p| init::kaiming_uniform_(p, FanMode::FanIn, Nonlinearity::Relu)),
        ("kaiming_normal_", |p| init::kaiming_normal_(p, FanMode::FanOut, Nonlinearity::Relu)),
        ("trunc_normal_", |p| init::trunc_normal_(p, 0.0, 1.0, -1.0, 1.5)),
        ("sparse_", |p| init::sparse_(p, 0.25, 0.1)),
    ];
    let on = |device: Device, f: Init| {
        let p = Parameter::new(Tensor::full_with([100, 80], 9.0, device));
        f(&p);
        assert_eq!(p.value().device(), device);
        p.value().detach()
    };
    for (name, f) in random {
        let (here, there) = (on(Device::Cpu, f), on(device, f));
        let ((m, s), (n, t)) = (mean_and_std(&here), mean_and_std(&there));
        let error = s / 8000f64.sqrt();
        assert!(
            (m - n).abs() < 7.0 * error && (t / s - 1.0).abs() < 0.06,
            "{name}: {n} ± {t}, on the CPU {m} ± {s}"
        );
        let (low, high) = (there.min().item(), there.max().item());
        assert!(name != "trunc_normal_" || (low >= -1.0 && high <= 1.5), "{name}: {low} to {high}");
        if name == "sparse_" {
            assert!(there.eq(0.0).sum_dim(0, false).eq(25).all().item_as::<bool>());
        }
    }
    let fixed: [(&str, Init); 3] =
        [("constant_", |p| init::constant_(p, 0.3)), ("zeros_", init::zeros_), ("eye_", init::eye_)];
    for (name, f) in fixed {
        assert!(on(device, f).to_bytes() == on(Device::Cpu, f).to_bytes(), "{name}");
    }
    let rows = on(device, |p| init::orthogonal_(p, 2.0));
    let gram = rows.t().matmul(&rows) - Tensor::eye(80).to_device(device) * 4.0;
    assert!(gram.abs().max().item() < 1e-4);
}
