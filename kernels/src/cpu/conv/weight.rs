//! The weight gradient: for every weight, the sum over images and outputs of gradient times input.
//!
//! Both operands are read along the rows of outputs, where the framed image is contiguous for every
//! tap; a tile holds a vector of partial sums for each of its weights, and its lanes are added up last.

use super::frame::Frame;
use super::{lay, reach, sizes};
use crate::cpu::gemm::real::*;
use crate::cpu::gemm::scratch::Scratch;
use crate::cpu::gemm::sizes::panel_rows;
use crate::cpu::gemm::vector_bytes;
use crate::cpu::par::{SharedMut, for_each_job};
use crate::cpu::simd::{Simd, SimdFloat};
use crate::{ConvParams, Layout, View, simd};

/// Weights of one output channel in a tile.
const TERMS: usize = 3;
/// Chunks of images that are summed apart, at most, and the memory their sums may take.
const CHUNKS: usize = 8;
const CHUNK_BYTES: usize = 32 << 20;
/// Memory that the images worked on at once should fit.
const IMAGE_BYTES: usize = if cfg!(miri) { 4 << 10 } else { 256 << 10 };
/// Multiply-adds that are worth a thread's while.
const WORTH_IT: usize = if cfg!(miri) { 500 } else { 1 << 19 };

/// Output channels in a tile: with 32 vector registers 8 × 3 sums fit, with 16 only 4 × 3.
const fn most_rows(vector_bytes: usize) -> usize {
    if vector_bytes == 32 { 4 } else { 8 }
}

/// A vector of outputs: where it reads the image, and (along rows) its row, column and the lanes to leave out.
struct Piece {
    place: usize,
    row: usize,
    col: usize,
    skip: usize,
}

struct Plan {
    frame: Frame,
    channels: usize,
    offsets: Vec<usize>,
    outputs: [usize; 2],
    pieces: Vec<Piece>,
    /// Vectors run through the border between rows.
    flat: bool,
}

impl Plan {
    fn new(frame: Frame, channels: usize, offsets: Vec<usize>, outputs: [usize; 2], lanes: usize) -> Self {
        let ([height, width], pitch) = (outputs, frame.size[1]);
        let whole = (height - 1) * pitch + width;
        let flat = width < lanes || height * width.div_ceil(lanes) > whole.div_ceil(lanes);
        let pieces = if flat {
            (0..whole).step_by(lanes).map(|place| Piece { place, row: 0, col: 0, skip: 0 }).collect()
        } else {
            let row = |h: usize| {
                (0..width).step_by(lanes).map(move |w| {
                    let col = w.min(width - lanes);
                    Piece { place: h * pitch + col, row: h, col, skip: w - col }
                })
            };
            (0..height).flat_map(row).collect()
        };
        Plan { frame, channels, offsets, outputs, pieces, flat }
    }

    fn image_len(&self) -> usize {
        self.channels * self.frame.len()
    }

    /// Lays out the gradient of one channel as the pieces read it, zero where no output counts: row
    /// `q` of a panel of `height`. `rows` and `cols` are the channel's steps in `source`.
    fn gradient<T: Real>(
        &self,
        source: &[T],
        start: usize,
        [rows, cols]: [isize; 2],
        [q, height, lanes]: [usize; 3],
        panel: &mut [T],
    ) {
        let vector = |v: usize| (v * height + q) * lanes..(v * height + q + 1) * lanes;
        let copy = |to: &mut [T], row: usize, col: usize| {
            let from = start.wrapping_add_signed(row as isize * rows + col as isize * cols);
            if cols == 1 {
                to.copy_from_slice(&source[from..from + to.len()]);
            } else {
                for (i, t) in to.iter_mut().enumerate() {
                    *t = source[from.wrapping_add_signed(i as isize * cols)];
                }
            }
        };
        if !self.flat {
            for (v, piece) in self.pieces.iter().enumerate() {
                let to = &mut panel[vector(v)];
                copy(to, piece.row, piece.col);
                to[..piece.skip].fill(T::ZERO);
            }
            return;
        }
        (0..self.pieces.len()).for_each(|v| panel[vector(v)].fill(T::ZERO));
        for row in 0..self.outputs[0] {
            let mut col = 0;
            while col < self.outputs[1] {
                let at = row * self.frame.size[1] + col;
                let (v, lane) = (at / lanes, at % lanes);
                let n = (lanes - lane).min(self.outputs[1] - col);
                copy(&mut panel[vector(v)][lane..lane + n], row, col);
                col += n;
            }
        }
    }
}

pub fn run<T: Real>(p: &ConvParams, g: View, x: View, out: &mut [T], out_layout: &Layout) {
    let ([images, _, h, w], [o, channels, kh, kw]) = (sizes(x.layout), sizes(out_layout));
    let [.., oh, ow] = sizes(g.layout);
    let (to, rows) = (lay(out_layout), o / p.groups);
    let terms = channels * kh * kw;
    let steps = super::terms([channels, kh, kw], &to);
    let place = |o: usize, k: usize| to.at([o, 0, 0, 0]).wrapping_add_signed(steps[k]);
    if images * oh * ow == 0 {
        (0..o).for_each(|o| (0..terms).for_each(|k| out[place(o, k)] = T::ZERO));
        return;
    }
    let reach = reach([kh, kw], p);
    let frame = Frame::new([h, w], p.stride, p.padding, &reach, [oh, ow]);
    let plane = frame.len();
    let mut offsets = Vec::with_capacity(terms);
    for c in 0..channels {
        for &i in &reach[0] {
            offsets.extend(reach[1].iter().map(|&j| c * plane + frame.offset([i, j])));
        }
    }
    let lanes = vector_bytes() / size_of::<T>();
    let plan = Plan::new(frame, channels, offsets, [oh, ow], lanes);

    let size = o * terms;
    let chunks = images.min(CHUNKS).min((CHUNK_BYTES / (size * size_of::<T>())).max(1));
    let most = most_rows(vector_bytes());
    let work = images * oh * ow * rows * terms;
    let parts = if chunks * p.groups < 8 && work > 2 * WORTH_IT {
        (8 / (chunks * p.groups)).min(rows.div_ceil(most))
    } else {
        1
    };
    let share = rows.div_ceil(parts).next_multiple_of(most);
    let mut sums = Scratch::new::<T>(chunks * size);
    let sums = &mut sums.as_mut_slice::<T>()[..chunks * size];
    let shared = SharedMut::new(sums);
    let (gs, gl, xs, xl) = (g.data::<T>(), lay(g.layout), x.data::<T>(), lay(x.layout));
    let job = |j: usize| {
        let (chunk, group, part) = (j / (p.groups * parts), j / parts % p.groups, j % parts);
        let first = part * share;
        let rows_here = share.min(rows.saturating_sub(first));
        if rows_here == 0 {
            return;
        }
        let row = group * rows + first;
        let start = chunk * size + row * terms;
        // SAFETY: this job's rows of its chunk.
        let sums = unsafe { shared.range(start..start + rows_here * terms) };
        sums.fill(T::ZERO);
        let (image_len, grad_len) = (plan.image_len(), rows_here * plan.pieces.len() * lanes);
        let bytes = (image_len + grad_len) * size_of::<T>();
        let mine = images * chunk / chunks..images * (chunk + 1) / chunks;
        let batch = (IMAGE_BYTES / bytes).clamp(1, mine.len());
        let mut image = Scratch::new::<T>(batch * image_len + 2 * lanes);
        let mut grads = Scratch::new::<T>(batch * grad_len);
        let (image, grads) = (image.as_mut_slice::<T>(), grads.as_mut_slice::<T>());
        for n0 in mine.clone().step_by(batch) {
            let count = batch.min(mine.end - n0);
            for i in 0..count {
                for c in 0..channels {
                    let from = xl.at([n0 + i, group * channels + c, 0, 0]);
                    let at = i * image_len + c * plane;
                    plan.frame.fill(xs, from, [xl.steps[2], xl.steps[3]], &mut image[at..at + plane]);
                }
                let grads = &mut grads[i * grad_len..(i + 1) * grad_len];
                let mut r = 0;
                while r < rows_here {
                    let height = panel_rows(rows_here - r, most);
                    let panel = &mut grads[r * plan.pieces.len() * lanes..];
                    for q in 0..height {
                        let from = gl.at([n0 + i, row + r + q, 0, 0]);
                        plan.gradient(gs, from, [gl.steps[2], gl.steps[3]], [q, height, lanes], panel);
                    }
                    r += height;
                }
            }
            // A zero times what lies between rows, or behind the last, must be zero.
            image[count * image_len..count * image_len + 2 * lanes].fill(T::ZERO);
            if plan.flat && !finite(&image[..count * image_len]) {
                for i in 0..count {
                    let image = &image[i * image_len..(i + 1) * image_len];
                    exact(&plan, image, |r, h, w| gs[gl.at([n0 + i, row + r, h, w])], sums);
                }
                continue;
            }
            let batch = Batch { count, image: &*image, image_len, grads: &*grads, grad_len };
            simd!(s => tiles::<_, T>(s, &plan, &batch, rows_here, sums));
        }
    };
    let jobs = chunks * p.groups * parts;
    for_each_job(jobs, work * p.groups >= WORTH_IT, 1, &job);
    for (o, first) in (0..o).zip((0..size).step_by(terms)) {
        let row = to.at([o, 0, 0, 0]);
        for (k, &step) in steps.iter().enumerate() {
            let sum = (1..chunks).fold(sums[first + k], |sum, c| sum + sums[c * size + first + k]);
            out[row.wrapping_add_signed(step)] = sum;
        }
    }
}

fn finite<T: Real>(values: &[T]) -> bool {
    // A non-finite value times zero is NaN, and stays.
    let sum = values.iter().fold(T::ZERO, |sum, &v| sum + v * T::ZERO);
    sum == T::ZERO
}

/// The definition, for one image.
fn exact<T: Real>(plan: &Plan, image: &[T], g: impl Fn(usize, usize, usize) -> T, sums: &mut [T]) {
    let terms = plan.offsets.len();
    for (r, sums) in sums.chunks_exact_mut(terms).enumerate() {
        for h in 0..plan.outputs[0] {
            for w in 0..plan.outputs[1] {
                let (g, place) = (g(r, h, w), h * plan.frame.size[1] + w);
                for (sum, &offset) in sums.iter_mut().zip(&plan.offsets) {
                    *sum += g * image[place + offset];
                }
            }
        }
    }
}

/// Framed images and their gradients, panel by panel.
struct Batch<'a, T> {
    count: usize,
    image: &'a [T],
    image_len: usize,
    grads: &'a [T],
    grad_len: usize,
}

#[inline(always)]
fn tiles<S: Simd, T: Real>(s: S, plan: &Plan, batch: &Batch<T>, rows: usize, sums: &mut [T]) {
    let most = most_rows(lanes::<S, T>() * size_of::<T>());
    let mut r = 0;
    while r < rows {
        let height = panel_rows(rows - r, most);
        match height {
            8 if most == 8 => panel::<S, T, 8>(s, plan, batch, r, sums),
            4 => panel::<S, T, 4>(s, plan, batch, r, sums),
            2 => panel::<S, T, 2>(s, plan, batch, r, sums),
            _ => panel::<S, T, 1>(s, plan, batch, r, sums),
        }
        r += height;
    }
}

/// All weights of `R` output channels.
#[inline(always)]
fn panel<S: Simd, T: Real, const R: usize>(s: S, plan: &Plan, batch: &Batch<T>, row: usize, sums: &mut [T]) {
    let (lanes, terms) = (lanes::<S, T>(), plan.offsets.len());
    for t0 in (0..terms).step_by(TERMS) {
        let count = TERMS.min(terms - t0);
        let offsets: [usize; TERMS] = std::array::from_fn(|i| plan.offsets[t0 + i.min(count - 1)]);
        let mut acc = [[splat::<S, T>(s, T::ZERO); TERMS]; R];
        for i in 0..batch.count {
            let image = batch.image[i * batch.image_len..].as_ptr();
            let mut grad = batch.grads[i * batch.grad_len + row * plan.pieces.len() * lanes..].as_ptr();
            for piece in &plan.pieces {
                // SAFETY: the image covers every tap of every piece (with room for a vector after
                // its end), the gradients are `R` vectors for every piece.
                unsafe {
                    let x: [T::V<S>; TERMS] = std::array::from_fn(
                        #[inline(always)]
                        |t| load::<S, T>(s, image.add(piece.place + offsets[t])),
                    );
                    for (r, acc) in acc.iter_mut().enumerate() {
                        let g = load::<S, T>(s, grad.add(r * lanes));
                        for t in 0..TERMS {
                            acc[t] = x[t].mul_add(g, acc[t]);
                        }
                    }
                    grad = grad.add(R * lanes);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            for (t, acc) in acc[..count].iter().enumerate() {
                let sum = &mut sums[(row + r) * terms + t0 + t];
                *sum += total::<S, T>(*acc);
            }
        }
    }
}
