//! Batch norm of `[N, C, L]`: lines along L where those are contiguous, lines across the channels
//! where these are (`[N, C]`, channels last) or where L is short.

use super::columns::row_blocks;
use super::kernels;
use super::sums::Moments;
use crate::cpu::gemm::scratch::Scratch;
use crate::cpu::par::{SharedMut, for_each_range};
use crate::cpu::real::{Computed, Lines, Real, from_slice, to_vec, write_line};
use crate::{Element, Layout, View, ViewMut};
use std::ops::Range;

/// Elements of a channel that are summed by one thread in one go.
const PIECE: usize = 1 << 15;

/// Shorter lines than this are folded into the channels where memory allows: `[N, C·L, 1]`.
const SHORT: usize = 64;

struct Shape {
    n: usize,
    c: usize,
    l: usize,
    /// Lines go across the channels.
    columns: bool,
    /// Neighbouring channels of this shape that are one channel of the caller.
    fold: usize,
}

impl Shape {
    /// How to walk views of `[N, C, L]`, and their layouts for it. The first decides.
    fn of<const K: usize>(layouts: [&Layout; K]) -> (Shape, [Layout; K]) {
        let (s, st) = (layouts[0].shape(), layouts[0].strides());
        let (n, c, l) = (s[0], s[1], s[2]);
        if (2..SHORT).contains(&l) && n * c > 0 {
            let folded = layouts.map(|x| x.reshape(&[n, c * l, 1]).filter(|x| x.strides()[1] == 1));
            if folded.iter().all(Option::is_some) {
                let shape = Shape { n, c: c * l, l: 1, columns: true, fold: l };
                return (shape, folded.map(|x| x.expect("just seen")));
            }
        }
        let columns = c > 1 && st[1] == 1 && (st[2] != 1 || l == 1);
        (Shape { n, c, l, columns, fold: 1 }, layouts.map(Layout::clone))
    }

    /// One number per channel of the caller as one per channel of this shape.
    fn spread<R: Copy>(&self, v: Vec<R>) -> Vec<R> {
        if self.fold == 1 {
            v
        } else {
            v.into_iter().flat_map(|v| std::iter::repeat_n(v, self.fold)).collect()
        }
    }

    /// The dimension of a line.
    fn dim(&self) -> usize {
        if self.columns { 1 } else { 2 }
    }

    /// `f(channel, range of N)` for pieces of every channel; what it returns is merged in order.
    fn pieces<A: Copy + Default + Send + Sync>(
        &self,
        f: impl Fn(usize, Range<usize>) -> A + Sync,
        merge: impl Fn(A, A) -> A,
    ) -> Vec<A> {
        let rows = (PIECE / self.l.max(1)).max(1);
        let count = self.n.div_ceil(rows).max(1);
        let mut parts = vec![A::default(); self.c * count];
        let shared = SharedMut::new(&mut parts);
        let cost = rows.min(self.n) as f64 * (self.l as f64 * 0.3 + 10.0);
        for_each_range(self.c * count, 1, cost, |r| {
            for u in r {
                let (c, p) = (u / count, u % count);
                // SAFETY: one place per piece.
                unsafe { shared.range(u..u + 1)[0] = f(c, p * rows..((p + 1) * rows).min(self.n)) };
            }
        });
        parts.chunks_exact(count).map(|p| p.iter().copied().reduce(&merge).expect("not empty")).collect()
    }
}

pub fn stats<T: Computed>(x: View, mean: ViewMut, var: ViewMut) {
    let (shape, [layout]) = Shape::of([x.layout]);
    let lines = Lines::<T>::new(View { layout: &layout, ..x }, shape.dim());
    let all: Vec<Moments> = if shape.columns {
        column_stats(&shape, &lines)
    } else {
        let piece = |c: usize, r: Range<usize>| {
            let mut buf = lines.scratch();
            let mut over = |f: &mut dyn FnMut(&[T::In])| {
                r.clone().for_each(|i| f(lines.get(&[i, c], &mut buf)));
            };
            let mut total = 0.0;
            over(&mut |x| total += kernels::sum(x));
            Moments::of(r.len() * shape.l, total, |near| {
                let mut m2 = 0.0;
                over(&mut |x| m2 += kernels::squares(x, near));
                m2
            })
        };
        shape.pieces(piece, Moments::merge)
    };
    let merged = all.chunks_exact(shape.fold).map(|m| m.iter().copied().reduce(Moments::merge));
    let (means, vars): (Vec<f64>, Vec<f64>) =
        merged.map(|m| m.expect("not empty")).map(|m| (m.mean(), m.var())).unzip();
    from_slice(&means, mean);
    from_slice(&vars, var);
}

/// Moments of each channel, in two passes over rows.
fn column_stats<T: Computed>(shape: &Shape, lines: &Lines<T>) -> Vec<Moments> {
    let (rows, l) = (shape.n * shape.l, shape.l);
    if rows == 0 {
        return vec![Moments::default(); shape.c];
    }
    let pass = |mean: &[T::In], square: bool| {
        row_blocks::<T::In>(rows, shape.c, 0.3, |rows, acc| {
            let mut buf = lines.scratch();
            for row in rows {
                let x = lines.get(&[row / l, row % l], &mut buf);
                kernels::add_columns(x, mean, square, acc);
            }
        })
    };
    // Around the first row, so that a large common mean does not swallow the digits.
    let first = lines.get(&[0, 0], &mut lines.scratch()).to_vec();
    let n = rows as f64;
    let means: Vec<f64> =
        pass(&first, false).iter().zip(&first).map(|(d, a)| a.to_f64() + d.to_f64() / n).collect();
    let near: Vec<T::In> = means.iter().map(|&m| T::In::from_f64(m)).collect();
    let squares = pass(&near, true);
    (0..shape.c)
        .map(|c| {
            let off = means[c] - near[c].to_f64();
            Moments { n, mean: means[c], m2: (squares[c].to_f64() - n * off * off).max(0.0) }
        })
        .collect()
}

/// Writes `f(n, channel or position, inputs, result)` of every line.
fn map<T: Computed, const K: usize>(
    shape: &Shape,
    inputs: [View; K],
    mut out: ViewMut,
    f: impl Fn(usize, [&[T::In]; K], &mut [T::In]) + Sync,
) {
    let dim = shape.dim();
    let (second, n) = if shape.columns { (shape.l, shape.c) } else { (shape.c, shape.l) };
    let lines = inputs.map(|v| Lines::<T>::new(v, dim));
    let (layout, to) = (out.layout, SharedMut::new(out.data::<T>()));
    let step = layout.strides()[dim];
    for_each_range(shape.n * second, 1, n as f64 * 0.3 * K as f64 + 10.0, |r| {
        let mut scratch: [Scratch; K] = std::array::from_fn(|k| lines[k].scratch());
        let mut result = Scratch::new::<T::In>(n.max(1));
        let result = &mut result.as_mut_slice()[..n];
        for u in r {
            let (i, j) = (u / second, u % second);
            let mut parts = scratch.iter_mut();
            let x: [&[T::In]; K] =
                std::array::from_fn(|k| lines[k].get(&[i, j], parts.next().expect("one per input")));
            let at = if shape.columns { layout.position(&[i, 0, j]) } else { layout.position(&[i, j, 0]) };
            // SAFETY: a line of the output, which no other range holds.
            unsafe { write_line(to, at, step, result, |y| f(j, x, y)) };
        }
    });
}

/// `w·rstd` of each channel.
fn scales<R: Real>(shape: &Shape, weight: Option<View>, rstd: &[R]) -> Vec<R> {
    match weight {
        Some(w) => shape.spread(to_vec::<R>(w)).into_iter().zip(rstd).map(|(w, &r)| w * r).collect(),
        None => rstd.to_vec(),
    }
}

pub fn apply<T: Computed>(
    x: View,
    [mean, rstd]: [View; 2],
    weight: Option<View>,
    bias: Option<View>,
    out: ViewMut,
) {
    let (shape, [of_x, of_out]) = Shape::of([x.layout, out.layout]);
    let [mean, rstd] = [mean, rstd].map(|v| shape.spread(to_vec::<T::In>(v)));
    let scale = scales(&shape, weight, &rstd);
    let bias = bias.map_or_else(|| vec![T::In::default(); shape.c], |b| shape.spread(to_vec::<T::In>(b)));
    let (x, out) = (View { layout: &of_x, ..x }, ViewMut { layout: &of_out, ..out });
    map::<T, 1>(&shape, [x], out, |c, [x], y| {
        if shape.columns {
            kernels::scale_columns(x, &mean, &scale, &bias, y);
        } else {
            kernels::scale_line(x, [mean[c], scale[c], bias[c]], y);
        }
    });
}

/// `dx = w·rstd·(g − mean(g) − x̂·mean(g·x̂))`, `dw = Σ g·x̂`, `db = Σ g`, all per channel.
pub fn grad<T: Computed>(
    [g, x]: [View; 2],
    weight: Option<View>,
    [mean, rstd]: [View; 2],
    [dweight, dbias]: [Option<ViewMut>; 2],
    out: ViewMut,
) {
    let (shape, [of_x, of_g, of_out]) = Shape::of([x.layout, g.layout, out.layout]);
    let (x, g) = (View { layout: &of_x, ..x }, View { layout: &of_g, ..g });
    let out = ViewMut { layout: &of_out, ..out };
    let [mean, rstd] = [mean, rstd].map(|v| shape.spread(to_vec::<T::In>(v)));
    let lines = [g, x].map(|v| Lines::<T>::new(v, shape.dim()));
    let totals: Vec<[f64; 2]> = if shape.columns {
        column_totals(&shape, &lines, &mean, &rstd)
    } else {
        let piece = |c: usize, r: Range<usize>| {
            let [mut b0, mut b1] = lines.each_ref().map(Lines::scratch);
            let mut total = [0.0; 2];
            for i in r {
                let (g, x) = (lines[0].get(&[i, c], &mut b0), lines[1].get(&[i, c], &mut b1));
                let part = kernels::grad_sums(g, x, None, mean[c], rstd[c]);
                (0..2).for_each(|k| total[k] += part[k]);
            }
            total
        };
        shape.pieces(piece, |a: [f64; 2], b| [a[0] + b[0], a[1] + b[1]])
    };
    let totals: Vec<[f64; 2]> = totals
        .chunks_exact(shape.fold)
        .map(|t| t.iter().fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]))
        .collect();
    let count = (shape.n * shape.l * shape.fold) as f64;
    let part = |k: usize| totals.iter().map(|t| t[k]).collect::<Vec<f64>>();
    if let Some(d) = dweight {
        from_slice(&part(1), d);
    }
    if let Some(d) = dbias {
        from_slice(&part(0), d);
    }
    let scale = scales(&shape, weight, &rstd);
    let [mean_g, mean_gx] = [0, 1]
        .map(|k| shape.spread(totals.iter().map(|t| T::In::from_f64(t[k] / count)).collect::<Vec<T::In>>()));
    let slope: Vec<T::In> = mean_gx.iter().zip(&rstd).map(|(&m, &r)| m * r).collect();
    map::<T, 2>(&shape, [g, x], out, |c, [g, x], y| {
        if shape.columns {
            kernels::grad_columns(g, x, [&mean, &scale, &mean_g, &slope], y);
        } else {
            kernels::grad_line(g, x, [mean[c], scale[c], mean_g[c], slope[c]], y);
        }
    });
}

fn column_totals<T: Computed>(
    shape: &Shape,
    [of_g, of_x]: &[Lines<T>; 2],
    mean: &[T::In],
    rstd: &[T::In],
) -> Vec<[f64; 2]> {
    let (c, l) = (shape.c, shape.l);
    let totals = row_blocks::<T::In>(shape.n * l, 2 * c, 0.3, |rows, acc| {
        let (mut gbuf, mut xbuf) = (of_g.scratch(), of_x.scratch());
        let (of_g_acc, of_gx) = acc.split_at_mut(c);
        for row in rows {
            let index = [row / l, row % l];
            let (g, x) = (of_g.get(&index, &mut gbuf), of_x.get(&index, &mut xbuf));
            kernels::add_grad_columns(g, x, [mean, rstd], of_g_acc, of_gx);
        }
    });
    (0..c).map(|i| [totals[i].to_f64(), totals[c + i].to_f64()]).collect()
}
