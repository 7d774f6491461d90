//! Maximum of windows without gaps, in vectors of outputs.
//!
//! The first largest of some elements, or else the last NaN, is that of two parts of them in their order. So each
//! row of a plane is taken once across, and the results of a window's rows are taken down: 3 + 3 steps instead
//! of 9 for windows of 3 × 3, and rows that windows share count once.

use super::plane::Planes;
use crate::PoolParams;
use crate::cpu::par::SharedMut;
use crate::cpu::real::{Computed, Real, V, load_line, store_line};
use crate::cpu::simd::{Simd, SimdBase, SimdFloat, prelude::*};
use crate::{Element, View, ViewMut, simd};
use fearless_simd::SimdFrom;
use std::ops::Range;

/// Positions are computed as floats, which count to this without gaps.
const MOST: usize = 1 << 24;

/// True for windows that this file is for: none of them begins or ends in the border by more than its half, so
/// that the border's elements may be copies of the one beside them.
pub fn fits(x: &Planes, p: &PoolParams) -> bool {
    p.dilation == [1, 1] && 2 * p.padding[1] <= p.kernel[1] && x.height * x.width < MOST
}

/// Scratch memory of one thread.
struct Rows<T> {
    /// A row with its border, and where steps are longer than 1 its elements by their remainders.
    line: Vec<T>,
    phases: Vec<T>,
    /// Largest and position of each output's part of a row, for as many rows as a window has.
    best: Vec<T>,
    position: Vec<T>,
    /// The same of whole windows, one after the other.
    out: Vec<T>,
}

/// Windows of planes.
struct Job<'a, T: Computed> {
    x: Planes,
    data: &'a [T],
    p: &'a PoolParams,
    outputs: usize,
    /// Outputs, in whole vectors of any machine.
    padded: usize,
    /// Elements of a row by one remainder.
    phase: usize,
    /// Where each tap of the first output is among them.
    taps: Vec<usize>,
    /// Columns of the first tap of the first outputs.
    lanes: Vec<T::In>,
}

/// Whole vectors of all levels.
const ALIGN: usize = 16;

impl<'a, T: Computed> Job<'a, T> {
    fn new(x: Planes, data: &'a [T], p: &'a PoolParams, outputs: usize) -> Self {
        let (step, padded) = (p.stride[1], outputs.next_multiple_of(ALIGN));
        let phase = (padded + (p.kernel[1] - 1) / step).next_multiple_of(ALIGN);
        let taps = (0..p.kernel[1]).map(|j| j % step * phase + j / step).collect();
        let column = |l: usize| T::In::from_f64((l * step) as f64 - p.padding[1] as f64);
        let lanes = (0..ALIGN).map(column).collect();
        Job { x, data, p, outputs, padded, phase, taps, lanes }
    }

    fn rows(&self) -> Rows<T::In> {
        let zeros = |n| vec![T::In::default(); n];
        let (step, height) = (self.p.stride[1], self.p.kernel[0]);
        Rows {
            line: zeros(self.phase * step),
            phases: zeros(if step > 1 { self.phase * step } else { 0 }),
            best: zeros(self.padded * height),
            position: zeros(self.padded * height),
            out: zeros(2 * self.padded),
        }
    }

    /// The row at a position with copies of its ends beside it, by remainders.
    #[inline(always)]
    fn load<S: Simd>(&self, s: S, at: usize, to: &mut Rows<T::In>) {
        let (left, step) = (self.p.padding[1], self.p.stride[1]);
        let n = self.x.width.min(to.line.len() - left);
        let (before, rest) = to.line.split_at_mut(left);
        let (row, after) = rest.split_at_mut(n);
        load_line(self.data, at, self.x.col, row);
        before.fill(row[0]);
        after.fill(row[n - 1]);
        if step == 2 {
            let len = V::<S, T::In>::LEN;
            let (even, odd) = to.phases.split_at_mut(self.phase);
            for i in (0..self.phase).step_by(len) {
                let (a, b) = vector(s, &to.line, 2 * i).deinterleave(vector(s, &to.line, 2 * i + len));
                a.store_slice(&mut even[i..i + len]);
                b.store_slice(&mut odd[i..i + len]);
            }
        } else if step > 1 {
            for (j, phase) in to.phases.chunks_exact_mut(self.phase).enumerate() {
                for (o, &v) in phase.iter_mut().zip(to.line[j..].iter().step_by(step)) {
                    *o = v;
                }
            }
        }
    }

    /// Row `h`, which is loaded, across into place `slot`.
    #[inline(always)]
    fn across<S: Simd>(&self, s: S, h: usize, slot: usize, to: &mut Rows<T::In>) {
        let len = V::<S, T::In>::LEN;
        let splat = |v: usize| V::<S, T::In>::simd_from(s, T::In::from_f64(v as f64));
        let step = self.p.stride[1];
        let phases = if step > 1 { &to.phases } else { &to.line };
        let first = h * self.x.width;
        // Positions in the border are those of the copied ends.
        let (least, most) = (splat(first), splat(first + self.x.width - 1));
        let places = slot * self.padded..(slot + 1) * self.padded;
        let (bests, positions) = (&mut to.best[places.clone()], &mut to.position[places]);
        let mut at = vector(s, &self.lanes, 0) + splat(first);
        let one = splat(1);
        for i in (0..self.padded).step_by(len) {
            let (mut best, mut position) = (vector(s, phases, i), at);
            let mut here = at;
            for &tap in &self.taps[1..] {
                here += one;
                let v = vector(s, phases, tap + i);
                let wins = v.simd_gt(best) | v.is_nan();
                best = wins.select(v, best);
                position = wins.select(here, position);
            }
            position = position.simd_gt(most).select(most, position);
            position = position.simd_lt(least).select(least, position);
            best.store_slice(&mut bests[i..i + len]);
            position.store_slice(&mut positions[i..i + len]);
            at += splat(len * step);
        }
    }

    /// Takes the rows in `places` down: the largest of each output, and its position in the plane.
    #[inline(always)]
    fn down<S: Simd>(&self, s: S, places: Range<usize>, to: &mut Rows<T::In>) {
        let (len, height) = (V::<S, T::In>::LEN, self.p.kernel[0]);
        let first = places.start % height;
        for i in (0..self.padded).step_by(len) {
            let mut slot = first;
            let at = slot * self.padded + i;
            let (mut best, mut position) = (vector(s, &to.best, at), vector(s, &to.position, at));
            for _ in 1..places.len() {
                slot = if slot + 1 < height { slot + 1 } else { 0 };
                let at = slot * self.padded + i;
                let v = vector(s, &to.best, at);
                let wins = v.simd_gt(best) | v.is_nan();
                best = wins.select(v, best);
                position = wins.select(vector(s, &to.position, at), position);
            }
            best.store_slice(&mut to.out[..self.padded][i..i + len]);
            position.store_slice(&mut to.out[self.padded..][i..i + len]);
        }
    }

    /// All windows of some planes.
    ///
    /// # Safety
    /// No other thread touches these planes of output and positions.
    #[inline(always)]
    unsafe fn planes<S: Simd>(
        &self,
        s: S,
        planes: Range<usize>,
        rows: &mut Rows<T::In>,
        (op, out): (&Planes, SharedMut<T>),
        (ip, indices): (&Planes, SharedMut<i64>),
    ) {
        let [height, step, border] = [self.p.kernel[0], self.p.stride[0], self.p.padding[0]];
        for plane in planes {
            let mut done = 0;
            // Positions of planes take a division each, so those of rows are counted from them.
            let [xs, os, is] = [&self.x, op, ip].map(|of| of.start(plane));
            let row = |start: usize, of: &Planes, h: usize| start.wrapping_add_signed(h as isize * of.row);
            for oh in 0..op.height {
                let top = (oh * step).saturating_sub(border);
                let bottom = (oh * step + height).saturating_sub(border).min(self.x.height);
                for h in top.max(done)..bottom {
                    self.load(s, row(xs, &self.x, h), rows);
                    self.across(s, h, h % height, rows);
                }
                done = bottom;
                self.down(s, top..bottom, rows);
                let (best, position) = rows.out.split_at(self.padded);
                let n = self.outputs;
                // SAFETY: these rows belong to this plane alone; the caller's promise.
                unsafe {
                    store_line(out, row(os, op, oh), op.col, &best[..n]);
                    store_positions(indices, row(is, ip, oh), ip.col, &position[..n]);
                }
            }
        }
    }
}

#[inline(always)]
fn vector<S: Simd, T: Real>(s: S, from: &[T], at: usize) -> V<S, T> {
    V::<S, T>::from_slice(s, &from[at..at + V::<S, T>::LEN])
}

/// Writes positions, `step` apart.
///
/// # Safety
/// No other thread touches these elements meanwhile.
#[inline(always)]
unsafe fn store_positions<T: Real>(out: SharedMut<i64>, at: usize, step: isize, from: &[T]) {
    // Beside 2⁵² the low bits of an f64 are the integer: a conversion that is made in vectors everywhere.
    const BESIDE: f64 = (1u64 << 52) as f64;
    let whole = |v: T| ((v.to_f64() + BESIDE).to_bits() ^ BESIDE.to_bits()) as i64;
    if step == 1 {
        // SAFETY: the caller's promise.
        let row = unsafe { out.range(at..at + from.len()) };
        return row.iter_mut().zip(from).for_each(|(o, &v)| *o = whole(v));
    }
    for (j, &v) in from.iter().enumerate() {
        let at = at.wrapping_add_signed(j as isize * step);
        assert!(at < out.len());
        // SAFETY: in bounds; the caller's promise.
        unsafe { *out.at(at) = whole(v) };
    }
}

/// Largest elements and their positions, for windows that [`fits`] is true of.
pub fn forward<T: Computed>(x: View, indices: &mut ViewMut, p: &PoolParams, out: &mut ViewMut) {
    let (xp, op, ip) = (Planes::new(x.layout), Planes::new(out.layout), Planes::new(indices.layout));
    let job = Job::new(xp, x.data::<T>(), p, op.width);
    let (out, indices) = (SharedMut::new(out.data::<T>()), SharedMut::new(indices.data::<i64>()));
    op.for_each(p.kernel[0] + p.kernel[1], |planes| {
        let mut rows = job.rows();
        // SAFETY: planes are handed to one thread each.
        simd!(s => unsafe { job.planes(s, planes, &mut rows, (&op, out), (&ip, indices)) })
    });
}
