//! Activations as layers.

use super::{forward, plain_layer};
use crate::functional as F;
use crate::options::builder;
use crate::parameter::Parameter;
use crate::python::float;
use taper_nn_derive::Module;
use taper_tensor::Tensor;

/// Activations without options.
macro_rules! activations {
    ($($(#[$doc:meta])* $layer:ident, $options:ident, $function:ident;)*) => { $(
        plain_layer! {
            $(#[$doc])*
            $layer, $options () {}
            repr |_o| String::new();
            |x, _o| F::$function(x)
        }
    )* };
}
activations! {
    /// `max(x, 0)`.
    ReLU, ReLUOptions, relu;
    /// `min(max(x, 0), 6)`.
    ReLU6, ReLU6Options, relu6;
    /// `scale·elu(x, alpha)` with the constants of self-normalising networks.
    SELU, SELUOptions, selu;
    /// `x·sigmoid(x)`.
    SiLU, SiLUOptions, silu;
    /// `x·tanh(softplus(x))`.
    Mish, MishOptions, mish;
    /// `1/(1 + e⁻ˣ)`.
    Sigmoid, SigmoidOptions, sigmoid;
    /// `ln sigmoid(x)`.
    LogSigmoid, LogSigmoidOptions, logsigmoid;
    /// Hyperbolic tangent.
    Tanh, TanhOptions, tanh;
    /// `x − tanh(x)`.
    Tanhshrink, TanhshrinkOptions, tanhshrink;
    /// `x/(1 + |x|)`.
    Softsign, SoftsignOptions, softsign;
    /// `relu6(x + 3)/6`.
    Hardsigmoid, HardsigmoidOptions, hardsigmoid;
    /// `x·relu6(x + 3)/6`.
    Hardswish, HardswishOptions, hardswish;
}

/// The formula of [`GELU`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Approximate {
    /// `x·Φ(x)`.
    #[default]
    None,
    /// `0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`.
    Tanh,
}

plain_layer! {
    /// `x·Φ(x)` with the normal distribution's Φ.
    GELU, GELUOptions () {
        /// Exact by default.
        approximate: Approximate = Approximate::None,
    }
    repr |o| format!("approximate='{}'", if o.approximate == Approximate::Tanh { "tanh" } else { "none" });
    |x, o| match o.approximate {
        Approximate::None => F::gelu(x),
        Approximate::Tanh => F::gelu_tanh(x),
    }
}

plain_layer! {
    /// `x` where positive, else `negative_slope·x`.
    LeakyReLU, LeakyReLUOptions () {
        /// 0.01 by default.
        negative_slope: f64 = 0.01,
    }
    repr |o| format!("negative_slope={}", float(o.negative_slope));
    |x, o| F::leaky_relu(x, o.negative_slope)
}

plain_layer! {
    /// `x` where positive, else `alpha·(eˣ − 1)`.
    ELU, ELUOptions () {
        /// 1 by default.
        alpha: f64 = 1.0,
    }
    repr |o| format!("alpha={}", float(o.alpha));
    |x, o| F::elu(x, o.alpha)
}

plain_layer! {
    /// `x` where positive, else `alpha·(e^(x/alpha) − 1)`.
    CELU, CELUOptions () {
        /// 1 by default.
        alpha: f64 = 1.0,
    }
    repr |o| format!("alpha={}", float(o.alpha));
    |x, o| F::celu(x, o.alpha)
}

plain_layer! {
    /// `ln(1 + e^(beta·x))/beta`, and `x` where `beta·x` is above the threshold.
    Softplus, SoftplusOptions () {
        /// 1 by default.
        beta: f64 = 1.0,
        /// 20 by default.
        threshold: f64 = 20.0,
    }
    repr |o| format!("beta={}, threshold={}", float(o.beta), float(o.threshold));
    |x, o| F::softplus(x, o.beta, o.threshold)
}

plain_layer! {
    /// `x` limited to `[min_val, max_val]`.
    Hardtanh, HardtanhOptions () {
        /// −1 by default.
        min_val: f64 = -1.0,
        /// 1 by default.
        max_val: f64 = 1.0,
    }
    repr |o| format!("min_val={}, max_val={}", float(o.min_val), float(o.max_val));
    |x, o| F::hardtanh(x, o.min_val, o.max_val)
}

plain_layer! {
    /// `eˣ/Σeˣ` along a dimension.
    Softmax, SoftmaxOptions (dim: isize) {}
    repr |o| format!("dim={}", o.dim);
    |x, o| F::softmax(x, o.dim)
}

plain_layer! {
    /// `x − ln Σeˣ` along a dimension.
    LogSoftmax, LogSoftmaxOptions (dim: isize) {}
    repr |o| format!("dim={}", o.dim);
    |x, o| F::log_softmax(x, o.dim)
}

/// `x` where positive, else `weight·x` with a trained weight: one, or one for each channel (dimension 1).
#[derive(Module, Debug)]
#[module(extra_repr = PReLU::extra)]
pub struct PReLU {
    /// `[num_parameters]`.
    pub weight: Parameter,
}

builder! {
    PReLUOptions => PReLU() {
        /// One, or one for each channel; 1 by default.
        num_parameters: usize = 1,
        /// The weight at the beginning; 0.25 by default.
        init: f64 = 0.25,
    }
}

impl PReLU {
    fn from_options(o: PReLUOptions) -> Self {
        PReLU { weight: Parameter::new(Tensor::full([o.num_parameters], o.init)) }
    }
    fn extra(&self) -> String {
        format!("num_parameters={}", self.weight.numel())
    }
}
forward! { PReLU, |self, x| F::prelu(x, &self.weight) }
