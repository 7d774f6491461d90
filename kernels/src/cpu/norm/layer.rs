//! Layer norm of `[rows, n]`.

use super::columns::row_blocks;
use super::kernels;
use super::sums::Moments;
use crate::cpu::gemm::scratch::Scratch;
use crate::cpu::par::{SharedMut, for_each_range};
use crate::cpu::real::{Computed, Lines, Real, from_slice, to_vec, write_line};
use crate::{Element, View, ViewMut};

fn ones<R: Real>(w: Option<View>, n: usize, default: f64) -> Vec<R> {
    w.map_or_else(|| vec![R::from_f64(default); n], to_vec::<R>)
}

pub fn forward<T: Computed>(
    x: View,
    weight: Option<View>,
    bias: Option<View>,
    eps: f64,
    mean: ViewMut,
    rstd: ViewMut,
    mut out: ViewMut,
) {
    let (rows, n) = (x.layout.shape()[0], x.layout.shape()[1]);
    let (w, b) = (ones::<T::In>(weight, n, 1.0), ones::<T::In>(bias, n, 0.0));
    let mut stats = vec![[T::In::default(); 2]; rows];
    let shared = SharedMut::new(&mut stats);
    let lines = Lines::<T>::new(x, 1);
    let (layout, out) = (out.layout, SharedMut::new(out.data::<T>()));
    for_each_range(rows, 1, n as f64 * 0.4 + 20.0, |r| {
        let (mut buf, mut result) = (lines.scratch(), Scratch::new::<T::In>(n.max(1)));
        let result = &mut result.as_mut_slice()[..n];
        for row in r {
            let x = lines.get(&[row], &mut buf);
            // SAFETY: one place per row.
            let stat = unsafe { &mut shared.range(row..row + 1)[0] };
            let m = Moments::of(n, kernels::sum(x), |near| kernels::squares(x, near));
            let [mean, rstd] = [m.mean, 1.0 / (m.var() + eps).sqrt()].map(T::In::from_f64);
            *stat = [mean, rstd];
            // SAFETY: one row of the output, which no other range holds.
            unsafe {
                write_line(out, layout.position(&[row, 0]), layout.strides()[1], result, |y| {
                    kernels::scale_row(x, mean, rstd, &w, &b, y);
                });
            }
        }
    });
    let part = |k: usize| stats.iter().map(|s| s[k]).collect::<Vec<_>>();
    from_slice(&part(0), mean);
    from_slice(&part(1), rstd);
}

/// `dx = rstd·(gw − mean(gw) − x̂·mean(gw·x̂))` with `gw = g·w`; `dw = Σ g·x̂`, `db = Σ g` over rows.
pub fn grad<T: Computed>(
    [g, x]: [View; 2],
    weight: Option<View>,
    [mean, rstd]: [View; 2],
    [dweight, dbias]: [Option<ViewMut>; 2],
    mut out: ViewMut,
) {
    let (rows, n) = (x.layout.shape()[0], x.layout.shape()[1]);
    let w = ones::<T::In>(weight, n, 1.0);
    let (mean, rstd) = (to_vec::<T::In>(mean), to_vec::<T::In>(rstd));
    let (of_g, of_x) = (Lines::<T>::new(g, 1), Lines::<T>::new(x, 1));
    let (layout, out) = (out.layout, SharedMut::new(out.data::<T>()));
    let wanted = dweight.is_some() || dbias.is_some();
    let totals = row_blocks::<T::In>(rows, 2 * n, 1.0, |rows, acc| {
        let (mut gbuf, mut xbuf) = (of_g.scratch(), of_x.scratch());
        let mut result = Scratch::new::<T::In>(n.max(1));
        let result = &mut result.as_mut_slice()[..n];
        let (dw, db) = acc.split_at_mut(n);
        for row in rows {
            let (g, x) = (of_g.get(&[row], &mut gbuf), of_x.get(&[row], &mut xbuf));
            let (mean, rstd) = (mean[row], rstd[row]);
            let [a, b] =
                kernels::grad_sums(g, x, Some(&w), mean, rstd).map(|v| T::In::from_f64(v / n as f64));
            // SAFETY: one row of the output, which no other block holds.
            unsafe {
                write_line(out, layout.position(&[row, 0]), layout.strides()[1], result, |dx| {
                    let sums = if wanted { Some([&mut *dw, &mut *db]) } else { None };
                    kernels::grad_row([g, x, &w], [mean, rstd, a, b], dx, sums);
                });
            }
        }
    });
    if let Some(d) = dweight {
        from_slice(&totals[..n], d);
    }
    if let Some(d) = dbias {
        from_slice(&totals[n..], d);
    }
}
