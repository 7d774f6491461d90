//! Adagrad.

use crate::optimizer::{Algorithm, Optim, Slots, run};
use crate::options::{not_negative, options};
use taper_tensor::kernels::OptimizerOp;
use taper_tensor::{State, Tensor};

options! {
    /// Options of [`Adagrad`], with PyTorch's defaults.
    AdagradOptions {
        /// Learning rate.
        lr: f64 = 1e-2,
        /// The learning rate of step `t` is `lr/(1 + (t − 1)·lr_decay)`.
        lr_decay: f64 = 0.0,
        /// Added to the denominator.
        eps: f64 = 1e-10,
        /// L2 penalty, added to the gradient.
        weight_decay: f64 = 0.0,
        /// Where the sum of squares starts.
        initial_accumulator_value: f64 = 0.0,
        /// Ascends instead of descending.
        maximize: bool = false,
    }
    fixed { "foreach": State::None, "differentiable": State::Bool(false), "fused": State::None, }
    momentum(_o) None;
    valid(o) not_negative(&[
        ("learning rate", o.lr), ("lr_decay", o.lr_decay), ("weight_decay", o.weight_decay),
        ("initial_accumulator_value", o.initial_accumulator_value), ("epsilon", o.eps),
    ]);
}

/// The rule of [`Adagrad`].
pub struct AdagradRule;

/// `torch.optim.Adagrad`: `s ← s + g²`, `p ← p − lr/(1 + (t − 1)·lr_decay) · g/(√s + eps)`.
///
/// Source: Duchi, Hazan and Singer, *Adaptive Subgradient Methods*, 2011.
pub type Adagrad = Optim<AdagradRule>;

impl Algorithm for AdagradRule {
    const NAME: &'static str = "Adagrad";
    const SLOTS: &'static [&'static str] = &["sum"];
    const COUNTS_STEPS: bool = true;
    const EAGER: bool = true;
    type Options = AdagradOptions;

    fn init(o: &AdagradOptions, param: &Tensor) -> Vec<Option<Tensor>> {
        vec![Some(param.full_like(o.initial_accumulator_value))]
    }

    #[track_caller]
    fn update(o: &AdagradOptions, param: &mut Tensor, grad: &Tensor, slots: &mut Slots) {
        let sum =
            slots.tensors[0].get_or_insert_with(|| param.detach().full_like(o.initial_accumulator_value));
        let op = OptimizerOp::Adagrad {
            lr: o.lr,
            lr_decay: o.lr_decay,
            eps: o.eps,
            weight_decay: o.weight_decay,
            maximize: o.maximize,
            step: slots.step,
            sum: sum.as_view_mut(),
        };
        run("Adagrad", param, grad, op);
    }
}
