//! The weight gradient: for each pair of channels and each product, the sum over tiles of transformed
//! gradient times transformed patch, transformed back last.

use super::*;
use crate::cpu::gemm::block::{SideBlock, column};
use crate::cpu::gemm::real::{Target, lanes, load, splat};
use crate::cpu::gemm::scratch::Scratch;
use crate::cpu::gemm::sizes::{VECTORS, panel_cols};
use crate::cpu::gemm::tile::{Columns, Rows as Right};
use crate::cpu::par::{SharedMut, for_each_job};
use crate::cpu::simd::{Simd, SimdBase};
use crate::simd;
use std::sync::atomic::AtomicBool;

/// Chunks of images that are summed apart, at most, and the memory their sums may take.
const CHUNKS: usize = 8;
const CHUNK_BYTES: usize = 16 << 20;
/// Fewest output channels of a job: all of them share its transformed patches.
const LEAST_ROWS: usize = 48;

/// The gradient of the weights of `g = source ⋆ w`.
pub struct Weights<'a> {
    pub source: Images<'a>,
    pub padding: [isize; 2],
    pub gradient: Images<'a>,
    pub images: usize,
}

/// A part of the sums: some images, some output channels.
#[derive(Clone, Copy)]
struct Share {
    images: [usize; 2],
    first: usize,
    rows: usize,
}

impl Weights<'_> {
    /// Channels of the source, in whole vectors.
    fn deep(&self) -> usize {
        padded(self.source.channels)
    }
    /// Elements of a plane of sums.
    fn plane(&self) -> usize {
        plane(self.gradient.channels * self.deep())
    }

    /// Whether all results were finite; otherwise they are to be computed as direct sums.
    pub fn run(&self, out: &mut [f32], to: &Lay) -> bool {
        let outputs = self.gradient.channels;
        let size = PRODUCTS * self.plane();
        let chunks = self.images.min(CHUNKS).min((CHUNK_BYTES / (size * size_of::<f32>())).max(1));
        let parts = (CHUNKS / chunks).min(outputs / LEAST_ROWS).max(1);
        let rows = outputs.div_ceil(parts);
        let mut sums = Scratch::new::<f32>(chunks * size);
        let sums = &mut sums.as_mut_slice::<f32>()[..chunks * size];
        let shared = SharedMut::new(sums);
        let job = |j: usize| {
            let (chunk, first) = (j / parts, j % parts * rows);
            let images = [self.images * chunk / chunks, self.images * (chunk + 1) / chunks];
            let share = Share { images, first, rows: rows.min(outputs.saturating_sub(first)) };
            // SAFETY: each job has its own chunk, or its own rows of every plane.
            simd!(s => unsafe { self.sum(s, share, shared.at(chunk * size)) });
        };
        for_each_job(chunks * parts, true, 1, &job);
        let sums = &*sums;
        let results = SharedMut::new(out);
        let wrong: Vec<AtomicBool> = (0..outputs).map(|_| AtomicBool::new(false)).collect();
        let job = |o: usize| {
            // SAFETY: each job has its own kernels.
            let finite = simd!(s => unsafe { self.back(s, o, chunks, sums, results, to) });
            wrong[o].store(!finite, Relaxed);
        };
        for_each_job(outputs, true, outputs.div_ceil(8), &job);
        !wrong.iter().any(|w| w.load(Relaxed))
    }

    /// The sums of a share, into its rows of the planes at `sums`.
    #[inline(always)]
    unsafe fn sum<S: Simd>(&self, s: S, share: Share, sums: *mut f32) {
        let (lanes, deep) = (lanes::<S, f32>(), self.deep());
        let (rows_deep, channels) = (padded(share.rows), self.source.channels);
        let tiles = Tiles::new(self.gradient.size);
        let block = block(deep + rows_deep);
        let (plane_in, plane_out) = (plane(block * deep), plane(block * rows_deep));
        let mut patches = Scratch::new::<f32>(PRODUCTS * plane_in);
        let mut gradients = Scratch::new::<f32>(PRODUCTS * plane_out);
        let (patches, gradients) = (patches.as_mut_slice::<f32>(), gradients.as_mut_slice::<f32>());
        let mut add = false;
        for job in tiles.jobs(share.images[0]..share.images[1]) {
            let start = [(job.rows[0] * STEP) as isize, 0];
            let window = |halo: usize| Window {
                start: if halo == 0 {
                    start
                } else {
                    [start[0] - self.padding[0], start[1] - self.padding[1]]
                },
                size: [reach(job.rows(), halo), reach(tiles.cols, halo)],
            };
            let (seen, given) = (window(SIDE - STEP), window(0));
            let (seen_len, given_len) =
                (seen.size[0] * seen.size[1] * deep, given.size[0] * given.size[1] * rows_deep);
            let mut frames = Scratch::new::<f32>(job.images() * seen_len + lanes * deep);
            let mut grads = Scratch::new::<f32>(job.images() * given_len + lanes * rows_deep);
            let (frames, grads) = (frames.as_mut_slice::<f32>(), grads.as_mut_slice::<f32>());
            for i in 0..job.images() {
                let n = job.images[0] + i;
                gather(s, &self.source, n, [0, channels], seen, deep, &mut frames[i * seen_len..]);
                let grad = &mut grads[i * given_len..];
                gather(s, &self.gradient, n, [share.first, share.rows], given, rows_deep, grad);
            }
            let count = job.images() * job.rows() * tiles.cols;
            let (mut seen_place, mut given_place) = (job.places(&tiles), job.places(&tiles));
            for t0 in (0..count).step_by(block) {
                let here = block.min(count - t0);
                for t in 0..here {
                    let patch = seen_place.next(seen_len, seen.size[1], deep);
                    let grad = given_place.next(given_len, given.size[1], rows_deep);
                    // SAFETY: the frames hold the patches, the planes all tiles of the block.
                    unsafe {
                        for c in (0..deep).step_by(lanes) {
                            let from = frames.as_ptr().add(patch + c);
                            let to = patches.as_mut_ptr().add(t * deep + c);
                            transform::input(s, from, seen.size[1] * deep, deep, to, plane_in);
                        }
                        for o in (0..rows_deep).step_by(lanes) {
                            let from = grads.as_ptr().add(grad + o);
                            let to = gradients.as_mut_ptr().add(t * rows_deep + o);
                            transform::gradient(s, from, given.size[1] * rows_deep, rows_deep, to, plane_out);
                        }
                    }
                }
                for q in 0..PRODUCTS {
                    let left = SideBlock { start: gradients[q * plane_out..].as_ptr(), step: rows_deep };
                    let target = Target {
                        start: sums.wrapping_add(q * self.plane() + share.first * deep),
                        row: deep as isize,
                        col: 1,
                        add,
                        bias: None,
                        relu: false,
                    };
                    let mut j = 0;
                    while j < deep {
                        let width = panel_cols(deep - j, lanes);
                        let at = patches[q * plane_in + j..].as_ptr();
                        let right = Right { at, lanes, step: deep as isize };
                        let (columns, to) = (Columns { skip: 0, end: width }, target.from(0, j));
                        // SAFETY: planes hold all tiles of the block, the sums all rows of the share.
                        unsafe {
                            if width == lanes {
                                column::<S, f32, _, 1>(s, share.rows, here, left, right, to, columns);
                            } else {
                                column::<S, f32, _, VECTORS>(s, share.rows, here, left, right, to, columns);
                            }
                        }
                        j += width;
                    }
                }
                add = true;
            }
        }
    }

    /// Adds up the chunks for output channel `o` and transforms the sums back; whether they are finite.
    #[inline(always)]
    unsafe fn back<S: Simd>(
        &self,
        s: S,
        o: usize,
        chunks: usize,
        sums: &[f32],
        out: SharedMut<f32>,
        to: &Lay,
    ) -> bool {
        let (lanes, deep) = (lanes::<S, f32>(), self.deep());
        let mut finite = true;
        for c in (0..deep).step_by(lanes) {
            let mut m = [[splat::<S, f32>(s, 0.0); SIDE]; SIDE];
            for chunk in 0..chunks {
                for q in 0..PRODUCTS {
                    let at = (chunk * PRODUCTS + q) * self.plane() + o * deep + c;
                    let from = &sums[at..at + lanes];
                    // SAFETY: a vector's worth.
                    m[q / SIDE][q % SIDE] += unsafe { load::<S, f32>(s, from.as_ptr()) };
                }
            }
            let k = tap_gradients(s, m);
            for (lane, c) in (c..self.source.channels.min(c + lanes)).enumerate() {
                for i in 0..TAPS {
                    for j in 0..TAPS {
                        let v = k[i][j].as_slice()[lane];
                        finite &= v.is_finite();
                        // SAFETY: an element of the result, of this job's kernels.
                        unsafe { *out.at(to.at([o, c, i, j])) = v };
                    }
                }
            }
        }
        finite
    }
}
