//! The order in which items are visited.

use std::iter;

use taper_tensor::{DType, Tensor};

use crate::generator::{SharedGenerator, draw};

/// The indices of one pass. Random ones are drawn when the first is asked for, as PyTorch does.
pub type Order = Box<dyn Iterator<Item = usize> + Send>;

/// Gives an order at each pass (`torch.utils.data.Sampler`).
pub trait Sampler: Send + Sync {
    /// The indices of the next pass.
    fn order(&self) -> Order;

    /// How many indices a pass has, exactly.
    fn len(&self) -> usize;

    /// The generator it draws from, if it has one of its own. A loader saves its state, and keeps it
    /// where the batches are while workers ask for indices ahead of time.
    fn generator(&self) -> Option<SharedGenerator> {
        None
    }

    /// Whether a pass has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An order made of parts, each drawn only when the one before is used up.
fn in_parts(mut part: impl FnMut(usize) -> Option<Vec<i64>> + Send + 'static) -> Order {
    let mut parts = 0..;
    let next = move || parts.next().and_then(&mut part);
    Box::new(iter::from_fn(next).fuse().flatten().map(|i| i as usize))
}

/// `0, 1, 2, …` (`torch.utils.data.SequentialSampler`).
#[derive(Clone, Debug)]
pub struct SequentialSampler {
    n: usize,
}

impl SequentialSampler {
    /// The order of `n` items as they are.
    pub fn new(n: usize) -> Self {
        Self { n }
    }
}

impl Sampler for SequentialSampler {
    fn order(&self) -> Order {
        Box::new(0..self.n)
    }
    fn len(&self) -> usize {
        self.n
    }
}

/// A random order of all items at each pass (`torch.utils.data.RandomSampler`).
///
/// Without a generator each pass draws one seed from the global one, at the first index.
#[derive(Clone, Debug)]
pub struct RandomSampler {
    n: usize,
    num_samples: usize,
    replacement: bool,
    generator: Option<SharedGenerator>,
}

impl RandomSampler {
    /// Random orders of `n` items.
    pub fn new(n: usize) -> Self {
        Self { n, num_samples: n, replacement: false, generator: None }
    }

    /// Visits this many instead: more than `n` means several orders one after the other.
    pub fn num_samples(mut self, num_samples: usize) -> Self {
        self.num_samples = num_samples;
        self
    }

    /// Draws each index from all of them, so that items repeat. Default: false.
    pub fn replacement(mut self, replacement: bool) -> Self {
        self.replacement = replacement;
        self
    }

    /// Draws from this generator.
    pub fn generator(mut self, generator: impl Into<SharedGenerator>) -> Self {
        self.generator = Some(generator.into());
        self
    }
}

/// How many draws with replacement PyTorch makes at a time.
const CHUNK: usize = 32;

impl Sampler for RandomSampler {
    fn order(&self) -> Order {
        let Self { n, num_samples, replacement, mut generator } = self.clone();
        if n == 0 {
            return Box::new(iter::empty());
        }
        let size = if replacement { CHUNK } else { n };
        in_parts(move |part| {
            let generator = &*generator.get_or_insert_with(|| {
                SharedGenerator::new(draw(&None, |global| global.random_i64()) as u64)
            });
            // The rest is drawn even if nothing of it is used: PyTorch's stream goes on alike.
            let used = match part.cmp(&(num_samples / size)) {
                std::cmp::Ordering::Less => size,
                std::cmp::Ordering::Equal => num_samples % size,
                std::cmp::Ordering::Greater => return None,
            };
            Some(generator.with(|g| {
                if replacement {
                    return Tensor::randint_with(0, n as i64, [used], DType::I64, Some(g)).to_vec();
                }
                let mut order = g.randperm(n);
                order.truncate(used);
                order
            }))
        })
    }
    fn len(&self) -> usize {
        if self.n == 0 { 0 } else { self.num_samples }
    }
    fn generator(&self) -> Option<SharedGenerator> {
        self.generator.clone()
    }
}

/// The given indices in a random order at each pass (`torch.utils.data.SubsetRandomSampler`).
#[derive(Clone, Debug)]
pub struct SubsetRandomSampler {
    indices: Vec<usize>,
    generator: Option<SharedGenerator>,
}

impl SubsetRandomSampler {
    /// Random orders of `indices`.
    pub fn new(indices: impl Into<Vec<usize>>) -> Self {
        Self { indices: indices.into(), generator: None }
    }

    /// Draws from this generator instead of the global one.
    pub fn generator(mut self, generator: impl Into<SharedGenerator>) -> Self {
        self.generator = Some(generator.into());
        self
    }
}

impl Sampler for SubsetRandomSampler {
    fn order(&self) -> Order {
        let Self { indices, generator } = self.clone();
        in_parts(move |part| {
            let pick = |i: i64| indices[i as usize] as i64;
            let shuffled = || draw(&generator, |g| g.randperm(indices.len())).into_iter().map(pick).collect();
            (part == 0).then(shuffled)
        })
    }
    fn len(&self) -> usize {
        self.indices.len()
    }
    fn generator(&self) -> Option<SharedGenerator> {
        self.generator.clone()
    }
}

/// Indices drawn in proportion to weights (`torch.utils.data.WeightedRandomSampler`): rare classes can
/// be seen as often as frequent ones.
#[derive(Clone, Debug)]
pub struct WeightedRandomSampler {
    weights: Vec<f64>,
    num_samples: usize,
    replacement: bool,
    generator: Option<SharedGenerator>,
}

impl WeightedRandomSampler {
    /// `num_samples` draws a pass, index `i` with probability `weights[i]` / their sum, with replacement.
    ///
    /// # Panics
    /// If `num_samples` is 0, or a weight is negative or not finite.
    #[track_caller]
    pub fn new(weights: impl Into<Vec<f64>>, num_samples: usize) -> Self {
        let weights = weights.into();
        assert!(num_samples > 0, "WeightedRandomSampler: num_samples must be positive");
        if let Some(i) = weights.iter().position(|w| !(0.0..f64::INFINITY).contains(w)) {
            panic!("WeightedRandomSampler: weight {i} is {}", weights[i]);
        }
        Self { weights, num_samples, replacement: true, generator: None }
    }

    /// Whether an index can be drawn again in the same pass. Default: true.
    pub fn replacement(mut self, replacement: bool) -> Self {
        self.replacement = replacement;
        self
    }

    /// Draws from this generator instead of the global one.
    pub fn generator(mut self, generator: impl Into<SharedGenerator>) -> Self {
        self.generator = Some(generator.into());
        self
    }
}

impl Sampler for WeightedRandomSampler {
    fn order(&self) -> Order {
        let Self { weights, num_samples, replacement, generator } = self.clone();
        in_parts(move |part| {
            let drawn = || {
                let weights = Tensor::from_slice(&weights, [weights.len()]);
                draw(&generator, |g| weights.multinomial_with(num_samples, replacement, Some(g))).to_vec()
            };
            (part == 0).then(drawn)
        })
    }
    fn len(&self) -> usize {
        self.num_samples
    }
    fn generator(&self) -> Option<SharedGenerator> {
        self.generator.clone()
    }
}
