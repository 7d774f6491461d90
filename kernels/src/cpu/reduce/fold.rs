//! The loops of all reductions but float sums.

use super::plan::Plan;
use crate::cpu::par::{SharedMut, for_each_range};
use crate::cpu::walk::Walk;
use crate::{Element, View, ViewMut, simd};
use std::any::Any;
use std::ops::Range;
use std::sync::OnceLock;

/// One reduction of one element type. `merge(fold of first part, fold of second part)` is the fold
/// of both; `at` is the row-major number of an element among those that are folded.
pub trait Fold: Copy + Send + Sync + 'static {
    type In: Element;
    type Acc: Copy + Send + Sync + 'static;
    type Out: Element;
    /// Compiled for every instruction set; worth it where the compiler vectorises.
    const SIMD: bool = false;
    /// From this length on, `slice` is worth its set-up.
    const SLICE: usize = 32;
    fn init() -> Self::Acc;
    fn step(acc: Self::Acc, x: Self::In, at: usize) -> Self::Acc;
    fn merge(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn finish(acc: Self::Acc) -> Self::Out;

    /// Folds some rows of neighbouring columns, at most [`PANEL`], into the columns' accumulators. Row
    /// `at` has that number among those that are folded, and lies `step` before the next.
    #[inline(always)]
    fn columns(acc: &mut [Self::Acc], x: &[Self::In], start: isize, step: isize, rows: Range<usize>) {
        let mut p = start;
        for at in rows {
            let row = &x[p as usize..p as usize + acc.len()];
            for (a, &v) in acc.iter_mut().zip(row) {
                *a = Self::step(*a, v, at);
            }
            p += step;
        }
    }

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
        let mut half = LANES / 2;
        while half > 0 {
            for l in 0..half {
                lanes[l] = Self::merge(lanes[l], lanes[l + half]);
            }
            half /= 2;
        }
        let mut acc = lanes[0];
        for &v in rest {
            acc = Self::step(acc, v, at);
        }
        acc
    }
}

/// Columns that are folded side by side.
pub const PANEL: usize = 256;
/// Long folds with few outputs are cut into pieces of this many elements, whatever the threads.
const PIECE: usize = 1 << 16;

/// What is folded where.
struct Job<'a> {
    x: View<'a>,
    plan: Plan,
    /// Kept dimensions of input and output.
    walk: Walk<2>,
    columns: bool,
}

/// Accumulators of neighbouring outputs, of a type that the driver need not know: it is compiled
/// once, not once per reduction and element type.
trait Accs: Any + Send + Sync {
    /// Folds elements `range` of `outputs`.
    fn fold(&mut self, job: &Job, outputs: Range<usize>, range: Range<usize>);
    /// Merges those of the elements that follow.
    fn merge(&mut self, next: &dyn Accs);
    /// Writes results as `outputs` of a walk.
    ///
    /// # Safety
    /// Nothing else touches these outputs.
    unsafe fn finish(&self, job: &Job, outputs: Range<usize>, out: SharedMut<u8>);
}

pub fn run<F: Fold>(x: View, axes: &[usize], out: ViewMut) {
    drive(x, axes, out, &|| Box::new(Held::<F>(Vec::new())));
}

fn drive(x: View, axes: &[usize], out: ViewMut, fresh: &(dyn Fn() -> Box<dyn Accs> + Sync)) {
    let plan = Plan::new(x.layout, axes, out.layout);
    let (outputs, n, columns) = (plan.outputs(), plan.folded(), plan.by_columns());
    if outputs == 0 {
        return;
    }
    let span = out.layout.span().end * out.dtype.size();
    let bytes = out.storage.as_cpu_mut().expect("a CPU kernel got memory of another device").bytes_mut();
    assert!(span <= bytes.len(), "layout reaches beyond its storage");
    let out = SharedMut::new(bytes);
    let walk = Walk::new([&plan.kept, &plan.out]);
    // The units of work: single outputs, or panels of neighbouring columns.
    let width = if columns { walk.inner_len() } else { 1 };
    let panels = width.div_ceil(PANEL);
    let units = if columns { outputs / width * panels } else { outputs };
    let unit = |u: usize| {
        let (row, panel) = (u / panels, u % panels);
        row * width + panel * PANEL..row * width + ((panel + 1) * PANEL).min(width)
    };
    let cost = n as f64 * if columns { PANEL.min(width) as f64 * 0.15 } else { 0.3 } + 10.0;
    let job = Job { x, plan, walk, columns };
    let pieces = n.div_ceil(PIECE);
    if pieces <= 1 || units >= 64 {
        return for_each_range(units, 1, cost, |us| {
            let mut acc = fresh();
            let mut go = |r: Range<usize>| {
                acc.fold(&job, r.clone(), 0..n);
                // SAFETY: units do not overlap.
                unsafe { acc.finish(&job, r, out) };
            };
            if columns { us.for_each(|u| go(unit(u))) } else { go(us) }
        });
    }
    let parts: Vec<OnceLock<Box<dyn Accs>>> = (0..units * pieces).map(|_| OnceLock::new()).collect();
    for_each_range(units * pieces, 1, cost / pieces as f64, |ks| {
        for k in ks {
            let (u, piece) = (k / pieces, k % pieces);
            let mut acc = fresh();
            acc.fold(&job, unit(u), piece * PIECE..((piece + 1) * PIECE).min(n));
            assert!(parts[k].set(acc).is_ok(), "each part is folded once");
        }
    });
    let mut parts = parts.into_iter().map(|p| p.into_inner().expect("all parts are folded"));
    for u in 0..units {
        let mut acc = parts.next().expect("a part per unit and piece");
        for next in parts.by_ref().take(pieces - 1) {
            acc.merge(&*next);
        }
        // SAFETY: this is the only thread that writes.
        unsafe { acc.finish(&job, unit(u), out) };
    }
}

struct Held<F: Fold>(Vec<F::Acc>);

impl<F: Fold> Accs for Held<F> {
    fn fold(&mut self, job: &Job, outputs: Range<usize>, range: Range<usize>) {
        self.0.clear();
        self.0.resize(outputs.len(), F::init());
        let data = job.x.data::<F::In>();
        let step = job.walk.inner_strides()[0];
        let mut acc = self.0.as_mut_slice();
        job.walk.runs(outputs, |[base, _], len| {
            let (now, rest) = std::mem::take(&mut acc).split_at_mut(len);
            acc = rest;
            let at = (base as isize, step);
            if F::SIMD {
                simd!(s => { let _ = s; leaf::<F>(job, data, at, range.clone(), now) })
            } else {
                leaf::<F>(job, data, at, range.clone(), now)
            }
        });
    }

    fn merge(&mut self, next: &dyn Accs) {
        let next: &dyn Any = next;
        let next: &Self = next.downcast_ref().expect("parts of one reduction");
        self.0.iter_mut().zip(&next.0).for_each(|(a, &b)| *a = F::merge(*a, b));
    }

    unsafe fn finish(&self, job: &Job, outputs: Range<usize>, out: SharedMut<u8>) {
        let mut acc = self.0.as_slice();
        let step = job.walk.inner_strides()[1];
        job.walk.runs(outputs, |[_, p], len| {
            let (now, rest) = acc.split_at(len);
            acc = rest;
            for (i, &a) in now.iter().enumerate() {
                let at = (p as isize + i as isize * step) as usize * size_of::<F::Out>();
                // SAFETY: a place of the output's span, which was checked; memory of elements is
                // aligned for them, and the caller promises that nothing else touches it.
                unsafe { out.at(at).cast::<F::Out>().write(F::finish(a)) };
            }
        });
    }
}

/// Folds elements `range` of outputs whose first elements lie at `base`, `next` apart.
#[inline(always)]
fn leaf<F: Fold>(
    job: &Job,
    data: &[F::In],
    (base, next): (isize, isize),
    range: Range<usize>,
    acc: &mut [F::Acc],
) {
    let step = job.plan.run.1;
    if job.columns {
        job.plan.runs(
            range,
            #[inline(always)]
            |start, len, at| {
                if next == 1 {
                    return F::columns(acc, data, base + start, step, at..at + len);
                }
                for i in 0..len {
                    let p = base + start + i as isize * step;
                    for (j, a) in acc.iter_mut().enumerate() {
                        *a = F::step(*a, data[(p + j as isize * next) as usize], at + i);
                    }
                }
            },
        );
    } else {
        for (j, acc) in acc.iter_mut().enumerate() {
            let base = base + j as isize * next;
            job.plan.runs(
                range.clone(),
                #[inline(always)]
                |start, len, at| {
                    let p = base + start;
                    if step == 1 && len >= F::SLICE {
                        *acc = F::merge(*acc, F::slice(&data[p as usize..p as usize + len], at));
                    } else {
                        for i in 0..len {
                            *acc = F::step(*acc, data[(p + i as isize * step) as usize], at + i);
                        }
                    }
                },
            );
        }
    }
}
