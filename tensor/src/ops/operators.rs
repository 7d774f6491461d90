//! `+ - * / %`, negation and logic on tensors, references and numbers.

use super::binary::operate;
use crate::error::ok;
use crate::operand::Operand;
use crate::tensor::Tensor;
use std::ops;
use taper_kernels::DType;

macro_rules! operator {
    ($($trait:ident $method:ident $assign:ident $assign_method:ident $function:ident $in_place:ident;)*) => { $(
        impl<R: Into<Operand>> ops::$trait<R> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: R) -> Tensor { ok(operate::$function(self.into(), rhs.into())) }
        }
        impl<R: Into<Operand>> ops::$trait<R> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: R) -> Tensor { ok(operate::$function(self.into(), rhs.into())) }
        }
        impl<R: Into<Operand>> ops::$assign<R> for Tensor {
            #[track_caller]
            fn $assign_method(&mut self, rhs: R) { self.$in_place(rhs); }
        }
        operator!(@number $trait $method $function: f64, i64);
    )* };
    (@number $trait:ident $method:ident $function:ident: $($t:ty),*) => { $(
        impl ops::$trait<Tensor> for $t {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: Tensor) -> Tensor { ok(operate::$function(self.into(), rhs.into())) }
        }
        impl ops::$trait<&Tensor> for $t {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: &Tensor) -> Tensor { ok(operate::$function(self.into(), rhs.into())) }
        }
    )* };
}
operator! {
    Add add AddAssign add_assign add add_;
    Sub sub SubAssign sub_assign sub sub_;
    Mul mul MulAssign mul_assign mul mul_;
    Div div DivAssign div_assign div div_;
    Rem rem RemAssign rem_assign remainder remainder_;
}

impl ops::Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}
impl ops::Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}

/// Logic on bool tensors.
macro_rules! logic {
    ($($trait:ident $method:ident $function:ident;)*) => { $(
        impl ops::$trait<&Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: &Tensor) -> Tensor {
                for t in [self, rhs] {
                    assert!(t.dtype() == DType::Bool, "{}: expected bool tensors, got {}", stringify!($method), t.dtype());
                }
                self.$function(rhs)
            }
        }
        impl ops::$trait<Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: Tensor) -> Tensor { ops::$trait::$method(&self, &rhs) }
        }
        impl ops::$trait<&Tensor> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: &Tensor) -> Tensor { ops::$trait::$method(&self, rhs) }
        }
        impl ops::$trait<Tensor> for &Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, rhs: Tensor) -> Tensor { ops::$trait::$method(self, &rhs) }
        }
    )* };
}
logic! {
    BitAnd bitand logical_and;
    BitOr bitor logical_or;
    BitXor bitxor logical_xor;
}
impl ops::Not for &Tensor {
    type Output = Tensor;
    /// The complement of a bool tensor.
    #[track_caller]
    fn not(self) -> Tensor {
        assert!(self.dtype() == DType::Bool, "not: expected a bool tensor, got {}", self.dtype());
        self.logical_not()
    }
}
impl ops::Not for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        !&self
    }
}
