//! Each op's name and rough cost.

use crate::{BinaryOp, UnaryOp};

macro_rules! table {
    ($T:ident: $($p:pat => $name:literal, $cost:literal;)*) => {
        impl $T {
            /// PyTorch's name.
            pub fn name(self) -> &'static str {
                use $T::*;
                match self { $($p => $name,)* }
            }
            /// Nanoseconds per f32 element on one thread, roughly.
            pub(crate) fn cost(self) -> f64 {
                use $T::*;
                match self { $($p => $cost,)* }
            }
        }
    };
}

table! { UnaryOp:
    Neg => "neg", 0.2;
    Abs => "abs", 0.2;
    Sign => "sign", 0.2;
    Square => "square", 0.2;
    Sqrt => "sqrt", 0.4;
    Rsqrt => "rsqrt", 0.6;
    Recip => "reciprocal", 0.4;
    Exp => "exp", 0.5;
    Expm1 => "expm1", 0.6;
    Ln => "log", 0.7;
    Log2 => "log2", 1.5;
    Log10 => "log10", 1.5;
    Log1p => "log1p", 0.8;
    Sin => "sin", 0.8;
    Cos => "cos", 0.8;
    Tan => "tan", 15.0;
    Asin => "asin", 15.0;
    Acos => "acos", 15.0;
    Atan => "atan", 15.0;
    Sinh => "sinh", 15.0;
    Cosh => "cosh", 15.0;
    Tanh => "tanh", 0.8;
    Erf => "erf", 0.8;
    Sigmoid => "sigmoid", 0.7;
    Relu => "relu", 0.2;
    Gelu => "gelu", 0.9;
    GeluTanh => "gelu", 0.8;
    Silu => "silu", 0.7;
    Softplus => "softplus", 1.4;
    LeakyRelu(_) => "leaky_relu", 0.2;
    Elu(_) => "elu", 0.7;
    Floor => "floor", 0.2;
    Ceil => "ceil", 0.2;
    Round => "round", 0.2;
    Trunc => "trunc", 0.2;
    Clamp { .. } => "clamp", 0.2;
    Pow(_) => "pow", 1.0;
}

table! { BinaryOp:
    Add => "add", 0.3;
    Sub => "sub", 0.3;
    Mul => "mul", 0.3;
    Div => "div", 0.4;
    FloorDiv => "floor_divide", 10.0;
    Rem => "remainder", 10.0;
    TruncDiv => "trunc_divide", 5.0;
    Fmod => "fmod", 10.0;
    BitAnd => "bitwise_and", 0.3;
    BitOr => "bitwise_or", 0.3;
    BitXor => "bitwise_xor", 0.3;
    Shl => "bitwise_left_shift", 0.5;
    Shr => "bitwise_right_shift", 0.5;
    Pow => "pow", 5.0;
    Maximum => "maximum", 0.3;
    Minimum => "minimum", 0.3;
    Atan2 => "atan2", 25.0;
    ReluGrad => "relu backward", 0.3;
    SigmoidGrad => "sigmoid backward", 0.3;
    TanhGrad => "tanh backward", 0.3;
    GeluGrad => "gelu backward", 1.5;
    GeluTanhGrad => "gelu backward", 1.0;
    SiluGrad => "silu backward", 0.9;
}
