//! Unary kernels on integers; they wrap.

use super::float_unary::Kernel;
use super::int_binary::{Int, power};
use crate::{DType, Scalar, UnaryOp};

/// The kernel, or `None` where the op has no meaning for the dtype.
pub(super) fn kernel(op: UnaryOp, dtype: DType) -> Option<Kernel> {
    use UnaryOp::*;
    let known = match op {
        // On 0 and 1 these do as on integers; a clamp or power of bools is one of integers.
        Sign | Square => true,
        Neg | Abs | Relu | Floor | Ceil | Round | Trunc | Clamp { .. } | Pow(_) => dtype != DType::Bool,
        _ => false,
    };
    if !known {
        return None;
    }
    Some(crate::dispatch_dtype!(dtype, ints T => run::<T>, else run::<u8>))
}

/// # Safety
/// `n` elements can be read at `x` and written at `out`; the two are apart or equal.
unsafe fn run<T: Int>(op: UnaryOp, x: *const u8, out: *mut u8, n: usize, _streamed: bool) {
    let (x, out) = (x.cast::<T>(), out.cast::<T>());
    macro_rules! each {
        ($v:ident => $e:expr) => {
            for i in 0..n {
                // SAFETY: as promised by the caller.
                unsafe {
                    let $v = *x.add(i);
                    *out.add(i) = $e;
                }
            }
        };
    }
    use UnaryOp::*;
    let zero = T::default();
    match op {
        Neg => each!(v => v.negate()),
        Abs => each!(v => if v < zero { v.negate() } else { v }),
        Sign => each!(v => T::from_i64((v > zero) as i64 - (v < zero) as i64)),
        Square => each!(v => v.times(v)),
        Relu => each!(v => if v < zero { zero } else { v }),
        Clamp { lo, hi } => {
            let bound = |b: Option<Scalar>, free: T| b.map_or(free, |s| T::saturated(s.to_i64()));
            let (lo, hi) = (bound(lo, T::LEAST), bound(hi, T::GREATEST));
            each!(v => {
                let v = if v < lo { lo } else { v };
                if v > hi { hi } else { v }
            })
        }
        Pow(p) => {
            let p = p.to_i64();
            each!(v => power(v, p))
        }
        _ => each!(v => v),
    }
}
