//! Losses as modules: the options held, [`functional`](crate::functional) called.
//!
//! ```
//! use taper_nn::{L1Loss, Reduction};
//! use taper_tensor::tensor;
//! let (x, y) = (tensor([1.0, 2.0]), tensor([0.0, 4.0]));
//! assert_eq!(L1Loss::new().forward(&x, &y).item(), 1.5);
//! let sum = L1Loss::builder().reduction(Reduction::Sum).build();
//! assert_eq!(sum.forward(&x, &y).item(), 3.0);
//! ```

use crate::functional as F;
use crate::options::builder;
use taper_nn_derive::Module;
use taper_tensor::Tensor;

/// How the losses of elements become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reduction {
    /// Their mean (for classes: weighted by the classes' weights).
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Not at all.
    None,
}

/// How the losses of [`KLDivLoss`] become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KLReduction {
    /// The mean over all elements, which is not the divergence.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// The sum divided by the size of dimension 0: the divergence.
    BatchMean,
    /// Not at all.
    None,
}

macro_rules! losses {
    ($(
        $(#[$doc:meta])*
        $loss:ident, $options:ident, $function:ident {
            $($(#[$fdoc:meta])* $field:ident: $t:ty $(as $from:ty)? = $default:expr,)*
        }
    )*) => { $(
        $(#[$doc])*
        #[derive(Module, Clone, Debug)]
        pub struct $loss {
            #[module(skip)]
            options: $options,
        }
        builder! {
            $options => $loss() {
                $($(#[$fdoc])* $field: $t $(as $from)? = $default,)*
            }
        }
        impl $loss {
            fn from_options(options: $options) -> Self {
                $loss { options }
            }
            /// The loss of an input for a target.
            #[track_caller]
            pub fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
                F::$function(input, target, &self.options)
            }
        }
    )* };
}

losses! {
    /// `(input − target)²`.
    MSELoss, MSELossOptions, mse_loss_with {
        /// Mean by default.
        reduction: Reduction = Reduction::Mean,
    }
    /// `|input − target|`.
    L1Loss, L1LossOptions, l1_loss_with {
        /// Mean by default.
        reduction: Reduction = Reduction::Mean,
    }
    /// `d²/(2·beta)` where `|d| < beta`, else `|d| − beta/2`, with `d = input − target`.
    SmoothL1Loss, SmoothL1LossOptions, smooth_l1_loss_with {
        /// Mean by default.
        reduction: Reduction = Reduction::Mean,
        /// Where the parabola ends; 1 by default.
        beta: f64 = 1.0,
    }
    /// `d²/2` where `|d| < delta`, else `delta·(|d| − delta/2)`, with `d = input − target`.
    HuberLoss, HuberLossOptions, huber_loss_with {
        /// Mean by default.
        reduction: Reduction = Reduction::Mean,
        /// Where the parabola ends; 1 by default.
        delta: f64 = 1.0,
    }
    /// `−ln softmax(scores)[class]`; see [`cross_entropy`](crate::functional::cross_entropy) for the shapes.
    CrossEntropyLoss, CrossEntropyLossOptions, cross_entropy_with {
        /// Mean by default.
        reduction: Reduction = Reduction::Mean,
        /// A weight for each class, `[C]`.
        weight: Option<Tensor> as impl Into<Option<Tensor>> = None,
        /// Targets of this class have no loss; −100 by default.
        ignore_index: i64 = -100,
        /// The share of the target's probability that is spread over all classes; 0 by default.
        label_smoothing: f64 = 0.0,
    }
    /// `−logs[class]` for logarithms of probabilities, as [`LogSoftmax`](crate::LogSoftmax) gives them.
    NLLLoss, NLLLossOptions, nll_loss_with {
        /// Mean by default.
        reduction: Reduction = Reduction::Mean,
        /// A weight for each class, `[C]`.
        weight: Option<Tensor> as impl Into<Option<Tensor>> = None,
        /// Targets of this class have no loss; −100 by default.
        ignore_index: i64 = -100,
    }
    /// `−(t·ln p + (1 − t)·ln(1 − p))` for probabilities `p`.
    BCELoss, BCELossOptions, binary_cross_entropy_with {
        /// Mean by default.
        reduction: Reduction = Reduction::Mean,
        /// Weights that broadcast to the losses.
        weight: Option<Tensor> as impl Into<Option<Tensor>> = None,
    }
    /// [`BCELoss`] of `sigmoid(input)`, stable for any score.
    BCEWithLogitsLoss, BCEWithLogitsLossOptions, binary_cross_entropy_with_logits_with {
        /// Mean by default.
        reduction: Reduction = Reduction::Mean,
        /// Weights that broadcast to the losses.
        weight: Option<Tensor> as impl Into<Option<Tensor>> = None,
        /// Weights of the answer yes, broadcasting to the input.
        pos_weight: Option<Tensor> as impl Into<Option<Tensor>> = None,
    }
    /// `t·(ln t − input)` for an input of logarithms of probabilities.
    KLDivLoss, KLDivLossOptions, kl_div_with {
        /// Mean by default; [`KLReduction::BatchMean`] gives the divergence.
        reduction: KLReduction = KLReduction::Mean,
        /// Whether the target is logarithms, too; false by default.
        log_target: bool = false,
    }
}
