//! Sum and mean of f32 and f64, bit by bit as PyTorch adds on one thread.
//!
//! PyTorch sums along one dimension (the folded one with the shortest step) at a time. Which of
//! four ways it takes depends on the steps of that dimension and of the next one; further folded
//! dimensions are added to the output in order.

use super::cascade::*;
use super::plan::SumPlan;
use crate::cpu::par::{SharedMut, for_each_range, num_threads};
use crate::cpu::real::{Computed, Real, narrowed, widened};
use crate::cpu::simd::Simd;
use crate::{ReduceOp, View, ViewMut, simd};
use std::ops::Range;

/// How the values along the first dimension are added.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Contiguous runs: vectors along them.
    Inner,
    /// Contiguous columns: vectors across them.
    Outer,
    /// Number by number, each value on its own.
    ScalarInner,
    /// Number by number, four columns at a time.
    ScalarOuter,
}

/// The one-dimensional sums of a plan: `n` elements `step` apart from each start.
struct Values<'a, T> {
    data: &'a [T],
    n: usize,
    step: isize,
    /// The dimension along which neighbouring values lie.
    columns: usize,
    column: isize,
    /// Start of the first column of each row of values.
    rows: Vec<isize>,
    way: Way,
}

pub fn sum<T: Real + Computed<In = T>>(op: ReduceOp, x: View, axes: &[usize], mut out: ViewMut) {
    let count: usize = axes.iter().map(|&d| x.layout.shape()[d]).product();
    let outputs = out.layout.numel();
    if outputs == 0 {
        return;
    }
    if x.layout.strides().iter().any(|&s| s < 0) {
        // PyTorch has no negative strides: there it would be a copy.
        let (copy, layout) = widened::<T>(x);
        return sum::<T>(op, View::new(&copy, T::DTYPE, &layout), axes, out);
    }
    let contiguous = out.layout.is_contiguous();
    let at = out.layout.offset();
    let plan = SumPlan::new(x.layout, axes);
    if contiguous && plan.fold.len() <= 1 {
        let to = &mut out.data::<T>()[at..at + outputs];
        return sums(op, count, &plan, x, to);
    }
    let mut values = vec![T::default(); outputs];
    sums(op, count, &plan, x, &mut values);
    narrowed::<T>(&values, out);
}

/// All outputs, row-major.
fn sums<T: Real>(op: ReduceOp, count: usize, plan: &SumPlan, x: View, out: &mut [T]) {
    if count == 0 {
        out.fill(T::default());
    } else if plan.fold.len() <= 1 {
        Values::<T>::new(plan, x).write(out);
    } else {
        let each: usize = plan.fold[1..].iter().product();
        let mut values = vec![T::default(); out.len() * each];
        Values::<T>::new(plan, x).write(&mut values);
        for (o, v) in out.iter_mut().zip(values.chunks_exact(each)) {
            *o = v.iter().fold(T::default(), |a, &v| a + v);
        }
    }
    if op == ReduceOp::Mean {
        let n = T::from_f64(count as f64);
        out.iter_mut().for_each(|o| *o /= n);
    }
}

impl<'a, T: Real> Values<'a, T> {
    fn new(plan: &SumPlan, x: View<'a>) -> Self {
        let data = x.data::<T>();
        let span = x.layout.span();
        assert!(span.end <= data.len(), "layout reaches beyond its storage");
        let n = plan.fold.first().copied().unwrap_or(1);
        let step = plan.fold_steps.first().copied().unwrap_or(0);
        let mut rest = plan
            .fold
            .iter()
            .skip(1)
            .zip(plan.fold_steps.iter().skip(1))
            .chain(plan.kept.iter().zip(&plan.kept_steps))
            .map(|(&n, &s)| (n, s));
        let (columns, column) = rest.next().unwrap_or((1, 0));
        let mut rows = vec![x.layout.offset() as isize];
        let rest: Vec<_> = rest.collect();
        for (n, s) in rest.into_iter().rev() {
            rows = rows.iter().flat_map(|&r| (0..n as isize).map(move |i| r + i * s)).collect();
        }
        let way = if step == 1 && n >= T::WIDE {
            Way::Inner
        } else if column == 1 && columns >= T::WIDE {
            Way::Outer
        } else if step < column {
            Way::ScalarInner
        } else {
            Way::ScalarOuter
        };
        Values { data, n, step, columns, column, rows, way }
    }

    /// An element, as a pointer from which the others can be reached.
    fn at(&self, row: usize, column: usize) -> *const T {
        let at = (self.rows[row] + column as isize * self.column) as usize;
        assert!(at < self.data.len());
        self.data.as_ptr().wrapping_add(at)
    }

    /// Writes every value, columns fastest.
    fn write(&self, out: &mut [T]) {
        let threads = num_threads();
        let out = SharedMut::new(out);
        match self.way {
            Way::Inner | Way::ScalarInner => {
                let lanes = self.way == Way::Inner;
                let values = self.rows.len() * self.columns;
                let per_row = if lanes { T::WIDE } else { 1 };
                if values < 2 * threads && splits(self.n / per_row / 4) {
                    // SAFETY: this is the only thread that writes.
                    unsafe { out.range(0..values) }.iter_mut().enumerate().for_each(|(v, o)| {
                        *o = self.long(self.at(v / self.columns, v % self.columns), lanes);
                    });
                } else {
                    let cost = self.n as f64 * if lanes { 0.08 } else { 0.4 } + 8.0;
                    for_each_range(values, 1, cost, |r| {
                        // SAFETY: ranges do not overlap.
                        let to = unsafe { out.range(r.clone()) };
                        simd!(s => self.runs(s, r, to))
                    });
                }
            }
            Way::Outer | Way::ScalarOuter => {
                const PANEL: usize = 512;
                let panels = self.columns.div_ceil(PANEL);
                let cost = self.n as f64 * PANEL.min(self.columns) as f64 * 0.08 + 20.0;
                let units = self.rows.len() * panels;
                let unit = |u: usize| {
                    let (row, first) = (u / panels, u % panels * PANEL);
                    let last = (first + PANEL).min(self.columns);
                    // SAFETY: units do not overlap.
                    let to = unsafe { out.range(row * self.columns + first..row * self.columns + last) };
                    self.columns(row, first, to);
                };
                if units < 2 * threads && splits(self.n / 4) {
                    (0..units).for_each(unit);
                } else {
                    for_each_range(units, 1, cost, |us| us.for_each(unit));
                }
            }
        }
    }

    /// One value on several threads.
    fn long(&self, p: *const T, lanes: bool) -> T {
        let (n, step) = if lanes { (self.n / T::WIDE, T::WIDE as isize) } else { (self.n, self.step) };
        // SAFETY: the rows are elements of the layout, whose span was checked.
        let sums = unsafe { Long { p, n, step, lanes }.sum() };
        if lanes { self.finish(p, &sums) } else { sums[0] }
    }

    /// Adds what is left over after the last vector, then the vector's lanes.
    #[inline(always)]
    fn finish(&self, p: *const T, lanes: &[T]) -> T {
        let mut total = T::default();
        for i in self.n / T::WIDE * T::WIDE..self.n {
            // SAFETY: an element of the layout, whose span was checked.
            total += unsafe { *p.add(i) };
        }
        for &v in lanes {
            total += v;
        }
        total
    }

    /// Values `range`, one after the other.
    #[inline(always)]
    fn runs<S: Simd>(&self, s: S, range: Range<usize>, out: &mut [T]) {
        for (v, o) in range.zip(out) {
            let p = self.at(v / self.columns, v % self.columns);
            // SAFETY: all rows are elements of the layout, whose span was checked.
            unsafe {
                *o = if self.way == Way::Inner {
                    let rows = self.n / T::WIDE;
                    let Many(v) = row_sum::<S, T, Many<S, T>>(s, p, rows, T::WIDE as isize);
                    self.finish(p, crate::cpu::simd::SimdBase::as_slice(&v))
                } else {
                    row_sum::<S, T, One<T>>(s, p, self.n, self.step).0
                };
            }
        }
    }

    /// The values of columns from `first` on (a multiple of the panel's width).
    fn columns(&self, row: usize, first: usize, out: &mut [T]) {
        let p = self.at(row, first);
        let mut done = 0;
        if self.way == Way::Outer {
            let group = 4 * T::WIDE;
            done = out.len() / group * group;
            if done > 0 {
                let panel = Panel { p, rows: self.n, row: self.step, width: done };
                // SAFETY: elements of the layout, whose span was checked.
                out[..done].copy_from_slice(&unsafe { panel.sum() });
            }
        }
        simd!(s => self.narrow_columns(s, p, done, out))
    }

    /// Columns that fill no panel.
    #[inline(always)]
    fn narrow_columns<S: Simd>(&self, s: S, p: *const T, mut done: usize, out: &mut [T]) {
        // SAFETY: columns below `out.len()` are elements of the layout, whose span was checked.
        let at = |j: usize| unsafe { p.offset(j as isize * self.column) };
        if self.way == Way::Outer {
            while done + T::WIDE <= out.len() {
                // SAFETY: as above.
                let v = unsafe { row_sum::<S, T, Many<S, T>>(s, at(done), self.n, self.step) };
                v.store(&mut out[done..done + T::WIDE]);
                done += T::WIDE;
            }
        } else {
            while done + 4 <= out.len() {
                // SAFETY: as above.
                let four = unsafe { cascade::<S, T, One<T>>(s, at(done), self.n, self.step, self.column) };
                out[done..done + 4].copy_from_slice(&four.map(|v| v.0));
                done += 4;
            }
        }
        for (j, o) in out.iter_mut().enumerate().skip(done) {
            // SAFETY: as above.
            *o = unsafe { row_sum::<S, T, One<T>>(s, at(j), self.n, self.step) }.0;
        }
    }
}
