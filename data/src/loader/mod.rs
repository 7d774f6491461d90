//! Batches from a dataset.

mod batches;
mod position;
mod workers;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taper_tensor::{State, StateError, Stateful};

pub use batches::Batches;
use position::{Pass, Position, Stream};
pub(crate) use position::{state_bytes, state_tensor};
use workers::Workers;

use crate::collate::Collate;
use crate::dataset::Dataset;
use crate::fetch;
use crate::generator::SharedGenerator;
use crate::sampler::{Order, RandomSampler, Sampler, SequentialSampler};

/// Batches of a dataset, pass by pass (`torch.utils.data.DataLoader`).
///
/// For the same seed it gives PyTorch's order, and costs the global random stream what PyTorch's
/// costs it: a pass draws one number when it starts, and if it shuffles by no generator of its own,
/// another one at its first batch.
///
/// Each item is fetched under a random stream of its own ([`with_seed`](taper_tensor::with_seed)),
/// which depends on the pass's number and the item's place in the pass. So random transforms give the
/// same with any number of [workers](DataLoader::num_workers), and again after a resume.
///
/// [`state_dict`](DataLoader::state_dict) is where in the pass the loader is. After
/// [`load_state_dict`](DataLoader::load_state_dict) the next pass goes on there.
///
/// ```
/// use taper_data::{DataLoader, TensorDataset};
/// use taper_tensor::{Tensor, manual_seed};
/// let set = TensorDataset::new((Tensor::arange(0, 10, 1), Tensor::zeros([10, 3])));
/// let loader = DataLoader::new(set).batch_size(3).shuffle(true).num_workers(2);
/// manual_seed(42);
/// let order: Vec<Vec<i64>> = loader.iter().map(|(x, _)| x.to_vec()).collect();
/// assert_eq!(order, [vec![8, 0, 9], vec![1, 4, 5], vec![6, 3, 2], vec![7]]);
/// ```
pub struct DataLoader<D: Dataset, B = <<D as Dataset>::Item as Collate>::Batch> {
    dataset: Arc<D>,
    batch_size: usize,
    shuffle: bool,
    drop_last: bool,
    generator: Option<SharedGenerator>,
    sampler: Option<Box<dyn Sampler>>,
    fetch: Arc<Fetch<D, B>>,
    workers: usize,
    prefetch_factor: usize,
    spawn: Option<Spawn<D, B>>,
    position: Mutex<Position>,
}

/// Makes the batch of some indices.
type Fetch<D, B> = dyn Fn(&D, &[usize]) -> B + Send + Sync;

/// Starts the workers of a pass. Only where it is made must the dataset be `'static`.
type Spawn<D, B> = fn(&DataLoader<D, B>, u64) -> Workers<B>;

fn lock(position: &Mutex<Position>) -> MutexGuard<'_, Position> {
    // Whoever panicked has not left it half changed: its changes are single assignments.
    position.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<D: Dataset> DataLoader<D>
where
    D::Item: Collate,
{
    /// Batches of one item, in order, until told otherwise.
    pub fn new(dataset: D) -> Self {
        Self::with_fetch(dataset.into(), Arc::new(|dataset: &D, indices: &[usize]| dataset.batch(indices)))
    }
}

impl<D: Dataset, B> DataLoader<D, B> {
    fn with_fetch(dataset: Arc<D>, fetch: Arc<Fetch<D, B>>) -> Self {
        Self {
            dataset,
            batch_size: 1,
            shuffle: false,
            drop_last: false,
            generator: None,
            sampler: None,
            fetch,
            workers: 0,
            prefetch_factor: 2,
            spawn: None,
            position: Mutex::default(),
        }
    }

    /// As [`new`](Self::new), for items of any kind: `collate` makes a batch of them (PyTorch's
    /// `collate_fn`).
    pub fn with_collate(dataset: D, collate: impl Fn(Vec<D::Item>) -> B + Send + Sync + 'static) -> Self {
        let fetch = move |dataset: &D, indices: &[usize]| collate(fetch::items(dataset, indices));
        Self::with_fetch(dataset.into(), Arc::new(fetch))
    }

    /// How many items a batch has. Default: 1.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        assert!(batch_size > 0, "DataLoader: batch_size must be positive");
        self.batch_size = batch_size;
        self
    }

    /// Whether each pass has a new random order. Default: false.
    ///
    /// # Panics
    /// If there is a sampler.
    #[track_caller]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self.check()
    }

    /// Whether a last batch that is not full is left out. Default: false.
    pub fn drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// Draws from this generator; the global stream is then not touched.
    pub fn generator(mut self, generator: impl Into<SharedGenerator>) -> Self {
        self.generator = Some(generator.into());
        self
    }

    /// Visits items in this sampler's order.
    ///
    /// # Panics
    /// If the loader shuffles.
    #[track_caller]
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Some(Box::new(sampler));
        self.check()
    }

    /// How many threads load batches ahead of time, in each pass. 0, the default: none, a batch is made
    /// when it is asked for. The batches are the same, and so is what the random streams are asked for.
    ///
    /// Kernels that a worker calls run on that thread alone. A dataset should not draw from a shared
    /// generator of its own: which worker comes first is chance.
    pub fn num_workers(mut self, workers: usize) -> Self
    where
        D: 'static,
        B: Send + 'static,
    {
        self.workers = workers;
        self.spawn =
            Some(|loader, seed| Workers::start(loader.workers, &loader.dataset, &loader.fetch, seed));
        self
    }

    /// How many batches are loaded ahead for each worker. Default: 2.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn prefetch_factor(mut self, batches: usize) -> Self {
        assert!(batches > 0, "DataLoader: prefetch_factor must be positive");
        self.prefetch_factor = batches;
        self
    }

    #[track_caller]
    fn check(self) -> Self {
        assert!(
            !(self.shuffle && self.sampler.is_some()),
            "DataLoader: shuffle and a sampler exclude each other: the sampler decides the order"
        );
        self
    }

    /// The dataset.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }

    /// The number of batches of a pass.
    pub fn len(&self) -> usize {
        let items = self.items();
        if self.drop_last { items / self.batch_size } else { items.div_ceil(self.batch_size) }
    }

    /// Whether a pass has no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn order(&self) -> Order {
        if let Some(sampler) = &self.sampler {
            return sampler.order();
        }
        let n = self.dataset.len();
        if !self.shuffle {
            return SequentialSampler::new(n).order();
        }
        let random = RandomSampler::new(n);
        match &self.generator {
            Some(own) => random.generator(own.clone()).order(),
            None => random.order(),
        }
    }

    /// The number of items of a pass.
    fn items(&self) -> usize {
        self.sampler.as_ref().map_or(self.dataset.len(), |s| s.len())
    }

    /// What the order draws from, if it draws.
    fn stream(&self) -> Option<Stream> {
        let own = match &self.sampler {
            Some(sampler) => sampler.generator(),
            None if self.shuffle => self.generator.clone(),
            None => return None,
        };
        Some(own.map_or(Stream::Global, Stream::Own))
    }

    /// Starts a pass, or goes on with the one that was loaded.
    pub fn iter(&self) -> Batches<'_, D, B> {
        Batches::start(self)
    }

    /// Where in the pass the loader is, with the states of its own and its sampler's generators.
    ///
    /// Within the loop over a pass that is the place behind the batch at hand. A pass that was left
    /// early is over.
    pub fn state_dict(&self) -> State {
        let own = |g: Option<&SharedGenerator>| g.map_or(State::None, Stateful::state_dict);
        let sampler = self.sampler.as_ref().and_then(|s| s.generator());
        let position = lock(&self.position);
        let pass = position.current();
        State::map([
            ("items", self.items().into()),
            ("batch_size", self.batch_size.into()),
            ("base_seed", pass.map(|p| p.base_seed).into()),
            ("batches", pass.map_or(0, |p| p.batches).into()),
            ("order", pass.and_then(|p| p.order.clone()).map_or(State::None, state_tensor)),
            ("generator", own(self.generator.as_ref())),
            ("sampler_generator", own(sampler.as_ref())),
        ])
    }

    /// The next pass goes on where `state` was taken: it draws no seed, draws the order once more from
    /// the state it was drawn from, and begins behind the batches that were handed out. The global
    /// generator stays as it is; load it before or after.
    ///
    /// # Errors
    /// If the state is of a loader with another number of items, other batches or other generators.
    /// Nothing is changed then.
    pub fn load_state_dict(&self, state: &State) -> Result<(), StateError> {
        let fail = |message: String| Err(StateError::new(NAME, message));
        let number = |name: &str| match state.get(name).and_then(State::as_i64) {
            Some(n) if n >= 0 => Ok(n as usize),
            _ => Err(StateError::new(NAME, format!("{name} is missing or no count"))),
        };
        for (name, here) in [("items", self.items()), ("batch_size", self.batch_size)] {
            let saved = number(name)?;
            if saved != here {
                return fail(format!("{name} was {saved} and is {here} here"));
            }
        }
        let bytes = |name| state_bytes(NAME, name, state.get(name));
        let sampler = self.sampler.as_ref().and_then(|s| s.generator());
        let mut own = vec![];
        for (name, generator) in [("generator", self.generator.clone()), ("sampler_generator", sampler)] {
            match (generator, bytes(name)?) {
                (Some(generator), Some(state)) => own.push((generator, state)),
                (None, None) => {}
                (here, _) => {
                    let (here, there) = if here.is_some() { ("has", "not") } else { ("has no", "one") };
                    return fail(format!(
                        "{name}: this loader {here} such a generator, the saved one {there}"
                    ));
                }
            }
        }
        let (batches, order) = (number("batches")?, bytes("order")?);
        if batches > self.len() {
            return fail(format!("{batches} batches of {} were handed out", self.len()));
        }
        if order.is_some() && self.stream().is_none()
            || order.is_none() && batches > 0 && self.stream().is_some()
        {
            return fail("order: one of the loaders shuffles, the other does not".into());
        }
        let pass = match state.get("base_seed") {
            Some(State::None) => None,
            Some(State::Int(base_seed)) => Some(Pass { base_seed: *base_seed, order, batches }),
            _ => return fail("base_seed is missing or no integer".into()),
        };
        own.iter().for_each(|(generator, state)| Stream::Own(generator.clone()).set_state(state));
        lock(&self.position).load(pass);
        Ok(())
    }
}

const NAME: &str = "DataLoader";

impl<D: Dataset, B> Stateful for DataLoader<D, B> {
    fn state_dict(&self) -> State {
        self.state_dict()
    }
    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        (*self).load_state_dict(state)
    }
}

impl<D: Dataset, B> Stateful for &DataLoader<D, B> {
    fn state_dict(&self) -> State {
        (**self).state_dict()
    }
    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        (**self).load_state_dict(state)
    }
}

impl<'a, D: Dataset, B> IntoIterator for &'a DataLoader<D, B> {
    type Item = B;
    type IntoIter = Batches<'a, D, B>;
    fn into_iter(self) -> Batches<'a, D, B> {
        self.iter()
    }
}
