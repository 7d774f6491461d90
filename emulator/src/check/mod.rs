//! Check mode: races and reads of memory that nobody has written.
//!
//! Each piece of memory remembers its last writer and its readers since. Two accesses of
//! different threads to one place, one of them a write, are a race unless something orders them:
//! a barrier of the block that both warps took part in (kept as a vector clock a warp), or a
//! `bar.warp.sync` between lanes of one warp. Nothing orders different blocks of one launch.
//! Atomics do not race with atomics. Two writes of one value do not count as a race.

mod shadow;

pub(crate) use shadow::{Checker, Clock, Kind, Who};
