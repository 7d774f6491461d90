//! Sums of squared deviations from the mean, in f64.
//!
//! Short blocks are added twice: for their mean, then for the squares, less what rounding of the mean left.
//! Blocks are merged by Chan, Golub and LeVeque's formula.

use super::fold::{Fold, PANEL};
use super::ops::Number;
use std::marker::PhantomData;
use std::ops::Range;

/// Of some numbers.
#[derive(Clone, Copy, Default)]
pub struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Of `count` numbers, from a rough mean and the sums of differences from it and of their squares.
    #[inline(always)]
    fn from_sums(count: f64, rough: f64, sum: f64, squares: f64) -> Self {
        let rest = sum / count;
        Moments { count, mean: rough + rest, squares: squares - sum * rest }
    }

    #[inline(always)]
    fn merge(self, b: Moments) -> Self {
        let count = self.count + b.count;
        let share = if count > 0.0 { b.count / count } else { 0.0 };
        let (gap, weight) = (b.mean - self.mean, self.count * share);
        // No numbers are at no distance.
        let apart = if weight > 0.0 { gap * gap * weight } else { 0.0 };
        Moments { count, mean: self.mean + gap * share, squares: self.squares + b.squares + apart }
    }
}

/// The reduction.
#[derive(Clone, Copy)]
pub struct Deviations<T>(PhantomData<T>);

/// Numbers of a line, and rows of a panel, that are added twice: they are in the first-level cache then.
const BLOCK: usize = 1024;
const ROWS: usize = 16;
/// Sums of a line side by side.
const LANES: usize = 16;

impl<T: Number> Fold for Deviations<T> {
    type In = T;
    type Acc = Moments;
    type Out = f64;
    const SIMD: bool = T::SIMD;
    #[inline(always)]
    fn init() -> Moments {
        Moments::default()
    }
    #[inline(always)]
    fn step(acc: Moments, x: T, _: usize) -> Moments {
        acc.merge(Moments { count: 1.0, mean: x.to_f64(), squares: 0.0 })
    }
    #[inline(always)]
    fn merge(a: Moments, b: Moments) -> Moments {
        a.merge(b)
    }
    fn finish(acc: Moments) -> f64 {
        acc.squares
    }

    #[inline(always)]
    fn slice(x: &[T], _: usize) -> Moments {
        let mut all = Moments::default();
        for x in x.chunks(BLOCK) {
            let (parts, rest) = x.as_chunks::<LANES>();
            let n = x.len() as f64;
            let mut sums = [0.0; LANES];
            for part in parts {
                for l in 0..LANES {
                    sums[l] += part[l].to_f64();
                }
            }
            let mean = (total(sums) + rest.iter().map(|v| v.to_f64()).sum::<f64>()) / n;
            let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
            for part in parts {
                for l in 0..LANES {
                    let d = part[l].to_f64() - mean;
                    sums[l] += d;
                    squares[l] += d * d;
                }
            }
            let (mut sum, mut square) = (total(sums), total(squares));
            for v in rest {
                let d = v.to_f64() - mean;
                sum += d;
                square += d * d;
            }
            all = all.merge(Moments::from_sums(n, mean, sum, square));
        }
        all
    }

    #[inline(always)]
    fn columns(acc: &mut [Moments], x: &[T], start: isize, step: isize, rows: Range<usize>) {
        let (from, width) = (rows.start, acc.len());
        let row = |i: usize| {
            let p = (start + (i - from) as isize * step) as usize;
            &x[p..p + width]
        };
        let (mut mean, mut sum, mut squares) = ([0.0; PANEL], [0.0; PANEL], [0.0; PANEL]);
        let [mean, sum, squares] = [&mut mean, &mut sum, &mut squares].map(|a| &mut a[..acc.len()]);
        let end = rows.end;
        for first in rows.step_by(ROWS) {
            let block = first..(first + ROWS).min(end);
            let n = block.len() as f64;
            mean.fill(0.0);
            sum.fill(0.0);
            squares.fill(0.0);
            for i in block.clone() {
                mean.iter_mut().zip(row(i)).for_each(|(m, v)| *m += v.to_f64());
            }
            mean.iter_mut().for_each(|m| *m /= n);
            for i in block {
                for (((s, q), m), v) in sum.iter_mut().zip(&mut *squares).zip(&*mean).zip(row(i)) {
                    let d = v.to_f64() - m;
                    *s += d;
                    *q += d * d;
                }
            }
            for (((a, &s), &q), &m) in acc.iter_mut().zip(&*sum).zip(&*squares).zip(&*mean) {
                *a = a.merge(Moments::from_sums(n, m, s, q));
            }
        }
    }
}

#[inline(always)]
fn total(mut lanes: [f64; LANES]) -> f64 {
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}
