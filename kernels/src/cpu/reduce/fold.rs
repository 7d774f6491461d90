//! The loops of all reductions but float sums.

use super::plan::Plan;
use crate::cpu::par::{SharedMut, for_each_range};
use crate::cpu::walk::Walk;
use crate::{Element, View, ViewMut, simd};
use std::ops::Range;

/// One reduction of one element type. `merge(fold of first part, fold of second part)` is the fold
/// of both; `at` is the row-major number of an element among those that are folded.
pub trait Fold: Copy + Sync {
    type In: Element;
    type Acc: Copy + Send + Sync;
    type Out: Element;
    /// Compiled for every instruction set; worth it where the compiler vectorises.
    const SIMD: bool = false;
    fn init() -> Self::Acc;
    fn step(acc: Self::Acc, x: Self::In, at: usize) -> Self::Acc;
    fn merge(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn finish(acc: Self::Acc) -> Self::Out;

    /// Folds a slice whose first element is number `at`.
    #[inline(always)]
    fn slice(x: &[Self::In], at: usize) -> Self::Acc {
        const LANES: usize = 32;
        let mut lanes = [Self::init(); LANES];
        let (chunks, rest) = x.as_chunks::<LANES>();
        for c in chunks {
            for l in 0..LANES {
                lanes[l] = Self::step(lanes[l], c[l], at);
            }
        }
        let mut acc = lanes.into_iter().reduce(Self::merge).expect("not empty");
        for &v in rest {
            acc = Self::step(acc, v, at);
        }
        acc
    }
}

/// Columns that are folded side by side.
const PANEL: usize = 256;
/// Long folds with few outputs are cut into pieces of this many elements, whatever the threads.
const PIECE: usize = 1 << 16;

pub fn run<F: Fold>(x: View, axes: &[usize], mut out: ViewMut) {
    let plan = Plan::new(x.layout, axes, out.layout);
    let outputs = plan.outputs();
    if outputs == 0 {
        return;
    }
    let data = x.data::<F::In>();
    let out = SharedMut::new(out.data::<F::Out>());
    let walk = Walk::new([&plan.kept, &plan.out]);
    let n = plan.folded();
    let columns = plan.by_columns();
    // The units of work: single outputs, or panels of neighbouring columns.
    let width = if columns { walk.inner_len() } else { 1 };
    let panels = width.div_ceil(PANEL);
    let units = if columns { outputs / width * panels } else { outputs };
    let unit = |u: usize| {
        if !columns {
            return u..u + 1;
        }
        let (row, panel) = (u / panels, u % panels);
        row * width + panel * PANEL..row * width + ((panel + 1) * PANEL).min(width)
    };
    let cost = n as f64 * if columns { PANEL.min(width) as f64 * 0.15 } else { 0.3 } + 10.0;
    let pieces = n.div_ceil(PIECE);
    if pieces <= 1 || units >= 64 {
        return for_each_range(units, 1, cost, |us| {
            let mut acc = [F::init(); PANEL];
            for u in us {
                let r = unit(u);
                fold_unit::<F>(&plan, &walk, data, r.clone(), 0..n, &mut acc[..r.len()]);
                finish::<F>(&walk, r.clone(), &acc[..r.len()], out);
            }
        });
    }
    let mut parts = vec![F::init(); outputs * pieces];
    let shared = SharedMut::new(&mut parts);
    for_each_range(units * pieces, 1, cost / pieces as f64, |ks| {
        for k in ks {
            let (piece, r) = (k / units, unit(k % units));
            // SAFETY: a place per piece and output, and units do not overlap.
            let acc = unsafe { shared.range(piece * outputs + r.start..piece * outputs + r.end) };
            fold_unit::<F>(&plan, &walk, data, r, piece * PIECE..((piece + 1) * PIECE).min(n), acc);
        }
    });
    let (first, rest) = parts.split_at_mut(outputs);
    for part in rest.chunks(outputs) {
        first.iter_mut().zip(part).for_each(|(a, &b)| *a = F::merge(*a, b));
    }
    finish::<F>(&walk, 0..outputs, first, out);
}

fn finish<F: Fold>(walk: &Walk<2>, outputs: Range<usize>, acc: &[F::Acc], out: SharedMut<F::Out>) {
    let mut acc = acc.iter();
    let [_, step] = walk.inner_strides();
    walk.runs(outputs, |[_, p], len| {
        for (i, &a) in acc.by_ref().take(len).enumerate() {
            let at = (p as isize + i as isize * step) as usize;
            // SAFETY: outputs are distinct elements, and each is written by one unit.
            unsafe { out.range(at..at + 1)[0] = F::finish(a) };
        }
    });
}

/// Folds elements `range` of the outputs of a unit: one output, or neighbouring columns.
fn fold_unit<F: Fold>(
    plan: &Plan,
    walk: &Walk<2>,
    data: &[F::In],
    outputs: Range<usize>,
    range: Range<usize>,
    acc: &mut [F::Acc],
) {
    let [column, _] = walk.inner_strides();
    let columns = plan.by_columns();
    walk.runs(outputs, |[base, _], _| {
        if F::SIMD {
            simd!(s => { let _ = s; leaf::<F>(plan, data, base, column, columns, range.clone(), acc) })
        } else {
            leaf::<F>(plan, data, base, column, columns, range.clone(), acc)
        }
    });
}

#[inline(always)]
fn leaf<F: Fold>(
    plan: &Plan,
    data: &[F::In],
    base: usize,
    column: isize,
    columns: bool,
    range: Range<usize>,
    acc: &mut [F::Acc],
) {
    let step = plan.run.1;
    let base = base as isize;
    if columns {
        acc.fill(F::init());
        plan.runs(range, |start, len, at| {
            for i in 0..len {
                let p = base + start + i as isize * step;
                if column == 1 {
                    let row = &data[p as usize..p as usize + acc.len()];
                    acc.iter_mut().zip(row).for_each(|(a, &v)| *a = F::step(*a, v, at + i));
                } else {
                    for (j, a) in acc.iter_mut().enumerate() {
                        *a = F::step(*a, data[(p + j as isize * column) as usize], at + i);
                    }
                }
            }
        });
    } else {
        let mut total = F::init();
        plan.runs(range, |start, len, at| {
            let p = base + start;
            if step == 1 && len >= 16 {
                total = F::merge(total, F::slice(&data[p as usize..p as usize + len], at));
            } else {
                for i in 0..len {
                    total = F::step(total, data[(p + i as isize * step) as usize], at + i);
                }
            }
        });
        acc[0] = total;
    }
}
