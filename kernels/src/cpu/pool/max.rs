//! Maximum of windows. The first largest wins; a NaN wins over what came before it (PyTorch's rule).

use super::plane::{Planes, served};
use crate::cpu::{gemm::plain::Arith, par::SharedMut};
use crate::{Element, PoolParams, View, ViewMut, simd};

/// One output row: the largest so far and its position in the plane (-1 before the first tap).
struct Row<T> {
    best: Vec<T>,
    at: Vec<i64>,
}

#[inline(always)]
fn wins<T: PartialOrd>(v: T, best: T) -> bool {
    // `v != v` is true for NaN alone.
    #[allow(clippy::eq_op)]
    let nan = v != v;
    (v > best) | nan
}

/// Takes one tap into a row: `x[first + step·j]` for output `j`, at position `at + step·j`.
#[inline(always)]
fn take_tap<T: Element>(
    best: &mut [T],
    pos: &mut [i64],
    x: &[T],
    first: usize,
    step: isize,
    at: i64,
    at_step: i64,
) {
    for (j, (best, pos)) in best.iter_mut().zip(pos).enumerate() {
        let v = x[first.wrapping_add_signed(j as isize * step)];
        if (*pos < 0) | wins(v, *best) {
            *best = v;
            *pos = at + j as i64 * at_step;
        }
    }
}

/// Two rows in windows of 2 × 2, side by side.
#[inline(always)]
fn two_by_two<T: Element>(top: &[T], bottom: &[T], at: i64, width: i64, best: &mut [T], pos: &mut [i64]) {
    // In blocks, so that which of the four won is held in as many bits as a float has.
    const BLOCK: usize = 32;
    let rows = top.chunks(2 * BLOCK).zip(bottom.chunks(2 * BLOCK));
    let outs = best.chunks_mut(BLOCK).zip(pos.chunks_mut(BLOCK));
    for (b, ((top, bottom), (best, pos))) in rows.zip(outs).enumerate() {
        let mut which = [0u32; BLOCK];
        let pairs = top.chunks_exact(2).zip(bottom.chunks_exact(2));
        for (((a, b), best), which) in pairs.zip(best).zip(&mut which) {
            let (mut m, mut i) = (a[0], 0);
            (m, i) = if wins(a[1], m) { (a[1], 1) } else { (m, i) };
            (m, i) = if wins(b[0], m) { (b[0], width as u32) } else { (m, i) };
            (m, i) = if wins(b[1], m) { (b[1], width as u32 + 1) } else { (m, i) };
            (*best, *which) = (m, i);
        }
        let first = at + 2 * (b * BLOCK) as i64;
        for (j, (pos, which)) in pos.iter_mut().zip(which).enumerate() {
            *pos = first + 2 * j as i64 + which as i64;
        }
    }
}

pub fn forward<T: Element>(x: View, indices: &mut ViewMut, p: &PoolParams, out: &mut ViewMut) {
    let (xp, op, ip) = (Planes::new(x.layout), Planes::new(out.layout), Planes::new(indices.layout));
    let xs = x.data::<T>();
    let (out, indices) = (SharedMut::new(out.data::<T>()), SharedMut::new(indices.data::<i64>()));
    let fast = p.kernel == [2, 2]
        && p.stride == [2, 2]
        && p.padding == [0, 0]
        && p.dilation == [1, 1]
        && 2 * op.height <= xp.height
        && 2 * op.width <= xp.width
        && [xp.col, op.col, ip.col] == [1; 3];
    op.for_each(p.kernel[0] * p.kernel[1], |planes| {
        let mut row = Row { best: vec![T::default(); op.width], at: vec![-1; op.width] };
        for plane in planes {
            for oh in 0..op.height {
                let (o, i) = (op.row_start(plane, oh), ip.row_start(plane, oh));
                if fast {
                    let (top, bottom) = (xp.row_start(plane, 2 * oh), xp.row_start(plane, 2 * oh + 1));
                    let (top, bottom) = (&xs[top..top + 2 * op.width], &xs[bottom..bottom + 2 * op.width]);
                    // SAFETY: this output row belongs to this plane alone.
                    let (best, pos) = unsafe { (out.range(o..o + op.width), indices.range(i..i + op.width)) };
                    let at = (2 * oh * xp.width) as i64;
                    simd!(_s => two_by_two(top, bottom, at, xp.width as i64, best, pos));
                    continue;
                }
                row.at.fill(-1);
                for i in 0..p.kernel[0] {
                    let h = (oh * p.stride[0] + i * p.dilation[0]).wrapping_sub(p.padding[0]);
                    if h >= xp.height {
                        continue;
                    }
                    for j in 0..p.kernel[1] {
                        let (cols, w) = served(j, 1, p, xp.width, op.width);
                        let first = xp.row_start(plane, h).wrapping_add_signed(w as isize * xp.col);
                        let (best, pos) = (&mut row.best[cols.clone()], &mut row.at[cols]);
                        let (step, at) = (p.stride[1] as isize * xp.col, (h * xp.width + w) as i64);
                        take_tap(best, pos, xs, first, step, at, p.stride[1] as i64);
                    }
                }
                for (j, (&best, &at)) in row.best.iter().zip(&row.at).enumerate() {
                    let place = |start: usize, step: isize, len: usize| {
                        let at = start.wrapping_add_signed(j as isize * step);
                        assert!(at < len);
                        at
                    };
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
