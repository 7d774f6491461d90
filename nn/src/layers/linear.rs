//! The dense layer.

use super::forward;
use crate::init::{FanMode, Nonlinearity, kaiming_uniform_, uniform_};
use crate::options::builder;
use crate::parameter::Parameter;
use crate::python::truth;
use taper_nn_derive::Module;
use taper_tensor::{AsTensor, Tensor};

/// `x·weightᵀ + bias`: `[…, in_features]` to `[…, out_features]`.
///
/// The weight is `[out_features, in_features]`; both start uniform in `±1/√in_features`.
///
/// ```
/// use taper_nn::{Forward, Linear};
/// use taper_tensor::Tensor;
/// let layer = Linear::builder(4, 2).bias(false).build();
/// assert_eq!(layer.forward(&Tensor::ones([3, 4])).shape(), [3, 2]);
/// ```
#[derive(Module, Debug)]
#[module(extra_repr = Linear::extra)]
pub struct Linear {
    /// `[out_features, in_features]`.
    pub weight: Parameter,
    /// `[out_features]`.
    pub bias: Option<Parameter>,
}

builder! {
    LinearOptions => Linear(in_features: usize, out_features: usize) {
        /// Whether a bias is added; true by default.
        bias: bool = true,
    }
}

/// A weight drawn as PyTorch's dense and convolution layers draw it, then the bias of so many outputs.
#[track_caller]
pub(super) fn draw(shape: &[usize], bias: Option<usize>) -> (Parameter, Option<Parameter>) {
    let weight = Parameter::new(Tensor::empty(shape));
    kaiming_uniform_(&weight, FanMode::FanIn, Nonlinearity::LeakyRelu(5f64.sqrt()));
    let bias = bias.map(|outputs| {
        let bias = Parameter::new(Tensor::zeros(outputs));
        let fan_in: usize = shape[1..].iter().product();
        if fan_in > 0 {
            let bound = 1.0 / (fan_in as f64).sqrt();
            uniform_(&bias, -bound, bound);
        }
        bias
    });
    (weight, bias)
}

impl Linear {
    #[track_caller]
    fn from_options(o: LinearOptions) -> Self {
        let (weight, bias) = draw(&[o.out_features, o.in_features], o.bias.then_some(o.out_features));
        Linear { weight, bias }
    }

    fn extra(&self) -> String {
        let shape = self.weight.shape();
        format!("in_features={}, out_features={}, bias={}", shape[1], shape[0], truth(self.bias.is_some()))
    }

    fn misfit(&self, x: &Tensor) -> Result<(), String> {
        let weight = self.weight.value();
        if x.ndim() > 0 && x.size(-1) == weight.shape()[1] && x.dtype() == weight.dtype() {
            return Ok(());
        }
        Err(format!(
            "{self}: expected an input [..., {}] of {}, got shape {:?} of {} (the weight has shape {:?})",
            weight.shape()[1],
            weight.dtype(),
            x.shape(),
            x.dtype(),
            weight.shape()
        ))
    }
}

forward! { Linear, check |self, x| self.misfit(x), |self, x| {
    x.linear(&self.weight, self.bias.as_ref().map(|b| b.as_tensor()).as_deref())
} }
