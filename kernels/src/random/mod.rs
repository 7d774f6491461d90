//! PyTorch's random numbers.

use crate::{RandomOp, Result, ViewMut};

/// The CPU generator: mt19937 and one cached normal.
#[derive(Clone, Debug)]
pub struct Generator {}

impl Generator {
    /// A generator seeded as `torch.Generator().manual_seed(seed)`.
    pub fn new(_seed: u64) -> Self {
        unimplemented!()
    }
}

/// Fills a view.
pub fn fill(_op: RandomOp, _generator: &mut Generator, _out: ViewMut) -> Result {
    unimplemented!()
}
