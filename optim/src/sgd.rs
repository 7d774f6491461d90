//! Stochastic gradient descent.

use crate::optimizer::{Algorithm, Optim, Slots, run};
use crate::options::{not_negative, options};
use taper_tensor::kernels::OptimizerOp;
use taper_tensor::{State, Tensor};

const NESTEROV: &str = "nesterov needs a momentum and zero dampening";

options! {
    /// Options of [`SGD`], with PyTorch's defaults.
    SGDOptions {
        /// Learning rate.
        lr: f64 = 1e-3,
        /// Share of the last step that is kept.
        momentum: f64 = 0.0,
        /// Dampens what enters the momentum.
        dampening: f64 = 0.0,
        /// L2 penalty, added to the gradient.
        weight_decay: f64 = 0.0,
        /// Looks ahead along the momentum; needs momentum and no dampening.
        nesterov: bool = false,
        /// Ascends instead of descending.
        maximize: bool = false,
    }
    fixed { "foreach": State::None, "differentiable": State::Bool(false), "fused": State::None, }
    momentum(o) Some(&mut o.momentum);
    valid(o) {
        if o.nesterov && (o.momentum <= 0.0 || o.dampening != 0.0) {
            return Err(NESTEROV.into());
        }
        not_negative(&[("learning rate", o.lr), ("momentum", o.momentum), ("weight_decay", o.weight_decay)])
    };
}

/// The rule of [`SGD`].
pub struct SgdRule;

/// Stochastic gradient descent with momentum (`torch.optim.SGD`):
/// `b ← momentum·b + (1 − dampening)·g` (the first time `b ← g`), `p ← p − lr·b`, or
/// `p ← p − lr·(g + momentum·b)` with `nesterov`.
///
/// Source: Sutskever et al., *On the importance of initialization and momentum in deep learning*, 2013.
pub type SGD = Optim<SgdRule>;

impl Algorithm for SgdRule {
    const NAME: &'static str = "SGD";
    const SLOTS: &'static [&'static str] = &["momentum_buffer"];
    const COUNTS_STEPS: bool = false;
    type Options = SGDOptions;

    fn init(_: &SGDOptions, _: &Tensor) -> Vec<Option<Tensor>> {
        vec![None]
    }

    #[track_caller]
    fn update(o: &SGDOptions, param: &mut Tensor, grad: &Tensor, slots: &mut Slots) {
        assert!(!o.nesterov || (o.momentum > 0.0 && o.dampening == 0.0), "SGD: {NESTEROV}");
        let first = slots.tensors[0].is_none();
        if o.momentum != 0.0 && first {
            slots.tensors[0] = Some(param.detach().zeros_like());
        }
        let op = OptimizerOp::Sgd {
            lr: o.lr,
            momentum: o.momentum,
            dampening: o.dampening,
            weight_decay: o.weight_decay,
            nesterov: o.nesterov,
            maximize: o.maximize,
            first,
            buffer: slots.tensors[0].as_mut().filter(|_| o.momentum != 0.0).map(Tensor::as_view_mut),
        };
        run("SGD", param, grad, op);
    }
}
