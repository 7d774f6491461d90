//! Dropout.

use super::forward;
use crate::functional as F;
use crate::options::builder;
use crate::parameter::Training;
use crate::python::float;
use taper_nn_derive::Module;

/// While training, each element becomes 0 with probability `p` and the others grow by `1/(1 − p)`; the
/// input itself in evaluation.
#[derive(Module, Debug)]
#[module(extra_repr = Dropout::extra)]
pub struct Dropout {
    p: f64,
    training: Training,
}

builder! {
    DropoutOptions => Dropout(p: f64) {}
}

impl Dropout {
    #[track_caller]
    fn from_options(o: DropoutOptions) -> Self {
        assert!((0.0..=1.0).contains(&o.p), "Dropout: expected a probability from 0 to 1, got {}", o.p);
        Dropout { p: o.p, training: Training::new() }
    }
    fn extra(&self) -> String {
        format!("p={}, inplace=False", float(self.p))
    }
}

impl Default for Dropout {
    /// PyTorch's: one half.
    fn default() -> Self {
        Dropout::new(0.5)
    }
}
forward! { Dropout, |self, x| F::dropout(x, self.p, self.training.get()) }
