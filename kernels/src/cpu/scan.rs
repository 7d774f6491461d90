//! Running reductions.

use crate::{backend::*, *};

pub fn scan(_op: ScanOp, _x: View, _axis: usize, _out: ViewMut) -> Result {
    unimplemented!()
}
