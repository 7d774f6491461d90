//! A network bends the plane: three arms of a spiral, which no straight line parts, are told apart by two
//! hidden layers. It draws where the network sees which arm (the decision boundary), before and after.
//!
//! What to look at: with `--width 3` the borders are a few straight pieces; the wider, the rounder.
//! The whole set is one batch here, so a step of the optimizer is an epoch.
//!
//!     cargo run --release --example spiral

use clap::Parser;
use std::f64::consts::TAU;
use std::path::PathBuf;
use taper::nn::{Linear, ReLU, Sequential, sequential};
use taper::optim::Adam;
use taper::prelude::*;
use taper::train::{Accuracy, History, Panel, Plot, Progress, save_figure};

/// Tells the arms of a spiral apart and draws the regions.
#[derive(Parser)]
struct Args {
    /// Seed of the points and of the initial weights.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Arms of the spiral.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(2..=8))]
    arms: u64,
    /// Training points of each arm.
    #[arg(long, default_value_t = 100)]
    points: usize,
    /// Standard deviation of the noise on the angle.
    #[arg(long, default_value_t = 0.2)]
    noise: f64,
    /// Neurons in each of the two hidden layers.
    #[arg(long, default_value_t = 64)]
    width: usize,
    /// Steps of Adam.
    #[arg(long, default_value_t = 500)]
    steps: usize,
    /// Learning rate.
    #[arg(long, default_value_t = 0.01)]
    lr: f64,
    /// Where to train: `cpu`, `cuda` or `cuda:1` (CUDA needs `--features cuda`).
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// The picture, `.png` or `.svg`.
    #[arg(long, default_value = "runs/spiral.png")]
    out: PathBuf,
}

/// Points `[arms · n, 2]` and the arm of each. Going out, an arm turns by two thirds of a circle.
fn spiral(arms: usize, n: usize, noise: f64) -> (Tensor, Tensor) {
    let arm = |k: usize| {
        let radius = Tensor::linspace(0.05, 1.0, n);
        let angle = &radius * 4.0 + TAU * k as f64 / arms as f64 + noise * Tensor::randn(n);
        Tensor::stack(&[&radius * angle.sin(), &radius * angle.cos()], 1)
    };
    let points: Vec<Tensor> = (0..arms).map(arm).collect();
    let labels: Vec<i64> = (0..arms * n).map(|i| (i / n) as i64).collect();
    (Tensor::cat(&points, 0), Tensor::from_vec(labels, [arms * n]))
}

/// The plane in the colours of the arms that the network sees, and the points on it.
fn picture(title: &str, model: &Sequential, x: &Tensor, y: &Tensor, arms: usize) -> Plot {
    let range = (-1.15, 1.15);
    let plot = Plot::new(title, "x", "y").size(400.0, 400.0);
    let plot = plot.regions(range, range, |grid| {
        let grid = grid.to_device(x.device());
        inference_mode(|| model.forward(&grid).softmax(1))
    });
    let (places, labels) = (x.to_vec::<f64>(), y.to_vec::<i64>());
    (0..arms).fold(plot, |plot, arm| {
        let own = places.chunks(2).zip(&labels).filter(|(_, label)| **label == arm as i64);
        plot.points(format!("arm {}", arm + 1), own.map(|(p, _)| (p[0], p[1])))
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let arms = args.arms as usize;
    manual_seed(args.seed);
    let (x, y) = spiral(arms, args.points, args.noise);
    let (new_x, new_y) = spiral(arms, 1000, args.noise);
    println!("device {}: {}", args.device, args.device.name()?);
    let [x, y, new_x, new_y] = [x, y, new_x, new_y].map(|t| t.to_device(args.device));

    let w = args.width;
    let model =
        sequential![Linear::new(2, w), ReLU::new(), Linear::new(w, w), ReLU::new(), Linear::new(w, arms)];
    model.to_device(args.device);
    let mut optimizer = Adam::new(model.parameters(), args.lr);
    let before = picture("Before", &model, &x, &y, arms);

    let mut history = History::new();
    let progress = Progress::new("training", args.steps);
    for step in 1..=args.steps {
        let loss = F::cross_entropy(&model.forward(&x), &y);
        optimizer.zero_grad();
        loss.backward();
        optimizer.step();
        history.log("training", step as f64, loss.item());
        if step % 10 == 0 {
            let new_loss = inference_mode(|| F::cross_entropy(&model.forward(&new_x), &new_y));
            history.log("new points", step as f64, new_loss.item());
        }
        progress.advance(1);
        progress.message(format_args!("loss {:.4}", loss.item()));
    }
    drop(progress);

    let accuracy = |x: &Tensor, y: &Tensor| {
        let mut accuracy = Accuracy::new();
        accuracy.add(&inference_mode(|| model.forward(x)), y);
        100.0 * accuracy.value()
    };
    println!("{:.1} % of the {} points are told apart", accuracy(&x, &y), x.size(0));
    println!("{:.1} % of {} new ones", accuracy(&new_x, &new_y), new_x.size(0));

    let after = picture("After", &model, &x, &y, arms);
    let loss = Plot::new("Loss", "step", "cross-entropy").size(440.0, 400.0);
    let loss = ["training", "new points"].iter().fold(loss, |plot, name| plot.line(*name, history.get(name)));
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    save_figure(&[&before as &dyn Panel, &after, &loss], &args.out)?;
    println!("the plane before and after is in {}", args.out.display());
    Ok(())
}
