//! 3×3 convolutions of stride 1 with 2.25 times fewer multiplications: Winograd's F(2×2, 3×3).
//!
//! The output is cut into tiles of 2×2, each the result of a 4×4 patch of the input. Patches and
//! kernels are [`transform`]ed to 16 numbers for every channel; then the convolution is 16 matrix
//! products of (tiles × channels) by (channels × output channels), whose results are transformed to
//! outputs ([`product`]). The input gradient is the same with the kernel's taps and channels turned
//! round; the weight gradient transforms input and gradient and sums over tiles ([`weight`]).
//!
//! **Error.** Transformed patches are sums of four inputs, so an output's error is relative to the
//! largest products its tile sees, not only to its own. With `C` input channels, `D` the largest input
//! of the 4×4 patch in each and `K` the largest tap, an f32 output is within
//! `(C + 16) · 2⁻²⁴ · 64 · Σ D K` of the exact result; a direct sum has `9 C · 2⁻²⁴ · 9 · Σ D K` then, which
//! is more. On random numbers the root mean square of the errors is about 0.6 times that of a direct
//! sum for outputs and input gradients (sums are shorter), and twice for weight gradients; a test holds
//! them to 1 and 3. F(4×4, 3×3) would take four times fewer multiplications than a direct sum, but loses
//! a digit and more, and is left out.
//!
//! Only f32 (and f16, bf16 through it) comes here. Non-finite results are computed again as direct
//! sums, so infinities and NaNs stay where they belong; `TAPER_WINOGRAD=0` or [`set_winograd`] turns it off.

mod call;
mod channels;
mod kernels;
mod product;
mod transform;
mod weight;

pub use call::run;

use super::correlate::Lay;
use crate::cpu::gemm::vector_bytes;
use channels::{Images, Window, gather};
use kernels::Kernels;
use product::{Out, Product};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use transform::*;
use weight::Weights;

static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// Whether 3×3 convolutions in f32 may use Winograd's algorithm, which is faster and rounds a little
/// differently: yes, unless the environment variable `TAPER_WINOGRAD` is `0` or [`set_winograd`] forbids it.
pub fn winograd() -> bool {
    if CHOSEN.load(Relaxed) == 0 {
        set_winograd(std::env::var_os("TAPER_WINOGRAD").is_none_or(|v| v != "0"));
    }
    CHOSEN.load(Relaxed) == 2
}

/// Allows or forbids Winograd's algorithm for the whole process, as flags of `torch.backends` do for
/// PyTorch's algorithms. Without it, convolutions are direct sums.
pub fn set_winograd(on: bool) {
    CHOSEN.store(1 + on as u8, Relaxed);
}

/// Tiles of a job, about; more jobs than that share too many borders.
const JOB_TILES: usize = if cfg!(miri) { 6 } else { 100 };
/// Memory of one block of transformed tiles: with the kernels' it should fit the second-level cache.
const BLOCK_BYTES: usize = 256 << 10;
/// Tiles of a block; a multiple of all rows of the products' tiles.
const BLOCK_LEAST: usize = 24;
const BLOCK_MOST: usize = 96;

/// The tiles of a convolution's outputs.
#[derive(Clone, Copy)]
struct Tiles {
    rows: usize,
    cols: usize,
}

/// Rows of tiles of some images.
#[derive(Clone, Copy)]
struct Job {
    images: [usize; 2],
    rows: [usize; 2],
}

impl Tiles {
    fn new(outputs: [usize; 2]) -> Self {
        Tiles { rows: outputs[0].div_ceil(STEP), cols: outputs[1].div_ceil(STEP) }
    }

    fn each(&self) -> usize {
        self.rows * self.cols
    }

    /// Several images, or a part of one, for each job.
    fn jobs(&self, images: std::ops::Range<usize>) -> Vec<Job> {
        let parts = self.each().div_ceil(JOB_TILES).min(self.rows);
        let rows = self.rows.div_ceil(parts);
        let together = (JOB_TILES / self.each()).max(1);
        let mut jobs = vec![];
        for n in images.clone().step_by(together) {
            for r in (0..self.rows).step_by(rows) {
                let (n_end, r_end) = ((n + together).min(images.end), (r + rows).min(self.rows));
                jobs.push(Job { images: [n, n_end], rows: [r, r_end] });
            }
        }
        jobs
    }
}

/// Places of a job's tiles, one after the other.
#[derive(Clone, Copy)]
struct Place {
    job: Job,
    cols: usize,
    image: usize,
    row: usize,
    col: usize,
}

impl Job {
    fn places(self, tiles: &Tiles) -> Place {
        Place { job: self, cols: tiles.cols, image: 0, row: 0, col: 0 }
    }
    fn images(&self) -> usize {
        self.images[1] - self.images[0]
    }
    fn rows(&self) -> usize {
        self.rows[1] - self.rows[0]
    }
}

impl Place {
    /// Where the top left of the tile's patch lies among frames of `width` pixels a row, and the next tile.
    #[inline(always)]
    fn next(&mut self, frame: usize, width: usize, deep: usize) -> usize {
        let at = self.image * frame + (self.row * width + self.col) * STEP * deep;
        self.col += 1;
        if self.col == self.cols {
            (self.row, self.col) = (self.row + 1, 0);
            if self.row == self.job.rows() {
                (self.image, self.row) = (self.image + 1, 0);
            }
        }
        at
    }
}

/// Rows and columns of the patches that tiles see together.
const fn reach(tiles: usize, halo: usize) -> usize {
    tiles * STEP + halo
}

/// A number of channels, up to whole vectors.
fn padded(channels: usize) -> usize {
    channels.next_multiple_of(vector_bytes() / size_of::<f32>())
}

/// Tiles of a block in which each takes `channels` numbers in every plane.
fn block(channels: usize) -> usize {
    let fit = BLOCK_BYTES / (PRODUCTS * size_of::<f32>() * channels);
    (fit / BLOCK_LEAST * BLOCK_LEAST).clamp(BLOCK_LEAST, BLOCK_MOST)
}

/// Elements from plane to plane, so that a store to every plane does not meet one set of the cache.
fn plane(elements: usize) -> usize {
    elements + 64 / size_of::<f32>()
}
