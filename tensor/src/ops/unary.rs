//! Functions of one tensor, elementwise: kernel and derivative in a few words each.

use crate::elementwise::layout_for;
use crate::error::ok;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{BinaryOp, DType, Src, UnaryOp};

impl Tensor {
    /// Runs a kernel; integers and bool are computed as f32 where the function asks for floats.
    #[track_caller]
    pub(super) fn unary(&self, name: &'static str, kernel: UnaryOp, float: bool) -> (Tensor, Tensor) {
        let x = match self.dtype() {
            d if float && !d.is_float() => self.to_dtype(DType::F32),
            // As a power with an integer exponent.
            DType::Bool if kernel == UnaryOp::Square => self.to_dtype(DType::I64),
            _ => self.clone(),
        };
        let y = x.produce_alike(name, x.dtype(), |b, out| b.unary(kernel, Src::View(x.as_view()), out));
        (ok(y), x)
    }

    /// A fused gradient kernel of two operands of one shape and dtype, not recorded.
    #[track_caller]
    fn gradient_kernel(&self, name: &'static str, kernel: BinaryOp, other: &Tensor) -> Tensor {
        let layout = layout_for(self.shape(), &[self.layout(), other.layout()]);
        ok(Tensor::produce_in(name, layout, self.dtype(), self.device(), |b, out| {
            b.binary(kernel, Src::View(self.as_view()), Src::View(other.as_view()), out)
        }))
    }
}

/// Each line: the method, its kernel, whether integers become floats, and the derivative: of the
/// gradient `g` alone, with the input `[x]`, or with the output `[y]`; `zero` where it vanishes
/// almost everywhere.
macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident => $kernel:expr, $domain:ident, $([$saved:ident])? $rule:ident $(($g:ident) $body:expr)?;)*) => {
        impl Tensor { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self) -> Tensor {
                let (y, x) = self.unary(stringify!($name), $kernel, unary!(@float $domain));
                unary!(@rule op(stringify!($name), y), x, $([$saved])? $rule $(($g) $body)?)
            }
        )* }
    };
    (@float floats) => { true };
    (@float numbers) => { false };
    (@rule $op:expr, $x:ident, zero) => { $op.wrt(&$x, || |g: &Tensor| g.zeros_like()).done() };
    (@rule $op:expr, $x:ident, d ($g:ident) $body:expr) => { $op.wrt(&$x, || |$g: &Tensor| $body).done() };
    (@rule $op:expr, $xx:ident, [$s:ident] dx ($g:ident) $body:expr) => {
        $op.wrt(&$xx, || { let $s = $xx.clone(); move |$g: &Tensor| { let $s = &$s; $body } }).done()
    };
    (@rule $op:expr, $xx:ident, [$s:ident] dy ($g:ident) $body:expr) => {
        $op.wrt_y(&$xx, || |$g: &Tensor, $s: &Tensor| $body).done()
    };
}

unary! {
    /// `−x`.
    neg => UnaryOp::Neg, numbers, d(g) -g;
    /// `|x|`; the derivative at 0 is 0.
    abs => UnaryOp::Abs, numbers, [x] dx(g) g * x.sign();
    /// −1, 0 or 1.
    sign => UnaryOp::Sign, numbers, zero;
    /// `x²`.
    square => UnaryOp::Square, numbers, [x] dx(g) g * (x * 2.0);
    /// `√x`.
    sqrt => UnaryOp::Sqrt, floats, [y] dy(g) g / (y * 2.0);
    /// `1/√x`.
    rsqrt => UnaryOp::Rsqrt, floats, [y] dy(g) g * (y * y * y * -0.5);
    /// `1/x`.
    reciprocal => UnaryOp::Recip, floats, [y] dy(g) -(g * (y * y));
    /// `eˣ`.
    exp => UnaryOp::Exp, floats, [y] dy(g) g * y;
    /// `eˣ − 1`, exact near 0.
    expm1 => UnaryOp::Expm1, floats, [y] dy(g) g * (y + 1.0);
    /// Natural logarithm (`torch.log`).
    ln => UnaryOp::Ln, floats, [x] dx(g) g / x;
    /// Logarithm to base 2.
    log2 => UnaryOp::Log2, floats, [x] dx(g) g / (x * std::f64::consts::LN_2);
    /// Logarithm to base 10.
    log10 => UnaryOp::Log10, floats, [x] dx(g) g / (x * std::f64::consts::LN_10);
    /// `ln(1 + x)`, exact near 0.
    log1p => UnaryOp::Log1p, floats, [x] dx(g) g / (x + 1.0);
    /// Sine.
    sin => UnaryOp::Sin, floats, [x] dx(g) g * x.cos();
    /// Cosine.
    cos => UnaryOp::Cos, floats, [x] dx(g) -(g * x.sin());
    /// Tangent.
    tan => UnaryOp::Tan, floats, [y] dy(g) g * (y * y + 1.0);
    /// Inverse sine.
    asin => UnaryOp::Asin, floats, [x] dx(g) g * (1.0 - x * x).rsqrt();
    /// Inverse cosine.
    acos => UnaryOp::Acos, floats, [x] dx(g) -(g * (1.0 - x * x).rsqrt());
    /// Inverse tangent.
    atan => UnaryOp::Atan, floats, [x] dx(g) g / (x * x + 1.0);
    /// Hyperbolic sine.
    sinh => UnaryOp::Sinh, floats, [x] dx(g) g * x.cosh();
    /// Hyperbolic cosine.
    cosh => UnaryOp::Cosh, floats, [x] dx(g) g * x.sinh();
    /// Hyperbolic tangent.
    tanh => UnaryOp::Tanh, floats, [y] dy(g) g.tanh_grad(y);
    /// Error function.
    erf => UnaryOp::Erf, floats, [x] dx(g) g * ((x * x).neg().exp() * std::f64::consts::FRAC_2_SQRT_PI);
    /// `1/(1 + e⁻ˣ)`.
    sigmoid => UnaryOp::Sigmoid, floats, [y] dy(g) g.sigmoid_grad(y);
    /// `max(x, 0)`; the derivative at 0 is 0.
    relu => UnaryOp::Relu, numbers, [y] dy(g) g.relu_grad(y);
    /// `x·Φ(x)` (`torch.nn.functional.gelu`).
    gelu => UnaryOp::Gelu, floats, [x] dx(g) g.gelu_grad(x);
    /// `0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))` (`gelu(approximate="tanh")`).
    gelu_tanh => UnaryOp::GeluTanh, floats, [x] dx(g) g.gelu_tanh_grad(x);
    /// `x·sigmoid(x)`.
    silu => UnaryOp::Silu, floats, [x] dx(g) g.silu_grad(x);
    /// `ln(1 + eˣ)` without overflow.
    softplus => UnaryOp::Softplus, floats, [x] dx(g) g * x.sigmoid();
    /// Largest integer not above.
    floor => UnaryOp::Floor, numbers, zero;
    /// Smallest integer not below.
    ceil => UnaryOp::Ceil, numbers, zero;
    /// Nearest integer, halves to even.
    round => UnaryOp::Round, numbers, zero;
    /// Integer part.
    trunc => UnaryOp::Trunc, numbers, zero;
}

/// Gradient kernels of activations: `g` and what the forward pass saved in one pass over memory. The
/// derivative of each is its plain formula, so second derivatives need no kernels of their own.
macro_rules! gradient_kernels {
    ($($name:ident => $kernel:ident, |$g:ident, $s:ident| g: $dg:expr, $what:ident: $ds:expr;)*) => {
        impl Tensor { $(
            #[track_caller]
            pub(crate) fn $name(&self, saved: &Tensor) -> Tensor {
                let y = self.gradient_kernel(stringify!($name), BinaryOp::$kernel, saved);
                op(stringify!($name), y)
                    .wrt(self, || { let $s = saved.clone(); move |$g: &Tensor| { let $s = &$s; $dg } })
                    .wrt(saved, || {
                        let ($s, first) = (saved.clone(), self.clone());
                        move |$g: &Tensor| { let ($s, $g) = (&$s, &($g * &first)); $ds }
                    })
                    .done()
            }
        )* }
    };
}
gradient_kernels! {
    relu_grad => ReluGrad, |g, y| g: g.relu_grad(y), y: g.zeros_like_of(y);
    sigmoid_grad => SigmoidGrad, |g, y| g: g.sigmoid_grad(y), y: g * (1.0 - y * 2.0);
    tanh_grad => TanhGrad, |g, y| g: g.tanh_grad(y), y: g * (y * -2.0);
    gelu_grad => GeluGrad, |g, x| g: g.gelu_grad(x), x: g * gelu_second(x);
    gelu_tanh_grad => GeluTanhGrad, |g, x| g: g.gelu_tanh_grad(x), x: g * gelu_tanh_second(x);
    silu_grad => SiluGrad, |g, x| g: g.silu_grad(x), x: g * silu_second(x);
}

impl Tensor {
    fn zeros_like_of(&self, other: &Tensor) -> Tensor {
        other.zeros_like()
    }
}

/// `gelu''(x) = φ(x)·(2 − x²)`.
#[track_caller]
fn gelu_second(x: &Tensor) -> Tensor {
    let x2 = x * x;
    let density = (&x2 * -0.5).exp() * (0.5 * std::f64::consts::FRAC_2_SQRT_PI / std::f64::consts::SQRT_2);
    density * (2.0 - x2)
}

/// Second derivative of the tanh form, with `u = c·(x + a·x³)` and `t = tanh u`:
/// `(1 − t²)·(u' − x·t·u'² + x·u''/2)`.
#[track_caller]
fn gelu_tanh_second(x: &Tensor) -> Tensor {
    let (c, a) = (std::f64::consts::FRAC_2_SQRT_PI / std::f64::consts::SQRT_2, 0.044715);
    let x2 = x * x;
    let t = ((&x2 * a + 1.0) * x * c).tanh();
    let du = (&x2 * (3.0 * a) + 1.0) * c;
    let half_ddu = x * (3.0 * a * c);
    (1.0 - &t * &t) * (&du - x * &t * &du * &du + x * half_ddu)
}

/// `silu''(x) = s'·(2 + x·(1 − 2s))` with `s = sigmoid(x)` and `s' = s·(1 − s)`.
#[track_caller]
fn silu_second(x: &Tensor) -> Tensor {
    let s = x.sigmoid();
    (&s * (1.0 - &s)) * (x * (1.0 - &s * 2.0) + 2.0)
}

/// Functions with parameters.
impl Tensor {
    /// Natural logarithm under PyTorch's name; the same as [`ln`](Self::ln).
    #[track_caller]
    pub fn log(&self) -> Tensor {
        self.ln()
    }

    /// `ln sigmoid(x)` without overflow (`torch.nn.functional.logsigmoid`).
    #[track_caller]
    pub fn logsigmoid(&self) -> Tensor {
        (-self).softplus().neg()
    }

    /// Rounded to `decimals` digits after the point, halves to even; before the point where negative
    /// (`torch.round(decimals=…)`). Its derivative is 0.
    ///
    /// # Panics
    /// For integers and bool, as PyTorch does.
    #[track_caller]
    pub fn round_decimals(&self, decimals: i32) -> Tensor {
        assert!(
            self.dtype().is_float(),
            "round_decimals: expected a floating-point tensor, got {}; convert it with to_dtype first",
            self.dtype()
        );
        let scale = 10f64.powi(decimals.abs());
        let x = self.detach().to_dtype(self.dtype().compute());
        let y = if decimals < 0 { (x / scale).round() * scale } else { (x * scale).round() / scale };
        op("round_decimals", y.to_dtype(self.dtype())).wrt(self, || |g: &Tensor| g.zeros_like()).done()
    }

    /// `x` where positive, else `slope·x` (`torch.nn.functional.leaky_relu`, where the default slope is 0.01).
    #[track_caller]
    pub fn leaky_relu(&self, slope: f64) -> Tensor {
        let (y, x) = self.unary("leaky_relu", UnaryOp::LeakyRelu(slope), true);
        let rule = || {
            let x = x.clone();
            move |g: &Tensor| Tensor::where_(&x.gt(0.0), g, g * slope)
        };
        op("leaky_relu", y).wrt(&x, rule).done()
    }

    /// `x` where positive, else `alpha·(eˣ − 1)` (`torch.nn.functional.elu`, default alpha 1).
    #[track_caller]
    pub fn elu(&self, alpha: f64) -> Tensor {
        let (y, x) = self.unary("elu", UnaryOp::Elu(alpha), true);
        let rule = || {
            let x = x.clone();
            move |g: &Tensor| Tensor::where_(&x.gt(0.0), g, g * (x.clamp(None, 0.0).exp() * alpha))
        };
        op("elu", y).wrt(&x, rule).done()
    }

    /// Whether each element is NaN.
    #[track_caller]
    pub fn isnan(&self) -> Tensor {
        self.ne(self)
    }
    /// Whether each element is infinite.
    #[track_caller]
    pub fn isinf(&self) -> Tensor {
        self.detach().abs().eq(f64::INFINITY)
    }
    /// Whether each element is neither infinite nor NaN.
    #[track_caller]
    pub fn isfinite(&self) -> Tensor {
        self.detach().abs().lt(f64::INFINITY)
    }
}
