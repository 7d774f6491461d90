//! A small convolutional network learns to tell pieces of clothing apart (Fashion-MNIST).
//!
//!     cargo run --release --example fashion_mnist                      # an excerpt, built in
//!     cargo run --release --example fashion_mnist -- --data DIR        # the full set
//!     cargo run --release --example fashion_mnist -- --resume          # go on after a kill, or for more epochs
//!     cargo run --release --example fashion_mnist -- --predict FILE    # classify with saved weights
//!
//! After each epoch it saves a checkpoint with all that the run is made of: weights, Adam's moments, the random
//! generator, the numbers so far. A run that was killed and resumed ends with the same bits as one that was not.
//! At the end look at `mistakes.png`: of many of them one would say the same as the network.

use clap::Parser;
use std::path::{Path, PathBuf};
use taper::data::{DataLoader, FASHION_CLASSES, Split, TensorDataset, mnist, mnist_from_bytes};
use taper::nn::{Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, sequential};
use taper::optim::Adam;
use taper::prelude::*;
use taper::train::plot::{Image, ImageGrid};
use taper::train::{Accuracy, Checkpoint, ConfusionMatrix, History, Mean, Progress, save_figure};

/// Trains a convolutional network on Fashion-MNIST, or classifies pictures with a trained one.
#[derive(Parser)]
struct Args {
    /// Folder with the full set (`train-images-idx3-ubyte.gz` and its three companions).
    #[arg(long)]
    data: Option<PathBuf>,
    /// Passes over the training pictures.
    #[arg(long, default_value_t = 3)]
    epochs: usize,
    /// Pictures per step.
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Learning rate of Adam.
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Seed of the initial weights and of the order of pictures.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Folder for weights, checkpoint, numbers and pictures.
    #[arg(long, default_value = "runs/fashion_mnist")]
    out: PathBuf,
    /// Goes on from the checkpoint in that folder, if there is one. Give the other options as before.
    #[arg(long)]
    resume: bool,
    /// Loads these weights and classifies test pictures instead of training.
    #[arg(long, value_name = "FILE")]
    predict: Option<PathBuf>,
    /// Where to train: `cpu`, `cuda` or `cuda:1` (CUDA needs `--features cuda`).
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Trains on the first pictures only; for a quick try.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn build() -> Sequential {
    sequential![
        Conv2d::new(1, 32, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Conv2d::new(32, 64, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(64 * 5 * 5, 128),
        ReLU::new(),
        Linear::new(128, 10),
    ]
}

/// Pictures `[N, 1, 28, 28]` in 0..1 and labels `[N]`, from the folder or from the excerpt built in.
fn load(folder: Option<&Path>, split: Split) -> taper::data::Result<(Tensor, Tensor)> {
    macro_rules! asset {
        ($name:literal) => {
            include_bytes!(concat!("../assets/fashion-mnist/", $name, "-ubyte.gz"))
        };
    }
    match (folder, split) {
        (Some(folder), split) => mnist(folder, split),
        (None, Split::Train) => mnist_from_bytes(asset!("train-images-idx3"), asset!("train-labels-idx1")),
        (None, Split::Test) => mnist_from_bytes(asset!("t10k-images-idx3"), asset!("t10k-labels-idx1")),
    }
}

/// Mean loss and what is taken for what over a set, without recording.
fn evaluate(model: &Sequential, images: &Tensor, labels: &Tensor) -> (f64, ConfusionMatrix) {
    model.eval();
    let device = model.parameters()[0].value().device();
    let (mut loss, mut matrix) = (Mean::new(), ConfusionMatrix::new(FASHION_CLASSES));
    no_grad(|| {
        let loader = DataLoader::new(TensorDataset::new((images.clone(), labels.clone()))).batch_size(500);
        for (x, y) in &loader {
            let (x, y) = (x.to_device(device), y.to_device(device));
            let scores = model.forward(&x);
            loss.add(F::cross_entropy(&scores, &y).item(), x.size(0));
            matrix.add(&scores, &y);
        }
    });
    model.train(true);
    (loss.value(), matrix)
}

fn train(args: &Args) -> Result<()> {
    manual_seed(args.seed);
    let device = args.device;
    println!("device {device}: {}", device.name()?);
    let (mut images, mut labels) = load(args.data.as_deref(), Split::Train)?;
    if let Some(n) = args.limit {
        let n = n.min(images.size(0));
        (images, labels) = (images.narrow(0, 0, n), labels.narrow(0, 0, n));
    }
    let (test_images, test_labels) = load(args.data.as_deref(), Split::Test)?;
    let total = images.size(0);
    println!("{total} training pictures, {} test pictures", test_images.size(0));

    let model = build();
    println!("{}", nn::summary(&model, [1, 1, 28, 28]));
    model.to_device(device);
    let mut optimizer = Adam::new(model.parameters(), args.lr);
    let loader =
        DataLoader::new(TensorDataset::new((images, labels))).batch_size(args.batch_size).shuffle(true);

    std::fs::create_dir_all(&args.out)?;
    let [checkpoint, best] =
        ["checkpoint", "best"].map(|name| args.out.join(name).with_extension("safetensors"));
    let mut history = History::new();
    let mut done = 0;
    if args.resume
        && let Some(saved) = Checkpoint::find(&checkpoint)?
    {
        saved.load_model(&model)?;
        saved.load("optimizer", &mut optimizer)?;
        saved.load("history", &mut history)?;
        done = saved.value("epoch")?;
        saved.restore_rng()?;
        println!("going on after epoch {done}");
    }

    for epoch in done + 1..=args.epochs {
        let (mut loss_mean, mut recent, mut accuracy) = (Mean::new(), Mean::new(), Accuracy::new());
        let progress = Progress::new(format!("epoch {epoch}"), total);
        for (x, y) in &loader {
            let (x, y) = (x.to_device(device), y.to_device(device));
            let scores = model.forward(&x);
            let loss = F::cross_entropy(&scores, &y);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            loss_mean.add(loss.item(), x.size(0));
            recent.add(loss.item(), 1);
            accuracy.add(&scores, &y);
            progress.advance(x.size(0));
            progress.message(format_args!("loss {:.4}", loss_mean.value()));
            if recent.count() == 20 {
                let part = progress.done() as f64 / total as f64;
                history.log("training/loss", (epoch - 1) as f64 + part, recent.value());
                recent.reset();
            }
        }
        let rate = total as f64 / progress.elapsed().as_secs_f64();
        drop(progress);
        let (val_loss, seen) = evaluate(&model, &test_images, &test_labels);
        let percent = 100.0 * seen.accuracy();
        println!(
            "epoch {epoch}/{}: train loss {:.4}, validation loss {val_loss:.4}, accuracy {percent:.2} %, {rate:.0} pictures/s",
            args.epochs,
            loss_mean.value(),
        );
        if history.get("validation/loss").all(|(_, earlier)| val_loss < earlier) {
            taper::save(&model.state_dict(), &best)?;
        }
        history.log("validation/loss", epoch as f64, val_loss);
        history.log("training/accuracy (%)", epoch as f64, 100.0 * accuracy.value());
        history.log("validation/accuracy (%)", epoch as f64, percent);
        Checkpoint::new()
            .model(&model)
            .with("optimizer", &optimizer)
            .with("history", &history)
            .value("epoch", epoch)
            .save(&checkpoint)?;
        history.save(args.out.join("history.csv"))?;
        history.save_curves(args.out.join("curves.png"), "epoch")?;
    }

    // What the best weights see.
    model.load_state_dict(&taper::load_state_dict(&best)?, true)?;
    let (loss, seen) = evaluate(&model, &test_images, &test_labels);
    println!(
        "best weights: validation loss {loss:.4}, accuracy {:.2} %\n\n{seen}\n",
        100.0 * seen.accuracy()
    );
    save_figure(&[seen.heatmap("Test pictures")], args.out.join("confusion.png"))?;
    save_figure(&[mistakes(&model, &test_images, &test_labels, 24)], args.out.join("mistakes.png"))?;
    println!("weights, checkpoint, numbers and pictures are in {}", args.out.display());
    Ok(())
}

/// A sheet of the pictures that the network is surest about and wrong.
fn mistakes(model: &Sequential, images: &Tensor, labels: &Tensor, count: usize) -> ImageGrid {
    model.eval();
    let device = model.parameters()[0].value().device();
    let scores: Vec<Tensor> = inference_mode(|| {
        images.split(500, 0).iter().map(|part| model.forward(&part.to_device(device))).collect()
    });
    let (sure, seen) = Tensor::cat(&scores, 0).softmax(1).max_dim(1, false);
    let (sure, seen, labels) = (sure.to_vec::<f32>(), seen.to_vec::<i64>(), labels.to_vec::<i64>());
    let mut wrong: Vec<usize> = (0..labels.len()).filter(|&i| seen[i] != labels[i]).collect();
    wrong.sort_by(|&a, &b| sure[b].total_cmp(&sure[a]));
    wrong.iter().take(count).fold(ImageGrid::new("Surest mistakes").columns(8), |sheet, &i| {
        let [label, guess] = [labels[i], seen[i]].map(|class| FASHION_CLASSES[class as usize]);
        let caption = format!("{label}\nseen as {guess}\n{:.1} % sure", 100.0 * sure[i]);
        sheet.image(Image::from_tensor(&images.select(0, i as isize)), caption)
    })
}

/// Classifies the first test pictures and shows them as text.
fn predict(args: &Args, weights: &Path) -> Result<()> {
    let model = build();
    println!("device {}: {}", args.device, args.device.name()?);
    model.to_device(args.device);
    model.load_state_dict(&taper::load_state_dict(weights)?, true)?;
    let (images, labels) = load(args.data.as_deref(), Split::Test)?;
    let (_, seen) = evaluate(&model, &images, &labels);
    model.eval();
    let first = images.narrow(0, 0, 4);
    let there = first.to_device(model.parameters()[0].value().device());
    let (confidence, class) = no_grad(|| model.forward(&there)).softmax(1).max_dim(1, false);
    for i in 0..4 {
        println!("{}", as_text(&first.select(0, i)));
        let [class, label] = [&class, &labels].map(|t| FASHION_CLASSES[t.select(0, i).item() as usize]);
        let percent = 100.0 * confidence.select(0, i).item();
        println!("this is a {label}; the network says {class} ({percent:.1} %)\n");
    }
    println!("accuracy on {} test pictures: {:.2} %", images.size(0), 100.0 * seen.accuracy());
    Ok(())
}

/// A picture in characters, dark to bright.
fn as_text(image: &Tensor) -> String {
    let (pixels, width) = (image.to_vec::<f32>(), image.size(-1));
    let ramp: Vec<char> = " .:-=+*#%@".chars().collect();
    let shade = |p: &f32| ramp[(p * (ramp.len() - 1) as f32).round() as usize];
    let rows = pixels.chunks(width).map(|row| row.iter().flat_map(|p| [shade(p); 2]).collect::<String>());
    rows.collect::<Vec<_>>().join("\n")
}

fn main() {
    let args = Args::parse();
    let done = match &args.predict {
        Some(weights) => predict(&args, weights),
        None => train(&args),
    };
    if let Err(e) = done {
        eprintln!("error: {e}");
        std::process::exit(1);
    }
}
