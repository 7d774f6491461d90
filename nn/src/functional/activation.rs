//! Activations. Those that are kernels of their own are methods of [`Tensor`], too; the others are
//! composed here.

use taper_tensor::autograd::op;
use taper_tensor::{AsTensor, Tensor};

/// Activations that a tensor has as a method.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $t:ty),*);)*) => { $(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(x: &Tensor, $($arg: $t),*) -> Tensor {
            x.$name($($arg),*)
        }
    )* };
}
methods! {
    /// `max(x, 0)`.
    relu();
    /// `x·Φ(x)`.
    gelu();
    /// `0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))` (`gelu(approximate="tanh")`).
    gelu_tanh();
    /// `x·sigmoid(x)`.
    silu();
    /// `1/(1 + e⁻ˣ)`.
    sigmoid();
    /// Hyperbolic tangent.
    tanh();
    /// `x` where positive, else `slope·x` (PyTorch's default slope: 0.01).
    leaky_relu(slope: f64);
    /// `x` where positive, else `alpha·(eˣ − 1)` (PyTorch's default: 1).
    elu(alpha: f64);
    /// `eˣ/Σeˣ` along a dimension.
    softmax(dim: isize);
    /// `x − ln Σeˣ` along a dimension.
    log_softmax(dim: isize);
}

/// `ln(1 + e^(beta·x))/beta`, and `x` where `beta·x` is above the threshold (PyTorch's defaults: 1, 20).
#[track_caller]
pub fn softplus(x: &Tensor, beta: f64, threshold: f64) -> Tensor {
    let scaled = if beta == 1.0 { x.clone() } else { x * beta };
    let soft = if beta == 1.0 { scaled.softplus() } else { scaled.softplus() / beta };
    Tensor::where_(&scaled.gt(threshold), x, soft)
}

/// `ln(1/(1 + e⁻ˣ))` without overflow.
#[track_caller]
pub fn logsigmoid(x: &Tensor) -> Tensor {
    -(-x).softplus()
}

/// `x` limited to `[min, max]`. As in PyTorch the gradient passes strictly inside only.
#[track_caller]
pub fn hardtanh(x: &Tensor, min: f64, max: f64) -> Tensor {
    let rule = || {
        let inside = x.gt(min).logical_and(x.lt(max)).to_dtype(x.dtype());
        move |g: &Tensor| g * &inside
    };
    op("hardtanh", x.detach().clamp(min, max)).wrt(x, rule).done()
}

/// `min(max(x, 0), 6)`.
#[track_caller]
pub fn relu6(x: &Tensor) -> Tensor {
    hardtanh(x, 0.0, 6.0)
}

/// A composition in f32 for f16 and bf16: rounded once, as a kernel would.
#[track_caller]
fn rounded_once(x: &Tensor, f: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
    f(&x.to_dtype(x.dtype().compute())).to_dtype(x.dtype())
}

/// `relu6(x + 3)/6`.
#[track_caller]
pub fn hardsigmoid(x: &Tensor) -> Tensor {
    rounded_once(x, |x| relu6(&(x + 3.0)) / 6.0)
}

/// `x·relu6(x + 3)/6`.
#[track_caller]
pub fn hardswish(x: &Tensor) -> Tensor {
    let value = rounded_once(&x.detach(), |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0);
    let rule = || {
        let x = x.clone();
        move |g: &Tensor| {
            let between = Tensor::where_(&x.lt(3.0), g * (&x / 3.0 + 0.5), g);
            Tensor::where_(&x.le(-3.0), 0.0, between)
        }
    };
    op("hardswish", value).wrt(x, rule).done()
}

/// `scale·elu(x, alpha)` with the constants of self-normalising networks.
#[track_caller]
pub fn selu(x: &Tensor) -> Tensor {
    const ALPHA: f64 = 1.673_263_242_354_377_2;
    const SCALE: f64 = 1.050_700_987_355_480_5;
    rounded_once(x, |x| x.elu(ALPHA) * SCALE)
}

/// `max(0, x) + min(0, alpha·(e^(x/alpha) − 1))`.
#[track_caller]
pub fn celu(x: &Tensor, alpha: f64) -> Tensor {
    rounded_once(x, |x| (x / alpha).elu(1.0) * alpha)
}

/// `x·tanh(softplus(x))`.
#[track_caller]
pub fn mish(x: &Tensor) -> Tensor {
    rounded_once(x, |x| x * x.softplus().tanh())
}

/// `x − tanh(x)`.
#[track_caller]
pub fn tanhshrink(x: &Tensor) -> Tensor {
    x - x.tanh()
}

/// `x/(1 + |x|)`.
#[track_caller]
pub fn softsign(x: &Tensor) -> Tensor {
    x / (x.abs() + 1.0)
}

/// `x` where positive, else `weight·x`; the weight has one element, or one for each channel (dimension 1).
///
/// # Panics
/// Where the number of weights is another.
#[track_caller]
pub fn prelu(x: &Tensor, weight: impl AsTensor) -> Tensor {
    let weight = weight.as_tensor();
    let channels = if x.ndim() > 1 { x.shape()[1] } else { 1 };
    assert!(
        weight.numel() == 1 || weight.numel() == channels,
        "prelu: {} weights for an input of shape {:?}; expected 1 or one for each channel",
        weight.numel(),
        x.shape()
    );
    let mut shape = vec![1usize; x.ndim()];
    if weight.numel() > 1 {
        shape[1] = channels;
    }
    Tensor::where_(&x.gt(0.0), x, weight.reshape(&shape[..]) * x)
}
