//! Whole networks, trained two epochs on what the seeded generator draws: `tests/fixtures/networks.json`.

use crate::{fixture, near, numbers, seeded};
use taper::optim::{Adam, Optimizer, SGD, SGDOptions};
use taper::prelude::*;

/// Relative bound of losses, and absolute one of single parameters: f32 rounding of sixteen steps, in
/// another order of additions in matrix products.
const LOSS: f64 = 2e-6;
const PARAMETER: f64 = 2e-6;

/// Trains as the fixture's program did, and compares.
fn train<O: Optimizer>(
    program: &str,
    (x, y): (Tensor, Tensor),
    model: impl FnOnce() -> Box<dyn Forward>,
    optimizer: impl FnOnce(Vec<Parameter>) -> O,
) {
    let expected = fixture("networks", program);
    let loader = DataLoader::new(TensorDataset::new((x.clone(), y.clone()))).batch_size(16).shuffle(true);
    let model = model();
    let mut optimizer = optimizer(model.parameters());
    let mut losses = Vec::new();
    for _epoch in 0..2 {
        for (inputs, labels) in &loader {
            optimizer.zero_grad();
            let loss = F::cross_entropy(&model.forward(&inputs), &labels);
            loss.backward();
            optimizer.step();
            losses.push(loss.item());
        }
    }
    near(&losses, &numbers(&expected["losses"]), LOSS, "loss of batch");
    model.eval();
    let evaluated = no_grad(|| F::cross_entropy(&model.forward(&x), &y)).item();
    near(&[evaluated], &[expected["evaluated"].as_f64().unwrap()], LOSS, "loss in evaluation");

    let state = model.state_dict();
    let parameters = expected["parameters"].as_array().unwrap();
    assert_eq!(state.len(), parameters.len());
    for ((name, p), of) in state.iter().zip(parameters) {
        assert_eq!(name, of[0].as_str().unwrap());
        let (p, of) = (p.to_vec::<f64>(), &of[1]);
        let close = |found: f64, expected: f64, tolerance: f64, what: &str| {
            let off = (found - expected).abs();
            assert!(off <= tolerance, "{what} of {name}: {found}, PyTorch has {expected}");
        };
        let n = p.len() as f64;
        close(p.iter().sum(), of["sum"].as_f64().unwrap(), PARAMETER * n.sqrt(), "sum");
        close(p.iter().map(|v| v * v).sum::<f64>().sqrt(), of["norm"].as_f64().unwrap(), PARAMETER, "norm");
        for (found, expected) in p.iter().zip(numbers(&of["first"])) {
            close(*found, expected, PARAMETER, "an element");
        }
    }
    assert_eq!(Tensor::rand(1).item(), expected["next"].as_f64().unwrap() as f32 as f64, "drawn next");
}

/// The tutorials' network for pictures.
#[derive(Module)]
struct Convolutional {
    conv1: nn::Conv2d,
    conv2: nn::Conv2d,
    pool: nn::MaxPool2d,
    dropout: nn::Dropout,
    fc1: nn::Linear,
    fc2: nn::Linear,
}

impl Forward for Convolutional {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.pool.forward(&self.conv1.forward(x).relu());
        let x = self.pool.forward(&self.conv2.forward(&x).relu());
        let x = self.dropout.forward(&x.flatten(1, -1));
        self.fc2.forward(&self.dropout.forward(&self.fc1.forward(&x).relu()))
    }
}

#[test]
fn convolutional() {
    let _seed = seeded();
    manual_seed(42);
    let data = (Tensor::randn([128, 3, 32, 32]), Tensor::randint(0, 10, [128]));
    let model = || -> Box<dyn Forward> {
        Box::new(Convolutional {
            conv1: nn::Conv2d::builder(3, 32, 3).padding(1).build(),
            conv2: nn::Conv2d::builder(32, 64, 3).padding(1).build(),
            pool: nn::MaxPool2d::new(2),
            dropout: nn::Dropout::new(0.25),
            fc1: nn::Linear::new(64 * 8 * 8, 128),
            fc2: nn::Linear::new(128, 10),
        })
    };
    train("convolutional", data, model, |p| Adam::new(p, 1e-3));
}

/// An encoder layer over words.
#[derive(Module)]
struct Attentive {
    words: nn::Embedding,
    places: nn::Embedding,
    encoder: nn::TransformerEncoderLayer,
    out: nn::Linear,
}

impl Forward for Attentive {
    fn forward(&self, x: &Tensor) -> Tensor {
        let places = self.places.forward(&Tensor::arange(0, 12, 1));
        let x = self.encoder.forward(&(self.words.forward(x) + places));
        self.out.forward(&x.mean_dim(1, false))
    }
}

#[test]
fn attentive() {
    let _seed = seeded();
    manual_seed(42);
    let data = (Tensor::randint(0, 30, [96, 12]), Tensor::randint(0, 4, [96]));
    let model = || -> Box<dyn Forward> {
        Box::new(Attentive {
            words: nn::Embedding::new(30, 16),
            places: nn::Embedding::new(12, 16),
            encoder: nn::TransformerEncoderLayer::builder(16, 2)
                .dim_feedforward(32)
                .batch_first(true)
                .build(),
            out: nn::Linear::new(16, 4),
        })
    };
    train("attentive", data, model, |p| {
        SGD::with(p, SGDOptions { lr: 0.1, momentum: 0.9, ..Default::default() })
    });
}

/// An LSTM over words.
#[derive(Module)]
struct Recurrent {
    words: nn::Embedding,
    lstm: nn::LSTM,
    out: nn::Linear,
}

impl Forward for Recurrent {
    fn forward(&self, x: &Tensor) -> Tensor {
        let (y, _) = self.lstm.forward(&self.words.forward(x));
        self.out.forward(&y.select(1, -1))
    }
}

#[test]
fn recurrent() {
    let _seed = seeded();
    manual_seed(42);
    let data = (Tensor::randint(0, 30, [96, 12]), Tensor::randint(0, 4, [96]));
    let model = || -> Box<dyn Forward> {
        Box::new(Recurrent {
            words: nn::Embedding::new(30, 8),
            lstm: nn::LSTM::builder(8, 16).num_layers(2).dropout(0.2).batch_first(true).build(),
            out: nn::Linear::new(16, 4),
        })
    };
    train("recurrent", data, model, |p| Adam::new(p, 1e-2));
}
