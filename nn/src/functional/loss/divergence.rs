//! Distance of distributions.

use super::{check_target, reduce};
use crate::loss::{KLDivLoss, KLDivLossOptions, KLReduction, Reduction};
use taper_tensor::Tensor;

/// Mean of `t·(ln t − input)`: the input is logarithms of probabilities, the target probabilities. For the
/// divergence itself reduce by [`KLReduction::BatchMean`].
#[track_caller]
pub fn kl_div(input: &Tensor, target: &Tensor) -> Tensor {
    kl_div_with(input, target, &KLDivLoss::builder())
}

/// [`kl_div`] with options.
///
/// # Panics
/// Where shapes differ.
#[track_caller]
pub fn kl_div_with(input: &Tensor, target: &Tensor, options: &KLDivLossOptions) -> Tensor {
    check_target("kl_div", input, target);
    let losses = if options.log_target {
        target.exp() * (target - input)
    } else {
        // 0·ln 0 = 0.
        let zero = target.eq(0.0);
        let entropy = Tensor::where_(&zero, 0.0, target * target.masked_fill(&zero, 1.0).ln());
        entropy - target * input
    };
    match options.reduction {
        KLReduction::Mean => reduce(losses, Reduction::Mean),
        KLReduction::Sum => reduce(losses, Reduction::Sum),
        KLReduction::None => losses,
        KLReduction::BatchMean => reduce(losses, Reduction::Sum) / input.size(0) as f64,
    }
}
