//! RMSprop.

use crate::optimizer::{Algorithm, Optim, Slots, run};
use crate::options::{not_negative, options};
use taper_tensor::kernels::OptimizerOp;
use taper_tensor::{State, Tensor};

options! {
    /// Options of [`RMSprop`], with PyTorch's defaults.
    RMSpropOptions {
        /// Learning rate.
        lr: f64 = 1e-2,
        /// Share of the last step that is kept.
        momentum: f64 = 0.0,
        /// Decay of the running mean of the squared gradient.
        alpha: f64 = 0.99,
        /// Added to the denominator.
        eps: f64 = 1e-8,
        /// Divides by the deviation from the mean instead of the root mean square.
        centered: bool = false,
        /// L2 penalty, added to the gradient.
        weight_decay: f64 = 0.0,
        /// Ascends instead of descending.
        maximize: bool = false,
    }
    fixed { "capturable": State::Bool(false), "foreach": State::None, "differentiable": State::Bool(false), }
    momentum(o) Some(&mut o.momentum);
    valid(o) not_negative(&[
        ("learning rate", o.lr), ("epsilon", o.eps), ("momentum", o.momentum), ("weight_decay", o.weight_decay),
        ("alpha", o.alpha),
    ]);
}

/// The rule of [`RMSprop`].
pub struct RmsPropRule;

/// `torch.optim.RMSprop`: `v ← α·v + (1 − α)·g²`, `p ← p − lr·g/(√v + eps)`, with momentum
/// `b ← momentum·b + g/(√v + eps)`, `p ← p − lr·b`; `centered` subtracts the squared mean from `v`.
///
/// Source: Hinton, *Neural Networks for Machine Learning*, lecture 6e; centered: Graves, 2013.
pub type RMSprop = Optim<RmsPropRule>;

impl Algorithm for RmsPropRule {
    const NAME: &'static str = "RMSprop";
    const SLOTS: &'static [&'static str] = &["square_avg", "momentum_buffer", "grad_avg"];
    const COUNTS_STEPS: bool = true;
    type Options = RMSpropOptions;

    fn init(o: &RMSpropOptions, param: &Tensor) -> Vec<Option<Tensor>> {
        let zeros = || param.zeros_like();
        vec![Some(zeros()), (o.momentum > 0.0).then(zeros), o.centered.then(zeros)]
    }

    #[track_caller]
    fn update(o: &RMSpropOptions, param: &mut Tensor, grad: &Tensor, slots: &mut Slots) {
        let fresh = || param.detach().zeros_like();
        let [square, buffer, mean] = &mut slots.tensors[..] else { unreachable!("three slots") };
        let optional = |slot: &mut Option<Tensor>, wanted: bool| {
            if wanted && slot.is_none() {
                *slot = Some(fresh());
            }
        };
        optional(buffer, o.momentum > 0.0);
        optional(mean, o.centered);
        let op = OptimizerOp::RmsProp {
            lr: o.lr,
            alpha: o.alpha,
            eps: o.eps,
            weight_decay: o.weight_decay,
            momentum: o.momentum,
            maximize: o.maximize,
            square_avg: square.get_or_insert_with(fresh).as_view_mut(),
            grad_avg: mean.as_mut().filter(|_| o.centered).map(Tensor::as_view_mut),
            buffer: buffer.as_mut().filter(|_| o.momentum > 0.0).map(Tensor::as_view_mut),
        };
        run("RMSprop", param, grad, op);
    }
}
