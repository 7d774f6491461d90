//! Check mode: races and reads of memory that nobody has written.
//!
//! Each piece of memory remembers its last writer and its readers since. Two accesses of
//! different threads to one place, one of them a write, are a race unless something orders them:
//! a barrier of the block that both warps took part in (kept as a vector clock a warp), a
//! `bar.warp.sync` of both lanes (a vector clock a lane), or a fence and a strong access that the
//! other thread has seen, which is all that orders different blocks of one launch. Atomics do not
//! race with atomics. Two writes of one value do not count as a race.

mod order;
mod shadow;

pub(crate) use order::{Order, Who};
pub(crate) use shadow::{Checker, Kind};
