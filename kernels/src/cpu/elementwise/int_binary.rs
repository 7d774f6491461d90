//! Binary kernels on integers; they wrap.

use super::float_binary::Kernel;
use crate::{BinaryOp, DType, Element, dispatch_dtype};

/// Arithmetic that wraps.
pub(super) trait Int: Element + Ord {
    const LEAST: Self;
    const GREATEST: Self;
    fn plus(self, b: Self) -> Self;
    fn minus(self, b: Self) -> Self;
    fn times(self, b: Self) -> Self;
    fn negate(self) -> Self;
    /// Quotient towards zero; `b` is not zero.
    fn quotient(self, b: Self) -> Self;
    /// Remainder with the sign of `self`; `b` is not zero.
    fn modulo(self, b: Self) -> Self;
    fn saturated(v: i64) -> Self;
    fn and(self, b: Self) -> Self;
    fn or(self, b: Self) -> Self;
    fn xor(self, b: Self) -> Self;
    /// The bits moved up; none are left where `by` is out of range.
    fn up(self, by: Self) -> Self;
    /// The bits moved down; only the sign is left where `by` is out of range.
    fn down(self, by: Self) -> Self;
}
macro_rules! ints {
    ($($t:ty)*) => { $(
        impl Int for $t {
            const LEAST: Self = <$t>::MIN;
            const GREATEST: Self = <$t>::MAX;
            #[inline(always)]
            fn plus(self, b: Self) -> Self { self.wrapping_add(b) }
            #[inline(always)]
            fn minus(self, b: Self) -> Self { self.wrapping_sub(b) }
            #[inline(always)]
            fn times(self, b: Self) -> Self { self.wrapping_mul(b) }
            #[inline(always)]
            fn negate(self) -> Self { self.wrapping_neg() }
            #[inline(always)]
            fn quotient(self, b: Self) -> Self { self.wrapping_div(b) }
            #[inline(always)]
            fn modulo(self, b: Self) -> Self { self.wrapping_rem(b) }
            fn saturated(v: i64) -> Self { v.clamp(<$t>::MIN as i64, <$t>::MAX as i64) as $t }
            #[inline(always)]
            fn and(self, b: Self) -> Self { self & b }
            #[inline(always)]
            fn or(self, b: Self) -> Self { self | b }
            #[inline(always)]
            fn xor(self, b: Self) -> Self { self ^ b }
            #[inline(always)]
            fn up(self, by: Self) -> Self {
                let by = by as u64;
                if by < <$t>::BITS as u64 { self << by } else { 0 }
            }
            #[inline(always)]
            fn down(self, by: Self) -> Self {
                let by = by as u64;
                // Twice by half the bits is all of them.
                if by < <$t>::BITS as u64 { self >> by } else { self >> (<$t>::BITS / 2) >> (<$t>::BITS / 2) }
            }
        }
    )* };
}
ints!(u8 i8 i16 i32 i64);

/// `a` to the power `p`; for negative `p` 1, ±1 or 0, as the quotient would be.
#[inline(always)]
pub(super) fn power<T: Int>(a: T, p: i64) -> T {
    let one = T::from_i64(1);
    if p < 0 {
        return if a == one {
            one
        } else if a == T::default().minus(one) && a < T::default() {
            if p % 2 == 0 { one } else { a }
        } else {
            T::default()
        };
    }
    let (mut p, mut square, mut y) = (p, a, one);
    while p > 0 {
        if p & 1 == 1 {
            y = y.times(square);
        }
        square = square.times(square);
        p >>= 1;
    }
    y
}

/// The kernel, or `None` where the op has no meaning for the dtype.
pub(super) fn kernel(op: BinaryOp, dtype: DType) -> Option<Kernel> {
    use BinaryOp::*;
    if dtype == DType::Bool {
        return matches!(op, Add | Mul | Maximum | Minimum | BitAnd | BitOr | BitXor).then_some(bools);
    }
    if matches!(op, Div | Atan2 | SigmoidGrad | TanhGrad | GeluGrad | GeluTanhGrad | SiluGrad) {
        return None;
    }
    Some(dispatch_dtype!(dtype, ints T => run::<T>, else return None))
}

macro_rules! each {
    ($a:ident, $b:ident, $out:ident, $n:ident; $x:ident, $y:ident => $e:expr) => {
        for i in 0..$n {
            // SAFETY: as promised by the caller.
            unsafe {
                let ($x, $y) = (*$a.add(i), *$b.add(i));
                *$out.add(i) = $e;
            }
        }
    };
}

/// # Safety
/// `n` elements can be read at `a` and `b` and written at `out`; inputs are apart from it or equal.
unsafe fn run<T: Int>(
    op: BinaryOp,
    a: *const u8,
    b: *const u8,
    out: *mut u8,
    n: usize,
    _streamed: bool,
) -> bool {
    let (a, b, out) = (a.cast::<T>(), b.cast::<T>(), out.cast::<T>());
    let zero = T::default();
    let mut zero_divisor = false;
    use BinaryOp::*;
    match op {
        Add => each!(a, b, out, n; x, y => x.plus(y)),
        Sub => each!(a, b, out, n; x, y => x.minus(y)),
        Mul => each!(a, b, out, n; x, y => x.times(y)),
        FloorDiv => each!(a, b, out, n; x, y => {
            zero_divisor |= y == zero;
            if y == zero {
                zero
            } else {
                let q = x.quotient(y);
                let m = x.modulo(y);
                if m != zero && (m < zero) != (y < zero) { q.minus(T::from_i64(1)) } else { q }
            }
        }),
        Rem => each!(a, b, out, n; x, y => {
            zero_divisor |= y == zero;
            if y == zero {
                zero
            } else {
                let m = x.modulo(y);
                if m != zero && (m < zero) != (y < zero) { m.plus(y) } else { m }
            }
        }),
        TruncDiv => each!(a, b, out, n; x, y => {
            zero_divisor |= y == zero;
            if y == zero { zero } else { x.quotient(y) }
        }),
        Fmod => each!(a, b, out, n; x, y => {
            zero_divisor |= y == zero;
            if y == zero { zero } else { x.modulo(y) }
        }),
        BitAnd => each!(a, b, out, n; x, y => x.and(y)),
        BitOr => each!(a, b, out, n; x, y => x.or(y)),
        BitXor => each!(a, b, out, n; x, y => x.xor(y)),
        Shl => each!(a, b, out, n; x, y => x.up(y)),
        Shr => each!(a, b, out, n; x, y => x.down(y)),
        Pow => each!(a, b, out, n; x, y => power(x, y.to_i64())),
        Maximum => each!(a, b, out, n; x, y => x.max(y)),
        Minimum => each!(a, b, out, n; x, y => x.min(y)),
        _ => each!(a, b, out, n; g, y => if y > zero { g } else { zero }),
    }
    zero_divisor
}

/// Bool's sum and maximum are "or", its product and minimum "and".
///
/// # Safety
/// As [`run`], with 0 and 1 as inputs.
unsafe fn bools(op: BinaryOp, a: *const u8, b: *const u8, out: *mut u8, n: usize, _streamed: bool) -> bool {
    use BinaryOp::*;
    match op {
        Add | Maximum | BitOr => each!(a, b, out, n; x, y => x | y),
        BitXor => each!(a, b, out, n; x, y => x ^ y),
        _ => each!(a, b, out, n; x, y => x & y),
    }
    false
}
