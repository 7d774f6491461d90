//! What stands between the brackets: `x.index((1, .., 2..5, &rows))`.

use crate::tensor::Tensor;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// All the dimensions that the other items leave (Python's `...`).
#[derive(Clone, Copy, Debug)]
pub struct Ellipsis;

/// A new dimension of size 1 (Python's `None` between the brackets).
#[derive(Clone, Copy, Debug)]
pub struct NewAxis;

/// Entries `start..end`, `step` apart, with Python's rules; a negative step walks backwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slice {
    pub(super) start: Option<isize>,
    pub(super) end: Option<isize>,
    pub(super) step: isize,
}

impl Slice {
    /// A slice; `None` is open, negative positions count from the end.
    pub fn new(start: impl Into<Option<isize>>, end: impl Into<Option<isize>>, step: isize) -> Self {
        Slice { start: start.into(), end: end.into(), step }
    }
}

/// One item of an index.
#[derive(Clone)]
pub enum IndexItem {
    /// One entry; the dimension goes away. Negative counts from the end.
    Int(isize),
    /// A range of entries.
    Slice(Slice),
    /// All the dimensions that the other items leave.
    Ellipsis,
    /// A new dimension of size 1.
    NewAxis,
    /// Positions (i32 or i64), or a mask (bool) over as many dimensions as it has.
    Tensor(Tensor),
}

/// A whole index: one item, or a tuple of up to six, or a list of [`IndexItem`]s. Items are integers,
/// ranges, [`Slice`], [`Ellipsis`], [`NewAxis`] and tensors.
pub trait IntoIndex {
    /// The items, from the first dimension on.
    fn into_index(self) -> Vec<IndexItem>;
}

macro_rules! items {
    ($([$($g:tt)*] $t:ty: $x:ident => $e:expr;)*) => { $(
        impl<$($g)*> From<$t> for IndexItem {
            fn from($x: $t) -> Self { $e }
        }
        impl<$($g)*> IntoIndex for $t {
            fn into_index(self) -> Vec<IndexItem> { vec![self.into()] }
        }
    )* };
}
fn slice(start: Option<isize>, end: Option<isize>) -> IndexItem {
    IndexItem::Slice(Slice { start, end, step: 1 })
}
/// The end behind the last entry; behind −1 the dimension ends.
fn behind(last: isize) -> Option<isize> {
    if last == -1 { None } else { Some(last + 1) }
}
items! {
    [] Slice: x => IndexItem::Slice(x);
    [] RangeFull: _x => slice(None, None);
    [] Ellipsis: _x => IndexItem::Ellipsis;
    [] NewAxis: _x => IndexItem::NewAxis;
    [] Tensor: x => IndexItem::Tensor(x);
    [] &Tensor: x => IndexItem::Tensor(x.clone());
}
// Positions in any of the usual integer types, so that literals and counters of loops both fit.
macro_rules! positions {
    ($($t:ty),*) => { items! { $(
        [] $t: x => IndexItem::Int(x as isize);
        [] Range<$t>: r => slice(Some(r.start as isize), Some(r.end as isize));
        [] RangeFrom<$t>: r => slice(Some(r.start as isize), None);
        [] RangeTo<$t>: r => slice(None, Some(r.end as isize));
        [] RangeInclusive<$t>: r => slice(Some(*r.start() as isize), behind(*r.end() as isize));
        [] RangeToInclusive<$t>: r => slice(None, behind(r.end as isize));
    )* } };
}
positions!(i32, i64, isize, usize);

impl IntoIndex for IndexItem {
    fn into_index(self) -> Vec<IndexItem> {
        vec![self]
    }
}
impl IntoIndex for Vec<IndexItem> {
    fn into_index(self) -> Vec<IndexItem> {
        self
    }
}
impl IntoIndex for &[IndexItem] {
    fn into_index(self) -> Vec<IndexItem> {
        self.to_vec()
    }
}

macro_rules! tuples {
    ($(($($t:ident)*))*) => { $(
        impl<$($t: Into<IndexItem>),*> IntoIndex for ($($t,)*) {
            #[allow(non_snake_case, reason = "one name for a type and its value")]
            fn into_index(self) -> Vec<IndexItem> {
                let ($($t,)*) = self;
                vec![$($t.into()),*]
            }
        }
    )* };
}
tuples! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) }
