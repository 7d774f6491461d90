//! Items into batches.

use taper_tensor::Tensor;

/// Items that can be put together to a batch (PyTorch's `default_collate`).
///
/// | item | batch |
/// |---|---|
/// | [`Tensor`] | stacked along a new first dimension |
/// | number, `bool` | a tensor of shape `[N]` of that dtype (`usize`: i64) |
/// | `String` | `Vec<String>` |
/// | tuple of up to four | tuple of batches |
/// | `Result` | the batch, or the first error |
pub trait Collate: Sized {
    /// Many of them together.
    type Batch;

    /// The batch of `items`, in order.
    ///
    /// # Panics
    /// If tensors differ in shape.
    fn collate(items: Vec<Self>) -> Self::Batch;
}

impl Collate for Tensor {
    type Batch = Tensor;
    #[track_caller]
    fn collate(items: Vec<Self>) -> Tensor {
        Tensor::stack(&items, 0)
    }
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl Collate for $t {
            type Batch = Tensor;
            fn collate(items: Vec<Self>) -> Tensor {
                let n = items.len();
                Tensor::from_vec(items, [n])
            }
        }
    )*};
}
numbers!(f64, f32, i64, i32, i16, i8, u8);

impl Collate for usize {
    type Batch = Tensor;
    fn collate(items: Vec<Self>) -> Tensor {
        Collate::collate(items.into_iter().map(|i| i as i64).collect::<Vec<i64>>())
    }
}

impl Collate for bool {
    type Batch = Tensor;
    fn collate(items: Vec<Self>) -> Tensor {
        Tensor::from_bools(&items, [items.len()])
    }
}

impl Collate for String {
    type Batch = Vec<String>;
    fn collate(items: Vec<Self>) -> Vec<String> {
        items
    }
}

impl<T: Collate, E> Collate for Result<T, E> {
    type Batch = Result<T::Batch, E>;
    fn collate(items: Vec<Self>) -> Self::Batch {
        items.into_iter().collect::<Result<Vec<T>, E>>().map(T::collate)
    }
}

macro_rules! tuples {
    ($(($($t:ident $i:tt $v:ident),+))*) => {$(
        impl<$($t: Collate),+> Collate for ($($t,)+) {
            type Batch = ($($t::Batch,)+);
            fn collate(items: Vec<Self>) -> Self::Batch {
                $(let mut $v = Vec::with_capacity(items.len());)+
                for item in items {
                    $($v.push(item.$i);)+
                }
                ($($t::collate($v),)+)
            }
        }
    )*};
}
tuples!((A 0 a) (A 0 a, B 1 b) (A 0 a, B 1 b, C 2 c) (A 0 a, B 1 b, C 2 c, D 3 d));
