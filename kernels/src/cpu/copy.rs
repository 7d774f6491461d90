//! Fill, cast, copy.

use crate::{backend::*, *};

pub fn fill(_out: ViewMut, _value: Scalar) -> Result {
    unimplemented!()
}
pub fn arange(_out: ViewMut, _start: Scalar, _step: Scalar) -> Result {
    unimplemented!()
}
pub fn copy(_x: View, _out: ViewMut) -> Result {
    unimplemented!()
}
