//! `+ - * / % & | ^ << >> !` and negation on tensors, references and numbers.

use super::binary::operate;
use crate::error::ok;
use crate::operand::Operand;
use crate::tensor::Tensor;
use std::ops;

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
        operator!(@number $trait $method $function);
    )* };
    (@number BitAnd $($rest:tt)*) => {};
    (@number BitOr $($rest:tt)*) => {};
    (@number BitXor $($rest:tt)*) => {};
    (@number Shl $($rest:tt)*) => {};
    (@number Shr $($rest:tt)*) => {};
    (@number Div $($rest:tt)*) => {};
    (@number $trait:ident $method:ident $function:ident) => {
        operator!(@left f64 $trait $method $function);
        operator!(@left i64 $trait $method $function);
    };
    (@left $t:ident $trait:ident $method:ident $function:ident) => {
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
    };
}
operator! {
    Add add AddAssign add_assign add add_;
    Sub sub SubAssign sub_assign sub sub_;
    Mul mul MulAssign mul_assign mul mul_;
    Div div DivAssign div_assign div div_;
    Rem rem RemAssign rem_assign remainder remainder_;
    BitAnd bitand BitAndAssign bitand_assign bitwise_and bitwise_and_;
    BitOr bitor BitOrAssign bitor_assign bitwise_or bitwise_or_;
    BitXor bitxor BitXorAssign bitxor_assign bitwise_xor bitwise_xor_;
    Shl shl ShlAssign shl_assign bitwise_left_shift bitwise_left_shift_;
    Shr shr ShrAssign shr_assign bitwise_right_shift bitwise_right_shift_;
}

/// A number divided by a tensor is the reciprocal times the number, as in PyTorch: rounded twice.
macro_rules! divided {
    ($($t:ty)*) => { $(
        impl ops::Div<&Tensor> for $t {
            type Output = Tensor;
            #[track_caller]
            fn div(self, rhs: &Tensor) -> Tensor {
                let y = rhs.reciprocal();
                if self == 1 as $t { y } else { y.mul(self) }
            }
        }
        impl ops::Div<Tensor> for $t {
            type Output = Tensor;
            #[track_caller]
            fn div(self, rhs: Tensor) -> Tensor { self / &rhs }
        }
    )* };
}
divided!(f64 i64);

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

impl ops::Not for &Tensor {
    type Output = Tensor;
    /// Every bit turned over, as [`Tensor::bitwise_not`].
    #[track_caller]
    fn not(self) -> Tensor {
        self.bitwise_not()
    }
}
impl ops::Not for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn not(self) -> Tensor {
        !&self
    }
}
