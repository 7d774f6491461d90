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
//! - `MC` rows of `a` at a time (MC × KC × 4 bytes = 96 KiB, twice that in f64) stay in the second-level cache,
//!   also where they are read in place and 4 or 8 KiB apart: then they share a quarter or an eighth of its
//!   sets. `NJ` columns at a time, so that they are fetched once; `NJ_SHARED` where several threads shall
//!   end together.
//! - `NC` columns of `b` and `MA` rows of `a` over `KA` steps of k are packed at once (4 MiB each in f32)
//!   and stay in the third-level cache. For several threads, packing and computing are separate phases;
//!   large `KA` keeps the number of phases small.
//! - What is read only a few times, or lies in the second-level cache ([`IN_PLACE`] bytes) and not in steps
//!   of whole pages, is not packed: eight rows of `a`, one after the other, are streams that the processor
//!   fetches by itself, and a vector of `b` comes from the second-level cache as fast as it is used. A copy
//!   through the third-level cache costs more.
//!
//! Miri, which takes a microsecond for each step, gets sizes with which small products go every way.

use super::real::{Product, Real, lanes};
use crate::cpu::simd::Simd;

/// Steps of k in a block.
pub const KC: usize = if cfg!(miri) { 8 } else { 256 };
/// Rows of a job; a multiple of every `MR`.
pub const MC: usize = if cfg!(miri) { 12 } else { 96 };
/// Rows of the smallest job, where a product gives only a few; alike.
pub const MC_LEAST: usize = if cfg!(miri) { MC } else { 24 };
/// Columns of a job; a multiple of every panel's width.
pub const NJ: usize = if cfg!(miri) { 16 } else { 1024 };
/// Columns of a job of several threads.
pub const NJ_SHARED: usize = if cfg!(miri) { 16 } else { 256 };
/// Columns of the smallest job.
pub const NJ_LEAST: usize = if cfg!(miri) { 8 } else { 64 };
/// Jobs that a product of several threads is cut into, at least.
pub const JOBS: usize = 8;
/// Steps of k packed at once.
pub const KA: usize = if cfg!(miri) { 2 } else { 4 } * KC;
/// Rows packed at once.
pub const MA: usize = if cfg!(miri) { MC } else { 1152 };
/// Columns packed at once.
pub const NC: usize = NJ;

/// Operands of fewer bytes than this are read where they lie.
const IN_PLACE: usize = if cfg!(miri) { 1 << 9 } else { 1 << 20 };
/// Rows for which it does not pay to pack `b`.
const FEW_ROWS: usize = if cfg!(miri) { 2 } else { 16 };
/// Products of fewer multiply-adds than this run on one thread.
pub const PARALLEL: usize = if cfg!(miri) { 2000 } else { 512 * 1024 };
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

/// Rows of a tile that reads `a` in place, with the instruction set in use; more run out of address registers.
pub fn rows_in_place() -> usize {
    if super::vector_bytes() == 32 { 6 } else { 8 }
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

/// True where the `k` steps of a panel share a few sets of the cache, because they are whole pages apart, and
/// the panel is read often enough to pay for a copy.
fn crowded<T>(step: isize, k: usize, uses: usize) -> bool {
    (step.unsigned_abs() * size_of::<T>()).is_multiple_of(4096) && k > 32 && uses >= 128
}

/// True where `a` is read where it lies: along its rows, or from the cache.
pub fn left_in_place<T>(p: &Product<T>) -> bool {
    p.a.col == 1 || (p.m * p.k * size_of::<T>() <= IN_PLACE && !crowded::<T>(p.a.col, p.k, p.n))
}

/// True where `b` is read where it lies: whole vectors of its rows, once or from the cache.
pub fn right_in_place<T>(p: &Product<T>) -> bool {
    let whole = p.b.col == 1 && p.n * size_of::<T>() >= 64;
    let cached = p.n * p.k * size_of::<T>() <= IN_PLACE && !crowded::<T>(p.b.row, p.k, p.m);
    whole && (p.m <= FEW_ROWS || cached)
}

/// True where one thread needs no blocks of rows and columns: both operands are read in place, or packed at
/// once, and a block of k of each stays in the cache.
pub fn one_block<T>(p: &Product<T>) -> bool {
    let block = p.k.min(KC) * size_of::<T>();
    let left = left_in_place(p) && (p.m * block <= IN_PLACE / 2 || p.n * size_of::<T>() <= 256);
    left && (right_in_place(p) || p.n * block <= IN_PLACE)
}
