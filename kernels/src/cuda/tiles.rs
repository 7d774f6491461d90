//! How a matrix product or a convolution is cut into blocks: the size of tiles, and ranges of k that
//! several blocks share.
//!
//! Costs are estimated in cycles of a multiprocessor that makes 128 multiply-adds in each, from counts; no
//! figure here has been measured on a GPU:
//!
//! - A tile of 128 × 128 multiplies 128² pairs for each k, in which 92 % of the instructions are
//!   multiply-adds; one of 64 × 64 reads shared memory thrice as often for each, about 70 %.
//! - A block begins by filling both tiles and ends by writing results, some thousand cycles.
//! - Blocks are dealt evenly over the multiprocessors, and the fullest one decides.
//! - Where k is split, partial products are written, read and added by a further launch: some 3,000 cycles,
//!   and the bytes at about a kilobyte per cycle of the whole GPU.
//!
//! f64 and integers are slower everywhere alike, which changes no choice but the weight of the last two.

/// Multiples of k that a range has.
pub(super) const DEPTH: u32 = 16;
/// Fewest k that are worth a block of their own.
const LEAST: u32 = 64;
/// Most ranges of k.
const MOST: u32 = 64;

/// A product of matrices, or several of one size.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub rows: u32,
    pub cols: u32,
    pub k: u32,
    pub batches: u32,
}

impl Sizes {
    /// Numbers of the product.
    pub fn results(&self) -> u64 {
        self.rows as u64 * self.cols as u64 * self.batches as u64
    }
}

/// How a product is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cut {
    /// Rows and columns of a tile: 64 or 128.
    pub tile: u32,
    /// Ranges of k, and the length of each.
    pub splits: u32,
    pub chunk: u32,
}

impl Cut {
    /// Tiles downwards and across.
    pub fn tiles(&self, s: Sizes) -> [u32; 2] {
        [s.rows.div_ceil(self.tile), s.cols.div_ceil(self.tile)]
    }

    /// Threads of a block: 8 × 16 results for each, or 4 × 4.
    pub fn threads(&self) -> u32 {
        if self.tile == 128 { 128 } else { 256 }
    }

    /// Blocks in all.
    pub fn blocks(&self, s: Sizes) -> u64 {
        let [down, across] = self.tiles(s);
        down as u64 * across as u64 * s.batches as u64 * self.splits as u64
    }

    fn cost(&self, s: Sizes, multiprocessors: u32) -> f64 {
        let pairs = (self.tile * self.tile) as f64 / 128.0;
        let per_k = pairs / if self.tile == 128 { 0.92 } else { 0.7 };
        let fullest = self.blocks(s).div_ceil(multiprocessors as u64) as f64;
        let partial = s.results() as f64 * self.splits as f64;
        let joining = if self.splits > 1 { 3000.0 + 2.0 * 4.0 * partial / 1024.0 } else { 0.0 };
        fullest * (self.chunk as f64 * per_k + 1000.0) + joining
    }
}

/// The cheapest cut; `large` tells whether there are tiles of 128 × 128 for the dtype.
pub(super) fn cut(s: Sizes, large: bool, multiprocessors: u32) -> Cut {
    let tiles: &[u32] = if large { &[128, 64] } else { &[64] };
    let mut best: Option<(f64, Cut)> = None;
    for &tile in tiles {
        for wanted in 1..=MOST.min((s.k / LEAST).max(1)) {
            let chunk = s.k.div_ceil(wanted).max(1).next_multiple_of(DEPTH);
            let splits = s.k.div_ceil(chunk).max(1);
            if splits != wanted {
                continue;
            }
            let cut = Cut { tile, splits, chunk: if splits == 1 { s.k } else { chunk } };
            let cost = cut.cost(s, multiprocessors);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, cut));
            }
        }
    }
    best.expect("one range is always possible").1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: u32, cols: u32, k: u32, batches: u32) -> Cut {
        cut(Sizes { rows, cols, k, batches }, true, 108)
    }

    #[test]
    fn ranges_cover_k() {
        for k in [0, 1, 15, 16, 17, 64, 100, 129, 1000, 4097] {
            for (rows, cols) in [(1, 1), (64, 64), (10, 784), (130, 70)] {
                let c = of(rows, cols, k, 1);
                assert!(c.splits >= 1 && c.splits as u64 * c.chunk as u64 >= k as u64, "{c:?} of {k}");
                assert!(
                    c.splits == 1 || (c.splits - 1) * c.chunk < k && c.chunk.is_multiple_of(DEPTH),
                    "{c:?} of {k}"
                );
            }
        }
    }

    #[test]
    fn choices() {
        // Large products take large tiles whole.
        assert_eq!(of(4096, 4096, 4096, 1), Cut { tile: 128, splits: 1, chunk: 4096 });
        // A gradient of a weight over many rows is split, or one multiprocessor would do all.
        assert!(of(64, 64, 65536, 1).splits >= 32);
        // Small products stay whole.
        assert_eq!(of(64, 10, 128, 1).splits, 1);
        assert_eq!(of(64, 64, 64, 16).splits, 1);
        assert!(cut(Sizes { rows: 4096, cols: 4096, k: 64, batches: 1 }, false, 108).tile == 64);
    }
}
