//! Batches from a dataset.

use crate::collate::Collate;
use crate::dataset::Dataset;
use crate::generator::{SharedGenerator, draw};
use crate::sampler::{Order, RandomSampler, Sampler, SequentialSampler};

/// Batches of a dataset, pass by pass (`torch.utils.data.DataLoader`).
///
/// For the same seed it gives PyTorch's order, and costs the global random stream what PyTorch's
/// costs it: a pass draws one number when it starts, and if it shuffles by no generator of its own,
/// another one at its first batch.
///
/// ```
/// use taper_data::{DataLoader, TensorDataset};
/// use taper_tensor::{Tensor, manual_seed};
/// let set = TensorDataset::new((Tensor::arange(0, 10, 1), Tensor::zeros([10, 3])));
/// let loader = DataLoader::new(set).batch_size(3).shuffle(true);
/// manual_seed(42);
/// let order: Vec<Vec<i64>> = loader.iter().map(|(x, _)| x.to_vec()).collect();
/// assert_eq!(order, [vec![8, 0, 9], vec![1, 4, 5], vec![6, 3, 2], vec![7]]);
/// ```
pub struct DataLoader<D: Dataset, B = <<D as Dataset>::Item as Collate>::Batch> {
    dataset: D,
    batch_size: usize,
    shuffle: bool,
    drop_last: bool,
    generator: Option<SharedGenerator>,
    sampler: Option<Box<dyn Sampler>>,
    fetch: Fetch<D, B>,
}

/// Makes the batch of some indices.
type Fetch<D, B> = Box<dyn Fn(&D, &[usize]) -> B + Send + Sync>;

impl<D: Dataset> DataLoader<D>
where
    D::Item: Collate,
{
    /// Batches of one item, in order, until told otherwise.
    pub fn new(dataset: D) -> Self {
        Self {
            dataset,
            batch_size: 1,
            shuffle: false,
            drop_last: false,
            generator: None,
            sampler: None,
            fetch: Box::new(|dataset, indices| dataset.batch(indices)),
        }
    }
}

impl<D: Dataset, B> DataLoader<D, B> {
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

    /// Makes batches by `f` instead of [`Collate`].
    pub fn collate_with<C>(self, f: impl Fn(Vec<D::Item>) -> C + Send + Sync + 'static) -> DataLoader<D, C> {
        let Self { dataset, batch_size, shuffle, drop_last, generator, sampler, .. } = self;
        let fetch: Fetch<D, C> =
            Box::new(move |dataset, indices| f(indices.iter().map(|&i| dataset.get(i)).collect()));
        DataLoader { dataset, batch_size, shuffle, drop_last, generator, sampler, fetch }
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
        let items = self.sampler.as_ref().map_or(self.dataset.len(), |s| s.len());
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

    /// Starts a pass.
    pub fn iter(&self) -> Batches<'_, D, B> {
        // The seed PyTorch draws for its workers, at every pass and with none of them too.
        draw(&self.generator, |g| g.random_i64());
        Batches { loader: self, order: self.order(), left: self.len() }
    }
}

impl<'a, D: Dataset, B> IntoIterator for &'a DataLoader<D, B> {
    type Item = B;
    type IntoIter = Batches<'a, D, B>;
    fn into_iter(self) -> Batches<'a, D, B> {
        self.iter()
    }
}

/// One pass over a [`DataLoader`].
pub struct Batches<'a, D: Dataset, B> {
    loader: &'a DataLoader<D, B>,
    order: Order,
    left: usize,
}

impl<D: Dataset, B> Iterator for Batches<'_, D, B> {
    type Item = B;

    fn next(&mut self) -> Option<B> {
        let indices: Vec<usize> = self.order.by_ref().take(self.loader.batch_size).collect();
        if indices.is_empty() || self.loader.drop_last && indices.len() < self.loader.batch_size {
            self.left = 0;
            return None;
        }
        self.left = self.left.saturating_sub(1);
        Some((self.loader.fetch)(&self.loader.dataset, &indices))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<D: Dataset, B> ExactSizeIterator for Batches<'_, D, B> {}
