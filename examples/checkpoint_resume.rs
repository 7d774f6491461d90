//! Saving a training run and going on with it, as PyTorch's tutorials on checkpoints do, with their
//! numbers (up to the seventh digit: matrix products add in another order): first the losses of five
//! steps with a checkpoint behind each, then a run that is resumed from its fourth epoch and goes on as
//! the straight run did, bit for bit.
//!
//! The third part is for you to break. It trains for some seconds, with everything that could go astray:
//! shuffling, random crops, worker threads, dropout, Adam, a schedule. Stop it at any moment with Ctrl-C
//! or `kill -9`, start it again, and it goes on where it was; the number it prints at the end is the
//! same however often you do.
//!
//!     cargo run --release --example checkpoint_resume

use clap::Parser;
use std::path::{Path, PathBuf};
use std::time::Duration;
use taper::data::Dataset;
use taper::nn::{BatchNorm1d, Dropout, Linear, ReLU, sequential};
use taper::optim::lr_scheduler::CosineAnnealingLR;
use taper::optim::{Adam, SGD};
use taper::prelude::*;
use taper::train::{Checkpoint, Mean, Progress};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Checkpoints: saves, resumes, and lets you kill it.
#[derive(Parser)]
struct Args {
    /// Seed of the initial weights and the data.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Epochs of the part to be killed.
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// Milliseconds that each of its steps takes at least.
    #[arg(long, default_value_t = 20)]
    pause: u64,
    /// Start the part to be killed anew.
    #[arg(long)]
    fresh: bool,
    /// Where the checkpoints go.
    #[arg(long, default_value = "runs/checkpoint_resume")]
    out: PathBuf,
}

fn main() -> Result {
    let args = Args::parse();
    std::fs::create_dir_all(&args.out)?;
    five_steps(args.seed, &args.out.join("sum_loss.safetensors"))?;
    straight_and_resumed(args.seed, &args.out)?;
    kill_me(&args, &args.out.join("killed.safetensors"))
}

#[derive(Module)]
struct Net {
    fc1: Linear,
    fc2: Linear,
}

impl Net {
    fn new() -> (Net, SGD) {
        let net = Net { fc1: Linear::new(3, 10), fc2: Linear::new(10, 2) };
        let optimizer = SGD::new(net.parameters(), 0.001);
        (net, optimizer)
    }
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        self.fc2.forward(&self.fc1.forward(x).relu())
    }
}

/// One step down a loss.
fn step(loss: &Tensor, optimizer: &mut SGD) {
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
}

/// The first tutorial: what to put into a checkpoint and how to get it out.
fn five_steps(seed: u64, path: &Path) -> Result {
    manual_seed(seed);
    let (model, mut optimizer) = Net::new();
    for epoch in 1..=5 {
        let loss = model.forward(&Tensor::randn([5, 3])).sum();
        step(&loss, &mut optimizer);
        println!("epoch {epoch}: loss {}", loss.item());
        Checkpoint::new()
            .model(&model)
            .with("optimizer", &optimizer)
            .value("epoch", epoch)
            .value("loss", loss.item())
            .save(path)?;
    }

    let (model, mut optimizer) = Net::new();
    let saved = Checkpoint::load(path)?;
    saved.load_model(&model)?;
    saved.load("optimizer", &mut optimizer)?;
    let (epoch, loss): (usize, f64) = (saved.value("epoch")?, saved.value("loss")?);
    println!("Resuming training from epoch {epoch} with loss {loss}\n");
    Ok(())
}

/// The second: a checkpoint per epoch, and the run goes on from one of them.
fn straight_and_resumed(seed: u64, folder: &Path) -> Result {
    let path = |epoch: usize| folder.join(format!("epoch_{epoch}.safetensors"));
    manual_seed(seed);
    let (model, mut optimizer) = Net::new();
    let (data, labels) = (Tensor::randn([100, 3]), Tensor::randint(0, 2, [100]));
    for epoch in 0..5 {
        let loss = F::cross_entropy(&model.forward(&data), &labels);
        step(&loss, &mut optimizer);
        println!("epoch {epoch}: loss {}", loss.item());
        Checkpoint::new()
            .model(&model)
            .with("optimizer", &optimizer)
            .value("epoch", epoch)
            .value("loss", loss.item())
            .save(path(epoch))?;
    }

    // Other weights, until the checkpoint replaces them.
    let (resumed, mut optimizer) = Net::new();
    let saved = Checkpoint::load(path(3))?;
    saved.load_model(&resumed)?;
    saved.load("optimizer", &mut optimizer)?;
    let start = saved.value::<usize>("epoch")? + 1;
    println!("Resuming training from epoch {start} with loss {}", saved.value::<f64>("loss")?);
    for _epoch in start..5 {
        step(&F::cross_entropy(&resumed.forward(&data), &labels), &mut optimizer);
    }
    let same = model.state_dict().iter().zip(resumed.state_dict().iter()).all(|(a, b)| a.1.equal(b.1));
    println!("resumed run = straight run, bit for bit: {same}\n");
    Ok(())
}

/// A random piece of a noisy wave; which of four waves is to be told.
struct Waves;

impl Dataset for Waves {
    type Item = (Tensor, Tensor);
    fn len(&self) -> usize {
        640
    }
    fn get(&self, index: usize) -> Self::Item {
        let class = index % 4;
        let start = Tensor::rand(()).item() * 10.0;
        let wave = (Tensor::linspace(start, start + 6.0, 32) * (class + 1) as f64).sin();
        (wave + 0.5 * Tensor::randn([32]), Tensor::full_with((), class as i64, DType::I64))
    }
}

/// A run that can be killed at any moment. A checkpoint every third step, in the middle of epochs too,
/// holds everything: the loader knows which batch comes next, the generator which number.
fn kill_me(args: &Args, path: &Path) -> Result {
    if args.fresh && path.exists() {
        std::fs::remove_file(path)?;
    }
    manual_seed(args.seed);
    let model = sequential![
        Linear::new(32, 64),
        BatchNorm1d::new(64),
        ReLU::new(),
        Dropout::new(0.2),
        Linear::new(64, 4)
    ];
    let loader = DataLoader::new(Waves).batch_size(32).shuffle(true).num_workers(2);
    let mut optimizer = Adam::new(model.parameters(), 0.01);
    let mut scheduler = CosineAnnealingLR::new(&mut optimizer, args.epochs * loader.len(), 0.0);
    let (mut mean, mut start, mut steps) = (Mean::new(), 0, 0);

    if let Some(saved) = Checkpoint::find(path)? {
        saved.load_model(&model)?;
        saved.load("optimizer", &mut optimizer)?;
        saved.load("scheduler", &mut scheduler)?;
        saved.load("loader", &mut &loader)?;
        saved.load("loss", &mut mean)?;
        (start, steps) = (saved.value("epoch")?, saved.value("steps")?);
        // Last, because making the model drew from it.
        saved.restore_rng()?;
        println!("going on behind step {steps} (--fresh starts anew)");
    }

    let progress = Progress::new("kill me", args.epochs * loader.len());
    progress.advance(steps);
    for epoch in start..args.epochs {
        for (x, y) in &loader {
            let loss = F::cross_entropy(&model.forward(&x), &y);
            optimizer.zero_grad();
            loss.backward();
            optimizer.step();
            scheduler.step(&mut optimizer);
            mean.add(loss.item(), x.size(0));
            steps += 1;
            if steps % 3 == 0 {
                Checkpoint::new()
                    .model(&model)
                    .with("optimizer", &optimizer)
                    .with("scheduler", &scheduler)
                    .with("loader", &loader)
                    .with("loss", &mean)
                    .value("epoch", epoch)
                    .value("steps", steps)
                    .save(path)?;
            }
            progress.advance(1);
            std::thread::sleep(Duration::from_millis(args.pause));
        }
        progress.println(format!("epoch {epoch}: loss {:.6}", mean.value()));
        mean.reset();
    }
    let end = model.state_dict().values().map(|t| t.to_dtype(DType::F64).abs().sum().item()).sum::<f64>();
    println!("done after {steps} steps; all weights add up to {end}");
    Ok(())
}
