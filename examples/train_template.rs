//! A whole training program to copy and make your own: a model, data in three parts, a learning rate that
//! steps down, early stopping that keeps the best weights, metrics, curves and a confusion matrix.
//!
//! The five places to change are marked `1.` to `5.`; the rest is the same for most classifiers. As it stands
//! it tells four noisy rings from each other, as well as their overlap allows.
//! For runs that are killed and go on, see `fashion_mnist` with `--resume`.
//!
//!     cargo run --release --example train_template
//!     cargo run --release --example train_template -- --help

use clap::Parser;
use std::f64::consts::TAU;
use std::path::PathBuf;
use taper::data::Subset;
use taper::nn::{CrossEntropyLoss, Dropout, Linear};
use taper::optim::{Adam, lr_scheduler::StepLR};
use taper::prelude::*;
use taper::train::{Accuracy, ConfusionMatrix, EarlyStopping, History, Mean, Progress, save_figure};

/// Trains a classifier with early stopping.
#[derive(Parser)]
struct Args {
    /// Seed of the data, the initial weights, dropout and the order of the batches.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Passes over the training data, at most.
    #[arg(long, default_value_t = 60)]
    epochs: usize,
    /// Samples per step.
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// Learning rate of Adam at the start.
    #[arg(long, default_value_t = 3e-3)]
    lr: f64,
    /// Epochs after which the learning rate halves.
    #[arg(long, default_value_t = 10)]
    step_size: usize,
    /// Epochs without a better validation loss before it stops.
    #[arg(long, default_value_t = 8)]
    patience: usize,
    /// Where to train: `cpu`, `cuda` or `cuda:1`; by default CUDA where there is a device (and `--features cuda`).
    #[arg(long)]
    device: Option<Device>,
    /// Folder for weights, numbers and pictures.
    #[arg(long, default_value = "runs/train_template")]
    out: PathBuf,
}

// 1. What the classes are called.
const CLASSES: [&str; 4] = ["inner", "second", "third", "outer"];

// 2. Your data: any `Dataset`. This one is in memory; see `taper::data` for readers of files.
type Data = TensorDataset<(Tensor, Tensor)>;

/// Points on four rings with noise, `[N, 2]`, and the ring of each, `[N]`.
fn dataset() -> Data {
    let n = 4000;
    let class = Tensor::randint(0, 4, n);
    let radius = 1.0 + class.to_dtype(DType::F32) + 0.3 * Tensor::randn(n);
    let angle = TAU * Tensor::rand(n);
    let points = Tensor::stack(&[&radius * angle.cos(), &radius * angle.sin()], 1);
    TensorDataset::new((points, class))
}

// 3. Your model.
#[derive(Module)]
struct Net {
    first: Linear,
    second: Linear,
    dropout: Dropout,
    out: Linear,
}

impl Net {
    fn new() -> Net {
        Net {
            first: Linear::new(2, 64),
            second: Linear::new(64, 64),
            dropout: Dropout::new(0.1),
            out: Linear::new(64, CLASSES.len()),
        }
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.first.forward(x).relu();
        let x = self.second.forward(&x).relu();
        self.out.forward(&self.dropout.forward(&x))
    }
}

/// One pass without training: the mean loss, and what is taken for what.
fn evaluate(
    model: &Net,
    loss_fn: &CrossEntropyLoss,
    loader: &DataLoader<Subset<Data>>,
    device: Device,
) -> (f64, ConfusionMatrix) {
    model.eval();
    let (mut loss, mut matrix) = (Mean::new(), ConfusionMatrix::new(CLASSES));
    inference_mode(|| {
        for (x, y) in loader {
            let (x, y) = (x.to_device(device), y.to_device(device));
            let scores = model.forward(&x);
            loss.add(loss_fn.forward(&scores, &y).item(), x.size(0));
            matrix.add(&scores, &y);
        }
    });
    model.train(true);
    (loss.value(), matrix)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    manual_seed(args.seed);
    let device = args.device.unwrap_or_else(Device::cuda_if_available);
    println!("device {device}: {}", device.name()?);

    // 70 % to learn from, 15 % to choose the best epoch by, 15 % that nothing is chosen by.
    let [train, validation, test] = random_split(dataset(), [0.7, 0.15, 0.15], None);
    let train = DataLoader::new(train).batch_size(args.batch_size).shuffle(true);
    let validation = DataLoader::new(validation).batch_size(500);
    let test = DataLoader::new(test).batch_size(500);

    let model = Net::new();
    model.to_device(device);
    println!("{}", nn::summary(&model, [1, 2]));

    // 4. Your loss, optimizer and schedule.
    let loss_fn = CrossEntropyLoss::new();
    let mut optimizer = Adam::new(model.parameters(), args.lr);
    let mut scheduler = StepLR::new(&mut optimizer, args.step_size, 0.5);
    let mut stopping = EarlyStopping::new().patience(args.patience);

    let mut history = History::new();
    for epoch in 1..=args.epochs {
        let (mut loss_mean, mut accuracy) = (Mean::new(), Accuracy::new());
        let progress = Progress::new(format!("epoch {epoch}"), train.len());
        for (x, y) in &train {
            let (x, y) = (x.to_device(device), y.to_device(device));
            let scores = model.forward(&x);
            let loss = loss_fn.forward(&scores, &y);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            loss_mean.add(loss.item(), x.size(0));
            accuracy.add(&scores, &y);
            progress.advance(1);
        }
        drop(progress);
        scheduler.step(&mut optimizer);

        // 5. What you want to see: each metric is a chart, each series a line in it.
        let (val_loss, seen) = evaluate(&model, &loss_fn, &validation, device);
        let at = epoch as f64;
        history.log("training/loss", at, loss_mean.value());
        history.log("validation/loss", at, val_loss);
        history.log("training/accuracy", at, accuracy.value());
        history.log("validation/accuracy", at, seen.accuracy());
        println!(
            "epoch {epoch:2}: loss {:.4}, validation loss {val_loss:.4}, accuracy {:.1} %, next rate {}",
            loss_mean.value(),
            100.0 * seen.accuracy(),
            scheduler.last_lr()[0]
        );
        if stopping.step(val_loss, &model) {
            println!("no better for {} epochs: enough", args.patience);
            break;
        }
    }

    // The weights of the best epoch, not of the last.
    stopping.restore(&model);
    let (loss, matrix) = evaluate(&model, &loss_fn, &test, device);
    if let Some(step) = stopping.best_step() {
        println!(
            "best epoch {}: test loss {loss:.4}, test accuracy {:.1} %\n",
            step + 1,
            100.0 * matrix.accuracy()
        );
    }
    println!("{matrix}\n");

    std::fs::create_dir_all(&args.out)?;
    taper::save(&model.state_dict(), args.out.join("best.safetensors"))?;
    history.save(args.out.join("history.csv"))?;
    history.save_curves(args.out.join("curves.png"), "epoch")?;
    save_figure(&[matrix.heatmap("Test set")], args.out.join("confusion.png"))?;
    println!("weights, numbers and pictures are in {}", args.out.display());
    Ok(())
}
