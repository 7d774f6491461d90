//! Losses of yes-or-no answers.

use super::super::logsigmoid;
use super::{check_target, reduce};
use crate::loss::{BCELoss, BCELossOptions, BCEWithLogitsLoss, BCEWithLogitsLossOptions};
use taper_tensor::autograd::op;
use taper_tensor::{Device, Tensor};

/// Mean of `−(t·ln p + (1 − t)·ln(1 − p))` for probabilities `p`; logarithms are not below −100.
#[track_caller]
pub fn binary_cross_entropy(input: &Tensor, target: &Tensor) -> Tensor {
    binary_cross_entropy_with(input, target, &BCELoss::builder())
}

/// [`binary_cross_entropy`] with options.
///
/// # Panics
/// For an input outside of `[0, 1]` (on the CPU), and where shapes differ.
#[track_caller]
pub fn binary_cross_entropy_with(input: &Tensor, target: &Tensor, options: &BCELossOptions) -> Tensor {
    let name = "binary_cross_entropy";
    check_target(name, input, target);
    let (p, t) = (input.detach(), target.detach());
    // On another device the host would have to wait for it; what is no probability is NaN or capped there.
    let valid = p.device() != Device::Cpu || p.ge(0.0).logical_and(p.le(1.0)).all().item() != 0.0;
    assert!(
        valid,
        "{name}: the input must be probabilities from 0 to 1; for scores use binary_cross_entropy_with_logits"
    );
    let log = |x: Tensor| x.clamp(-100.0, None);
    let value = (&t - 1.0) * log((-&p).log1p()) - &t * log(p.ln());
    let losses = op(name, value)
        .wrt(input, || {
            let (p, t) = (input.clone(), target.clone());
            move |g: &Tensor| g * (&p - &t) / ((1.0 - &p) * &p).clamp(1e-12, None)
        })
        .wrt(target, || {
            let p = input.clone();
            move |g: &Tensor| g * ((-&p).log1p() - p.ln())
        })
        .done();
    reduce(weighted(losses, options.weight.as_ref()), options.reduction)
}

/// [`binary_cross_entropy`] of `sigmoid(input)`, stable for any score.
#[track_caller]
pub fn binary_cross_entropy_with_logits(input: &Tensor, target: &Tensor) -> Tensor {
    binary_cross_entropy_with_logits_with(input, target, &BCEWithLogitsLoss::builder())
}

/// [`binary_cross_entropy_with_logits`] with options.
///
/// # Panics
/// Where shapes differ.
#[track_caller]
pub fn binary_cross_entropy_with_logits_with(
    input: &Tensor,
    target: &Tensor,
    options: &BCEWithLogitsLossOptions,
) -> Tensor {
    check_target("binary_cross_entropy_with_logits", input, target);
    let yes = logsigmoid(input);
    let yes = match &options.pos_weight {
        Some(w) => yes * ((w - 1.0) * target + 1.0),
        None => yes,
    };
    let losses = (1.0 - target) * input - yes;
    reduce(weighted(losses, options.weight.as_ref()), options.reduction)
}

#[track_caller]
fn weighted(losses: Tensor, weight: Option<&Tensor>) -> Tensor {
    match weight {
        Some(w) => losses * w,
        None => losses,
    }
}
