//! Functions of two tensors (or a tensor and a number), elementwise with broadcasting.

use crate::error::{Result, ok};
use crate::operand::{Operand, Pair, Promotion};
use crate::tensor::Tensor;
use taper_autograd::{Op, op};
use taper_kernels::{BinaryOp, DType};

/// Records a rule for an operand that may be a plain number.
#[inline]
pub(crate) fn wrt<F>(o: Op<Tensor>, x: &Operand, rule: impl FnOnce() -> F) -> Op<Tensor>
where
    F: Fn(&Tensor) -> Tensor + Send + Sync + 'static,
{
    match x {
        Operand::Tensor(t) => o.wrt(t, rule),
        Operand::Scalar(_) => o,
    }
}

/// One operand's rule: the gradient goes on as it is (`same`), or what the rule saves, and the rule.
macro_rules! rule {
    ($o:ident, $x:ident, same) => {
        match $x {
            Operand::Tensor(t) => $o.wrt_same(t),
            Operand::Scalar(_) => $o,
        }
    };
    ($o:ident, $x:ident, [$($saved:ident),*] |$g:ident| $gradient:expr) => {
        wrt($o, $x, || { $(let $saved = $saved.clone();)* move |$g: &Tensor| { $(let $saved = &$saved;)* $gradient } })
    };
}

/// Each entry: method and `try_` twin, names of the operands, kernel, promotion, and each operand's rule. The
/// engine sums over broadcast dimensions.
macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident $try_name:ident ($a:ident, $b:ident) => $kernel:ident, $promotion:ident;
        $({$($rule_a:tt)*} {$($rule_b:tt)*})?)*) => {
        impl Tensor { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// Where shapes do not broadcast, or devices differ.
            #[track_caller]
            pub fn $name(&self, other: impl Into<Operand>) -> Tensor {
                ok(self.$try_name(other))
            }
            #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), "), or an error.")]
            #[track_caller]
            pub fn $try_name(&self, other: impl Into<Operand>) -> Result<Tensor> {
                operate::$name(self.into(), other.into())
            }
        )* }

        /// The operations on operands, as operators with a number on the left need them.
        pub(crate) mod operate {
            use super::*;
            $(
                #[track_caller]
                pub fn $name(mut a: Operand, mut b: Operand) -> Result<Tensor> {
                    let name = stringify!($name);
                    let p = Pair::new(name, &mut a, &mut b, Promotion::$promotion)?;
                    let o = op(name, p.compute(name, BinaryOp::$kernel)?);
                    $(
                        let ($a, $b) = (p.a, p.b);
                        let o = rule!(o, $a, $($rule_a)*);
                        let o = rule!(o, $b, $($rule_b)*);
                    )?
                    Ok(o.done())
                }
            )*
        }
    };
}

binary! {
    /// `self + other`.
    add try_add (a, b) => Add, Same;
        {same} {same}
    /// `self − other`.
    sub try_sub (a, b) => Sub, NoBool;
        {same} {[] |g| -g}
    /// `self · other`.
    mul try_mul (a, b) => Mul, Same;
        {[b] |g| g.mul(b)} {[a] |g| g.mul(a)}
    /// `self / other`; integers divide as f32.
    div try_div (a, b) => Div, Float;
        {[b] |g| g.div(b)} {[a, b] |g| -g.mul(a).div(b).div(b)}
    /// Quotient rounded down (`torch.floor_divide`, `div(rounding_mode="floor")`); its derivative is 0.
    /// Integers stay integers, and panic for a zero divisor.
    floor_divide try_floor_divide (a, b) => FloorDiv, Same;
        {[] |g| g.zeros_like()} {[] |g| g.zeros_like()}
    /// Quotient rounded towards 0 (`torch.div(rounding_mode="trunc")`); its derivative is 0. Integers stay
    /// integers, and panic for a zero divisor.
    trunc_divide try_trunc_divide (a, b) => TruncDiv, Same;
        {[] |g| g.zeros_like()} {[] |g| g.zeros_like()}
    /// Remainder with the dividend's sign (`torch.fmod`, C's `%`). Integers panic for a zero divisor.
    fmod try_fmod (a, b) => Fmod, Same;
        {same} {[a, b] |g| -(g * ok(operate::trunc_divide(a.clone(), b.clone())))}
    /// Remainder with the divisor's sign (`torch.remainder`, Python's `%`). Integers panic for a zero divisor.
    remainder try_remainder (a, b) => Rem, Same;
        {same} {[a, b] |g| -(g * ok(operate::floor_divide(a.clone(), b.clone())))}
    /// `self` to the power `other`. `0⁰ = 1`; the derivative in the exponent is 0 where the base is 0. Integers
    /// stay integers, and panic for an exponent that is a negative number.
    pow try_pow (a, b) => Pow, Same;
        {[a, b] |g| pow_base_grad(g, a, b)} {[a, b] |g| pow_exponent_grad(g, a, b)}
    /// The larger of two; NaN wins. Where they are equal each side gets half of the gradient.
    maximum try_maximum (a, b) => Maximum, Same;
        {[a, b] |g| share(g, a, b, true)} {[a, b] |g| share(g, b, a, true)}
    /// The smaller of two; NaN wins. Where they are equal each side gets half of the gradient.
    minimum try_minimum (a, b) => Minimum, Same;
        {[a, b] |g| share(g, a, b, false)} {[a, b] |g| share(g, b, a, false)}
    /// The angle of the point `(other, self)`, in radians.
    atan2 try_atan2 (a, b) => Atan2, Float;
        {[a, b] |g| g * over_norm(b, a, b)} {[a, b] |g| -(g * over_norm(a, a, b))}
    /// The bits that both have; "and" of bool. Integers and bool only.
    bitwise_and try_bitwise_and (a, b) => BitAnd, Bits;
    /// The bits that one or both have; "or" of bool. Integers and bool only.
    bitwise_or try_bitwise_or (a, b) => BitOr, Bits;
    /// The bits that exactly one has. Integers and bool only.
    bitwise_xor try_bitwise_xor (a, b) => BitXor, Bits;
    /// The bits moved up by `other` places. A distance that is negative or not less than the number of
    /// bits leaves none. Integers only.
    bitwise_left_shift try_bitwise_left_shift (a, b) => Shl, Bits;
    /// The bits moved down by `other` places; the sign moves in, and is all that is left of a distance out
    /// of range. Integers only.
    bitwise_right_shift try_bitwise_right_shift (a, b) => Shr, Bits;
}

/// A tensor of an operand beside a gradient: numbers take its dtype.
#[track_caller]
fn beside(g: &Tensor, o: &Operand) -> Tensor {
    o.to_tensor(g.dtype(), g.device())
}

/// `b·a^(b−1)`, and 0 where `b = 0`.
#[track_caller]
fn pow_base_grad(g: &Tensor, a: &Operand, b: &Operand) -> Tensor {
    match b {
        Operand::Scalar(s) if s.to_f64() == 0.0 => g.zeros_like(),
        Operand::Scalar(s) => g * (beside(g, a).pow(s.to_f64() - 1.0) * s.to_f64()),
        Operand::Tensor(b) => {
            let d = b * beside(g, a).pow(b - 1.0);
            g * Tensor::where_(&b.eq(0.0), 0.0, d)
        }
    }
}

/// `a^b·ln a`, and 0 where `a = 0` and `b ≥ 0`.
#[track_caller]
fn pow_exponent_grad(g: &Tensor, a: &Operand, b: &Operand) -> Tensor {
    let (a, b) = (beside(g, a), beside(g, b));
    let zero = a.eq(0.0) & b.ge(0.0);
    // ln of 1 stands in where the product is 0 anyway, so that its own derivative stays finite.
    let safe = Tensor::where_(&zero, 1.0, &a);
    g * Tensor::where_(&zero, 0.0, a.pow(&b) * safe.ln())
}

/// The gradient that goes to `this` side: all where it won, half where both are equal.
#[track_caller]
fn share(g: &Tensor, this: &Operand, other: &Operand, larger: bool) -> Tensor {
    let (this, other) = (beside(g, this).detach(), beside(g, other).detach());
    let lost = if larger { this.lt(&other) } else { this.gt(&other) };
    // Beside NaN nobody has lost, and both get everything, as in PyTorch.
    let half = Tensor::where_(&this.eq(&other), g * 0.5, g);
    Tensor::where_(&lost, 0.0, half)
}

#[track_caller]
fn over_norm(x: &Operand, a: &Operand, b: &Operand) -> Tensor {
    let square = |o: &Operand| ok(operate::mul(o.clone(), o.clone()));
    let norm = square(a) + square(b);
    // At the origin the angle is taken for constant.
    let origin = norm.eq(0.0);
    Tensor::where_(&origin, 0.0, ok(operate::div(x.clone(), Tensor::where_(&origin, 1.0, norm).into())))
}

impl Tensor {
    /// Every bit turned over; "not" of bool. Integers and bool only.
    #[track_caller]
    pub fn bitwise_not(&self) -> Tensor {
        match self.dtype() {
            DType::Bool => self.logical_not(),
            _ => self.bitwise_xor(Tensor::full_with((), -1i64, self)),
        }
    }
}

/// Three operands.
impl Tensor {
    /// `self + weight·(end − self)`.
    #[track_caller]
    pub fn lerp(&self, end: &Tensor, weight: impl Into<Operand>) -> Tensor {
        self + (end - self) * weight.into()
    }

    /// `self + value·a·b`.
    #[track_caller]
    pub fn addcmul(&self, a: &Tensor, b: &Tensor, value: f64) -> Tensor {
        self + a * b * value
    }

    /// `self + value·a/b`.
    #[track_caller]
    pub fn addcdiv(&self, a: &Tensor, b: &Tensor, value: f64) -> Tensor {
        self + a / b * value
    }
}
