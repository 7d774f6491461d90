//! Unary kernels on f32 and f64.

use super::loops::{map_side, map1};
use crate::cpu::math::{self, Math, lanes, pick, splat_like};
use crate::cpu::simd::prelude::*;
use crate::{Scalar, UnaryOp, simd};

/// Input, output (apart or equal), number of elements, and whether the output may go past the caches.
pub(super) type Kernel = unsafe fn(UnaryOp, *const u8, *mut u8, usize, bool);

/// # Safety
/// `n` elements can be read at `x` and written at `out`; the two are apart or equal.
pub(super) unsafe fn kernel<T: Math>(op: UnaryOp, x: *const u8, out: *mut u8, n: usize, streamed: bool) {
    let (x, out) = (x.cast::<T>(), out.cast::<T>());
    use UnaryOp::*;
    macro_rules! each {
        ($s:ident, $v:ident => $e:expr) => {
            // SAFETY: as promised by the caller.
            simd!($s => unsafe { map1::<_, T>($s, x, out, n, streamed, #[inline(always)] |$v| $e) })
        };
        ($v:ident => $e:expr) => { each!(s, $v => $e) };
        ($n:literal side by side, $v:ident => $e:expr) => {
            // SAFETY: as promised by the caller.
            simd!(s => unsafe { map_side::<_, T, $n>(s, x, out, n, streamed, #[inline(always)] |$v| $e) })
        };
    }
    match op {
        Neg => each!(v => -v),
        Abs => each!(v => v.abs()),
        Sign => each!(v => {
            let (zero, one) = (splat_like(v, T::ZERO), splat_like(v, T::ONE));
            pick(v.simd_gt(zero), one, zero) - pick(v.simd_lt(zero), one, zero)
        }),
        Square => each!(v => v * v),
        Sqrt => each!(v => v.sqrt()),
        Rsqrt => each!(v => splat_like(v, T::ONE) / v.sqrt()),
        Recip => each!(v => splat_like(v, T::ONE) / v),
        Exp => each!(v => math::exp(v)),
        Expm1 => each!(v => math::expm1(v)),
        Ln => each!(v => math::ln(v)),
        Log2 => each!(s, v => math::log2::<_, T>(s, v)),
        Log10 => each!(s, v => math::log10::<_, T>(s, v)),
        Log1p => each!(v => math::log1p(v)),
        Sin => each!(v => math::sin(v)),
        Cos => each!(v => math::cos(v)),
        Tan => each!(v => lanes(v, f64::tan)),
        Asin => each!(v => lanes(v, f64::asin)),
        Acos => each!(v => lanes(v, f64::acos)),
        Atan => each!(v => lanes(v, f64::atan)),
        Sinh => each!(v => lanes(v, f64::sinh)),
        Cosh => each!(v => lanes(v, f64::cosh)),
        Tanh => each!(v => math::tanh(v)),
        Erf => each!(v => math::erf(v)),
        Sigmoid => each!(v => math::sigmoid(v)),
        Relu => each!(v => pick(v.simd_lt(T::ZERO), splat_like(v, T::ZERO), v)),
        Gelu => each!(4 side by side, v => math::gelu(v)),
        GeluTanh => each!(v => math::gelu_tanh(v)),
        Silu => each!(v => math::silu(v)),
        Softplus => each!(v => math::softplus(v)),
        LeakyRelu(slope) => {
            let slope = T::from_f64(slope);
            each!(v => pick(v.simd_gt(T::ZERO), v, v * slope))
        }
        Elu(alpha) => {
            let alpha = T::from_f64(alpha);
            each!(v => math::elu(v, alpha))
        }
        Floor => each!(v => v.floor()),
        Ceil => each!(v => v.ceil()),
        Round => each!(v => v.round_ties_even()),
        Trunc => each!(v => v.trunc()),
        Clamp { lo, hi } => {
            let bound = |b: Option<Scalar>, free: T| b.map_or(free, |s| s.to::<T>());
            let (lo, hi) = (bound(lo, -T::INF), bound(hi, T::INF));
            // A NaN bound makes everything NaN.
            #[allow(clippy::eq_op, reason = "only NaN differs from itself")]
            let (lo, hi) = if lo != lo || hi != hi { (T::NAN, T::NAN) } else { (lo, hi) };
            each!(v => {
                let (lo, hi) = (splat_like(v, lo), splat_like(v, hi));
                let v = pick(v.simd_ge(lo) | v.is_nan(), v, lo);
                pick(v.simd_le(hi) | v.is_nan(), v, hi)
            })
        }
        Pow(p) => match p.to_f64() {
            0.0 => each!(v => splat_like(v, T::ONE)),
            1.0 => each!(v => v),
            2.0 => each!(v => v * v),
            3.0 => each!(v => v * v * v),
            0.5 => each!(v => v.sqrt()),
            -0.5 => each!(v => splat_like(v, T::ONE) / v.sqrt()),
            -1.0 => each!(v => splat_like(v, T::ONE) / v),
            -2.0 => each!(v => splat_like(v, T::ONE) / (v * v)),
            p => {
                let p = T::from_f64(p);
                each!(s, v => math::pow::<_, T>(s, v, splat_like(v, p)))
            }
        },
    }
}
