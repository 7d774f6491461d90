//! Convolution.

use crate::{backend::*, *};

pub fn conv(_op: ConvOp, _params: ConvParams, _out: ViewMut) -> Result {
    unimplemented!()
}
