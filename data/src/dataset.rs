//! What can be loaded: items by index.

use std::sync::Arc;

use taper_tensor::Tensor;

use crate::collate::Collate;
use crate::fetch;

/// Items by index (`torch.utils.data.Dataset`).
///
/// A vector of clonable items is one, and so is a reference or an [`Arc`] of one. A set that may fail
/// to read an item gives a `Result` as its item; a batch of them is then a `Result` too.
///
/// ```
/// use taper_data::Dataset;
///
/// struct Squares;
/// impl Dataset for Squares {
///     type Item = (i64, i64);
///     fn len(&self) -> usize {
///         100
///     }
///     fn get(&self, index: usize) -> (i64, i64) {
///         (index as i64, (index * index) as i64)
///     }
/// }
/// let (x, y) = Squares.batch(&[3, 4]);
/// assert_eq!((x.to_vec::<i64>(), y.to_vec::<i64>()), (vec![3, 4], vec![9, 16]));
/// ```
pub trait Dataset: Send + Sync {
    /// One item: a tensor, a number, or a tuple of such.
    type Item;

    /// The number of items.
    fn len(&self) -> usize;

    /// The item at `index < len()`.
    ///
    /// # Panics
    /// If `index` is out of range.
    fn get(&self, index: usize) -> Self::Item;

    /// Whether there is no item.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items at `indices` as one batch. A set that can give many items faster than one by one does
    /// so here (PyTorch's `__getitems__`).
    fn batch(&self, indices: &[usize]) -> <Self::Item as Collate>::Batch
    where
        Self::Item: Collate,
    {
        Collate::collate(fetch::items(self, indices))
    }

    /// The same set with `f` applied to each item when it is fetched: where transforms go.
    fn map<F, T>(self, f: F) -> Map<Self, F>
    where
        Self: Sized,
        F: Fn(Self::Item) -> T + Send + Sync,
    {
        Map { dataset: self, f }
    }
}

macro_rules! forward {
    ($($t:ty),*) => {$(
        impl<D: Dataset + ?Sized> Dataset for $t {
            type Item = D::Item;
            fn len(&self) -> usize {
                (**self).len()
            }
            fn get(&self, index: usize) -> D::Item {
                (**self).get(index)
            }
            fn batch(&self, indices: &[usize]) -> <D::Item as Collate>::Batch
            where
                D::Item: Collate,
            {
                (**self).batch(indices)
            }
        }
    )*};
}
forward!(&D, Arc<D>, Box<D>);

impl<T: Clone + Send + Sync> Dataset for Vec<T> {
    type Item = T;
    fn len(&self) -> usize {
        self.len()
    }
    fn get(&self, index: usize) -> T {
        self[index].clone()
    }
}

/// A dataset with a function over its items: see [`Dataset::map`].
#[derive(Clone, Debug)]
pub struct Map<D, F> {
    dataset: D,
    f: F,
}

impl<D: Dataset, T, F: Fn(D::Item) -> T + Send + Sync> Dataset for Map<D, F> {
    type Item = T;
    fn len(&self) -> usize {
        self.dataset.len()
    }
    fn get(&self, index: usize) -> T {
        (self.f)(self.dataset.get(index))
    }
}

/// A tensor or a tuple of up to four: what a [`TensorDataset`] is made of.
pub trait Tensors: Clone + Send + Sync + Collate<Batch = Self> {
    /// The tensors.
    fn tensors(&self) -> Vec<&Tensor>;
    /// The same tuple of `f` of each.
    fn each(&self, f: impl Fn(&Tensor) -> Tensor) -> Self;
}

impl Tensors for Tensor {
    fn tensors(&self) -> Vec<&Tensor> {
        vec![self]
    }
    fn each(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
        f(self)
    }
}

macro_rules! tuple {
    ($(($($t:ident $i:tt),+))*) => {$(
        impl Tensors for ($($t,)+) {
            fn tensors(&self) -> Vec<&Tensor> {
                vec![$(&self.$i),+]
            }
            fn each(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
                ($(f(&self.$i),)+)
            }
        }
    )*};
}
tuple!((Tensor 0) (Tensor 0, Tensor 1) (Tensor 0, Tensor 1, Tensor 2) (Tensor 0, Tensor 1, Tensor 2, Tensor 3));

/// Tensors with a common first dimension; item `i` is the tuple of their rows `i`
/// (`torch.utils.data.TensorDataset`).
///
/// ```
/// use taper_data::{Dataset, TensorDataset};
/// use taper_tensor::tensor;
/// let set = TensorDataset::new((tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([0, 1])));
/// let (x, y) = set.get(1);
/// assert_eq!((x.to_vec::<f32>(), y.item()), (vec![3.0, 4.0], 1.0));
/// ```
#[derive(Clone, Debug)]
pub struct TensorDataset<T = (Tensor, Tensor)> {
    tensors: T,
    len: usize,
}

impl<T: Tensors> TensorDataset<T> {
    /// The rows of `tensors`: a tensor or a tuple of up to four.
    ///
    /// # Panics
    /// If a tensor has no dimension, or their first dimensions differ.
    #[track_caller]
    pub fn new(tensors: T) -> Self {
        let shapes: Vec<_> = tensors.tensors().iter().map(|t| t.shape().to_vec()).collect();
        let len = shapes[0].first().copied();
        assert!(
            len.is_some() && shapes.iter().all(|s| s.first().copied() == len),
            "TensorDataset: the first dimensions must be equal, got shapes {shapes:?}"
        );
        Self { len: len.unwrap_or(0), tensors }
    }

    /// The tensors themselves.
    pub fn tensors(&self) -> &T {
        &self.tensors
    }
}

impl<T: Tensors> Dataset for TensorDataset<T> {
    type Item = T;
    fn len(&self) -> usize {
        self.len
    }
    fn get(&self, index: usize) -> T {
        self.tensors.each(|t| t.select(0, index as isize))
    }
    fn batch(&self, indices: &[usize]) -> T {
        // Neighbours, as an unshuffled loader asks for, need no copy.
        if indices.windows(2).all(|w| w[0] + 1 == w[1]) {
            let start = indices.first().copied().unwrap_or(0) as isize;
            return self.tensors.each(|t| t.narrow(0, start, indices.len()));
        }
        let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let n = indices.len();
        let indices = Tensor::from_vec(indices, [n]);
        // Also of tensors that lie on a device.
        self.tensors.each(|t| t.index_select(0, &indices.to_device(t.device())))
    }
}
