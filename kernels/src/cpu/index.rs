//! Gather and scatter.

use crate::{backend::*, *};

pub fn gather(_op: GatherOp, _out: ViewMut) -> Result {
    unimplemented!()
}
pub fn scatter(_op: ScatterOp, _out: ViewMut) -> Result {
    unimplemented!()
}
pub fn nonzero(_x: View) -> Result<(Storage, usize)> {
    unimplemented!()
}
