//! Methods that change a tensor. A tensor is a value: memory that a clone or a saved tensor shares is
//! copied first, so nobody else sees the change.

use super::binary::operate;
use crate::error::{Error, ok};
use crate::operand::{Operand, Pair, Promotion, settled, src};
use crate::tensor::Tensor;
use taper_autograd::{needs_grad, op};
use taper_kernels::{BinaryOp, Scalar, Src, UnaryOp};

impl Tensor {
    /// `self = kernel(self, other)`, in place where nothing is recorded.
    #[track_caller]
    fn binary_(
        &mut self,
        name: &'static str,
        kernel: BinaryOp,
        other: Operand,
        function: fn(Operand, Operand) -> crate::error::Result<Tensor>,
    ) -> &mut Self {
        let other = match other {
            Operand::Scalar(s) => Operand::Scalar(settled(s, kernel, self.dtype())),
            o => o,
        };
        if let (BinaryOp::Pow, Operand::Scalar(p)) = (kernel, &other) {
            let p = *p;
            return self.unary_(name, UnaryOp::Pow(p), |x| x.pow(p));
        }
        self.check_writable(name);
        let recorded = needs_grad(self) || other.tensor().is_some_and(needs_grad);
        let (mut this, mut other) = (Operand::Tensor(self.detach()), other);
        let dtype = crate::operand::result_type(&this, &other);
        let fits = dtype == self.dtype() && (kernel != BinaryOp::Div || dtype.is_float());
        if recorded || !fits {
            drop(this);
            let result = ok(function(Operand::Tensor(self.clone()), other));
            self.check_result(name, &result);
            *self = if result.dtype() == self.dtype() { result } else { result.to_dtype(self.dtype()) };
            return self;
        }
        let p = ok(Pair::new(name, &mut this, &mut other, Promotion::Same));
        if p.shape.as_slice() != self.shape() {
            let message = format!(
                "the result of shape {:?} does not fit in place into {:?}",
                p.shape.as_slice(),
                self.shape()
            );
            panic!("{}", Error::shape(name, message));
        }
        drop(this); // a second owner of the memory would force a copy
        let layout = other.tensor().map(|t| t.layout().broadcast_to(self.shape()).expect("checked above"));
        let backend = ok(self.device().backend().map_err(Error::kernel(name)));
        ok(backend
            .binary(kernel, Src::Out, src(&other, &layout), self.as_view_mut())
            .map_err(Error::kernel(name)));
        self
    }

    #[track_caller]
    fn check_result(&self, name: &'static str, result: &Tensor) {
        let category = |t: &Tensor| if t.dtype().is_float() { 2 } else { t.dtype().is_int() as usize };
        if result.shape() != self.shape() {
            panic!(
                "{name}: the result of shape {:?} does not fit in place into {:?}",
                result.shape(),
                self.shape()
            );
        }
        if category(result) > category(self) {
            panic!(
                "{name}: the result is {} and cannot be stored in place as {}",
                result.dtype(),
                self.dtype()
            );
        }
    }

    /// Runs a unary kernel in place where nothing is recorded.
    #[track_caller]
    fn unary_(
        &mut self,
        name: &'static str,
        kernel: UnaryOp,
        function: impl FnOnce(&Tensor) -> Tensor,
    ) -> &mut Self {
        self.check_writable(name);
        if needs_grad(self) || !self.dtype().is_float() {
            let result = function(self);
            self.check_result(name, &result);
            *self = result;
            return self;
        }
        let backend = ok(self.device().backend().map_err(Error::kernel(name)));
        ok(backend.unary(kernel, Src::Out, self.as_view_mut()).map_err(Error::kernel(name)));
        self
    }

    /// Every element becomes `value`.
    #[track_caller]
    pub fn fill_(&mut self, value: impl Into<Scalar>) -> &mut Self {
        self.check_writable("fill_");
        let value = value.into();
        if needs_grad(self) {
            *self = self.full_like(value);
            return self;
        }
        let backend = ok(self.device().backend().map_err(Error::kernel("fill_")));
        ok(backend.fill(self.as_view_mut(), value).map_err(Error::kernel("fill_")));
        self
    }

    /// Every element becomes 0.
    #[track_caller]
    pub fn zero_(&mut self) -> &mut Self {
        self.fill_(0i64)
    }

    /// Takes the elements of `other`, broadcast and cast to this shape, dtype and device.
    #[track_caller]
    pub fn copy_(&mut self, other: &Tensor) -> &mut Self {
        self.check_writable("copy_");
        let Some(layout) = other.layout().broadcast_to(self.shape()) else {
            panic!("copy_: shape {:?} does not broadcast to {:?}", other.shape(), self.shape());
        };
        if needs_grad(self) || needs_grad(other) {
            let copy = other.to_device(self.device()).to_dtype(self.dtype()).broadcast_to(self.shape());
            *self = op("copy_", copy.copied()).wrt_same(&copy).done();
            return self;
        }
        let source = other.with_layout(layout).to_device(self.device());
        let backend = ok(self.device().backend().map_err(Error::kernel("copy_")));
        ok(backend.copy(source.as_view(), self.as_view_mut()).map_err(Error::kernel("copy_")));
        self
    }

    /// Limits each element to `[min, max]`, in place.
    #[track_caller]
    pub fn clamp_(&mut self, min: impl Into<Option<f64>>, max: impl Into<Option<f64>>) -> &mut Self {
        let (min, max) = (min.into(), max.into());
        let kernel = UnaryOp::Clamp { lo: min.map(Scalar::Float), hi: max.map(Scalar::Float) };
        self.unary_("clamp_", kernel, |x| x.clamp(min, max))
    }
}

macro_rules! in_place {
    (binary { $($name:ident $function:ident $kernel:ident;)* } unary { $($uname:ident $ufunction:ident $ukernel:ident;)* }) => {
        impl Tensor {
            $(
                #[doc = concat!("[`", stringify!($function), "`](Self::", stringify!($function), ") in place; keeps shape and dtype.")]
                ///
                /// # Panics
                /// Where the result does not fit this shape or dtype, and for a leaf that requires grad outside `no_grad`.
                #[track_caller]
                pub fn $name(&mut self, other: impl Into<Operand>) -> &mut Self {
                    self.binary_(stringify!($name), BinaryOp::$kernel, other.into(), |a, b| operate::$function(a, b))
                }
            )*
            $(
                #[doc = concat!("[`", stringify!($ufunction), "`](Self::", stringify!($ufunction), ") in place.")]
                ///
                /// # Panics
                /// For a leaf that requires grad outside `no_grad`.
                #[track_caller]
                pub fn $uname(&mut self) -> &mut Self {
                    self.unary_(stringify!($uname), UnaryOp::$ukernel, |x| x.$ufunction())
                }
            )*
        }
    };
}
in_place! {
    binary {
    add_ add Add; sub_ sub Sub; mul_ mul Mul; div_ div Div; pow_ pow Pow; remainder_ remainder Rem;
    floor_divide_ floor_divide FloorDiv; trunc_divide_ trunc_divide TruncDiv; fmod_ fmod Fmod;
    bitwise_and_ bitwise_and BitAnd; bitwise_or_ bitwise_or BitOr; bitwise_xor_ bitwise_xor BitXor;
    bitwise_left_shift_ bitwise_left_shift Shl; bitwise_right_shift_ bitwise_right_shift Shr;
    }
    unary {
    neg_ neg Neg; abs_ abs Abs; exp_ exp Exp; ln_ ln Ln; sqrt_ sqrt Sqrt; rsqrt_ rsqrt Rsqrt; square_ square Square;
    reciprocal_ reciprocal Recip; relu_ relu Relu; sigmoid_ sigmoid Sigmoid; tanh_ tanh Tanh; floor_ floor Floor;
    ceil_ ceil Ceil; round_ round Round; trunc_ trunc Trunc; sin_ sin Sin; cos_ cos Cos;
    }
}

impl Tensor {
    /// `self + value·a·b`, in place.
    #[track_caller]
    pub fn addcmul_(&mut self, a: &Tensor, b: &Tensor, value: f64) -> &mut Self {
        self.add_(a * b * value)
    }
    /// `self + value·a/b`, in place.
    #[track_caller]
    pub fn addcdiv_(&mut self, a: &Tensor, b: &Tensor, value: f64) -> &mut Self {
        self.add_(a / b * value)
    }
    /// `self + weight·(end − self)`, in place.
    #[track_caller]
    pub fn lerp_(&mut self, end: &Tensor, weight: impl Into<Operand>) -> &mut Self {
        let step = (end - &*self) * weight.into();
        self.add_(step)
    }
    /// `value` where `mask` holds, in place.
    #[track_caller]
    pub fn masked_fill_(&mut self, mask: &Tensor, value: impl Into<Operand>) -> &mut Self {
        self.check_writable("masked_fill_");
        *self = self.masked_fill(mask, value);
        self
    }
}
