//! Relations and selection.

use super::elementwise::scalar_bytes;
use super::lane::Lane;
use super::map::map;
use crate::{backend::*, *};

type Kernel = unsafe fn(CompareOp, *const u8, *const u8, *mut u8, usize);

pub fn compare(op: CompareOp, a: Src, b: Src, out: ViewMut) -> Result {
    let dtype = match (a, b) {
        (Src::View(v), _) | (_, Src::View(v)) => v.dtype,
        _ => out.dtype,
    };
    let block = dtype.compute();
    let lane = Lane::compute(dtype);
    let kernel: Kernel = dispatch_dtype!(block, T => run::<T>);
    map::<2, 3>(
        out,
        Lane::raw(1),
        [a, b],
        [lane, lane],
        |s| scalar_bytes(block, s),
        0.3,
        &|[a, b], out, n| {
            // SAFETY: `map` gives kernels `n` elements of the block's dtype.
            unsafe { kernel(op, a, b, out, n) }
        },
    );
    Ok(())
}

/// # Safety
/// `n` elements can be read at `a` and `b`, and `n` bytes written at `out`.
unsafe fn run<T: Element>(op: CompareOp, a: *const u8, b: *const u8, out: *mut u8, n: usize) {
    let (a, b) = (a.cast::<T>(), b.cast::<T>());
    let zero = T::default();
    macro_rules! each {
        ($x:ident, $y:ident => $e:expr) => {
            for i in 0..n {
                // SAFETY: as promised by the caller.
                unsafe {
                    let ($x, $y) = (*a.add(i), *b.add(i));
                    *out.add(i) = $e as u8;
                }
            }
        };
    }
    match op {
        CompareOp::Eq => each!(x, y => x == y),
        CompareOp::Ne => each!(x, y => x != y),
        CompareOp::Lt => each!(x, y => x < y),
        CompareOp::Le => each!(x, y => x <= y),
        CompareOp::Gt => each!(x, y => x > y),
        CompareOp::Ge => each!(x, y => x >= y),
        CompareOp::And => each!(x, y => (x != zero) & (y != zero)),
        CompareOp::Or => each!(x, y => (x != zero) | (y != zero)),
        CompareOp::Xor => each!(x, y => (x != zero) ^ (y != zero)),
    }
}

pub fn select(cond: View, a: Src, b: Src, out: ViewMut) -> Result {
    let dtype = out.dtype;
    let lane = Lane::raw(dtype.size());
    let kernel: unsafe fn(*const u8, *const u8, *const u8, *mut u8, usize) = match dtype.size() {
        1 => choose::<u8>,
        2 => choose::<i16>,
        4 => choose::<i32>,
        _ => choose::<i64>,
    };
    let lanes = [Lane::raw(1), lane, lane];
    map::<3, 4>(
        out,
        lane,
        [cond.into(), a, b],
        lanes,
        |s| scalar_bytes(dtype, s),
        0.4,
        &|[c, a, b], out, n| {
            // SAFETY: `map` gives kernels `n` elements of each operand's size.
            unsafe { kernel(c, a, b, out, n) }
        },
    );
    Ok(())
}

/// # Safety
/// `n` elements can be read at `c`, `a` and `b` and written at `out`; inputs are apart from it or equal.
unsafe fn choose<T: Element>(c: *const u8, a: *const u8, b: *const u8, out: *mut u8, n: usize) {
    let (a, b, out) = (a.cast::<T>(), b.cast::<T>(), out.cast::<T>());
    for i in 0..n {
        // SAFETY: as promised by the caller.
        unsafe {
            // Both are read, so that the choice is no branch.
            let (x, y) = (*a.add(i), *b.add(i));
            *out.add(i) = if *c.add(i) != 0 { x } else { y };
        }
    }
}
