//! Element types, and the one macro that dispatches over them.

use std::fmt;

pub use half::{bf16, f16};

/// The type of a tensor's elements.
///
/// The order is the order of type promotion within a category, see [`DType::promote`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DType {
    /// Truth value, one byte holding 0 or 1.
    Bool,
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 8-bit integer.
    I8,
    /// Signed 16-bit integer.
    I16,
    /// Signed 32-bit integer.
    I32,
    /// Signed 64-bit integer; the type of indices.
    I64,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    BF16,
    /// IEEE single precision; the default type of new tensors.
    F32,
    /// IEEE double precision.
    F64,
}

impl DType {
    /// Every dtype.
    pub const ALL: [DType; 10] = [
        DType::Bool,
        DType::U8,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
    ];

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::U8 | DType::I8 => 1,
            DType::I16 | DType::F16 | DType::BF16 => 2,
            DType::I32 | DType::F32 => 4,
            DType::I64 | DType::F64 => 8,
        }
    }

    /// True for f16, bf16, f32 and f64.
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// True for the integers, without bool.
    pub const fn is_int(self) -> bool {
        matches!(self, DType::U8 | DType::I8 | DType::I16 | DType::I32 | DType::I64)
    }

    /// PyTorch's name without the `torch.`: `float32`, `int64`, `bool`, …
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "uint8",
            DType::I8 => "int8",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::I64 => "int64",
            DType::F16 => "float16",
            DType::BF16 => "bfloat16",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }

    /// The dtype of the result of mixing two tensors (`torch.promote_types`).
    pub fn promote(self, other: DType) -> DType {
        use DType::*;
        match (self, other) {
            (a, b) if a == b => a,
            (F16, BF16) | (BF16, F16) => F32,
            // uint8 does not fit into int8.
            (U8, I8) | (I8, U8) => I16,
            (a, b) => a.max(b),
        }
    }

    /// The dtype in which sums and products of this one are accumulated and computed:
    /// f32 for f16 and bf16, itself otherwise.
    pub const fn compute(self) -> DType {
        match self {
            DType::F16 | DType::BF16 => DType::F32,
            d => d,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that a tensor's memory can be seen as.
///
/// Memory of dtype bool is seen as `u8` holding 0 or 1 (a `bool` must never see other bytes).
///
/// # Safety
/// Any bit pattern is a valid value, the type has no padding, and its size is `DTYPE.size()`.
pub unsafe trait Element:
    sealed::Sealed + Copy + Send + Sync + PartialOrd + Default + fmt::Debug + 'static
{
    /// The dtype whose memory this type sees.
    const DTYPE: DType;
    /// Widening to f64 (rounded for large i64).
    fn to_f64(self) -> f64;
    /// Narrowing from f64: floats round to nearest even, integers truncate and saturate (NaN gives 0).
    fn from_f64(v: f64) -> Self;
    /// To i64: floats truncate and saturate (NaN gives 0).
    fn to_i64(self) -> i64;
    /// From i64: floats round, integers wrap (keep the low bits).
    fn from_i64(v: i64) -> Self;
}

macro_rules! elements {
    ($($t:ty => $d:ident: $to:expr, $from:expr, $to_i:expr, $from_i:expr;)*) => { $(
        impl sealed::Sealed for $t {}
        // SAFETY: a primitive number or a transparent wrapper of u16: no padding, any bits are valid.
        unsafe impl Element for $t {
            const DTYPE: DType = DType::$d;
            #[inline(always)]
            fn to_f64(self) -> f64 { $to(self) }
            #[inline(always)]
            fn from_f64(v: f64) -> Self { $from(v) }
            #[inline(always)]
            fn to_i64(self) -> i64 { $to_i(self) }
            #[inline(always)]
            fn from_i64(v: i64) -> Self { $from_i(v) }
        }
    )* };
}
elements! {
    u8 => U8: |x| x as f64, |v| v as u8, |x| x as i64, |v| v as u8;
    i8 => I8: |x| x as f64, |v| v as i8, |x| x as i64, |v| v as i8;
    i16 => I16: |x| x as f64, |v| v as i16, |x| x as i64, |v| v as i16;
    i32 => I32: |x| x as f64, |v| v as i32, |x| x as i64, |v| v as i32;
    i64 => I64: |x| x as f64, |v| v as i64, |x| x, |v| v;
    f16 => F16: f16::to_f64, f16::from_f64, |x: f16| x.to_f64() as i64, |v| f16::from_f64(v as f64);
    bf16 => BF16: bf16::to_f64, bf16::from_f64, |x: bf16| x.to_f64() as i64, |v| bf16::from_f64(v as f64);
    f32 => F32: |x| x as f64, |v| v as f32, |x| x as i64, |v| v as f32;
    f64 => F64: |x| x, |v| v, |x| x as i64, |v| v as f64;
}

/// Runs an expression with `$T` bound to the Rust type of a dtype. Bool memory is seen as `u8`.
///
/// `dispatch_dtype!(dtype, T => expr)` covers all dtypes; a list in brackets
/// (`floats`, `f32_f64`, `ints`, `numbers`) restricts it, anything else is then the `else` expression.
#[macro_export]
macro_rules! dispatch_dtype {
    ($d:expr, $T:ident => $e:expr) => {
        match $d {
            $crate::DType::Bool | $crate::DType::U8 => {
                type $T = u8;
                $e
            }
            $crate::DType::I8 => {
                type $T = i8;
                $e
            }
            $crate::DType::I16 => {
                type $T = i16;
                $e
            }
            $crate::DType::I32 => {
                type $T = i32;
                $e
            }
            $crate::DType::I64 => {
                type $T = i64;
                $e
            }
            $crate::DType::F16 => {
                type $T = $crate::f16;
                $e
            }
            $crate::DType::BF16 => {
                type $T = $crate::bf16;
                $e
            }
            $crate::DType::F32 => {
                type $T = f32;
                $e
            }
            $crate::DType::F64 => {
                type $T = f64;
                $e
            }
        }
    };
    ($d:expr, floats $T:ident => $e:expr, else $other:expr) => {
        match $d {
            $crate::DType::F16 => {
                type $T = $crate::f16;
                $e
            }
            $crate::DType::BF16 => {
                type $T = $crate::bf16;
                $e
            }
            $crate::DType::F32 => {
                type $T = f32;
                $e
            }
            $crate::DType::F64 => {
                type $T = f64;
                $e
            }
            _ => $other,
        }
    };
    ($d:expr, f32_f64 $T:ident => $e:expr, else $other:expr) => {
        match $d {
            $crate::DType::F32 => {
                type $T = f32;
                $e
            }
            $crate::DType::F64 => {
                type $T = f64;
                $e
            }
            _ => $other,
        }
    };
    ($d:expr, ints $T:ident => $e:expr, else $other:expr) => {
        match $d {
            $crate::DType::U8 => {
                type $T = u8;
                $e
            }
            $crate::DType::I8 => {
                type $T = i8;
                $e
            }
            $crate::DType::I16 => {
                type $T = i16;
                $e
            }
            $crate::DType::I32 => {
                type $T = i32;
                $e
            }
            $crate::DType::I64 => {
                type $T = i64;
                $e
            }
            _ => $other,
        }
    };
}

/// A single number of any dtype, as fill values and operands carry it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Scalar {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
}

impl Scalar {
    /// The value as f64.
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::Bool(b) => b as u8 as f64,
            Scalar::Int(i) => i as f64,
            Scalar::Float(f) => f,
        }
    }

    /// The value as i64 (floats truncate).
    pub fn to_i64(self) -> i64 {
        match self {
            Scalar::Bool(b) => b as i64,
            Scalar::Int(i) => i,
            Scalar::Float(f) => f as i64,
        }
    }

    /// The value as an element.
    pub fn to<T: Element>(self) -> T {
        match self {
            Scalar::Bool(b) => T::from_i64(b as i64),
            Scalar::Int(i) => T::from_i64(i),
            Scalar::Float(f) => T::from_f64(f),
        }
    }
}

macro_rules! scalar_from {
    ($($t:ty => $v:ident),*) => { $(
        impl From<$t> for Scalar {
            fn from(v: $t) -> Self { Scalar::$v(v.into()) }
        }
    )* };
}
scalar_from!(bool => Bool, u8 => Int, i8 => Int, i16 => Int, i32 => Int, u32 => Int, i64 => Int,
    f16 => Float, bf16 => Float, f32 => Float, f64 => Float);
impl From<usize> for Scalar {
    fn from(v: usize) -> Self {
        Scalar::Int(v as i64)
    }
}
