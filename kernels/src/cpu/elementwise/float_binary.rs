//! Binary kernels on f32 and f64.

use super::loops::map2;
use crate::cpu::math::{self, Math, lanes2, pick, splat_like};
use crate::cpu::simd::prelude::*;
use crate::{BinaryOp, simd};

/// Inputs, output (apart or equal), number of elements, and whether the output may go past the caches; true if
/// an integer was divided by zero.
pub(super) type Kernel = unsafe fn(BinaryOp, *const u8, *const u8, *mut u8, usize, bool) -> bool;

/// # Safety
/// `n` elements can be read at `a` and `b` and written at `out`; inputs are apart from it or equal.
pub(super) unsafe fn kernel<T: Math>(
    op: BinaryOp,
    a: *const u8,
    b: *const u8,
    out: *mut u8,
    n: usize,
    streamed: bool,
) -> bool {
    let (a, b, out) = (a.cast::<T>(), b.cast::<T>(), out.cast::<T>());
    use BinaryOp::*;
    macro_rules! each {
        ($s:ident, $x:ident, $y:ident => $e:expr) => {
            // SAFETY: as promised by the caller.
            simd!($s => unsafe { map2::<_, T>($s, a, b, out, n, streamed, #[inline(always)] |$x, $y| $e) })
        };
        ($x:ident, $y:ident => $e:expr) => { each!(s, $x, $y => $e) };
    }
    match op {
        Add => each!(x, y => x + y),
        Sub => each!(x, y => x - y),
        Mul => each!(x, y => x * y),
        Div => each!(x, y => x / y),
        FloorDiv => each!(x, y => lanes2(x, y, math::floor_div)),
        Rem => each!(x, y => lanes2(x, y, math::remainder)),
        TruncDiv => each!(x, y => (x / y).trunc()),
        Fmod => each!(x, y => lanes2(x, y, |x, y| x % y)),
        Pow => each!(s, x, y => math::pow::<_, T>(s, x, y)),
        Maximum => each!(x, y => pick(x.simd_gt(y) | x.is_nan(), x, y)),
        Minimum => each!(x, y => pick(x.simd_lt(y) | x.is_nan(), x, y)),
        Atan2 => each!(x, y => lanes2(x, y, |x, y| T::from_f64(x.to_f64().atan2(y.to_f64())))),
        ReluGrad => each!(g, y => pick(y.simd_le(T::ZERO), splat_like(g, T::ZERO), g)),
        SigmoidGrad => each!(g, y => g * y * (splat_like(y, T::ONE) - y)),
        TanhGrad => each!(g, y => g * math::fma(-y, y, T::ONE)),
        GeluGrad => each!(g, x => math::gelu_grad(g, x)),
        GeluTanhGrad => each!(g, x => math::gelu_tanh_grad(g, x)),
        SiluGrad => each!(g, x => math::silu_grad(g, x)),
        BitAnd | BitOr | BitXor | Shl | Shr => unreachable!("refused above"),
    }
    false
}
