//! Optimizer updates.

use crate::{backend::*, *};

pub fn step(_op: OptimizerOp, _grad: View, _param: ViewMut) -> Result {
    unimplemented!()
}
