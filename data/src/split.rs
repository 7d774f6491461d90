//! Parts of a dataset.

use crate::collate::Collate;
use crate::dataset::Dataset;
use crate::generator::{SharedGenerator, draw};

/// Some items of a dataset, in a given order (`torch.utils.data.Subset`).
#[derive(Clone, Debug)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The items at `indices` of `dataset`.
    ///
    /// # Panics
    /// If an index is out of range.
    #[track_caller]
    pub fn new(dataset: D, indices: impl Into<Vec<usize>>) -> Self {
        let (indices, len) = (indices.into(), dataset.len());
        if let Some(&index) = indices.iter().find(|&&i| i >= len) {
            panic!("Subset: index {index} is out of range for a dataset of {len} items");
        }
        Self { dataset, indices }
    }
}

impl<D> Subset<D> {
    /// Where its items are in the whole set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The whole set.
    pub fn dataset(&self) -> &D {
        &self.dataset
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Item = D::Item;
    fn len(&self) -> usize {
        self.indices.len()
    }
    fn get(&self, index: usize) -> D::Item {
        self.dataset.get(self.indices[index])
    }
    fn batch(&self, indices: &[usize]) -> <D::Item as Collate>::Batch
    where
        D::Item: Collate,
    {
        let inner: Vec<usize> = indices.iter().map(|&i| self.indices[i]).collect();
        self.dataset.batch(&inner)
    }
}

/// A part's size: a number of items, or a fraction of them.
pub trait PartSize: Copy + Sized {
    /// The numbers of items that `parts` of `total` items have, or why they do not fit.
    fn resolve(parts: &[Self], total: usize) -> Result<Vec<usize>, String>;
}

impl PartSize for usize {
    fn resolve(parts: &[Self], total: usize) -> Result<Vec<usize>, String> {
        if parts.iter().sum::<usize>() != total {
            return Err(format!("the lengths {parts:?} do not add up to the {total} items"));
        }
        Ok(parts.to_vec())
    }
}

impl PartSize for f64 {
    /// Each part's share rounded down; what is left goes one by one to the first parts.
    fn resolve(parts: &[Self], total: usize) -> Result<Vec<usize>, String> {
        let sum: f64 = parts.iter().sum();
        if parts.iter().any(|p| !(0.0..=1.0).contains(p)) || (sum - 1.0).abs() > 1e-9 {
            return Err(format!("the fractions {parts:?} must be in 0 ..= 1 and add up to 1"));
        }
        let mut sizes: Vec<usize> = parts.iter().map(|p| (total as f64 * p).floor() as usize).collect();
        let left = total.saturating_sub(sizes.iter().sum());
        (0..left).for_each(|i| sizes[i % parts.len()] += 1);
        Ok(sizes)
    }
}

/// Cuts a dataset at random into parts that do not overlap (`torch.utils.data.random_split`). `lengths`
/// are numbers of items that add up to all, or fractions that add up to 1. One permutation is drawn
/// from `generator`, `None` being the global one.
///
/// The parts hold a clone of `dataset` each; give a reference or an `Arc` where that is dear.
///
/// ```
/// use taper_data::{Dataset, random_split};
/// let numbers: Vec<i64> = (0..10).collect();
/// let [train, test] = random_split(&numbers, [0.8, 0.2], None);
/// assert_eq!((train.len(), test.len()), (8, 2));
/// ```
///
/// # Panics
/// If the lengths do not fit.
#[track_caller]
pub fn random_split<D: Dataset + Clone, L: PartSize, const N: usize>(
    dataset: D,
    lengths: [L; N],
    generator: Option<&SharedGenerator>,
) -> [Subset<D>; N] {
    let sizes = match L::resolve(&lengths, dataset.len()) {
        Ok(sizes) => sizes,
        Err(message) => panic!("random_split: {message}"),
    };
    let order = draw(&generator.cloned(), |g| g.randperm(dataset.len()));
    let mut rest = order.into_iter().map(|i| i as usize);
    std::array::from_fn(|part| Subset {
        dataset: dataset.clone(),
        indices: rest.by_ref().take(sizes[part]).collect(),
    })
}
