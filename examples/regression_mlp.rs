//! The complete training program that PyTorch's tutorials end with: data set, loader, three dense
//! layers, Adam. Prints PyTorch's digits for the same seed, epoch after epoch: data, initial weights
//! and the order of every batch are the same. (From epoch 75 on a ReLU falls the other way after enough
//! roundings, as it does between two builds of PyTorch.)
//!
//! It teaches something else by the way: the targets are noise. The loss falls all the same, because
//! the network learns the noise by heart; on numbers it has not seen it only gets worse. So look at the
//! second curve before you believe the first.
//!
//!     cargo run --release --example regression_mlp

use clap::Parser;
use std::path::PathBuf;
use taper::nn::{Linear, ReLU, sequential};
use taper::optim::Adam;
use taper::prelude::*;
use taper::train::{Plot, Progress, save_figure};

/// Fits noise with three dense layers, in PyTorch's digits.
#[derive(Parser)]
struct Args {
    /// Seed of the data, the initial weights and the order of the batches.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Passes over the data.
    #[arg(long, default_value_t = 100)]
    epochs: usize,
    /// Samples per step.
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Learning rate of Adam.
    #[arg(long, default_value_t = 0.001)]
    lr: f64,
    /// Where to train: `cpu`, `cuda` or `cuda:1` (CUDA needs `--features cuda`).
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Where the curves are drawn.
    #[arg(long, default_value = "runs/regression_mlp.png")]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    // For the second curve; drawn first, so that the program below has the tutorial's random numbers.
    manual_seed(args.seed + 1);
    let (unseen_x, unseen_y) = (Tensor::randn([1000, 10]), Tensor::randn([1000, 1]));

    manual_seed(args.seed);
    let (x, y) = (Tensor::randn([1000, 10]), Tensor::randn([1000, 1]));
    println!("device {}: {}", args.device, args.device.name()?);
    let (unseen_x, unseen_y) = (unseen_x.to_device(args.device), unseen_y.to_device(args.device));
    let loader = DataLoader::new(TensorDataset::new((x, y))).batch_size(args.batch_size).shuffle(true);
    let model =
        sequential![Linear::new(10, 64), ReLU::new(), Linear::new(64, 32), ReLU::new(), Linear::new(32, 1)];
    model.to_device(args.device);
    let loss_fn = nn::MSELoss::new();
    let mut optimizer = Adam::new(model.parameters(), args.lr);

    let (mut curve, mut unseen_curve) = (vec![], vec![]);
    let progress = Progress::new("training", args.epochs);
    for epoch in 1..=args.epochs {
        let mut total = 0.0;
        for (inputs, targets) in &loader {
            let (inputs, targets) = (inputs.to_device(args.device), targets.to_device(args.device));
            optimizer.zero_grad();
            let loss = loss_fn.forward(&model.forward(&inputs), &targets);
            loss.backward();
            optimizer.step();
            total += loss.item();
        }
        let average = total / loader.len() as f64;
        let unseen = inference_mode(|| loss_fn.forward(&model.forward(&unseen_x), &unseen_y)).item();
        curve.push((epoch as f64, average));
        unseen_curve.push((epoch as f64, unseen));
        progress.advance(1);
        if epoch % 10 == 0 {
            progress.println(format_args!("Epoch [{epoch}/{}], Loss: {average:.4}", args.epochs));
        }
    }
    drop(progress);

    if let (Some((_, last)), Some((_, unseen))) = (curve.last(), unseen_curve.last()) {
        println!("mean squared error: {last:.4} on its own samples, {unseen:.4} on new ones");
        println!("(always answering 0 has 1: there was nothing to learn)");
    }
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let plot = Plot::new("Learning noise by heart", "epoch", "mean squared error")
        .line("seen", curve)
        .line("unseen", unseen_curve);
    save_figure(&[plot], &args.out)?;
    println!("curves are in {}", args.out.display());
    Ok(())
}
