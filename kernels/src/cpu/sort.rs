//! Sort and top-k.

use crate::{backend::*, *};

pub fn sort(_x: View, _axis: usize, _descending: bool, _values: ViewMut, _indices: ViewMut) -> Result {
    unimplemented!()
}
pub fn topk(_x: View, _axis: usize, _largest: bool, _values: ViewMut, _indices: ViewMut) -> Result {
    unimplemented!()
}
