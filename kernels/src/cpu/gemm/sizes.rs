//! The sizes by which products are cut, in one place.
//!
//! Innermost is the tile: `MR` rows by two vectors of sums that stay in registers over a whole block
//! of k. Each step of k loads two vectors of `b` and broadcasts `MR` numbers of `a`. With 16 vector
//! registers (AVX2) 6 × 2 sums + 2 + 1 fill them; with 32 (AVX-512, NEON) 12 × 2 leave room, and 24
//! sums are enough to hide the latency of the multiply-add (4 cycles × 2 units need 8).
//!
//! - `KC` steps of k at a time: a panel of `b` (KC × 2 vectors: 16 KiB on AVX2, 32 KiB on AVX-512)
//!   stays in the first-level cache while the panels of `a` stream past it. Every path cuts k there,
//!   and sums inside a block run in order of k; so every path and every instruction set with a fused
//!   multiply-add gives the same bits.
//! - `MC` rows of `a` at a time (MC × KC × 4 bytes = 192 KiB, twice that in f64) stay in the second-level cache.
//! - `NC` columns of `b` and `MA` rows of `a` over `KA` steps of k are packed at once (4 MiB each in f32)
//!   and stay in the third-level cache. Packing and computing are separate parallel phases;
//!   large `KA` keeps the number of phases small.
//!
//! Miri, which takes a microsecond for each step, gets sizes with which small products go every way.

use super::real::{Real, lanes};
use crate::cpu::simd::Simd;

/// Steps of k in a block.
pub const KC: usize = if cfg!(miri) { 8 } else { 256 };
/// Rows of a job; a multiple of every `MR`.
pub const MC: usize = if cfg!(miri) { 12 } else { 192 };
/// Rows of the smallest job, where a product gives only a few; alike.
pub const MC_LEAST: usize = if cfg!(miri) { MC } else { 24 };
/// Columns of a job; a multiple of every panel's width.
pub const NJ: usize = if cfg!(miri) { 16 } else { 256 };
/// Columns of the smallest job.
pub const NJ_LEAST: usize = if cfg!(miri) { 8 } else { 64 };
/// Steps of k packed at once.
pub const KA: usize = if cfg!(miri) { 2 } else { 4 } * KC;
/// Rows packed at once.
pub const MA: usize = if cfg!(miri) { MC } else { 1152 };
/// Columns packed at once.
pub const NC: usize = if cfg!(miri) { 1 } else { 4 } * NJ;

/// Products of fewer multiply-adds than this are not packed.
pub const SMALL: usize = if cfg!(miri) { 500 } else { 128 * 1024 };
/// Products of fewer multiply-adds than this run on one thread.
pub const PARALLEL: usize = 4 * SMALL;
/// Vectors side by side in a tile.
pub const VECTORS: usize = 2;

/// Rows of a tile.
pub const fn mr<S: Simd, T: Real>() -> usize {
    match lanes::<S, T>() * size_of::<T>() {
        64 => 12,
        32 => 6,
        _ if cfg!(target_arch = "aarch64") => 12,
        _ => 4,
    }
}

/// Columns of a tile.
pub const fn nr<S: Simd, T: Real>() -> usize {
    VECTORS * lanes::<S, T>()
}

/// Rows of the next panel where `left` rows remain.
#[inline(always)]
pub const fn panel_rows(left: usize, mr: usize) -> usize {
    if left >= mr {
        mr
    } else if mr > 8 && left >= 8 {
        8
    } else if mr > 4 && left >= 4 {
        4
    } else if left >= 2 {
        2
    } else {
        1
    }
}

/// Columns a panel takes in packed memory: two vectors, or one where that is enough.
#[inline(always)]
pub const fn panel_cols(left: usize, lanes: usize) -> usize {
    if left > lanes { VECTORS * lanes } else { lanes }
}

/// All columns in packed memory.
pub const fn padded_cols(n: usize, lanes: usize) -> usize {
    n.div_ceil(lanes) * lanes
}
