//! The programs PyTorch's tutorials begin with: `tests/fixtures/golden.json`.

use crate::{fixture, near, numbers, seeded};
use serde_json::Value;
use taper::nn::sequential;
use taper::optim::{Adam, SGD};
use taper::prelude::*;

fn golden(program: &str) -> Value {
    fixture("golden", program)
}

fn lines(v: &Value) -> Vec<&str> {
    v.as_array().expect("a list").iter().map(|v| v.as_str().expect("a text")).collect()
}

/// Elements of a tensor of the fixture, which is f32.
fn elements(v: &Value) -> Vec<f32> {
    numbers(&v["data"]).into_iter().map(|v| v as f32).collect()
}

fn check_parameters(module: &dyn Module, expected: &Value) {
    for (name, t) in module.state_dict().iter() {
        near(&t.to_vec::<f64>(), &numbers(&expected[name.as_str()]["data"]), 1e-6, name);
    }
}

#[derive(Module)]
struct Line {
    weights: Parameter,
    bias: Parameter,
}

impl Forward for Line {
    fn forward(&self, x: &Tensor) -> Tensor {
        &self.weights * x + &self.bias
    }
}

impl Line {
    fn check(&self, expected: &Value) {
        let found = [self.weights.value().item(), self.bias.value().item()];
        assert_eq!(found, [&expected["weights"], &expected["bias"]].map(|v| v.as_f64().unwrap()));
    }
}

/// Linear regression: every digit of the ten lines, of all 200 losses, and of the parameters.
#[test]
fn linear_regression() {
    let (_seed, golden) = (seeded(), golden("a"));
    let x = Tensor::arange(0.0, 1.0, 0.02).unsqueeze(1);
    let y = 0.7 * &x + 0.3;
    let (x_train, y_train) = (x.slice(0, None, 40, 1), y.slice(0, None, 40, 1));
    let (x_test, y_test) = (x.slice(0, 40, None, 1), y.slice(0, 40, None, 1));

    manual_seed(42);
    let model = Line { weights: Parameter::new(Tensor::randn(1)), bias: Parameter::new(Tensor::randn(1)) };
    model.check(&golden["start"]);
    let predict = || inference_mode(|| model.forward(&x_test)).to_vec::<f32>();
    assert_eq!(predict(), elements(&golden["before"]));

    let loss_fn = nn::L1Loss::new();
    let mut optimizer = SGD::new(model.parameters(), 0.01);
    manual_seed(42);
    let (mut printed, mut losses) = (Vec::new(), Vec::new());
    for epoch in 0..100 {
        let loss = loss_fn.forward(&model.forward(&x_train), &y_train);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        let test_loss = inference_mode(|| loss_fn.forward(&model.forward(&x_test), &y_test));
        let (loss, test_loss) = (loss.item(), test_loss.item());
        losses.push(vec![loss, test_loss]);
        if epoch % 10 == 0 {
            printed.push(format!("Epoch: {epoch} | MAE Train Loss: {loss} | MAE Test Loss: {test_loss} "));
        }
    }
    assert_eq!(printed, lines(&golden["lines"]));
    let expected: Vec<Vec<f64>> = golden["losses"].as_array().unwrap().iter().map(numbers).collect();
    assert_eq!(losses, expected);
    model.check(&golden["end"]);
    assert_eq!(predict(), elements(&golden["after"]));
}

/// The complete training example: the loss of each batch, and each epoch's mean. Everything is drawn in
/// f32 and then converted.
fn complete_training(dtype: DType) -> (Vec<f64>, Vec<f64>) {
    manual_seed(42);
    let (x, y) = (Tensor::randn([1000, 10]), Tensor::randn([1000, 1]));
    let loader = DataLoader::new(TensorDataset::new((x, y))).batch_size(32).shuffle(true);
    let model = sequential![
        nn::Linear::new(10, 64),
        nn::ReLU::new(),
        nn::Linear::new(64, 32),
        nn::ReLU::new(),
        nn::Linear::new(32, 1)
    ];
    model.to_dtype(dtype);
    let loss_fn = nn::MSELoss::new();
    let mut optimizer = Adam::new(model.parameters(), 0.001);

    let (mut batches, mut averages) = (Vec::new(), Vec::new());
    for _epoch in 0..100 {
        let mut total = 0.0;
        for (inputs, targets) in &loader {
            optimizer.zero_grad();
            let loss = loss_fn.forward(&model.forward(&inputs.to_dtype(dtype)), &targets.to_dtype(dtype));
            loss.backward();
            optimizer.step();
            total += loss.item();
            batches.push(loss.item());
        }
        averages.push(total / loader.len() as f64);
    }
    (batches, averages)
}

/// What the example prints.
fn printed(averages: &[f64]) -> Vec<String> {
    let tenth = (10..=averages.len()).step_by(10);
    tenth.map(|epoch| format!("Epoch [{epoch}/100], Loss: {:.4}", averages[epoch - 1])).collect()
}

/// A whole training program: loader, three layers, Adam. Every printed digit is equal until a ReLU
/// flips after epoch 70, as it does between PyTorch's own builds; from there on runs are only alike.
#[test]
fn complete_training_in_f32() {
    let (_seed, golden) = (seeded(), golden("b"));
    let golden = &golden["f32"];
    let same = 70;
    let (batches, averages) = complete_training(DType::F32);
    assert_eq!(batches.len(), 100 * golden["batches"].as_u64().unwrap() as usize);
    near(&batches[..5], &numbers(&golden["first_batches"]), 1e-6, "batch");
    let expected = numbers(&golden["averages"]);
    near(&averages[..20], &expected[..20], 1e-6, "epoch");
    near(&averages[..same], &expected[..same], 1e-5, "epoch");
    near(&averages, &expected, 0.05, "epoch");
    assert_eq!(printed(&averages)[..same / 10], lines(&golden["lines"])[..same / 10]);
}

/// The same in f64, where rounding stays too small to flip a ReLU: all hundred epochs agree.
#[test]
fn complete_training_in_f64() {
    let (_seed, golden) = (seeded(), golden("b"));
    let golden = &golden["f64"];
    let (batches, averages) = complete_training(DType::F64);
    near(&batches[..5], &numbers(&golden["first_batches"]), 1e-12, "batch");
    near(&averages, &numbers(&golden["averages"]), 1e-6, "epoch");
    assert_eq!(printed(&averages), lines(&golden["lines"]));
}

#[derive(Module)]
struct Net {
    fc1: nn::Linear,
    fc2: nn::Linear,
}

impl Net {
    fn new() -> (Net, SGD) {
        let net = Net { fc1: nn::Linear::new(3, 10), fc2: nn::Linear::new(10, 2) };
        let optimizer = SGD::new(net.parameters(), 0.001);
        (net, optimizer)
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.fc2.forward(&self.fc1.forward(x).relu())
    }
}

/// One step; gives the loss.
fn train(loss: Tensor, optimizer: &mut SGD) -> f64 {
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    loss.item()
}

/// Checkpoints, the sum-loss example.
#[test]
fn checkpoint_of_a_summed_loss() {
    let (_seed, golden) = (seeded(), golden("c"));
    manual_seed(42);
    let (net, mut optimizer) = Net::new();
    let losses: Vec<f64> =
        (0..5).map(|_| train(net.forward(&Tensor::randn([5, 3])).sum(), &mut optimizer)).collect();
    // PyTorch's matrix product adds in another order: the last digit may differ.
    near(&losses, &numbers(&golden["sum_losses"]), 5e-7, "loss");
    let line = format!("Resuming training from epoch 5 with loss {}", losses[4]);
    assert_eq!(line, golden["sum_line"].as_str().unwrap());
}

/// Checkpoints, the labelled example: a resumed run is the straight run, bit for bit.
#[test]
fn checkpoint_and_resume() {
    let (_seed, golden) = (seeded(), golden("c"));
    manual_seed(42);
    let (net, mut optimizer) = Net::new();
    let data = Tensor::randn([100, 3]);
    let labels = Tensor::randint(0, 2, [100]);
    let step =
        |net: &Net, optimizer: &mut SGD| train(F::cross_entropy(&net.forward(&data), &labels), optimizer);
    let (mut losses, mut saved) = (Vec::new(), None);
    for epoch in 0..5 {
        losses.push(step(&net, &mut optimizer));
        if epoch == 3 {
            saved = Some((net.state_dict(), optimizer.state_dict()));
        }
    }
    near(&losses, &numbers(&golden["labelled_losses"]), 5e-7, "loss");
    let line = format!("Resuming training from epoch 4 with loss {}", losses[3]);
    assert_eq!(line, golden["labelled_line"].as_str().unwrap());

    let (resumed, mut optimizer) = Net::new();
    let (weights, state) = saved.unwrap();
    resumed.load_state_dict(&weights, true).unwrap();
    optimizer.load_state_dict(&state).unwrap();
    check_parameters(&resumed, &golden["after_epoch_3"]);
    assert_eq!(step(&resumed, &mut optimizer), losses[4]);
    check_parameters(&net, &golden["end"]);
    check_parameters(&resumed, &golden["end"]);
}
