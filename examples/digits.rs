//! Which of several models is best, and how good is it? Small handwritten digits from a CSV file.
//!
//! Teaches how to answer both without fooling oneself. A part of the pictures is put away first. On the
//! rest each model is trained five times, each time judged on a fifth that it has not seen
//! (cross-validation); what the pictures are standardised by is computed without that fifth, too. The
//! best model is trained on the whole rest, and only then the part put away is looked at, once.
//!
//!     cargo run --release --example digits

use clap::Parser;
use std::path::{Path, PathBuf};
use taper::data::Table;
use taper::nn::{Dropout, Linear, ReLU, Sequential, sequential};
use taper::optim::Adam;
use taper::prelude::*;
use taper::train::{Accuracy, ConfusionMatrix, Image, ImageGrid, Progress, save_figure};

/// Chooses a network for 8×8 digits by cross-validation and tests it on pictures put away.
#[derive(Parser)]
struct Args {
    /// Table in the form of the one built in, plain or gzip: 64 numbers from 0 to 16, then the class.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Passes over the training pictures for each model.
    #[arg(long, default_value_t = 20)]
    epochs: usize,
    /// Parts of the cross-validation.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..=100))]
    folds: u64,
    /// Pictures per step.
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Learning rate of Adam.
    #[arg(long, default_value_t = 2e-3)]
    lr: f64,
    /// Seed of the parts, the initial weights and the order of pictures.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Where to train: `cpu`, `cuda` or `cuda:1` (CUDA needs `--features cuda`).
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Folder for the pictures.
    #[arg(long, default_value = "runs/digits")]
    out: PathBuf,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Makes a network with so many inputs and classes.
type Build = fn(usize, usize) -> Sequential;

/// The models to choose from.
const MODELS: [(&str, Build); 4] = [
    ("linear", |inputs, classes| sequential![Linear::new(inputs, classes)]),
    ("8 hidden", |inputs, classes| sequential![Linear::new(inputs, 8), ReLU::new(), Linear::new(8, classes)]),
    ("128 hidden", |inputs, classes| {
        sequential![Linear::new(inputs, 128), ReLU::new(), Linear::new(128, classes)]
    }),
    ("128 hidden, dropout", |inputs, classes| {
        sequential![Linear::new(inputs, 128), ReLU::new(), Dropout::new(0.3), Linear::new(128, classes)]
    }),
];

/// A network with the numbers its inputs are standardised by, which belong to it.
struct Classifier {
    network: Sequential,
    mean: Tensor,
    std: Tensor,
    device: Device,
}

impl Classifier {
    /// Trains on `x` `[N, D]` and `y` `[N]`.
    fn fit(build: Build, classes: usize, x: &Tensor, y: &Tensor, args: &Args) -> Self {
        // A pixel that is always white has no spread: left as it is.
        let std = x.std_dim([0], 1.0, false);
        let std = Tensor::where_(&std.gt(0.0), &std, Tensor::ones_like(&std));
        let network = build(x.size(1), classes);
        network.to_device(args.device);
        let model = Classifier { network, mean: x.mean_dim([0], false), std, device: args.device };
        let set = TensorDataset::new((model.standardise(x), y.clone()));
        let loader = DataLoader::new(set).batch_size(args.batch_size).shuffle(true);
        let mut optimizer = Adam::new(model.network.parameters(), args.lr);
        for _epoch in 0..args.epochs {
            for (x, y) in &loader {
                let (x, y) = (x.to_device(args.device), y.to_device(args.device));
                let loss = F::cross_entropy(&model.network.forward(&x), &y);
                optimizer.zero_grad();
                loss.backward();
                optimizer.step();
            }
        }
        model.network.eval();
        model
    }

    fn standardise(&self, x: &Tensor) -> Tensor {
        (x - &self.mean) / &self.std
    }

    fn scores(&self, x: &Tensor) -> Tensor {
        let x = self.standardise(x).to_device(self.device);
        no_grad(|| self.network.forward(&x)).to_device(Device::Cpu)
    }

    fn accuracy(&self, x: &Tensor, y: &Tensor) -> f64 {
        let mut accuracy = Accuracy::new();
        accuracy.add(&self.scores(x), y);
        100.0 * accuracy.value()
    }
}

/// Mean and standard deviation of the accuracies when each fold in turn is held out.
fn cross_validate(build: Build, classes: usize, x: &Tensor, y: &Tensor, args: &Args) -> (f64, f64) {
    let folds = Tensor::randperm(x.size(0)).chunk(args.folds as usize, 0);
    let accuracies: Vec<f64> = (0..folds.len())
        .map(|held_out| {
            let others: Vec<Tensor> = folds
                .iter()
                .enumerate()
                .filter(|(i, _)| *i != held_out)
                .map(|(_, fold)| fold.clone())
                .collect();
            let others = Tensor::cat(&others, 0);
            let model = Classifier::fit(build, classes, &x.index(&others), &y.index(&others), args);
            model.accuracy(&x.index(&folds[held_out]), &y.index(&folds[held_out]))
        })
        .collect();
    let accuracies = tensor(accuracies);
    (accuracies.mean().item(), accuracies.std().item())
}

/// Pictures `[N, 64]` with values from 0 to 16, their classes `[N]`, and the classes' names.
fn load(path: Option<&Path>) -> Result<(Tensor, Tensor, Vec<String>)> {
    let options = Table::options().header(false);
    let table = match path {
        Some(path) => options.read(path)?,
        None => options.read_from(&include_bytes!("../assets/digits/digits.csv.gz")[..], "digits.csv.gz")?,
    };
    let columns: Vec<&str> = table.columns().iter().map(String::as_str).collect();
    let (class, pixels) = columns.split_last().ok_or("the table is empty")?;
    if pixels.len() != 64 {
        return Err(
            format!("expected 64 pixels and a class in each line, found {} cells", columns.len()).into()
        );
    }
    let (y, names) = table.labels(class)?;
    Ok((table.numbers(pixels, DType::F32)?, y, names))
}

/// Confusion matrix and mistakes as pictures.
fn draw(model: &Classifier, x: &Tensor, y: &Tensor, names: &[String], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let scores = model.scores(x);
    let mut matrix = ConfusionMatrix::new(names);
    matrix.add(&scores, y);
    save_figure(&[matrix.heatmap("Pictures put away")], folder.join("confusion.png"))?;

    let guesses = scores.argmax(1, false);
    let mut sheet = ImageGrid::new("Mistakes").side(64.0);
    for i in guesses.ne(y).nonzero().to_vec::<i64>() {
        let [says, is] = [&guesses, y].map(|t| &names[t.index(i).item() as usize]);
        let ink = x.index(i).reshape([8, 8]) / 16.0;
        sheet = sheet.image(Image::from_tensor(&(1.0 - ink)), format!("{is}, seen as {says}"));
    }
    save_figure(&[sheet], folder.join("mistakes.png"))?;
    println!("confusion.png and mistakes.png are in {}", folder.display());
    Ok(())
}

fn run(args: &Args) -> Result<()> {
    manual_seed(args.seed);
    println!("device {}: {}", args.device, args.device.name()?);
    let (x, y, names) = load(args.data.as_deref())?;
    let set = TensorDataset::new((x, y));
    let [rest, test] = random_split(&set, [0.8, 0.2], None).map(|part| {
        let all: Vec<usize> = (0..part.len()).collect();
        part.batch(&all)
    });
    println!("{} pictures to choose with, {} put away", rest.0.size(0), test.0.size(0));

    let progress = Progress::new("cross-validation", MODELS.len());
    let mut best = (f64::NEG_INFINITY, MODELS[0]);
    for model in MODELS {
        let (mean, std) = cross_validate(model.1, names.len(), &rest.0, &rest.1, args);
        progress.advance(1);
        progress.println(format_args!("{:20} {mean:.2} % ± {std:.2} in {} folds", model.0, args.folds));
        if mean > best.0 {
            best = (mean, model);
        }
    }
    drop(progress);

    let (name, build) = best.1;
    let model = Classifier::fit(build, names.len(), &rest.0, &rest.1, args);
    println!("best: {name}; {:.2} % of the pictures put away are right", model.accuracy(&test.0, &test.1));
    draw(&model, &test.0, &test.1, &names, &args.out)
}

fn main() {
    if let Err(e) = run(&Args::parse()) {
        eprintln!("error: {e}");
        std::process::exit(1);
    }
}
