//! A neural network on numbers, not tensors: two moons told apart by a small multilayer perceptron whose every
//! weight, product and sum is a `Scalar` on the tape.
//!
//! ```text
//! cargo run --release --example micrograd
//! cargo run --release --example micrograd -- --loss logistic --seed 7
//! ```

use std::f64::consts::PI;
use std::io::{IsTerminal, stdout};

use clap::{Parser, ValueEnum};
use taper::autograd::scalar::Scalar;
use taper::autograd::{Tape, no_grad};

/// Train a two-moons classifier on the scalar autograd engine.
#[derive(Parser)]
struct Args {
    /// Seed of the data and of the initial weights.
    #[arg(long, default_value_t = 4)]
    seed: u64,
    /// Training points.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(2..))]
    samples: u64,
    /// Standard deviation of the noise on the points.
    #[arg(long, default_value_t = 0.1)]
    noise: f64,
    /// Steps of full-batch gradient descent.
    #[arg(long, default_value_t = 100)]
    steps: usize,
    /// Neurons in each of the two hidden layers.
    #[arg(long, default_value_t = 16)]
    width: usize,
    /// What is minimised, next to a little weight decay.
    #[arg(long, value_enum, default_value_t = Loss::Hinge)]
    loss: Loss,
    /// Print the tape of one neuron and stop.
    #[arg(long)]
    trace: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Loss {
    /// max(0, 1 − y·score): a margin around the border.
    Hinge,
    /// ln(1 + e^(−y·score)): the likelihood of a logistic model.
    Logistic,
}

impl Loss {
    fn of(self, score: &Scalar, label: f64) -> Scalar {
        match self {
            Loss::Hinge => (1.0 - score * label).relu(),
            Loss::Logistic => (1.0 + (score * -label).exp()).ln(),
        }
    }
}

/// `relu(w·x + b)`, or without the relu in the last layer.
struct Neuron {
    weights: Vec<Scalar>,
    bias: Scalar,
    relu: bool,
}

impl Neuron {
    fn new(inputs: usize, relu: bool, rng: &mut Rng) -> Self {
        let weights = (0..inputs).map(|_| Scalar::leaf(2.0 * rng.uniform() - 1.0)).collect();
        Neuron { weights, bias: Scalar::leaf(0.0), relu }
    }

    fn forward(&self, x: &[Scalar]) -> Scalar {
        let sum = self.weights.iter().zip(x).fold(self.bias.clone(), |sum, (w, x)| sum + w * x);
        if self.relu { sum.relu() } else { sum }
    }
}

/// Layers of neurons; the last is a single one, whose sign is the class.
struct Mlp {
    layers: Vec<Vec<Neuron>>,
}

impl Mlp {
    fn new(sizes: &[usize], rng: &mut Rng) -> Self {
        let last = sizes.len() - 2;
        let layer = |(i, pair): (usize, &[usize])| {
            (0..pair[1]).map(|_| Neuron::new(pair[0], i != last, rng)).collect::<Vec<_>>()
        };
        Mlp { layers: sizes.windows(2).enumerate().map(layer).collect() }
    }

    fn forward(&self, point: [f64; 2]) -> Scalar {
        let mut x = point.map(Scalar::new).to_vec();
        for layer in &self.layers {
            x = layer.iter().map(|neuron| neuron.forward(&x)).collect();
        }
        x.remove(0)
    }

    fn parameters(&mut self) -> impl Iterator<Item = &mut Scalar> {
        self.layers.iter_mut().flatten().flat_map(|n| n.weights.iter_mut().chain([&mut n.bias]))
    }

    /// The class, ±1, without a tape.
    fn classify(&self, point: [f64; 2]) -> f64 {
        no_grad(|| self.forward(point)).item().signum()
    }

    fn accuracy(&self, data: &[Sample]) -> f64 {
        let right = data.iter().filter(|s| self.classify(s.point) == s.label).count();
        100.0 * right as f64 / data.len() as f64
    }
}

struct Sample {
    point: [f64; 2],
    label: f64,
}

/// Two interleaved half circles, like scikit-learn's `make_moons`.
fn moons(count: usize, noise: f64, rng: &mut Rng) -> Vec<Sample> {
    let sample = |i: usize| {
        let (upper, angle) = (i.is_multiple_of(2), PI * rng.uniform());
        let [x, y] = if upper { [angle.cos(), angle.sin()] } else { [1.0 - angle.cos(), 0.5 - angle.sin()] };
        let point = [x + noise * rng.normal(), y + noise * rng.normal()];
        Sample { point, label: if upper { 1.0 } else { -1.0 } }
    };
    (0..count).map(sample).collect()
}

fn train(model: &mut Mlp, data: &[Sample], args: &Args) {
    for step in 0..args.steps {
        let losses = data.iter().map(|s| args.loss.of(&model.forward(s.point), s.label));
        let data_loss = losses.sum::<Scalar>() / data.len() as f64;
        let decay = model.parameters().map(|p| &*p * &*p).sum::<Scalar>() * 1e-4;
        let loss = data_loss + decay;
        loss.backward();

        // Large steps first, small ones to settle.
        let rate = 1.0 - 0.9 * step as f64 / args.steps as f64;
        no_grad(|| {
            for p in model.parameters() {
                let grad = p.grad().map_or(0.0, |g| g.item());
                p.set(p.item() - rate * grad);
                p.zero_grad();
            }
        });
        if (step + 1) % 10 == 0 || step + 1 == args.steps {
            println!(
                "step {:4}   loss {:.4}   accuracy {:5.1} %",
                step + 1,
                loss.item(),
                model.accuracy(data)
            );
        }
    }
}

/// The decision regions with the training points on them; an `x` belongs on the shaded side.
fn draw(model: &Mlp, data: &[Sample]) {
    const WIDTH: usize = 72;
    const HEIGHT: usize = 26;
    let (left, right, bottom, top) = (-1.6, 2.6, -1.1, 1.6);
    let mut points = vec![[None; WIDTH]; HEIGHT];
    for s in data {
        let column = (s.point[0] - left) / (right - left) * WIDTH as f64;
        let row = (top - s.point[1]) / (top - bottom) * HEIGHT as f64;
        if row >= 0.0
            && column >= 0.0
            && let Some(cell) = points.get_mut(row as usize).and_then(|r| r.get_mut(column as usize))
        {
            *cell = Some(s.label);
        }
    }
    let colour = stdout().is_terminal();
    for (row, cells) in points.iter().enumerate() {
        let y = top - (row as f64 + 0.5) / HEIGHT as f64 * (top - bottom);
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let x = left + (column as f64 + 0.5) / WIDTH as f64 * (right - left);
            let (symbol, code) = match cell {
                Some(label) if *label > 0.0 => ('x', "1;33"),
                Some(_) => ('o', "1;36"),
                None if model.classify([x, y]) > 0.0 => ('░', "0"),
                None => (' ', "0"),
            };
            if colour && cell.is_some() {
                line += &format!("\x1b[{code}m{symbol}\x1b[0m");
            } else {
                line.push(symbol);
            }
        }
        println!("{}", line.trim_end());
    }
}

/// splitmix64, so that a seed means the same on every machine.
struct Rng(u64);

impl Rng {
    /// In [0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (2.0 * PI * self.uniform()).cos()
    }
}

fn main() {
    let args = Args::parse();
    let mut rng = Rng(args.seed);
    if args.trace {
        let neuron = Neuron::new(2, true, &mut rng);
        println!("{}", Tape::trace(&neuron.forward(&[0.5, -1.0].map(Scalar::new))));
        return;
    }
    let data = moons(args.samples as usize, args.noise, &mut rng);
    let fresh = moons(1000, args.noise, &mut rng);
    let mut model = Mlp::new(&[2, args.width, args.width, 1], &mut rng);
    println!("{} parameters, {} points\n", model.parameters().count(), data.len());
    train(&mut model, &data, &args);
    println!();
    draw(&model, &data);
    println!("\naccuracy on the {} points: {:.1} %", data.len(), model.accuracy(&data));
    println!("accuracy on {} new ones: {:.1} %", fresh.len(), model.accuracy(&fresh));
}
