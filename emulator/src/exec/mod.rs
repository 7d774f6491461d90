//! Execution: launches are spread over host threads block by block; in a block, warps run in
//! turns; in a warp, 32 lanes run in lockstep.

mod access;
mod address;
mod atomic;
mod block;
mod collective;
mod inspect;
pub(crate) mod lanes;
mod launch;
mod mma;
pub(crate) mod num;
pub(crate) mod regs;
mod run;
mod staged;
mod warp;

pub(crate) use launch::{Launch, launch};
pub(crate) use regs::lanes as lanes_of;

/// A number of blocks or of threads in three directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dim {
    /// First direction.
    pub x: u32,
    /// Second direction.
    pub y: u32,
    /// Third direction.
    pub z: u32,
}

impl Dim {
    /// One direction.
    pub fn x(x: u32) -> Self {
        Dim { x, y: 1, z: 1 }
    }

    /// Two directions.
    pub fn xy(x: u32, y: u32) -> Self {
        Dim { x, y, z: 1 }
    }

    /// How many there are.
    pub fn count(self) -> u64 {
        self.x as u64 * self.y as u64 * self.z as u64
    }

    /// The place of the `index`-th one.
    pub(crate) fn place(self, index: u64) -> [u32; 3] {
        let (x, y) = (self.x as u64, self.y as u64);
        [(index % x) as u32, (index / x % y) as u32, (index / x / y) as u32]
    }
}
