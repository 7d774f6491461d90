//! The sum over taps that both the forward pass and the input gradient are: rows of weights times
//! patches of a framed image, without the patches ever being copied out.

use super::frame::Frame;
use crate::cpu::gemm::block::{PackedLeft, column};
use crate::cpu::gemm::pack::pack_rows;
use crate::cpu::gemm::real::{Mat, Real, Target, lanes};
use crate::cpu::gemm::scratch::Scratch;
use crate::cpu::gemm::sizes::VECTORS;
use crate::cpu::gemm::tile::{Columns, Patches};
use crate::cpu::gemm::vector_bytes;
use crate::cpu::par::{SharedMut, for_each_job};
use crate::cpu::simd::Simd;
use crate::simd;

/// Rows that hold whole panels of every instruction set.
const PANELS: usize = 12;
/// Multiply-adds that are worth a thread's while.
const WORTH_IT: usize = if cfg!(miri) { 500 } else { 1 << 17 };

/// Places of one operand's four dimensions.
#[derive(Clone, Copy, Debug)]
pub struct Lay {
    pub start: usize,
    pub steps: [isize; 4],
}

impl Lay {
    pub fn at(&self, index: [usize; 4]) -> usize {
        let by: isize = index.iter().zip(self.steps).map(|(&i, s)| i as isize * s).sum();
        self.start.wrapping_add_signed(by)
    }
}

/// One correlation of every image and group: `out[n, r, h, w] = Σ_k weight[r, k] · image[n, offset k + (h, w)]`.
pub struct Correlation<'a, T> {
    pub images: usize,
    pub groups: usize,
    /// Output channels and input channels of a group.
    pub rows: usize,
    pub channels: usize,
    pub source: &'a [T],
    pub source_lay: Lay,
    pub frame: &'a Frame,
    /// Place of output (0, 0), and of each term of the sum from an output's place.
    pub origin: usize,
    pub offsets: Vec<usize>,
    pub weights: Weights<'a, T>,
    /// Outputs computed, and where they go.
    pub outputs: [usize; 2],
    pub out: *mut T,
    pub out_lay: Lay,
    pub bias: Option<(&'a [T], usize, isize)>,
    pub relu: bool,
}

/// The weight of group `g`, row `r` and term `k` lies at `start + g·group + r·row + terms[k]`.
pub struct Weights<'a, T> {
    pub data: &'a [T],
    pub start: usize,
    pub group: isize,
    pub row: isize,
    pub terms: Vec<isize>,
}

/// How the outputs of a plane are cut into vectors.
struct Cut {
    /// Each vector's place in the image and in the target.
    vectors: Vec<(usize, isize)>,
    /// Outputs are computed with the image's row length, borders and all, and copied out; the length of a row of that.
    flat: Option<usize>,
}

impl<T: Real> Correlation<'_, T> {
    /// Vectors either follow the rows, the last of each reaching back over the one before, or run
    /// through all rows including the border between them: whichever wastes fewer lanes.
    fn cut(&self) -> Cut {
        let lanes = vector_bytes() / size_of::<T>();
        let ([height, width], pitch) = (self.outputs, self.frame.size[1]);
        let [.., out_h, out_w] = self.out_lay.steps;
        let whole = (height - 1) * pitch + width;
        let by_rows = height * width.div_ceil(lanes);
        // Copying out costs about one vector in sixteen.
        if width >= lanes && out_w == 1 && by_rows * 16 <= whole.div_ceil(lanes) * 17 {
            let starts = |h: usize| {
                (0..width).step_by(lanes).map(move |w| {
                    let w = w.min(width - lanes);
                    (h * pitch + w, h as isize * out_h + w as isize)
                })
            };
            return Cut { vectors: (0..height).flat_map(starts).collect(), flat: None };
        }
        let vectors = (0..whole).step_by(lanes).map(|at| (at, at as isize)).collect();
        Cut { vectors, flat: Some(whole.next_multiple_of(lanes)) }
    }

    /// # Safety
    /// `out` and its layout describe writable memory that nothing else uses; the layouts and offsets
    /// lie inside their operands.
    pub unsafe fn run(&self) {
        let (rows, terms) = (self.rows, self.offsets.len());
        let cut = self.cut();
        let mut packed = Scratch::new::<T>(self.groups * rows * terms);
        let packed = packed.as_mut_slice::<T>();
        self.pack(packed);
        let packed = &packed[..self.groups * rows * terms];
        // A job is an image and group, or a part of its rows where there are few of those.
        let pairs = self.images * self.groups;
        let work = self.outputs[0] * self.outputs[1] * rows * terms;
        let parts =
            if pairs < 8 && work > 4 * WORTH_IT { (8 / pairs).min(rows.div_ceil(PANELS)).max(1) } else { 1 };
        let share = rows.div_ceil(parts).next_multiple_of(PANELS);
        let bias = Bias(self.bias.map(|(b, start, step)| (b.as_ptr().wrapping_add(start), step)));
        let out = Out(self.out);
        let (source, frame, offsets) = (self.source, self.frame, &self.offsets[..]);
        let (channels, groups, origin, outputs) = (self.channels, self.groups, self.origin, self.outputs);
        let (from, to, relu) = (self.source_lay, self.out_lay, self.relu);
        let job = |j: usize| {
            let (pair, first) = (j / parts, j % parts * share);
            let (n, g) = (pair / groups, pair % groups);
            let rows_here = share.min(rows.saturating_sub(first));
            if rows_here == 0 {
                return;
            }
            let lanes = vector_bytes() / size_of::<T>();
            let plane = frame.len();
            let mut image = Scratch::new::<T>(channels * plane + 2 * lanes);
            let image = image.as_mut_slice::<T>();
            for c in 0..channels {
                let start = from.at([n, g * channels + c, 0, 0]);
                let steps = [from.steps[2], from.steps[3]];
                frame.fill(source, start, steps, &mut image[c * plane..(c + 1) * plane]);
            }
            let row = g * rows + first;
            let start = to.at([n, row, 0, 0]);
            let mut target = Target {
                start: out.get().wrapping_add(start),
                row: to.steps[1],
                col: 1,
                add: false,
                bias: bias.at(row),
                relu,
            };
            let place = image.as_ptr().wrapping_add(origin);
            let left = PackedLeft { start: packed[(g * rows + first) * terms..].as_ptr(), k: terms };
            let Some(flat) = cut.flat else {
                // SAFETY: this job's rows of the output; the image covers every term of every vector.
                simd!(s => unsafe { vectors(s, rows_here, left, place, offsets, &cut.vectors, target) });
                return;
            };
            let mut wide = Scratch::new::<T>(rows_here * flat);
            let wide = wide.as_mut_slice::<T>();
            (target.start, target.row) = (wide.as_mut_ptr(), flat as isize);
            // SAFETY: as above, into this job's own memory.
            simd!(s => unsafe { vectors(s, rows_here, left, place, offsets, &cut.vectors, target) });
            for (r, wide) in wide[..rows_here * flat].chunks_exact(flat).enumerate() {
                for (h, wide) in wide.chunks(frame.size[1]).take(outputs[0]).enumerate() {
                    let to_row = out.get().wrapping_add(to.at([n, row + r, h, 0]));
                    for (w, &v) in wide[..outputs[1]].iter().enumerate() {
                        // SAFETY: this job's rows of the output.
                        unsafe { *to_row.wrapping_offset(w as isize * to.steps[3]) = v };
                    }
                }
            }
        };
        let jobs = pairs * parts;
        let grain = (WORTH_IT / (work / parts).max(1)).max(1);
        for_each_job(jobs, work * pairs >= 2 * WORTH_IT, grain, &job);
    }

    /// Weights in the order of the tiles, group after group.
    fn pack(&self, to: &mut [T]) {
        let (rows, terms, w) = (self.rows, self.offsets.len(), &self.weights);
        if rows * terms == 0 {
            return;
        }
        let in_order = w.terms.iter().zip(w.terms[0]..).all(|(&t, i)| t == i);
        // A job is some rows of a group; panels start anew where a job may.
        let parts = rows.div_ceil(4 * PANELS);
        let to = SharedMut::new(&mut to[..self.groups * rows * terms]);
        let job = |j: usize| {
            let (g, first) = (j / parts, j % parts * 4 * PANELS);
            let count = (rows - first).min(4 * PANELS);
            let start = (g * rows + first) * terms;
            // SAFETY: this job's rows.
            let to = unsafe { to.range(start..start + count * terms) }.as_mut_ptr();
            let row =
                |r: usize| w.start.wrapping_add_signed(g as isize * w.group + (first + r) as isize * w.row);
            if in_order {
                let at = |r: usize| row(r).wrapping_add_signed(w.terms[0]);
                let ends = [at(0), at(count - 1)];
                assert!(ends.iter().all(|&e| e < w.data.len() && e + terms <= w.data.len()));
                let a = Mat { start: w.data.as_ptr().wrapping_add(at(0)), row: w.row, col: 1 };
                // SAFETY: the rows lie between the first and the last, which are inside; `to` holds
                // `count · terms` elements.
                return simd!(s => unsafe { pack_rows(s, a, count, terms, to) });
            }
            let mut dense = Scratch::new::<T>(count * terms);
            let dense = &mut dense.as_mut_slice::<T>()[..count * terms];
            // Some terms at a time: rows may lie side by side.
            for k0 in (0..terms).step_by(64) {
                let k1 = terms.min(k0 + 64);
                for (r, dense) in dense.chunks_exact_mut(terms).enumerate() {
                    let row = row(r);
                    for (d, &t) in dense[k0..k1].iter_mut().zip(&w.terms[k0..k1]) {
                        *d = w.data[row.wrapping_add_signed(t)];
                    }
                }
            }
            let a = Mat { start: dense.as_ptr(), row: terms as isize, col: 1 };
            // SAFETY: both hold `count · terms` elements.
            simd!(s => unsafe { pack_rows(s, a, count, terms, to) });
        };
        for_each_job(self.groups * parts, self.groups * rows * terms >= WORTH_IT / 4, 1, &job);
    }
}

/// All rows for a list of vectors, two at a time.
#[inline(always)]
unsafe fn vectors<S: Simd, T: Real>(
    s: S,
    rows: usize,
    left: PackedLeft<T>,
    image: *const T,
    offsets: &[usize],
    list: &[(usize, isize)],
    target: Target<T>,
) {
    let k = offsets.len();
    for pair in list.chunks(VECTORS) {
        let at = |v: usize| pair[v.min(pair.len() - 1)];
        let right = Patches {
            places: [image.wrapping_add(at(0).0), image.wrapping_add(at(1).0)],
            goes: [at(0).1, at(1).1],
            offsets: offsets.as_ptr(),
        };
        let columns = Columns { skip: 0, end: pair.len() * lanes::<S, T>() };
        // SAFETY: the caller's promise.
        unsafe {
            if pair.len() == VECTORS {
                column::<S, T, PackedLeft<T>, VECTORS>(s, rows, k, left, right, target, columns);
            } else {
                column::<S, T, PackedLeft<T>, 1>(s, rows, k, left, right, target, columns);
            }
        }
    }
}

/// Where the output starts; jobs write different channels or images of it.
struct Out<T>(*mut T);
// SAFETY: see above.
unsafe impl<T: Send> Send for Out<T> {}
// SAFETY: see above.
unsafe impl<T: Send> Sync for Out<T> {}
impl<T> Out<T> {
    fn get(&self) -> *mut T {
        self.0
    }
}

struct Bias<T>(Option<(*const T, isize)>);
// SAFETY: only read.
unsafe impl<T: Sync> Send for Bias<T> {}
// SAFETY: only read.
unsafe impl<T: Sync> Sync for Bias<T> {}
impl<T> Bias<T> {
    fn at(&self, row: usize) -> Option<Mat<T>> {
        self.0.map(|(start, step)| Mat {
            start: start.wrapping_offset(row as isize * step),
            row: step,
            col: 0,
        })
    }
}
