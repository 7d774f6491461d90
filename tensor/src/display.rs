//! How tensors print.

use crate::tensor::Tensor;
use std::fmt;
use taper_autograd::Value;

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tensor({}, {:?})", self.meta(), self.to_vec::<f64>())
    }
}
