//! `autograd::gradcheck` and `gradgradcheck` on tensors.

use crate::tensor::Tensor;
use taper_autograd::Differentiable;

impl Differentiable for Tensor {
    fn to_f64s(&self) -> Vec<f64> {
        self.to_vec()
    }
    fn from_f64s_like(&self, elements: &[f64]) -> Self {
        Tensor::from_slice(elements, self.shape()).to_dtype(self.dtype()).to_device(self.device())
    }
}
