//! Layer and batch norm.

use crate::{backend::*, *};

pub fn norm(_op: NormOp, _out: Option<ViewMut>) -> Result {
    unimplemented!()
}
