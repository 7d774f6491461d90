//! A line fitted by gradient descent: the first program of many PyTorch tutorials.
//!
//! Prints the same ten lines as PyTorch does for the same seed, digit for digit, and draws the line before and
//! after, and the losses. Look at the losses: the gradient of the absolute error has one size however far the
//! target is, so they fall in straight lines, until the prediction crosses the data; then points above and
//! below pull against each other, and it creeps.
//!
//!     cargo run --release --example linear_regression

use clap::Parser;
use std::path::PathBuf;
use taper::optim::SGD;
use taper::prelude::*;
use taper::train::{History, Plot, save_figure};

/// Fits y = 0.7·x + 0.3 with one weight and one bias.
#[derive(Parser)]
struct Args {
    /// Seed of the initial parameters.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Passes over the data.
    #[arg(long, default_value_t = 100)]
    epochs: usize,
    /// Learning rate.
    #[arg(long, default_value_t = 0.01)]
    lr: f64,
    /// The picture, `.png` or `.svg`.
    #[arg(long, default_value = "runs/linear_regression.png")]
    out: PathBuf,
}

#[derive(Module)]
struct LinearRegression {
    weights: Parameter,
    bias: Parameter,
}

impl LinearRegression {
    fn new() -> Self {
        LinearRegression { weights: Parameter::new(Tensor::randn(1)), bias: Parameter::new(Tensor::randn(1)) }
    }
}

impl Forward for LinearRegression {
    fn forward(&self, x: &Tensor) -> Tensor {
        &self.weights * x + &self.bias
    }
}

/// Columns `[N, 1]` as points.
fn points(x: &Tensor, y: &Tensor) -> Vec<(f64, f64)> {
    x.to_vec::<f64>().into_iter().zip(y.to_vec::<f64>()).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();

    let x = Tensor::arange(0.0, 1.0, 0.02).unsqueeze(1);
    let y = 0.7 * &x + 0.3;
    let split = (0.8 * x.size(0) as f64) as isize;
    let (x_train, y_train) = (x.slice(0, None, split, 1), y.slice(0, None, split, 1));
    let (x_test, y_test) = (x.slice(0, split, None, 1), y.slice(0, split, None, 1));

    manual_seed(args.seed);
    let model = LinearRegression::new();
    println!("before: {}", parameters(&model));
    let picture = |title: &str| {
        let line = inference_mode(|| model.forward(&x));
        Plot::new(title, "x", "y")
            .points("training data", points(&x_train, &y_train))
            .points("test data", points(&x_test, &y_test))
            .line("prediction", points(&x, &line))
    };
    let before = picture("Before");

    let loss_fn = nn::L1Loss::new();
    let mut optimizer = SGD::new(model.parameters(), args.lr);

    let mut history = History::new();
    manual_seed(args.seed);
    for epoch in 0..args.epochs {
        model.train(true);
        let prediction = model.forward(&x_train);
        let loss = loss_fn.forward(&prediction, &y_train);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();

        model.eval();
        let test_loss = inference_mode(|| loss_fn.forward(&model.forward(&x_test), &y_test));
        history.log("training", epoch as f64, loss.item());
        history.log("test", epoch as f64, test_loss.item());
        if epoch % 10 == 0 {
            println!(
                "Epoch: {epoch} | MAE Train Loss: {} | MAE Test Loss: {} ",
                loss.item(),
                test_loss.item()
            );
        }
    }
    println!("after: {}; the line is weights 0.7, bias 0.3", parameters(&model));

    let loss = Plot::new("Loss", "epoch", "mean absolute error")
        .line("training", history.get("training"))
        .line("test", history.get("test"));
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    save_figure(&[before, picture("After"), loss], &args.out)?;
    println!("pictures are in {}", args.out.display());
    Ok(())
}

fn parameters(model: &LinearRegression) -> String {
    format!("weights {}, bias {}", model.weights.value().item(), model.bias.value().item())
}
