//! The forward pass and the input gradient.

use super::channels::{Rows, spread};
use super::*;
use crate::cpu::gemm::block::packed_block;
use crate::cpu::gemm::real::{Mat, Target, lanes, load, relu, splat, store};
use crate::cpu::gemm::scratch::Scratch;
use crate::cpu::par::for_each_job;
use crate::cpu::simd::{Simd, SimdFloat};
use crate::simd;
use std::sync::atomic::AtomicBool;

/// `out = source ⋆ kernels + bias`.
pub struct Product<'a> {
    pub source: Images<'a>,
    pub padding: [isize; 2],
    pub kernels: Kernels<'a>,
    pub outputs: [usize; 2],
    pub out: Out,
    /// One for each output channel.
    pub bias: Option<Vec<f32>>,
    pub relu: bool,
}

/// Where the results go; jobs write different parts of it.
pub struct Out {
    pub start: *mut f32,
    pub lay: Lay,
}
// SAFETY: see above.
unsafe impl Send for Out {}
// SAFETY: see above.
unsafe impl Sync for Out {}

impl Product<'_> {
    /// Whether all results were finite; otherwise they are to be computed as direct sums.
    ///
    /// # Safety
    /// `out` describes writable memory of the result's shape that nothing else uses.
    pub unsafe fn run(&self, images: usize) -> bool {
        let tiles = Tiles::new(self.outputs);
        let mut packed = Scratch::new::<f32>(PRODUCTS * self.kernels.plane());
        let packed = packed.as_mut_slice::<f32>();
        self.kernels.pack(packed);
        let packed = &*packed;
        let jobs = tiles.jobs(0..images);
        let spoiled = AtomicBool::new(false);
        let each = |j: usize| {
            // SAFETY: the rows of a job are no other's.
            let finite = simd!(s => unsafe { self.job(s, &tiles, jobs[j], packed) });
            if !finite {
                spoiled.store(true, Relaxed);
            }
        };
        for_each_job(jobs.len(), true, 1, &each);
        !spoiled.into_inner()
    }

    /// # Safety
    /// As for [`run`](Self::run), and no other job writes these rows.
    #[inline(always)]
    unsafe fn job<S: Simd>(&self, s: S, tiles: &Tiles, job: Job, kernels: &[f32]) -> bool {
        let lanes = lanes::<S, f32>();
        let [channels, outputs] = self.kernels.channels;
        let (deep, out_deep) = (padded(channels), padded(outputs));
        let window = Window {
            start: [(job.rows[0] * STEP) as isize - self.padding[0], -self.padding[1]],
            size: [reach(job.rows(), SIDE - STEP), reach(tiles.cols, SIDE - STEP)],
        };
        let frame_len = window.size[0] * window.size[1] * deep;
        let mut frames = Scratch::new::<f32>(job.images() * frame_len + lanes * deep);
        let frames = frames.as_mut_slice::<f32>();
        for i in 0..job.images() {
            let (n, frame) = (job.images[0] + i, &mut frames[i * frame_len..]);
            gather(s, &self.source, n, [0, channels], window, deep, frame);
        }
        // The results, pixel after pixel.
        let wide = reach(tiles.cols, 0);
        let result_len = reach(job.rows(), 0) * wide * out_deep;
        let mut results = Scratch::new::<f32>(job.images() * result_len + lanes * out_deep);
        let results = results.as_mut_slice::<f32>();

        let count = job.images() * job.rows() * tiles.cols;
        let block = block(deep + out_deep).min(count);
        let (plane_in, plane_out) = (plane(block * deep), plane(block * out_deep));
        let mut patches = Scratch::new::<f32>(PRODUCTS * plane_in);
        let mut products = Scratch::new::<f32>(PRODUCTS * plane_out);
        let (patches, products) = (patches.as_mut_slice::<f32>(), products.as_mut_slice::<f32>());
        let mut bias = Scratch::new::<f32>(out_deep);
        let bias = &mut bias.as_mut_slice::<f32>()[..out_deep];
        bias.fill(0.0);
        if let Some(from) = &self.bias {
            bias[..outputs].copy_from_slice(from);
        }
        let (mut from_place, mut to_place) = (job.places(tiles), job.places(tiles));
        let (zero, mut wrong) = (splat::<S, f32>(s, 0.0), splat::<S, f32>(s, 0.0));
        for t0 in (0..count).step_by(block) {
            let here = block.min(count - t0);
            for t in 0..here {
                let at = from_place.next(frame_len, window.size[1], deep);
                for c in (0..deep).step_by(lanes) {
                    // SAFETY: the frame holds the patch, the planes all tiles of the block.
                    unsafe {
                        let from = frames.as_ptr().add(at + c);
                        let to = patches.as_mut_ptr().add(t * deep + c);
                        transform::input(s, from, window.size[1] * deep, deep, to, plane_in);
                    }
                }
            }
            for q in 0..PRODUCTS {
                let left = Mat { start: patches[q * plane_in..].as_ptr(), row: deep as isize, col: 1 };
                let right = &kernels[q * self.kernels.plane()..];
                let target = Target {
                    start: products[q * plane_out..].as_mut_ptr(),
                    row: out_deep as isize,
                    col: 1,
                    add: false,
                    bias: None,
                    relu: false,
                };
                // SAFETY: a plane of each holds this product.
                unsafe { packed_block(s, [here, out_deep, channels], left, right.as_ptr(), target) };
            }
            for t in 0..here {
                let at = to_place.next(result_len, wide, out_deep);
                for o in (0..out_deep).step_by(lanes) {
                    // SAFETY: the planes hold all tiles of the block, the results all pixels of the job.
                    unsafe {
                        let y = transform::output(s, products.as_ptr().add(t * out_deep + o), plane_out);
                        let b = load::<S, f32>(s, bias.as_ptr().add(o));
                        let to = results.as_mut_ptr().add(at + o);
                        for i in 0..STEP {
                            for j in 0..STEP {
                                // Zero times what is not finite is NaN, and stays.
                                wrong = y[i][j].mul_add(zero, wrong);
                                let v = y[i][j] + b;
                                let v = if self.relu { relu::<S, f32>(s, v) } else { v };
                                store::<S, f32>(v, to.add((i * wide + j) * out_deep));
                            }
                        }
                    }
                }
            }
        }
        for i in 0..job.images() {
            let n = job.images[0] + i;
            let first = job.rows[0] * STEP;
            let rows = Rows {
                start: self.out.start.wrapping_add(self.out.lay.at([n, 0, 0, 0])),
                steps: [self.out.lay.steps[1], self.out.lay.steps[2], self.out.lay.steps[3]],
                channels: outputs,
                first,
                end: (job.rows[1] * STEP).min(self.outputs[0]),
                width: self.outputs[1],
            };
            // SAFETY: this job's rows; a vector's worth of pixels follows the last result.
            unsafe { spread(s, &results[i * result_len..], wide, out_deep, rows) };
        }
        crate::cpu::gemm::real::total::<S, f32>(wrong) == 0.0
    }
}
