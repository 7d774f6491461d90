//! Maximum of windows. The first largest wins; a NaN wins over what came before it (PyTorch's rule).

use super::plane::{Planes, served};
use crate::cpu::{gemm::plain::Arith, par::SharedMut};
use crate::{Element, PoolParams, View, ViewMut, simd};
use std::ops::Range;

/// One output row: the largest so far, and the number of the tap it comes from ([`NONE`] before the first). The
/// number has as many bits as a float, so that the two are compared and chosen in vectors.
struct Row<T> {
    best: Vec<T>,
    tap: Vec<u32>,
}
const NONE: u32 = u32::MAX;

#[inline(always)]
fn wins<T: PartialOrd>(v: T, best: T) -> bool {
    // `v != v` is true for NaN alone.
    #[allow(clippy::eq_op)]
    let nan = v != v;
    (v > best) | nan
}

/// Takes one tap into a row: `x[first + step·j]` for output `j`.
#[inline(always)]
fn take_tap<T: Element>(row: (&mut [T], &mut [u32]), x: &[T], first: usize, step: isize, number: u32) {
    #[inline(always)]
    fn take<T: Element>(best: &mut T, tap: &mut u32, v: T, number: u32) {
        let win = (*tap == NONE) | wins(v, *best);
        *best = if win { v } else { *best };
        *tap = if win { number } else { *tap };
    }
    let (best, tap) = row;
    let n = best.len();
    if n == 0 {
        return;
    }
    let outputs = best.iter_mut().zip(tap);
    match step {
        1 => outputs.zip(&x[first..first + n]).for_each(|((b, t), &v)| take(b, t, v, number)),
        // The last output's pair may end with the row.
        2 if n > 1 && first + 2 * n <= x.len() => {
            let pairs = x[first..first + 2 * n].as_chunks::<2>().0;
            outputs.zip(pairs).for_each(|((b, t), pair)| take(b, t, pair[0], number));
        }
        _ => outputs.enumerate().for_each(|(j, (b, t))| {
            take(b, t, x[first.wrapping_add_signed(j as isize * step)], number);
        }),
    }
}

/// The layouts of input and output, and the windows.
struct Job<'a> {
    planes: [Planes; 2],
    p: &'a PoolParams,
}

impl Job<'_> {
    /// Where tap `(i, j)` of the first output of row `oh` lies in the plane.
    fn tap_at(&self, oh: usize, i: usize, j: usize) -> i64 {
        let place = |d: usize, tap: usize| (tap * self.p.dilation[d]) as i64 - self.p.padding[d] as i64;
        ((oh * self.p.stride[0]) as i64 + place(0, i)) * self.planes[0].width as i64 + place(1, j)
    }

    /// All taps of output row `oh`.
    #[inline(always)]
    fn row<T: Element>(&self, xs: &[T], plane: usize, oh: usize, row: &mut Row<T>) {
        let ([xp, op], p) = (&self.planes, self.p);
        row.tap.fill(NONE);
        for i in 0..p.kernel[0] {
            let h = (oh * p.stride[0] + i * p.dilation[0]).wrapping_sub(p.padding[0]);
            if h >= xp.height {
                continue;
            }
            for j in 0..p.kernel[1] {
                let (cols, w) = served(j, 1, p, xp.width, op.width);
                let first = xp.row_start(plane, h).wrapping_add_signed(w as isize * xp.col);
                let row = (&mut row.best[cols.clone()], &mut row.tap[cols]);
                take_tap(row, xs, first, p.stride[1] as isize * xp.col, (i * p.kernel[1] + j) as u32);
            }
        }
    }
}

/// Outputs of windows of 2 × 2 that are computed side by side: as many as a vector of 64 bytes has positions.
const SIDE: usize = 8;

/// `W` windows of 2 × 2 side by side, of rows that begin at position `at`.
#[inline(always)]
fn windows<T: Element, const W: usize>(
    rows: [&[T]; 2],
    at: i64,
    width: u32,
    best: &mut [T],
    pos: &mut [i64],
) {
    let [top, bottom] = rows.map(|r| &r[..2 * W]);
    let (best, pos) = (&mut best[..W], &mut pos[..W]);
    // Both in arrays of a fixed length, so that they stay in registers.
    let (mut most, mut which) = ([T::default(); W], [0; W]);
    for j in 0..W {
        let (mut m, mut i) = (top[2 * j], 0);
        (m, i) = if wins(top[2 * j + 1], m) { (top[2 * j + 1], 1) } else { (m, i) };
        (m, i) = if wins(bottom[2 * j], m) { (bottom[2 * j], width) } else { (m, i) };
        (m, i) = if wins(bottom[2 * j + 1], m) { (bottom[2 * j + 1], width + 1) } else { (m, i) };
        (most[j], which[j]) = (m, i);
    }
    best.copy_from_slice(&most);
    for j in 0..W {
        pos[j] = at + 2 * j as i64 + which[j] as i64;
    }
}

/// Two rows in windows of 2 × 2. The last of them are computed with some that are done already.
#[inline(always)]
fn two_by_two<T: Element>(rows: [&[T]; 2], at: i64, width: u32, best: &mut [T], pos: &mut [i64]) {
    let n = best.len();
    let from = |j: usize| (rows.map(|r| &r[2 * j..]), at + 2 * j as i64);
    let mut j = 0;
    while j < n && n >= SIDE {
        let start = j.min(n - SIDE);
        let (rows, at) = from(start);
        windows::<T, SIDE>(rows, at, width, &mut best[start..], &mut pos[start..]);
        j = start + SIDE;
    }
    for j in j..n {
        let (rows, at) = from(j);
        windows::<T, 1>(rows, at, width, &mut best[j..], &mut pos[j..]);
    }
}

/// Some planes in windows of 2 × 2; layouts of input, output and positions, all with contiguous rows.
///
/// # Safety
/// No other thread touches these planes of output and positions.
#[inline(always)]
unsafe fn planes_two_by_two<T: Element>(
    xs: &[T],
    [xp, op, ip]: [Planes; 3],
    planes: Range<usize>,
    out: SharedMut<T>,
    indices: SharedMut<i64>,
) {
    for plane in planes {
        for oh in 0..op.height {
            let (o, i) = (op.row_start(plane, oh), ip.row_start(plane, oh));
            let rows = [2 * oh, 2 * oh + 1].map(|h| xp.row_start(plane, h));
            let rows = rows.map(|start| &xs[start..start + 2 * op.width]);
            // SAFETY: this output row belongs to this plane alone; the caller's promise.
            let (best, pos) = unsafe { (out.range(o..o + op.width), indices.range(i..i + op.width)) };
            two_by_two(rows, (2 * oh * xp.width) as i64, xp.width as u32, best, pos);
        }
    }
}

/// True for windows of 2 × 2 that lie side by side.
pub fn by_two(p: &PoolParams) -> bool {
    (p.kernel, p.stride, p.padding, p.dilation) == ([2, 2], [2, 2], [0, 0], [1, 1])
}

pub fn forward<T: Element>(x: View, indices: &mut ViewMut, p: &PoolParams, out: &mut ViewMut) {
    let (xp, op, ip) = (Planes::new(x.layout), Planes::new(out.layout), Planes::new(indices.layout));
    let xs = x.data::<T>();
    let (out, indices) = (SharedMut::new(out.data::<T>()), SharedMut::new(indices.data::<i64>()));
    let fast = by_two(p)
        && 2 * op.height <= xp.height
        && 2 * op.width <= xp.width
        && [xp.col, op.col, ip.col] == [1; 3];
    op.for_each(if fast { 1 } else { p.kernel[0] * p.kernel[1] }, |planes| {
        if fast {
            // SAFETY: planes are handed to one thread each.
            return simd!(_s => unsafe { planes_two_by_two(xs, [xp, op, ip], planes, out, indices) });
        }
        let job = Job { planes: [xp, op], p };
        let taps = p.kernel[0] * p.kernel[1];
        let mut row = Row { best: vec![T::default(); op.width], tap: vec![NONE; op.width] };
        let mut first = vec![0; taps];
        for plane in planes {
            for oh in 0..op.height {
                let (o, i) = (op.row_start(plane, oh), ip.row_start(plane, oh));
                job.row(xs, plane, oh, &mut row);
                for (tap, first) in first.iter_mut().enumerate() {
                    *first = job.tap_at(oh, tap / p.kernel[1], tap % p.kernel[1]);
                }
                for (j, (&best, &tap)) in row.best.iter().zip(&row.tap).enumerate() {
                    let place = |start: usize, step: isize, len: usize| {
                        let at = start.wrapping_add_signed(j as isize * step);
                        assert!(at < len);
                        at
                    };
                    let at = if tap == NONE { -1 } else { first[tap as usize] + (j * p.stride[1]) as i64 };
                    // SAFETY: in bounds; each output belongs to this plane alone.
                    unsafe {
                        *out.at(place(o, op.col, out.len())) = best;
                        *indices.at(place(i, ip.col, indices.len())) = at;
                    }
                }
            }
        }
    });
}

pub fn grad<T: Arith>(g: View, indices: View, out: &mut ViewMut) {
    let (gp, ip, op) = (Planes::new(g.layout), Planes::new(indices.layout), Planes::new(out.layout));
    let (gs, is) = (g.data::<T>(), indices.data::<i64>());
    let out = SharedMut::new(out.data::<T>());
    let size = op.height * op.width;
    op.for_each(2, |planes| {
        let mut sums = vec![T::Acc::default(); size];
        for plane in planes {
            sums.fill(T::Acc::default());
            for h in 0..gp.height {
                let (g0, i0) = (gp.row_start(plane, h), ip.row_start(plane, h));
                for w in 0..gp.width as isize {
                    let at = is[i0.wrapping_add_signed(w * ip.col)];
                    let g = gs[g0.wrapping_add_signed(w * gp.col)];
                    let sum = &mut sums[at as usize];
                    *sum = T::add(*sum, g.widen());
                }
            }
            store_plane(&sums, plane, &op, &out);
        }
    });
}

/// Rounds a plane of sums into the output.
pub fn store_plane<T: Arith>(sums: &[T::Acc], plane: usize, op: &Planes, out: &SharedMut<T>) {
    for (h, sums) in sums.chunks_exact(op.width).enumerate() {
        let start = op.row_start(plane, h);
        if op.col == 1 {
            // SAFETY: this row belongs to this plane alone.
            let row = unsafe { out.range(start..start + op.width) };
            row.iter_mut().zip(sums).for_each(|(o, &s)| *o = T::narrow(s));
            continue;
        }
        for (w, &s) in sums.iter().enumerate() {
            let at = start.wrapping_add_signed(w as isize * op.col);
            assert!(at < out.len());
            // SAFETY: in bounds; each element belongs to this plane alone.
            unsafe { *out.at(at) = T::narrow(s) };
        }
    }
}
