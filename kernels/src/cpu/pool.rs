//! Pooling.

use crate::{backend::*, *};

pub fn pool(_op: PoolOp, _params: PoolParams, _out: ViewMut) -> Result {
    unimplemented!()
}
