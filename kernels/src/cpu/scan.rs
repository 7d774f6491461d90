//! Running sums and products, each line in order.
//!
//! As in PyTorch, f32 and f64 run in f64, f16 and bf16 in f32, integers and bool in i64; each result
//! is rounded once.

use super::par::{SharedMut, for_each_range};
use super::walk::Walk;
use crate::{backend::*, *};

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

/// Lines that are scanned side by side: their latencies overlap, and rows are read whole.
const SIDE: usize = 16;

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
    let (along_x, along_out) = (x.layout.strides()[axis], out.layout.strides()[axis]);
    let heads = [x.layout.slice(axis, 0, 1, 1), out.layout.slice(axis, 0, 1, 1)];
    let walk = Walk::any_order([&heads[0], &heads[1]]);
    let [of_x, of_out] = walk.inner_strides();
    let data = x.data::<T>();
    assert!(
        x.layout.span().end <= data.len() && out.layout.span().end <= out.storage.len() / O::DTYPE.size()
    );
    let to = SharedMut::new(out.data::<O>());
    for_each_range(walk.numel(), SIDE, n as f64, |r| {
        walk.runs(r, |[p, q], len| {
            for first in (0..len).step_by(SIDE) {
                let side = SIDE.min(len - first);
                let mut acc = [start; SIDE];
                let (mut p, mut q) =
                    (p as isize + first as isize * of_x, q as isize + first as isize * of_out);
                for _ in 0..n {
                    for (l, a) in acc[..side].iter_mut().enumerate() {
                        *a = step(*a, data[(p + l as isize * of_x) as usize]);
                        // SAFETY: an element of the output, whose span was checked; lines do not overlap.
                        unsafe { *to.at((q + l as isize * of_out) as usize) = finish(*a) };
                    }
                    p += along_x;
                    q += along_out;
                }
            }
        });
    });
}
