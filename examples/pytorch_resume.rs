//! Going on with a run that began in PyTorch, and giving it back: model, optimizer, schedule, the order
//! of the data and what dropout drops, all from one `.pt` file that `torch.save` wrote, and into one that
//! `torch.load` reads. Nothing is converted; a checkpoint of either is a checkpoint of both.
//!
//! By default it resumes a checkpoint of the tests after two of six epochs and prints its losses beside
//! those PyTorch went on with. `tests/pytorch/resume.py` is the other side; with PyTorch installed, it
//! sends a run to and fro and compares it with one that stayed at home.
//!
//!     cargo run --release --example pytorch_resume -- --optimizer adamw

use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};
use taper::nn::{BatchNorm2d, Conv2d, Dropout, Flatten, Linear, ReLU, Sequential, sequential};
use taper::optim::lr_scheduler::CosineAnnealingLR;
use taper::optim::{Adagrad, Adam, AdamW, AdamWOptions, RMSprop, RMSpropOptions, SGD, SGDOptions};
use taper::prelude::*;
use taper::train::Checkpoint;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Checkpoints of the tests, in this repository.
macro_rules! fixture {
    ($name:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/resume/", $name)
    };
}

/// Resumes a PyTorch checkpoint.
#[derive(Parser)]
struct Args {
    /// The algorithm that the checkpoint is of.
    #[arg(long, value_enum, default_value = "adam")]
    optimizer: Algorithm,
    /// A file of the tensors `x` and `y`.
    #[arg(long, default_value = fixture!("data.pt"))]
    data: PathBuf,
    /// The checkpoint to go on from [default: the tests' for the optimizer].
    #[arg(long)]
    from: Option<PathBuf>,
    /// Epochs to train.
    #[arg(long, default_value_t = 2)]
    epochs: usize,
    /// Where the checkpoint after them goes.
    #[arg(long, default_value = "runs/pytorch_resume/resumed.pt")]
    to: PathBuf,
    /// Seed of the weights before the checkpoint's replace them: it must not matter.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// The optimizers that can cross the border, as `tests/pytorch/resume.py` makes them.
#[derive(Clone, Copy, ValueEnum, Debug)]
pub(crate) enum Algorithm {
    Sgd,
    Adam,
    #[value(name = "adamw")]
    AdamW,
    #[value(name = "rmsprop")]
    RMSprop,
    Adagrad,
}

impl Algorithm {
    fn of(self, params: Vec<Parameter>) -> Box<dyn Optimizer> {
        match self {
            Algorithm::Sgd => {
                let options = SGDOptions { lr: 0.05, momentum: 0.9, nesterov: true, ..Default::default() };
                Box::new(SGD::with(params, options))
            }
            Algorithm::Adam => Box::new(Adam::new(params, 0.01)),
            Algorithm::AdamW => {
                let options = AdamWOptions { lr: 0.01, amsgrad: true, ..Default::default() };
                Box::new(AdamW::with(params, options))
            }
            Algorithm::RMSprop => {
                let options =
                    RMSpropOptions { lr: 0.001, momentum: 0.9, centered: true, ..Default::default() };
                Box::new(RMSprop::with(params, options))
            }
            Algorithm::Adagrad => Box::new(Adagrad::new(params, 0.01)),
        }
    }
}

/// All that a run is.
pub(crate) struct Run {
    model: Sequential,
    optimizer: Box<dyn Optimizer>,
    scheduler: CosineAnnealingLR,
    loader: DataLoader<TensorDataset>,
    /// Epochs done.
    pub(crate) epoch: usize,
    /// Of every batch.
    pub(crate) losses: Vec<f64>,
}

impl Run {
    /// A run at the point where a checkpoint left it.
    pub(crate) fn resume(optimizer: Algorithm, data: &Path, from: &Path) -> Result<Run> {
        let model = sequential![
            Conv2d::builder(1, 4, 3).bias(false).build(),
            BatchNorm2d::new(4),
            ReLU::new(),
            Flatten::new(),
            Dropout::new(0.3),
            Linear::new(144, 3),
        ];
        let mut optimizer = optimizer.of(model.parameters());
        let mut scheduler = CosineAnnealingLR::new(&mut *optimizer, 6, 0.0);
        let data = taper::load_state_dict(data)?;
        let column = |name: &str| data.get(name).cloned().ok_or(format!("the data have no `{name}`"));
        let dataset = TensorDataset::new((column("x")?, column("y")?));
        let loader = DataLoader::new(dataset).batch_size(16).shuffle(true);

        let saved = Checkpoint::load(from)?;
        saved.load_model(&model)?;
        saved.load("optimizer", &mut optimizer)?;
        saved.load("scheduler", &mut scheduler)?;
        let (epoch, losses) = (saved.value("epoch")?, saved.value("losses")?);
        // Last, because making the model drew from the generator.
        saved.restore_rng()?;
        Ok(Run { model, optimizer, scheduler, loader, epoch, losses })
    }

    /// One pass over the data.
    pub(crate) fn train_epoch(&mut self) {
        for (x, y) in &self.loader {
            let loss = F::cross_entropy(&self.model.forward(&x), &y);
            self.optimizer.zero_grad();
            loss.backward();
            self.optimizer.step();
            self.losses.push(loss.item());
        }
        self.scheduler.step(&mut *self.optimizer);
        self.epoch += 1;
    }

    /// Saves what `resume` reads, here and in PyTorch, and the generator's state with it.
    pub(crate) fn save(&self, path: &Path) -> Result {
        Checkpoint::new()
            .model(&self.model)
            .with("optimizer", &self.optimizer)
            .with("scheduler", &self.scheduler)
            .value("epoch", self.epoch)
            .value("losses", &self.losses)
            .save(path)?;
        Ok(())
    }
}

fn main() -> Result {
    let args = Args::parse();
    manual_seed(args.seed);
    let name = args.optimizer.to_possible_value().expect("none is skipped").get_name().to_string();
    let from = args.from.clone().unwrap_or(Path::new(fixture!("")).join(format!("{name}.pt")));
    let mut run = Run::resume(args.optimizer, &args.data, &from)?;
    let start = run.losses.len();
    println!("{} left off after epoch {} with loss {:.7}", from.display(), run.epoch, run.losses[start - 1]);
    for _ in 0..args.epochs {
        run.train_epoch();
    }
    // PyTorch's own way on is known for the checkpoints of the tests.
    let expected: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(fixture!("expected.json"))?)?;
    let pytorch = |i: usize| expected[&name]["losses"][i].as_f64().filter(|_| args.from.is_none());
    println!("batch  taper's loss  PyTorch's");
    for (i, loss) in run.losses.iter().enumerate().skip(start) {
        println!("{i:5}  {loss:12.7}  {}", pytorch(i).map_or("-".into(), |l| format!("{l:9.7}")));
    }
    if let Some(folder) = args.to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    run.save(&args.to)?;
    println!("after epoch {}: torch.load(\"{}\", weights_only=True)", run.epoch, args.to.display());
    Ok(())
}
