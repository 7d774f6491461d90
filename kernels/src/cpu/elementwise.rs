//! Unary and binary kernels.

use crate::{backend::*, *};

pub fn unary(_op: UnaryOp, _x: Src, _out: ViewMut) -> Result {
    unimplemented!()
}
pub fn binary(_op: BinaryOp, _a: Src, _b: Src, _out: ViewMut) -> Result {
    unimplemented!()
}
