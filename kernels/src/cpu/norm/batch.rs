//! Batch norm of `[N, C, L]`: lines along L where those are contiguous, lines across the channels
//! where these are (`[N, C]`, channels last).

use super::columns::row_blocks;
use super::kernels;
use super::sums::Moments;
use crate::cpu::par::{SharedMut, for_each_range};
use crate::cpu::real::{Computed, Lines, Real, from_slice, store_line, to_vec};
use crate::{Element, View, ViewMut};
use std::ops::Range;

/// Elements of a channel that are summed by one thread in one go.
const PIECE: usize = 1 << 15;

struct Shape {
    n: usize,
    c: usize,
    l: usize,
    /// Lines go across the channels.
    columns: bool,
}

impl Shape {
    fn of(x: &View) -> Shape {
        let (s, st) = (x.layout.shape(), x.layout.strides());
        let columns = s[1] > 1 && st[1] == 1 && (st[2] != 1 || s[2] == 1);
        Shape { n: s[0], c: s[1], l: s[2], columns }
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
    let shape = Shape::of(&x);
    let lines = Lines::<T>::new(x, shape.dim());
    let (means, vars): (Vec<f64>, Vec<f64>) = if shape.columns {
        column_stats(&shape, &lines)
    } else {
        let piece = |c: usize, r: Range<usize>| {
            let mut buf = Vec::new();
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
        let all = shape.pieces(piece, Moments::merge);
        all.into_iter().map(|m| (if m.n == 0.0 { f64::NAN } else { m.mean }, m.var())).unzip()
    };
    from_slice(&means, mean);
    from_slice(&vars, var);
}

fn column_stats<T: Computed>(shape: &Shape, lines: &Lines<T>) -> (Vec<f64>, Vec<f64>) {
    let (rows, l) = (shape.n * shape.l, shape.l);
    let pass = |mean: &[T::In], square: bool| -> Vec<f64> {
        let totals = row_blocks::<T::In>(rows, shape.c, 0.3, |rows, acc| {
            let mut buf = Vec::new();
            for row in rows {
                let x = lines.get(&[row / l, row % l], &mut buf);
                kernels::add_columns(x, mean, square, acc);
            }
        });
        totals.iter().map(|v| v.to_f64() / rows as f64).collect()
    };
    // Around the first row, so that a large common mean does not swallow the digits.
    let mut buf = Vec::new();
    let around =
        if rows == 0 { vec![T::In::default(); shape.c] } else { lines.get(&[0, 0], &mut buf).to_vec() };
    let means: Vec<f64> = pass(&around, false).iter().zip(&around).map(|(d, a)| a.to_f64() + d).collect();
    let near: Vec<T::In> = means.iter().map(|&m| T::In::from_f64(m)).collect();
    let vars = pass(&near, true)
        .into_iter()
        .zip(means.iter().zip(&near))
        .map(|(v, (m, n))| v - (m - n.to_f64()).powi(2));
    let vars = vars.map(|v| v.max(0.0)).collect();
    (means, vars)
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
        let mut scratch: [Vec<T::In>; K] = std::array::from_fn(|_| Vec::new());
        let mut buf = Vec::new();
        for u in r {
            let (i, j) = (u / second, u % second);
            let mut parts = scratch.iter_mut();
            let x: [&[T::In]; K] =
                std::array::from_fn(|k| lines[k].get(&[i, j], parts.next().expect("one per input")));
            let at = if shape.columns { layout.position(&[i, 0, j]) } else { layout.position(&[i, j, 0]) };
            if step == 1 && n > 0 {
                // SAFETY: a line of the output, which no other range holds.
                if let Some(y) = T::as_is_mut(unsafe { to.range(at..at + n) }) {
                    f(j, x, y);
                    continue;
                }
            }
            buf.resize(n, T::In::default());
            f(j, x, &mut buf);
            // SAFETY: as above.
            unsafe { store_line(to, at, step, &buf) };
        }
    });
}

/// `w·rstd` of each channel.
fn scales<R: Real>(weight: Option<View>, rstd: &[R]) -> Vec<R> {
    match weight {
        Some(w) => to_vec::<R>(w).into_iter().zip(rstd).map(|(w, &r)| w * r).collect(),
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
    let shape = Shape::of(&x);
    let (mean, rstd) = (to_vec::<T::In>(mean), to_vec::<T::In>(rstd));
    let scale = scales::<T::In>(weight, &rstd);
    let bias = bias.map_or_else(|| vec![T::In::default(); shape.c], to_vec::<T::In>);
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
    let shape = Shape::of(&x);
    let (mean, rstd) = (to_vec::<T::In>(mean), to_vec::<T::In>(rstd));
    let lines = [g, x].map(|v| Lines::<T>::new(v, shape.dim()));
    let totals: Vec<[f64; 2]> = if shape.columns {
        column_totals(&shape, &lines, &mean, &rstd)
    } else {
        let piece = |c: usize, r: Range<usize>| {
            let mut bufs = [Vec::new(), Vec::new()];
            let mut total = [0.0; 2];
            for i in r {
                let [b0, b1] = &mut bufs;
                let (g, x) = (lines[0].get(&[i, c], b0), lines[1].get(&[i, c], b1));
                let part = kernels::grad_sums(g, x, None, mean[c], rstd[c]);
                (0..2).for_each(|k| total[k] += part[k]);
            }
            total
        };
        shape.pieces(piece, |a: [f64; 2], b| [a[0] + b[0], a[1] + b[1]])
    };
    let count = (shape.n * shape.l) as f64;
    let part = |k: usize| totals.iter().map(|t| t[k]).collect::<Vec<f64>>();
    if let Some(d) = dweight {
        from_slice(&part(1), d);
    }
    if let Some(d) = dbias {
        from_slice(&part(0), d);
    }
    let scale = scales::<T::In>(weight, &rstd);
    let mean_g: Vec<T::In> = totals.iter().map(|t| T::In::from_f64(t[0] / count)).collect();
    let slope: Vec<T::In> =
        totals.iter().zip(&rstd).map(|(t, &r)| r * T::In::from_f64(t[1] / count)).collect();
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
        let (mut gbuf, mut xbuf) = (Vec::new(), Vec::new());
        let (of_g_acc, of_gx) = acc.split_at_mut(c);
        for row in rows {
            let index = [row / l, row % l];
            let (g, x) = (of_g.get(&index, &mut gbuf), of_x.get(&index, &mut xbuf));
            kernels::add_grad_columns(g, x, [mean, rstd], of_g_acc, of_gx);
        }
    });
    (0..c).map(|i| [totals[i].to_f64(), totals[c + i].to_f64()]).collect()
}
