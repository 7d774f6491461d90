//! Normalising layers.

use super::forward;
use crate::options::builder;
use crate::parameter::{Buffer, Parameter, Training};
use crate::python::{float, option, truth, tuple};
use taper_nn_derive::Module;
use taper_tensor::autograd::no_grad;
use taper_tensor::kernels::Dims;
use taper_tensor::{AsTensor, DType, IntoShape, Tensor};

/// Running mean and variance of a batch norm.
#[derive(Debug)]
struct Running {
    mean: Buffer,
    var: Buffer,
    batches: Buffer,
}

impl Running {
    fn new(channels: usize) -> Self {
        Running {
            mean: Buffer::new(Tensor::zeros(channels)),
            var: Buffer::new(Tensor::ones(channels)),
            batches: Buffer::new(Tensor::zeros_with((), DType::I64)),
        }
    }

    /// Takes in a batch's mean and biased variance over `n` values; without a momentum all batches count
    /// alike.
    fn update(&self, mean: &Tensor, var: &Tensor, n: usize, momentum: Option<f64>) {
        no_grad(|| {
            self.batches.update(|t| {
                t.add_(1i64);
            });
            let m = momentum.unwrap_or_else(|| 1.0 / self.batches.value().item());
            let unbiased = var * (n as f64 / (n as f64 - 1.0));
            for (buffer, new) in [(&self.mean, mean), (&self.var, &unbiased)] {
                let new = new.to_dtype(buffer.value().dtype());
                buffer.update(|t| {
                    t.mul_(1.0 - m).add_(new * m);
                });
            }
        });
    }
}

impl crate::Field for Running {
    fn show(&self, _: &str, visitor: &mut dyn crate::Visitor) {
        self.mean.show("running_mean", visitor);
        self.var.show("running_var", visitor);
        self.batches.show("num_batches_tracked", visitor);
    }
}

macro_rules! batch_norm {
    ($(#[$doc:meta])* $layer:ident, $options:ident, $ndim:expr, $expected:literal) => {
        $(#[$doc])*
        ///
        /// While training, the batch's own mean and biased variance are used, and taken into the running
        /// ones (variance unbiased) with weight `momentum`; in evaluation the running ones.
        #[derive(Module, Debug)]
        #[module(extra_repr = $layer::extra)]
        pub struct $layer {
            /// `[num_features]`; starts at 1.
            pub weight: Option<Parameter>,
            /// `[num_features]`; starts at 0.
            pub bias: Option<Parameter>,
            running: Option<Running>,
            #[module(skip)]
            options: $options,
            training: Training,
        }

        builder! {
            $options => $layer(num_features: usize) {
                /// Added to the variance; 1e-5 by default.
                eps: f64 = 1e-5,
                /// Weight of a batch in the running statistics; 0.1 by default, `None` for the mean of all batches.
                momentum: Option<f64> as impl Into<Option<f64>> = Some(0.1),
                /// Whether there is a weight and a bias; true by default.
                affine: bool = true,
                /// Whether running statistics are kept (else a batch's own are always used); true by default.
                track_running_stats: bool = true,
            }
        }

        impl $layer {
            fn from_options(options: $options) -> Self {
                let c = options.num_features;
                $layer {
                    weight: options.affine.then(|| Parameter::new(Tensor::ones(c))),
                    bias: options.affine.then(|| Parameter::new(Tensor::zeros(c))),
                    running: options.track_running_stats.then(|| Running::new(c)),
                    options,
                    training: Training::new(),
                }
            }

            /// The running mean, `[num_features]`.
            pub fn running_mean(&self) -> Option<&Buffer> {
                self.running.as_ref().map(|r| &r.mean)
            }
            /// The running variance, `[num_features]`.
            pub fn running_var(&self) -> Option<&Buffer> {
                self.running.as_ref().map(|r| &r.var)
            }
            /// How many batches were taken in, i64.
            pub fn num_batches_tracked(&self) -> Option<&Buffer> {
                self.running.as_ref().map(|r| &r.batches)
            }

            fn extra(&self) -> String {
                let o = &self.options;
                format!(
                    "{}, eps={}, momentum={}, affine={}, bias={}, track_running_stats={}",
                    o.num_features,
                    float(o.eps),
                    option(o.momentum.map(float)),
                    truth(o.affine),
                    truth(o.affine),
                    truth(o.track_running_stats)
                )
            }

            fn misfit(&self, x: &Tensor) -> Result<(), String> {
                let c = self.options.num_features;
                if $ndim.contains(&x.ndim()) && x.shape()[1] == c && x.dtype().is_float() {
                    return Ok(());
                }
                Err(format!(
                    concat!("{}: expected a floating-point input ", $expected, " with {} channels, got {} of shape {:?}"),
                    self, c, x.dtype(), x.shape()
                ))
            }
        }

        forward! { $layer, check |self, x| self.misfit(x), |self, x| {
            let (weight, bias) = (self.weight.as_ref().map(|p| p.as_tensor()), self.bias.as_ref().map(|p| p.as_tensor()));
            let (weight, bias, eps) = (weight.as_deref(), bias.as_deref(), self.options.eps);
            match &self.running {
                Some(running) if !self.training.get() => {
                    x.batch_norm_eval(&running.mean.value(), &running.var.value(), weight, bias, eps)
                }
                running => {
                    let (y, mean, var) = x.batch_norm_train(weight, bias, eps);
                    if let Some(running) = running {
                        let n = x.numel() / self.options.num_features.max(1);
                        running.update(&mean, &var, n, self.options.momentum);
                    }
                    y
                }
            }
        } }
    };
}

batch_norm! {
    /// `(x − mean)/√(var + eps)·weight + bias` per channel of `[batch, channels]` or `[batch, channels, length]`.
    BatchNorm1d, BatchNorm1dOptions, (2..=3), "[batch, channels] or [batch, channels, length]"
}
batch_norm! {
    /// `(x − mean)/√(var + eps)·weight + bias` per channel of `[batch, channels, height, width]`.
    BatchNorm2d, BatchNorm2dOptions, (4..=4), "[batch, channels, height, width]"
}

/// `(x − mean)/√(var + eps)·weight + bias` with mean and biased variance over the last dimensions, whose
/// sizes are `normalized_shape`.
#[derive(Module, Debug)]
#[module(extra_repr = LayerNorm::extra)]
pub struct LayerNorm {
    /// Of the normalized shape; starts at 1.
    pub weight: Option<Parameter>,
    /// Of the normalized shape; starts at 0.
    pub bias: Option<Parameter>,
    #[module(skip)]
    options: LayerNormOptions,
}

impl<S: IntoShape> crate::options::Convert<Dims> for S {
    fn convert(self) -> Dims {
        self.into_shape()
    }
}

builder! {
    LayerNormOptions => LayerNorm(normalized_shape: Dims as impl IntoShape) {
        /// Added to the variance; 1e-5 by default.
        eps: f64 = 1e-5,
        /// Whether there is a weight (and a bias); true by default.
        elementwise_affine: bool = true,
        /// Whether there is a bias beside a weight; true by default.
        bias: bool = true,
    }
}

impl LayerNorm {
    fn from_options(options: LayerNormOptions) -> Self {
        let shape = &options.normalized_shape;
        let weight = options.elementwise_affine.then(|| Parameter::new(Tensor::ones(shape)));
        let bias = (options.elementwise_affine && options.bias).then(|| Parameter::new(Tensor::zeros(shape)));
        LayerNorm { weight, bias, options }
    }

    fn extra(&self) -> String {
        let o = &self.options;
        format!(
            "{}, eps={}, elementwise_affine={}, bias={}",
            tuple(&o.normalized_shape),
            float(o.eps),
            truth(o.elementwise_affine),
            truth(self.bias.is_some())
        )
    }

    fn misfit(&self, x: &Tensor) -> Result<(), String> {
        if x.shape().ends_with(&self.options.normalized_shape) && x.dtype().is_float() {
            return Ok(());
        }
        let shape = self.options.normalized_shape.as_slice();
        Err(format!(
            "{self}: expected a floating-point input whose shape ends in {shape:?}, got {} of shape {:?}",
            x.dtype(),
            x.shape()
        ))
    }
}

forward! { LayerNorm, check |self, x| self.misfit(x), |self, x| crate::functional::layer_norm(
    x, &self.options.normalized_shape, self.weight.as_ref(), self.bias.as_ref(), self.options.eps
) }
