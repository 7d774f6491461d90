//! Transformed kernels, packed as the right operand of the products.

use super::*;
use crate::cpu::gemm::pack::turn;
use crate::cpu::gemm::real::{MAX_LANES, lanes, load, splat};
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
        let mut taps = [[zero; TAPS]; TAPS];
        for q in (0..TAPS * TAPS).step_by(lanes) {
            let mut t = [zero; MAX_LANES];
            for j in 0..lanes.min(self.channels[1] - o) {
                t[j] = self.some_taps(s, o + j, c, q);
            }
            turn::<S, f32>(&mut t);
            for i in q..(q + lanes).min(TAPS * TAPS) {
                let tap = if self.turned { TAPS * TAPS - 1 - i } else { i };
                taps[tap / TAPS][tap % TAPS] = t[i - q];
            }
        }
        // SAFETY: the caller's promise.
        unsafe { super::transform::taps(s, taps, to, self.plane()) };
    }

    /// A vector of the taps of one kernel from tap `q` on; behind the last, it may be anything.
    #[inline(always)]
    fn some_taps<S: Simd>(&self, s: S, o: usize, c: usize, q: usize) -> S::f32s {
        let lanes = lanes::<S, f32>();
        let start = self.start.wrapping_add_signed(o as isize * self.to + c as isize * self.from);
        if self.taps == [TAPS as isize, 1] && start + q + lanes <= self.data.len() {
            // SAFETY: inside the slice.
            return unsafe { load::<S, f32>(s, self.data.as_ptr().add(start + q)) };
        }
        let mut some = [0.0; MAX_LANES];
        for (i, v) in (q..TAPS * TAPS).zip(&mut some[..lanes]) {
            let step = (i / TAPS) as isize * self.taps[0] + (i % TAPS) as isize * self.taps[1];
            *v = self.data[start.wrapping_add_signed(step)];
        }
        // SAFETY: the array holds the longest vector.
        unsafe { load::<S, f32>(s, some.as_ptr()) }
    }
}
