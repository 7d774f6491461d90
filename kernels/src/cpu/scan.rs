//! Running sums and products, each line in order.
//!
//! As in PyTorch, f32 and f64 run in f64, f16 and bf16 in f32, integers and bool in i64; each result
//! is rounded once.

use super::par::{SharedMut, for_each_range};
use super::walk::Walk;
use crate::{backend::*, simd, *};

pub fn scan(op: ScanOp, x: View, axis: usize, out: ViewMut) -> Result {
    macro_rules! with {
        ($t:ty, $acc:ty, $out:ty, $up:expr, $down:expr) => {
            match op {
                ScanOp::Sum => lines::<$t, $acc, $out>(x, axis, out, 0 as $acc, |a, v| a + $up(v), $down),
                ScanOp::Prod => lines::<$t, $acc, $out>(x, axis, out, 1 as $acc, |a, v| a * $up(v), $down),
            }
        };
    }
    macro_rules! ints {
        ($t:ty) => {
            match op {
                ScanOp::Sum => lines::<$t, i64, i64>(x, axis, out, 0, |a, v| a.wrapping_add(v as i64), |a| a),
                ScanOp::Prod => {
                    lines::<$t, i64, i64>(x, axis, out, 1, |a, v| a.wrapping_mul(v as i64), |a| a)
                }
            }
        };
    }
    match x.dtype {
        DType::F16 => with!(f16, f32, f16, f16::to_f32, f16::from_f32),
        DType::BF16 => with!(bf16, f32, bf16, bf16::to_f32, bf16::from_f32),
        DType::F32 => with!(f32, f64, f32, |v| v as f64, |a| a as f32),
        DType::F64 => with!(f64, f64, f64, |v| v, |a| a),
        DType::Bool | DType::U8 => ints!(u8),
        DType::I8 => ints!(i8),
        DType::I16 => ints!(i16),
        DType::I32 => ints!(i32),
        DType::I64 => ints!(i64),
    }
    Ok(())
}

/// Neighbouring lines that are scanned side by side: their latencies overlap, and rows are read whole.
const SIDE: usize = 256;
/// Contiguous lines that are scanned side by side: one addition waits for the one before it.
const TOGETHER: usize = 4;

fn lines<T: Element, A: Copy + Send + Sync, O: Element>(
    x: View,
    axis: usize,
    mut out: ViewMut,
    start: A,
    step: impl Fn(A, T) -> A + Sync,
    finish: impl Fn(A) -> O + Sync,
) {
    let n = x.layout.shape()[axis];
    if x.layout.numel() == 0 {
        return;
    }
    let along = [x.layout.strides()[axis], out.layout.strides()[axis]];
    let heads = [x.layout.slice(axis, 0, 1, 1), out.layout.slice(axis, 0, 1, 1)];
    let walk = Walk::any_order([&heads[0], &heads[1]]);
    let across = walk.inner_strides();
    let data = x.data::<T>();
    assert!(
        x.layout.span().end <= data.len() && out.layout.span().end <= out.storage.len() / O::DTYPE.size()
    );
    let to = SharedMut::new(out.data::<O>());
    let contiguous = along == [1, 1];
    // Not worth their code for others.
    let vectors = matches!(T::DTYPE, DType::F32 | DType::F64);
    let side = if contiguous { TOGETHER } else { SIDE };
    for_each_range(walk.numel(), side, n as f64 * 0.3, |r| {
        walk.runs(r, |[p, q], len| {
            for first in (0..len).step_by(side) {
                let side = side.min(len - first);
                let at = |start: usize, step: isize| start.wrapping_add_signed(first as isize * step);
                let (p, q) = (at(p, across[0]), at(q, across[1]));
                let line = |l: usize| {
                    let [p, q] =
                        [(p, across[0]), (q, across[1])].map(|(p, s)| p.wrapping_add_signed(l as isize * s));
                    // SAFETY: lines of the output do not overlap, and each is one thread's.
                    (&data[p..p + n], unsafe { to.range(q..q + n) })
                };
                if contiguous && side == TOGETHER {
                    together(std::array::from_fn::<_, TOGETHER, _>(line), start, &step, &finish);
                } else if contiguous {
                    (0..side).for_each(|l| together([line(l)], start, &step, &finish));
                } else {
                    let rows = Rows { data, to, at: [p as isize, q as isize], along, across, n, side };
                    // SAFETY: elements of the layouts, whose spans were checked; lines of the output do not
                    // overlap, and each is one thread's.
                    unsafe {
                        if vectors {
                            simd!(_s => rows.scan(start, &step, &finish))
                        } else {
                            rows.scan(start, &step, &finish)
                        }
                    }
                }
            }
        });
    });
}

/// Contiguous lines, a number of each in turn.
#[inline(always)]
fn together<T: Copy, A: Copy, O: Copy, const N: usize>(
    mut lines: [(&[T], &mut [O]); N],
    start: A,
    step: &impl Fn(A, T) -> A,
    finish: &impl Fn(A) -> O,
) {
    let n = lines[0].0.len();
    let mut acc = [start; N];
    for (x, out) in &mut lines {
        (*x, *out) = (&x[..n], &mut std::mem::take(out)[..n]);
    }
    for i in 0..n {
        for ((x, out), a) in lines.iter_mut().zip(&mut acc) {
            *a = step(*a, x[i]);
            out[i] = finish(*a);
        }
    }
}

/// Lines side by side.
struct Rows<'a, T, O> {
    data: &'a [T],
    to: SharedMut<'a, O>,
    /// First elements of input and output, and the steps to the next number and to the next line.
    at: [isize; 2],
    along: [isize; 2],
    across: [isize; 2],
    n: usize,
    side: usize,
}

impl<T: Copy, O: Copy> Rows<'_, T, O> {
    /// # Safety
    /// All elements can be read and written, by nobody else.
    #[inline(always)]
    unsafe fn scan<A: Copy>(&self, start: A, step: &impl Fn(A, T) -> A, finish: &impl Fn(A) -> O) {
        let mut acc = [start; SIDE];
        let acc = &mut acc[..self.side];
        let [mut p, mut q] = self.at;
        for _ in 0..self.n {
            if self.across == [1, 1] {
                let row = &self.data[p as usize..p as usize + self.side];
                // SAFETY: the caller's promise.
                let out = unsafe { self.to.range(q as usize..q as usize + self.side) };
                for ((a, &v), o) in acc.iter_mut().zip(row).zip(out) {
                    *a = step(*a, v);
                    *o = finish(*a);
                }
            } else {
                for (l, a) in acc.iter_mut().enumerate() {
                    *a = step(*a, self.data[(p + l as isize * self.across[0]) as usize]);
                    // SAFETY: the caller's promise.
                    unsafe { *self.to.at((q + l as isize * self.across[1]) as usize) = finish(*a) };
                }
            }
            p += self.along[0];
            q += self.along[1];
        }
    }
}
