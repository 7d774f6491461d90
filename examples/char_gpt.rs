//! A small GPT learns to write like Melville, one character after the other.
//!
//! [`Block`] is attention and two dense layers, [`Gpt`] a stack of them between an embedding and scores for
//! the next character. Every place in a window of text is trained at once: a causal mask keeps each from
//! seeing what it has to guess.
//!
//!     cargo run --release --example char_gpt                       # an excerpt of Moby-Dick, built in
//!     cargo run --release --example char_gpt -- --data moby.txt    # the whole book: assets/moby-dick/README.md
//!     cargo run --release --example char_gpt -- --sample runs/char_gpt.safetensors --prompt "The whale"
//!
//! Loss is in nats per character on the last tenth of the text. Counting single characters gives 3.12 on
//! the whole book, pairs 2.46, triples 2.01.

use clap::Parser;
use std::path::{Path, PathBuf};
use taper::State;
use taper::data::{CharVocab, RandomSampler, TextDataset, read_text};
use taper::nn::{Embedding, LayerNorm, Linear, init};
use taper::optim::lr_scheduler::{OneCycleLR, OneCycleOptions};
use taper::optim::{AdamW, AdamWOptions, clip_grad_norm_};
use taper::prelude::*;
use taper::train::{History, Mean, Progress};

/// Trains a character-level transformer, or writes text with a trained one.
#[derive(Parser)]
struct Args {
    /// Text to learn from (UTF-8); an excerpt of Moby-Dick is built in.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Training steps.
    #[arg(long, default_value_t = 3000)]
    steps: usize,
    /// Windows of text per step.
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// Characters in a window.
    #[arg(long, default_value_t = 64)]
    context: usize,
    /// Width of the network; a multiple of 32, the width of a head of attention.
    #[arg(long, default_value_t = 128, value_parser = width)]
    width: usize,
    /// Number of blocks.
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Share of activations dropped while training; helps small texts in long runs.
    #[arg(long, default_value_t = 0.0)]
    dropout: f64,
    /// Highest learning rate.
    #[arg(long, default_value_t = 3e-3)]
    lr: f64,
    /// Seed of the initial weights, the windows and the writing.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Where to train: `cpu`, `cuda` or `cuda:1` (CUDA needs `--features cuda`).
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Where the weights are saved; the curves stand beside them.
    #[arg(long, default_value = "runs/char_gpt.safetensors")]
    out: PathBuf,
    /// Writes with these weights instead of training.
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
    /// What the text begins with.
    #[arg(long, default_value = "\n")]
    prompt: String,
    /// Characters to write.
    #[arg(long, default_value_t = 500)]
    length: usize,
    /// Below 1 the likely becomes likelier; 0 always takes the likeliest.
    #[arg(long, default_value_t = 0.8)]
    temperature: f64,
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Width of a head of attention.
const HEAD: isize = 32;

fn width(text: &str) -> std::result::Result<usize, String> {
    match text.parse::<usize>() {
        Ok(width) if width > 0 && width.is_multiple_of(HEAD as usize) => Ok(width),
        _ => Err(format!("expected a multiple of {HEAD}")),
    }
}

/// Attention to what came before, then two dense layers; both add to what goes past them.
#[derive(Module)]
struct Block {
    norm1: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
    dropout: nn::Dropout,
}

impl Block {
    fn new(width: usize, dropout: f64) -> Self {
        Block {
            norm1: LayerNorm::new(width),
            query: Linear::new(width, width),
            key: Linear::new(width, width),
            value: Linear::new(width, width),
            out: Linear::new(width, width),
            norm2: LayerNorm::new(width),
            up: Linear::new(width, 4 * width),
            down: Linear::new(4 * width, width),
            dropout: nn::Dropout::new(dropout),
        }
    }

    /// Each head finds by its queries and keys which earlier places matter, and takes their values.
    fn attend(&self, x: &Tensor) -> Tensor {
        // [batch, length, width] to [batch, heads, length, HEAD].
        let [q, k, v] = [&self.query, &self.key, &self.value]
            .map(|linear| linear.forward(x).unflatten(-1, [-1, HEAD]).transpose(1, 2));
        let y = F::scaled_dot_product_attention(&q, &k, &v, None, 0.0, true, None);
        self.out.forward(&y.transpose(1, 2).flatten(2, 3))
    }
}

impl Forward for Block {
    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x + self.dropout.forward(&self.attend(&self.norm1.forward(x)));
        let hidden = self.up.forward(&self.norm2.forward(&x)).gelu();
        &x + self.dropout.forward(&self.down.forward(&hidden))
    }
}

/// Scores `[batch, length, characters]` for the character after each of `[batch, length]`.
#[derive(Module)]
struct Gpt {
    token: Embedding,
    position: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Gpt {
    fn new(characters: usize, context: usize, width: usize, layers: usize, dropout: f64) -> Self {
        let model = Gpt {
            token: Embedding::new(characters, width),
            position: Embedding::new(context, width),
            blocks: (0..layers).map(|_| Block::new(width, dropout)).collect(),
            norm: LayerNorm::new(width),
            head: Linear::builder(width, characters).bias(false).build(),
        };
        // As GPT-2 begins: small embeddings, and blocks that at first hardly change what goes past them.
        for embedding in [&model.token, &model.position] {
            init::normal_(&embedding.weight, 0.0, 0.02);
        }
        for block in &model.blocks {
            for last in [&block.out, &block.down] {
                init::normal_(&last.weight, 0.0, 0.02 / (2.0 * layers as f64).sqrt());
            }
        }
        model
    }

    /// The model of a file, whose weights tell its sizes, and the characters it knows.
    fn load(path: &Path) -> Result<(Self, CharVocab)> {
        let wrong = |what: &str| format!("{}: {what}; this example did not write it", path.display());
        let file = taper::load(path)?;
        let symbols = file.get("symbols").and_then(State::as_str).ok_or(wrong("there are no symbols"))?;
        let vocabulary = CharVocab::new(symbols);
        let weights = file.get("model").and_then(State::to_state_dict).ok_or(wrong("there is no model"))?;
        let layers = (0..).take_while(|i| weights.contains_key(&format!("blocks.{i}.out.weight"))).count();
        let model = match weights.get("position.weight").map(Tensor::shape) {
            Some(&[context, width]) if width % HEAD as usize == 0 => {
                Gpt::new(vocabulary.len(), context, width, layers, 0.0)
            }
            _ => return Err(wrong("there are no positions").into()),
        };
        model.load_state_dict(&weights, true)?;
        Ok((model, vocabulary))
    }

    fn save(&self, vocabulary: &CharVocab, path: &Path) -> Result<()> {
        let parts = [("symbols", vocabulary.symbols().as_str().into()), ("model", self.state_dict().into())];
        Ok(taper::save(&State::map(parts), path)?)
    }

    fn context(&self) -> usize {
        self.position.weight.shape()[0]
    }

    fn device(&self) -> Device {
        self.position.weight.value().device()
    }

    /// Goes on with a text, character by character.
    fn write(&self, vocabulary: &CharVocab, prompt: &str, length: usize, temperature: f64) -> String {
        self.eval();
        let mut codes = vocabulary.encode(prompt).to_vec::<i64>();
        for _ in 0..length {
            let seen = &codes[codes.len().saturating_sub(self.context())..];
            let x = Tensor::from_slice(seen, [1, seen.len()]).to_device(self.device());
            // A seed writes the same on every device: the choice is the host's.
            let scores = no_grad(|| self.forward(&x)).index((0, -1)).to_device(Device::Cpu);
            let next = match temperature {
                0.0 => scores.argmax(0, false),
                t => (scores / t).softmax(0).multinomial(1, false),
            };
            codes.push(next.item() as i64);
        }
        self.train(true);
        vocabulary.decode(&codes)
    }
}

impl Forward for Gpt {
    fn forward(&self, x: &Tensor) -> Tensor {
        let positions = Tensor::arange_with(0, x.size(1) as i64, 1, (DType::I64, x.device()));
        let mut x = self.token.forward(x) + self.position.forward(&positions);
        for block in &self.blocks {
            x = block.forward(&x);
        }
        self.head.forward(&self.norm.forward(&x))
    }
}

/// Mean loss over windows of a text that begin `stride` apart, of their second halves: so each character
/// that counts has at least half a window before it.
fn evaluate(model: &Gpt, text: &Tensor, stride: usize) -> f64 {
    model.eval();
    let (context, mut mean) = (model.context(), Mean::new());
    for (x, y) in &DataLoader::new(TextDataset::new(text, context).stride(stride)).batch_size(64) {
        let (x, y) = (x.to_device(model.device()), y.to_device(model.device()));
        let [scores, y] =
            [no_grad(|| model.forward(&x)), y].map(|t| t.slice(1, context as isize / 2, None, 1));
        mean.add(F::cross_entropy(&scores.flatten(0, 1), &y.flatten(0, 1)).item(), y.numel());
    }
    model.train(true);
    mean.value()
}

fn train(args: &Args) -> Result<()> {
    manual_seed(args.seed);
    let text = match &args.data {
        Some(path) => read_text(path)?,
        None => include_str!("../assets/moby-dick/chapters-1-19.txt").to_string(),
    };
    let vocabulary = CharVocab::new(&text);
    check_prompt(&vocabulary, &args.prompt)?;
    let text = vocabulary.encode(&text);
    let split = (text.numel() - text.numel() / 10) as isize;
    let (text, held_out) = (text.slice(0, None, split, 1), text.slice(0, split, None, 1));
    let context = args.context;
    if [args.steps, args.batch_size, args.layers].contains(&0) || context < 2 {
        return Err("steps, batch size and layers must be positive, and a context has two characters".into());
    }
    if held_out.numel() < 2 * context {
        return Err(format!("a tenth of the text must be longer than two windows of {context}").into());
    }
    let model = Gpt::new(vocabulary.len(), context, args.width, args.layers, args.dropout);
    println!("device {}: {}", args.device, args.device.name()?);
    model.to_device(args.device);
    println!(
        "{} characters to learn from, {} held out, {} different ones; {} parameters",
        text.numel(),
        held_out.numel(),
        vocabulary.len(),
        model.num_parameters()
    );

    let options = AdamWOptions { lr: args.lr, betas: (0.9, 0.99), weight_decay: 0.1, ..Default::default() };
    let mut optimizer = AdamW::with(model.parameters(), options);
    let cycle = OneCycleOptions::new(args.lr, args.steps);
    let mut scheduler =
        OneCycleLR::new(&mut optimizer, OneCycleOptions { pct_start: 0.1, cycle_momentum: false, ..cycle });
    // One pass of the loader is the whole training: windows from anywhere.
    let windows = TextDataset::new(&text, context);
    let sampler =
        RandomSampler::new(windows.len()).replacement(true).num_samples(args.steps * args.batch_size);
    let loader = DataLoader::new(windows).batch_size(args.batch_size).sampler(sampler);
    // On the way, a glance at the held-out text must do.
    let glance = (held_out.numel() / 200).max(context / 2);

    let (mut recent, mut history) = (Mean::new(), History::new());
    let progress = Progress::new("training", args.steps);
    for (step, (x, y)) in (1..).zip(&loader) {
        let (x, y) = (x.to_device(args.device), y.to_device(args.device));
        let loss = F::cross_entropy(&model.forward(&x).flatten(0, 1), &y.flatten(0, 1));
        optimizer.zero_grad();
        loss.backward();
        clip_grad_norm_(&model.parameters(), 1.0, 2.0);
        optimizer.step();
        scheduler.step(&mut optimizer);

        recent.add(loss.item(), 1);
        progress.advance(1);
        progress.message(format_args!("loss {:.3}", recent.value()));
        if step % args.steps.div_ceil(10) == 0 || step == args.steps {
            let (loss, unseen) = (recent.value(), evaluate(&model, &held_out, glance));
            let seconds = progress.elapsed().as_secs_f64();
            progress.println(format_args!(
                "step {step:5}: {loss:.3} nats per character, {unseen:.3} held out, {seconds:.0} s"
            ));
            history.log("held out/nats per character", step as f64, unseen);
        }
        if recent.count() == 20 || step == args.steps {
            history.log("training/nats per character", step as f64, recent.value());
            recent.reset();
        }
        if step == args.steps / 2 {
            let text = model.write(&vocabulary, &args.prompt, 200, args.temperature);
            progress.println(format_args!("half-way it writes:\n{text}\n"));
        }
    }
    let speed = (args.steps * args.batch_size * context) as f64 / progress.elapsed().as_secs_f64();
    drop(progress);

    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    model.save(&vocabulary, &args.out)?;
    let curves = args.out.with_extension("png");
    history.save_curves(&curves, "step")?;

    println!("in the end:\n{}\n", model.write(&vocabulary, &args.prompt, args.length, args.temperature));
    println!(
        "{:.4} nats per character on the whole held-out text; {speed:.0} characters/s in training",
        evaluate(&model, &held_out, context / 2)
    );
    println!("weights are in {}, curves in {}", args.out.display(), curves.display());
    Ok(())
}

fn sample(args: &Args, weights: &Path) -> Result<()> {
    manual_seed(args.seed);
    let (model, vocabulary) = Gpt::load(weights)?;
    args.device.name()?;
    model.to_device(args.device);
    check_prompt(&vocabulary, &args.prompt)?;
    println!("{}", model.write(&vocabulary, &args.prompt, args.length, args.temperature));
    Ok(())
}

/// Refuses a prompt that the model cannot read.
fn check_prompt(vocabulary: &CharVocab, prompt: &str) -> Result<()> {
    match prompt.chars().find(|&c| vocabulary.code(c).is_none()) {
        Some(c) => Err(format!("the prompt's {c:?} does not occur in the text").into()),
        None if prompt.is_empty() => Err("the prompt needs at least one character".into()),
        None => Ok(()),
    }
}

fn main() {
    let args = Args::parse();
    let done = match &args.sample {
        Some(weights) => sample(&args, weights),
        None => train(&args),
    };
    if let Err(e) = done {
        eprintln!("error: {e}");
        std::process::exit(1);
    }
}
