//! Adam and AdamW.

use crate::optimizer::{Algorithm, Optim, Slots, run};
use crate::options::{not_negative, options};
use taper_tensor::kernels::OptimizerOp;
use taper_tensor::{State, Tensor};

/// The options of both differ in one default and one fixed entry.
macro_rules! adam {
    ($options:ident, $rule:ident, $optimizer:ident, $name:literal, weight_decay: $decay:expr, decoupled: $decoupled:expr, $what:literal, $source:literal) => {
        options! {
            #[doc = concat!("Options of [`", $name, "`], with PyTorch's defaults.")]
            $options {
                /// Learning rate.
                lr: f64 = 1e-3,
                /// Decay of the running means of the gradient and of its square.
                betas: (f64, f64) = (0.9, 0.999),
                /// Added to the denominator.
                eps: f64 = 1e-8,
                #[doc = $what]
                weight_decay: f64 = $decay,
                /// Divides by the largest second moment seen so far.
                amsgrad: bool = false,
                /// Ascends instead of descending.
                maximize: bool = false,
            }
            fixed {
                "foreach": State::None, "capturable": State::Bool(false), "differentiable": State::Bool(false),
                "fused": State::None, "decoupled_weight_decay": State::Bool($decoupled),
            }
            momentum(o) Some(&mut o.betas.0);
            valid(o) {
                for (i, beta) in [o.betas.0, o.betas.1].into_iter().enumerate() {
                    if !(0.0..1.0).contains(&beta) {
                        return Err(format!("invalid beta parameter at index {i}: {beta}"));
                    }
                }
                not_negative(&[("learning rate", o.lr), ("epsilon", o.eps), ("weight_decay", o.weight_decay)])
            };
        }

        #[doc = concat!("The rule of [`", $name, "`].")]
        pub struct $rule;

        #[doc = concat!("`torch.optim.", $name, "`: `m ← β₁·m + (1 − β₁)·g`, `v ← β₂·v + (1 − β₂)·g²`,")]
        /// `p ← p − lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + eps)`.
        ///
        #[doc = $what]
        ///
        #[doc = $source]
        pub type $optimizer = Optim<$rule>;

        impl Algorithm for $rule {
            const NAME: &'static str = $name;
            const SLOTS: &'static [&'static str] = &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
            const COUNTS_STEPS: bool = true;
            type Options = $options;

            fn init(o: &$options, param: &Tensor) -> Vec<Option<Tensor>> {
                vec![Some(param.zeros_like()), Some(param.zeros_like()), o.amsgrad.then(|| param.zeros_like())]
            }

            #[track_caller]
            fn update(o: &$options, param: &mut Tensor, grad: &Tensor, slots: &mut Slots) {
                let step = slots.step;
                let [m, v, max] = &mut slots.tensors[..] else { unreachable!("three slots") };
                let fresh = || param.detach().zeros_like();
                if o.amsgrad && max.is_none() {
                    *max = Some(fresh());
                }
                let op = OptimizerOp::Adam {
                    lr: o.lr,
                    beta1: o.betas.0,
                    beta2: o.betas.1,
                    eps: o.eps,
                    weight_decay: o.weight_decay,
                    decoupled: $decoupled,
                    maximize: o.maximize,
                    step,
                    exp_avg: m.get_or_insert_with(fresh).as_view_mut(),
                    exp_avg_sq: v.get_or_insert_with(fresh).as_view_mut(),
                    max_exp_avg_sq: max.as_mut().filter(|_| o.amsgrad).map(Tensor::as_view_mut),
                };
                run($name, param, grad, op);
            }
        }
    };
}

adam!(AdamOptions, AdamRule, Adam, "Adam", weight_decay: 0.0, decoupled: false,
    "Weight decay is an L2 penalty, added to the gradient (default 0).",
    "Source: Kingma and Ba, *Adam: A Method for Stochastic Optimization*, 2015; amsgrad: Reddi et al., 2018.");
adam!(AdamWOptions, AdamWRule, AdamW, "AdamW", weight_decay: 1e-2, decoupled: true,
    "Weight decay shrinks the parameter itself, `p ← p·(1 − lr·weight_decay)` before the step (default 0.01).",
    "Source: Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, 2019.");
