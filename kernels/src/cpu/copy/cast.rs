//! Conversions between dtypes, as PyTorch on x86 does them.

use crate::cpu::float16;
use crate::{DType, Element, bf16, dispatch_dtype, f16};

pub(super) type Kernel = unsafe fn(*const u8, *mut u8, usize);

/// How a number is converted:
/// - to bool: whether it is not zero (NaN is not);
/// - between integers: the low bits;
/// - float to i32 and i64: truncated; NaN and what does not fit give the least integer;
/// - float to smaller integers: the low bits of that i32 (of that i64 from f64 to u8);
/// - to f32 and f64: rounded to nearest even; to f16 and bf16: to f32 first, then again.
trait Number: Element {
    fn to_u8(self) -> u8;
    fn to_i8(self) -> i8;
    fn to_i16(self) -> i16;
    fn to_i32(self) -> i32;
    fn to_long(self) -> i64;
    fn to_single(self) -> f32;
    fn to_double(self) -> f64;
}

macro_rules! from_ints {
    ($($t:ty)*) => { $(
        impl Number for $t {
            #[inline(always)]
            fn to_u8(self) -> u8 { self as u8 }
            #[inline(always)]
            fn to_i8(self) -> i8 { self as i8 }
            #[inline(always)]
            fn to_i16(self) -> i16 { self as i16 }
            #[inline(always)]
            fn to_i32(self) -> i32 { self as i32 }
            #[inline(always)]
            fn to_long(self) -> i64 { self as i64 }
            #[inline(always)]
            fn to_single(self) -> f32 { self as f32 }
            #[inline(always)]
            fn to_double(self) -> f64 { self as f64 }
        }
    )* };
}
from_ints!(u8 i8 i16 i32 i64);

macro_rules! from_floats {
    ($($t:ty: $wide:expr, $W:ty, $byte:ident;)*) => { $(
        impl Number for $t {
            #[inline(always)]
            fn to_u8(self) -> u8 { self.$byte() as u8 }
            #[inline(always)]
            fn to_i8(self) -> i8 { self.to_i32() as i8 }
            #[inline(always)]
            fn to_i16(self) -> i16 { self.to_i32() as i16 }
            #[inline(always)]
            fn to_i32(self) -> i32 {
                let v: $W = $wide(self);
                let t = v as i32;
                if v >= -(i32::MIN as $W) || v != v { i32::MIN } else { t }
            }
            #[inline(always)]
            fn to_long(self) -> i64 {
                let v: $W = $wide(self);
                let t = v as i64;
                if v >= -(i64::MIN as $W) || v != v { i64::MIN } else { t }
            }
            #[inline(always)]
            fn to_single(self) -> f32 { $wide(self) as f32 }
            #[inline(always)]
            fn to_double(self) -> f64 { $wide(self) as f64 }
        }
    )* };
}
from_floats! {
    f16: f16::to_f32, f32, to_i32;
    bf16: bf16::to_f32, f32, to_i32;
    f32: std::convert::identity, f32, to_i32;
    f64: std::convert::identity, f64, to_long;
}

/// The conversion of contiguous elements.
pub(super) fn kernel(from: DType, to: DType) -> Kernel {
    match (from, to) {
        (DType::F16, DType::F32) => |x, out, n| {
            // SAFETY: `n` elements can be read at `x` and written at `out`.
            float16::widen_f16(unsafe { slice(x, n) }, unsafe { slice_mut(out, n) })
        },
        (DType::BF16, DType::F32) => |x, out, n| {
            // SAFETY: as above.
            float16::widen_bf16(unsafe { slice(x, n) }, unsafe { slice_mut(out, n) })
        },
        (DType::F32, DType::F16) => |x, out, n| {
            // SAFETY: as above.
            float16::narrow_f16(unsafe { slice(x, n) }, unsafe { slice_mut(out, n) })
        },
        (DType::F32, DType::BF16) => |x, out, n| {
            // SAFETY: as above.
            float16::narrow_bf16(unsafe { slice(x, n) }, unsafe { slice_mut(out, n) })
        },
        _ => dispatch_dtype!(from, T => from_number::<T>(to)),
    }
}

fn from_number<T: Number>(to: DType) -> Kernel {
    macro_rules! by {
        ($U:ty, $v:ident => $e:expr) => {
            |x, out, n| {
                let (x, out) = (x.cast::<T>(), out.cast::<$U>());
                for i in 0..n {
                    // SAFETY: `n` elements can be read at `x` and written at `out`.
                    unsafe {
                        let $v = *x.add(i);
                        *out.add(i) = $e;
                    }
                }
            }
        };
    }
    match to {
        DType::Bool => by!(u8, v => (v != T::default()) as u8),
        DType::U8 => by!(u8, v => v.to_u8()),
        DType::I8 => by!(i8, v => v.to_i8()),
        DType::I16 => by!(i16, v => v.to_i16()),
        DType::I32 => by!(i32, v => v.to_i32()),
        DType::I64 => by!(i64, v => v.to_long()),
        DType::F16 => by!(f16, v => f16::from_f32(v.to_single())),
        DType::BF16 => by!(bf16, v => bf16::from_f32(v.to_single())),
        DType::F32 => by!(f32, v => v.to_single()),
        DType::F64 => by!(f64, v => v.to_double()),
    }
}

/// # Safety
/// `n` elements can be read at `x`.
unsafe fn slice<'a, T: Element>(x: *const u8, n: usize) -> &'a [T] {
    // SAFETY: as promised by the caller.
    unsafe { std::slice::from_raw_parts(x.cast(), n) }
}

/// # Safety
/// `n` elements can be written at `x`, and nothing else sees them meanwhile.
unsafe fn slice_mut<'a, T: Element>(x: *mut u8, n: usize) -> &'a mut [T] {
    // SAFETY: as promised by the caller.
    unsafe { std::slice::from_raw_parts_mut(x.cast(), n) }
}
