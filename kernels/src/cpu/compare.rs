//! Relations and selection.

use crate::{backend::*, *};

pub fn compare(_op: CompareOp, _a: Src, _b: Src, _out: ViewMut) -> Result {
    unimplemented!()
}
pub fn select(_cond: View, _a: Src, _b: Src, _out: ViewMut) -> Result {
    unimplemented!()
}
