//! Means of windows. Sums run over a window row by row, as PyTorch's do, and are divided last.

use super::max::store_plane;
use super::plane::{Planes, served};
use crate::cpu::{gemm::plain::Arith, par::SharedMut};
use crate::{PoolParams, View, ViewMut};
use std::ops::Range;

/// Number of elements that a window's mean divides by, in one dimension: with the border, or without.
fn extent(o: usize, d: usize, p: &PoolParams, size: usize) -> usize {
    let start = o * p.stride[d];
    let end = (start + p.kernel[d]).min(size + 2 * p.padding[d]);
    if p.count_include_pad {
        end.saturating_sub(start)
    } else {
        end.min(size + p.padding[d]).saturating_sub(start.max(p.padding[d]))
    }
}

/// What each output of a row divides by.
fn divisors<T: Arith>(oh: usize, p: &PoolParams, x: &Planes, widths: &[usize]) -> Vec<T::Acc> {
    let height = extent(oh, 0, p, x.height);
    widths.iter().map(|&w| T::acc_from((height * w).max(1))).collect()
}

fn undilated(p: &PoolParams) -> PoolParams {
    PoolParams { dilation: [1, 1], ..*p }
}

/// The row of the plane that tap `i` of output row `oh` reads.
fn tap_row(oh: usize, i: usize, p: &PoolParams, height: usize) -> Option<usize> {
    (oh * p.stride[0] + i).checked_sub(p.padding[0]).filter(|&h| h < height)
}

pub fn forward<T: Arith>(x: View, p: &PoolParams, out: &mut ViewMut) {
    let p = &undilated(p);
    let (xp, op) = (Planes::new(x.layout), Planes::new(out.layout));
    let xs = x.data::<T>();
    let out = SharedMut::new(out.data::<T>());
    let widths: Vec<usize> = (0..op.width).map(|ow| extent(ow, 1, p, xp.width)).collect();
    op.for_each(p.kernel[0] * p.kernel[1], |planes| {
        let mut sums = vec![T::Acc::default(); op.height * op.width];
        for plane in planes {
            sums.fill(T::Acc::default());
            for (oh, sums) in sums.chunks_exact_mut(op.width).enumerate() {
                for h in (0..p.kernel[0]).filter_map(|i| tap_row(oh, i, p, xp.height)) {
                    for j in 0..p.kernel[1] {
                        let (cols, w) = served(j, 1, p, xp.width, op.width);
                        let first = xp.row_start(plane, h).wrapping_add_signed(w as isize * xp.col);
                        let step = p.stride[1] as isize * xp.col;
                        for (j, s) in sums[cols].iter_mut().enumerate() {
                            *s = T::add(*s, xs[first.wrapping_add_signed(j as isize * step)].widen());
                        }
                    }
                }
                let by = divisors::<T>(oh, p, &xp, &widths);
                sums.iter_mut().zip(by).for_each(|(s, by)| *s = T::div(*s, by));
            }
            store_plane(&sums, plane, &op, &out);
        }
    });
}

pub fn grad<T: Arith>(g: View, p: &PoolParams, out: &mut ViewMut) {
    let p = &undilated(p);
    let (gp, op) = (Planes::new(g.layout), Planes::new(out.layout));
    let gs = g.data::<T>();
    let out = SharedMut::new(out.data::<T>());
    let widths: Vec<usize> = (0..gp.width).map(|ow| extent(ow, 1, p, op.width)).collect();
    gp.for_each(p.kernel[0] * p.kernel[1], |planes| {
        let mut sums = vec![T::Acc::default(); op.height * op.width];
        let mut shares = vec![T::Acc::default(); gp.width];
        for plane in planes {
            sums.fill(T::Acc::default());
            for oh in 0..gp.height {
                let start = gp.row_start(plane, oh);
                let by = divisors::<T>(oh, p, &op, &widths);
                for (ow, (share, by)) in shares.iter_mut().zip(by).enumerate() {
                    *share = T::div(gs[start.wrapping_add_signed(ow as isize * gp.col)].widen(), by);
                }
                for h in (0..p.kernel[0]).filter_map(|i| tap_row(oh, i, p, op.height)) {
                    // Last tap first: then each element gets its shares in the order of the outputs.
                    for j in (0..p.kernel[1]).rev() {
                        let (cols, w) = served(j, 1, p, op.width, gp.width);
                        if cols.is_empty() {
                            continue;
                        }
                        let into = sums[h * op.width + w..].iter_mut().step_by(p.stride[1]);
                        into.zip(&shares[cols]).for_each(|(s, &g)| *s = T::add(*s, g));
                    }
                }
            }
            store_plane(&sums, plane, &op, &out);
        }
    });
}

/// The cells that `size` splits into.
fn cell(i: usize, cells: usize, size: usize) -> Range<usize> {
    i * size / cells..((i + 1) * size).div_ceil(cells)
}

pub fn adaptive<T: Arith>(x: View, out: &mut ViewMut) {
    let (xp, op) = (Planes::new(x.layout), Planes::new(out.layout));
    let xs = x.data::<T>();
    let out = SharedMut::new(out.data::<T>());
    xp.for_each(1, |planes| {
        let mut means = vec![T::Acc::default(); op.height * op.width];
        for plane in planes {
            for (i, mean) in means.iter_mut().enumerate() {
                let rows = cell(i / op.width, op.height, xp.height);
                let cols = cell(i % op.width, op.width, xp.width);
                let mut sum = T::Acc::default();
                for h in rows.clone() {
                    let start = xp.row_start(plane, h);
                    for w in cols.clone() {
                        sum = T::add(sum, xs[start.wrapping_add_signed(w as isize * xp.col)].widen());
                    }
                }
                *mean = T::div(T::div(sum, T::acc_from(rows.len())), T::acc_from(cols.len()));
            }
            store_plane(&means, plane, &op, &out);
        }
    });
}

pub fn adaptive_grad<T: Arith>(g: View, out: &mut ViewMut) {
    let (gp, op) = (Planes::new(g.layout), Planes::new(out.layout));
    let gs = g.data::<T>();
    let out = SharedMut::new(out.data::<T>());
    op.for_each(1, |planes| {
        let mut sums = vec![T::Acc::default(); op.height * op.width];
        for plane in planes {
            sums.fill(T::Acc::default());
            for i in 0..gp.height * gp.width {
                let (oh, ow) = (i / gp.width, i % gp.width);
                let (rows, cols) = (cell(oh, gp.height, op.height), cell(ow, gp.width, op.width));
                let g = gs[gp.row_start(plane, oh).wrapping_add_signed(ow as isize * gp.col)].widen();
                let share = T::div(T::div(g, T::acc_from(rows.len())), T::acc_from(cols.len()));
                for h in rows {
                    let row = &mut sums[h * op.width..(h + 1) * op.width];
                    row[cols.clone()].iter_mut().for_each(|s| *s = T::add(*s, share));
                }
            }
            store_plane(&sums, plane, &op, &out);
        }
    });
}
