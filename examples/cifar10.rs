//! The convolutional network of the tutorials on small colour pictures, and what helps it when there are
//! few of them: augmentation and dropout.
//!
//! The pictures that are built in are Google's emoji at 32×32 in nine classes, in CIFAR-10's file format:
//! 1,529 to learn from, 377 to be tested on. So few that the network soon knows them by heart: the
//! training loss goes to nothing, while the validation loss turns and climbs. Pictures that are cut and
//! mirrored at random, and neurons that drop out, keep it from that; `--compare` shows how much each does.
//!
//!     cargo run --release --example cifar10                              # plain
//!     cargo run --release --example cifar10 -- --augment --dropout 0.5
//!     cargo run --release --example cifar10 -- --compare                 # all four, and a table
//!     cargo run --release --example cifar10 -- --data DIR                # CIFAR-10 itself, as binary files

use clap::Parser;
use std::path::{Path, PathBuf};
use std::time::Instant;
use taper::data::transforms::{Compose, Normalize, RandomCrop, RandomHorizontalFlip, ToTensor, Transform};
use taper::data::{CIFAR_CLASSES, Split, cifar10, cifar10_from};
use taper::nn::{Conv2d, Dropout, Flatten, Linear, MaxPool2d, ReLU, Sequential, sequential};
use taper::optim::Adam;
use taper::prelude::*;
use taper::train::{Accuracy, Mean, Plot, Progress, save_figure};

/// Trains a convolutional network on CIFAR-10 or on pictures in its form.
#[derive(Parser)]
struct Args {
    /// Folder with CIFAR-10's binary files (`data_batch_1.bin` to `data_batch_5.bin`, `test_batch.bin`).
    #[arg(long)]
    data: Option<PathBuf>,
    /// Passes over the training pictures.
    #[arg(long, default_value_t = 30)]
    epochs: usize,
    /// Pictures per step.
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Learning rate of Adam.
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Cuts and mirrors the training pictures at random.
    #[arg(long)]
    augment: bool,
    /// Probability that a neuron of the dense layer drops out while training.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    dropout: f64,
    /// Trains without both, with each, and with both (dropout 0.5 unless given), and compares.
    #[arg(long)]
    compare: bool,
    /// Threads that load pictures.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Seed of the initial weights, of the order and of the augmentation.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Where to train: `cpu`, `cuda` or `cuda:1` (CUDA needs `--features cuda`).
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Trains on the first pictures only; for a quick try.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Where the curves are drawn (.png or .svg).
    #[arg(long, default_value = "runs/cifar10.png")]
    out: PathBuf,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
type Pictures = TensorDataset<(Tensor, Tensor)>;

const EMOJI_CLASSES: [&str; 9] = [
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
    "Flags",
];

/// Pictures `[N, 3, 32, 32]` in bytes with labels `[N]`, from the folder or built in.
fn load(folder: Option<&Path>, split: Split) -> taper::data::Result<Pictures> {
    let pair = match (folder, split) {
        (Some(folder), split) => cifar10(folder, split)?,
        (None, Split::Train) => {
            cifar10_from(&include_bytes!("../assets/emoji/train.bin.gz")[..], "train.bin.gz")?
        }
        (None, Split::Test) => {
            cifar10_from(&include_bytes!("../assets/emoji/test.bin.gz")[..], "test.bin.gz")?
        }
    };
    Ok(TensorDataset::new(pair))
}

fn build(classes: usize, dropout: f64) -> Sequential {
    sequential![
        Conv2d::new(3, 32, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Conv2d::new(32, 64, 3),
        ReLU::new(),
        MaxPool2d::new(2),
        Flatten::new(),
        Linear::new(64 * 6 * 6, 128),
        ReLU::new(),
        Dropout::new(dropout),
        Linear::new(128, classes),
    ]
}

/// Bytes to numbers around 0, after cutting and mirroring if wanted. What is cut off on one side comes in
/// on the other as a border in the colour `border`.
fn transform(augment: bool, border: f64) -> Compose {
    let mut steps = Compose::new();
    if augment {
        let crop = RandomCrop::new(32).padding(4).fill(border);
        steps = steps.then(crop).then(RandomHorizontalFlip::new(0.5));
    }
    steps.then(ToTensor::new()).then(Normalize::new([0.5; 3], [0.5; 3]))
}

/// What a training run showed, epoch by epoch.
#[derive(Default)]
struct Curves {
    name: String,
    train_loss: Vec<(f64, f64)>,
    loss: Vec<(f64, f64)>,
    accuracy: Vec<(f64, f64)>,
    seconds: f64,
}

impl Curves {
    /// The epoch of the lowest validation loss, that loss, and the accuracy there.
    fn best(&self) -> (f64, f64, f64) {
        let lowest = (0..self.loss.len()).min_by(|&a, &b| self.loss[a].1.total_cmp(&self.loss[b].1));
        lowest.map_or((0.0, 0.0, 0.0), |i| (self.loss[i].0, self.loss[i].1, self.accuracy[i].1))
    }

    fn last(curve: &[(f64, f64)]) -> f64 {
        curve.last().map_or(0.0, |point| point.1)
    }
}

/// Mean loss and accuracy over a set, without recording.
fn evaluate(model: &Sequential, test: &Pictures) -> (f64, f64) {
    let transform = transform(false, 0.0);
    let set = test.clone().map(move |(x, y)| (transform.apply(&x), y));
    let (mut loss, mut accuracy) = (Mean::new(), Accuracy::new());
    let device = model.parameters()[0].value().device();
    model.eval();
    no_grad(|| {
        for (x, y) in &DataLoader::new(set).batch_size(256) {
            let (x, y) = (x.to_device(device), y.to_device(device));
            let scores = model.forward(&x);
            loss.add(F::cross_entropy(&scores, &y).item(), x.size(0));
            accuracy.add(&scores, &y);
        }
    });
    model.train(true);
    (loss.value(), 100.0 * accuracy.value())
}

fn train(args: &Args, data: (&Pictures, &Pictures), classes: usize, augment: bool, dropout: f64) -> Curves {
    manual_seed(args.seed);
    let name = match (augment, dropout > 0.0) {
        (false, false) => "plain".to_string(),
        (true, false) => "augmentation".to_string(),
        (false, true) => format!("dropout {dropout}"),
        (true, true) => format!("both (dropout {dropout})"),
    };
    // Emoji stand on white.
    let transform = transform(augment, if args.data.is_some() { 0.0 } else { 255.0 });
    let set = data.0.clone().map(move |(x, y)| (transform.apply(&x), y));
    let total = set.len();
    let loader = DataLoader::new(set).batch_size(args.batch_size).shuffle(true).num_workers(args.workers);
    let model = build(classes, dropout);
    model.to_device(args.device);
    let mut optimizer = Adam::new(model.parameters(), args.lr);

    let start = Instant::now();
    let mut curves = Curves { name, ..Curves::default() };
    for epoch in 1..=args.epochs {
        let mut mean = Mean::new();
        let progress = Progress::new(format!("{}, epoch {epoch}", curves.name), total);
        for (x, y) in &loader {
            let (x, y) = (x.to_device(args.device), y.to_device(args.device));
            let loss = F::cross_entropy(&model.forward(&x), &y);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            mean.add(loss.item(), x.size(0));
            progress.advance(x.size(0));
            progress.message(format_args!("loss {:.4}", mean.value()));
        }
        drop(progress);
        let (loss, accuracy) = evaluate(&model, data.1);
        println!(
            "{}, epoch {epoch}/{}: train loss {:.4}, validation loss {loss:.4}, accuracy {accuracy:.1} %",
            curves.name,
            args.epochs,
            mean.value()
        );
        curves.train_loss.push((epoch as f64, mean.value()));
        curves.loss.push((epoch as f64, loss));
        curves.accuracy.push((epoch as f64, accuracy));
    }
    curves.seconds = start.elapsed().as_secs_f64();
    curves
}

/// One line for each run: where its validation loss was lowest, and where it ended.
fn table(runs: &[Curves]) {
    println!(
        "\n{:<20} {:>10} {:>10} {:>12} {:>12} {:>12} {:>8}",
        "", "lowest", "in epoch", "accuracy", "last", "accuracy", "time"
    );
    println!(
        "{:<20} {:>10} {:>10} {:>12} {:>12} {:>12} {:>8}",
        "", "val. loss", "", "there", "val. loss", "at the end", ""
    );
    for run in runs {
        let (epoch, loss, accuracy) = run.best();
        let (last_loss, last) = (Curves::last(&run.loss), Curves::last(&run.accuracy));
        println!(
            "{:<20} {loss:>10.3} {epoch:>10} {accuracy:>10.1} % {last_loss:>12.3} {last:>10.1} % {:>6.0} s",
            run.name, run.seconds
        );
    }
}

fn run(args: &Args) -> Result<()> {
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    println!("device {}: {}", args.device, args.device.name()?);
    let mut pictures = load(args.data.as_deref(), Split::Train)?;
    if let Some(n) = args.limit {
        let (x, y) = pictures.tensors();
        let n = n.min(x.size(0));
        pictures = TensorDataset::new((x.narrow(0, 0, n), y.narrow(0, 0, n)));
    }
    let test = load(args.data.as_deref(), Split::Test)?;
    let classes: &[&str] = if args.data.is_some() { &CIFAR_CLASSES } else { &EMOJI_CLASSES };
    let labels = test.tensors().1.to_vec::<i64>();
    let most = (0..classes.len() as i64).map(|class| labels.iter().filter(|&&l| l == class).count()).max();
    println!("{} training pictures, {} test pictures, {} classes", pictures.len(), test.len(), classes.len());
    println!(
        "always the most frequent class would be right for {:.1} %",
        100.0 * most.unwrap_or(0) as f64 / labels.len().max(1) as f64
    );
    println!("{}", nn::summary(&build(classes.len(), args.dropout), [1, 3, 32, 32]));

    let p = if args.compare && args.dropout == 0.0 { 0.5 } else { args.dropout };
    let variants = match args.compare {
        true => vec![(false, 0.0), (true, 0.0), (false, p), (true, p)],
        false => vec![(args.augment, p)],
    };
    let one = |(augment, dropout)| train(args, (&pictures, &test), classes.len(), augment, dropout);
    let runs: Vec<Curves> = variants.into_iter().map(one).collect();
    table(&runs);

    let of_loss = if args.compare { "Validation loss" } else { "Loss" };
    let mut loss = Plot::new(of_loss, "epoch", "cross-entropy");
    let mut accuracy = Plot::new("Accuracy", "epoch", "% of test pictures");
    for run in &runs {
        match args.compare {
            true => loss = loss.line(&run.name, run.loss.clone()),
            false => {
                loss = loss.line("training", run.train_loss.clone()).line("validation", run.loss.clone())
            }
        }
        accuracy = accuracy.line(if args.compare { &run.name } else { "validation" }, run.accuracy.clone());
    }
    if args.compare {
        // Four pairs of curves in one panel could not be read: training has its own.
        let of_training =
            runs.iter().fold(Plot::new("Training loss", "epoch", "cross-entropy"), |plot, run| {
                plot.line(&run.name, run.train_loss.clone())
            });
        save_figure(&[of_training, loss, accuracy], &args.out)?;
    } else {
        save_figure(&[loss, accuracy], &args.out)?;
    }
    println!("curves are in {}", args.out.display());
    Ok(())
}

fn main() {
    let args = Args::parse();
    if let Err(e) = run(&args) {
        eprintln!("error: {e}");
        std::process::exit(1);
    }
}
