//! The planes of a `[N, C, H, W]` operand, and which outputs a tap of a window serves.

use crate::{Layout, PoolParams, cpu::par};
use std::ops::Range;

/// How the planes of one operand lie.
#[derive(Clone, Copy, Debug)]
pub struct Planes {
    channels: usize,
    count: usize,
    steps: [isize; 2],
    offset: usize,
    pub height: usize,
    pub width: usize,
    /// Step of a row and of a column.
    pub row: isize,
    pub col: isize,
}

impl Planes {
    pub fn new(layout: &Layout) -> Self {
        let (&[n, channels, height, width], &[sn, sc, row, col]) = (layout.shape(), layout.strides()) else {
            panic!("pooling takes four dimensions")
        };
        Planes {
            channels,
            count: n * channels,
            steps: [sn, sc],
            offset: layout.offset(),
            height,
            width,
            row,
            col,
        }
    }

    /// Position of a plane's first element.
    pub fn start(&self, plane: usize) -> usize {
        let (n, c) = ((plane / self.channels) as isize, (plane % self.channels) as isize);
        self.offset.wrapping_add_signed(n * self.steps[0] + c * self.steps[1])
    }

    /// Position of a row's first element.
    #[inline(always)]
    pub fn row_start(&self, plane: usize, h: usize) -> usize {
        self.start(plane).wrapping_add_signed(h as isize * self.row)
    }

    /// Calls `f` with ranges of planes, on several threads if `taps` reads per element make it worth it.
    pub fn for_each(&self, taps: usize, f: impl Fn(Range<usize>) + Sync) {
        let cost = (self.height * self.width * taps) as f64 * 0.5;
        par::for_each_range(self.count, 1, cost.max(1.0), f);
    }
}

/// The outputs whose tap `i` (of dimension `d`) lies inside `0..size`, and where it lies for the first of them.
pub fn served(i: usize, d: usize, p: &PoolParams, size: usize, outputs: usize) -> (Range<usize>, usize) {
    let (step, pad) = (p.stride[d], p.padding[d]);
    let shift = i * p.dilation[d];
    let first = pad.saturating_sub(shift).div_ceil(step);
    let end = if size + pad > shift { (size + pad - shift).div_ceil(step).min(outputs) } else { 0 };
    (first..end.max(first), (first * step + shift).saturating_sub(pad))
}
