//! Transformed kernels, packed as the right operand of the products.

use super::channels::{inside, turned};
use super::*;
use crate::cpu::gemm::real::{MAX_LANES, lanes, splat};
use crate::cpu::gemm::sizes::{VECTORS, panel_cols};
use crate::cpu::par::{SharedMut, for_each_job};
use crate::cpu::simd::Simd;
use crate::simd;

/// The kernel from channel `c` to channel `o` starts at `start + o·to + c·from`.
#[derive(Clone, Copy)]
pub struct Kernels<'a> {
    pub data: &'a [f32],
    pub start: usize,
    pub to: isize,
    pub from: isize,
    /// Steps between the rows and columns of taps.
    pub taps: [isize; 2],
    /// Taps are taken from the last to the first.
    pub turned: bool,
    /// Channels in and out.
    pub channels: [usize; 2],
}

/// Channels in of a job.
const SHARE: usize = 32;

impl Kernels<'_> {
    /// Elements of a plane of the packed kernels: panels of output channels, each channel in after the other.
    pub fn plane(&self) -> usize {
        plane(self.channels[0] * padded(self.channels[1]))
    }

    pub fn pack(&self, to: &mut [f32]) {
        let [from, outputs] = self.channels;
        let lanes = vector_bytes() / size_of::<f32>();
        let shares = from.div_ceil(SHARE);
        let blocks = outputs.div_ceil(lanes);
        let to = SharedMut::new(to);
        let job = |j: usize| {
            let (block, c) = (j / shares, j % shares * SHARE);
            let o = block * lanes;
            // The panel of these output channels.
            let first = block / VECTORS * VECTORS * lanes;
            let width = panel_cols(padded(outputs) - first, lanes);
            for c in c..from.min(c + SHARE) {
                let at = first * from + c * width + o - first;
                // SAFETY: inside the first plane, and in the others as far; each job has its own
                // channels.
                simd!(s => unsafe { self.transformed(s, o, c, to.at(at)) });
            }
        };
        for_each_job(shares * blocks, outputs * from > 4096, 1, &job);
    }

    /// Kernels from channel `c` to a vector of output channels from `o` on.
    ///
    /// # Safety
    /// There is room for a vector in every plane at `to`.
    #[inline(always)]
    unsafe fn transformed<S: Simd>(&self, s: S, o: usize, c: usize, to: *mut f32) {
        let lanes = lanes::<S, f32>();
        let zero = splat::<S, f32>(s, 0.0);
        let count = lanes.min(self.channels[1] - o);
        let start = self.start.wrapping_add_signed(o as isize * self.to + c as isize * self.from);
        let mut taps = [[zero; TAPS]; TAPS];
        let mut some = [[0.0; MAX_LANES]; MAX_LANES];
        for q in (0..TAPS * TAPS).step_by(lanes) {
            let whole = count == lanes
                && self.taps == [TAPS as isize, 1]
                && inside(self.data, start + q, lanes, lanes, self.to);
            let (place, step) = if whole {
                (self.data.as_ptr().wrapping_add(start + q), self.to)
            } else {
                for (j, some) in some[..count].iter_mut().enumerate() {
                    let start = start.wrapping_add_signed(j as isize * self.to);
                    for (i, v) in (q..TAPS * TAPS).zip(&mut some[..lanes]) {
                        let step = (i / TAPS) as isize * self.taps[0] + (i % TAPS) as isize * self.taps[1];
                        *v = self.data[start.wrapping_add_signed(step)];
                    }
                }
                (some.as_ptr().cast(), MAX_LANES as isize)
            };
            // SAFETY: vectors inside the kernels, or the square.
            let t = unsafe { turned(s, place, step) };
            for i in q..(q + lanes).min(TAPS * TAPS) {
                taps[i / TAPS][i % TAPS] = t[i - q];
            }
        }
        if self.turned {
            let [[a, b, c], [d, e, f], [g, h, i]] = taps;
            taps = [[i, h, g], [f, e, d], [c, b, a]];
        }
        // SAFETY: the caller's promise.
        unsafe { super::transform::taps(s, taps, to, self.plane()) };
    }
}
