//! Losses of distances.

use super::{check_target, reduce};
use crate::loss::{HuberLoss, L1Loss, MSELoss, SmoothL1Loss};
use crate::loss::{HuberLossOptions, L1LossOptions, MSELossOptions, SmoothL1LossOptions};
use taper_tensor::Tensor;
use taper_tensor::autograd::op;

/// Mean of `(input − target)²`.
#[track_caller]
pub fn mse_loss(input: &Tensor, target: &Tensor) -> Tensor {
    mse_loss_with(input, target, &MSELoss::builder())
}

/// [`mse_loss`] with options.
#[track_caller]
pub fn mse_loss_with(input: &Tensor, target: &Tensor, options: &MSELossOptions) -> Tensor {
    check_target("mse_loss", input, target);
    reduce((input - target).square(), options.reduction)
}

/// Mean of `|input − target|`.
#[track_caller]
pub fn l1_loss(input: &Tensor, target: &Tensor) -> Tensor {
    l1_loss_with(input, target, &L1Loss::builder())
}

/// [`l1_loss`] with options.
#[track_caller]
pub fn l1_loss_with(input: &Tensor, target: &Tensor, options: &L1LossOptions) -> Tensor {
    check_target("l1_loss", input, target);
    reduce((input - target).abs(), options.reduction)
}

/// Mean of `d²/2` near 0 and `|d| − ½` from 1 on, with `d = input − target`.
#[track_caller]
pub fn smooth_l1_loss(input: &Tensor, target: &Tensor) -> Tensor {
    smooth_l1_loss_with(input, target, &SmoothL1Loss::builder())
}

/// [`smooth_l1_loss`] with options: `d²/(2·beta)` below `beta`, `|d| − beta/2` from there on.
#[track_caller]
pub fn smooth_l1_loss_with(input: &Tensor, target: &Tensor, options: &SmoothL1LossOptions) -> Tensor {
    check_target("smooth_l1_loss", input, target);
    let (d, beta) = (input - target, options.beta);
    assert!(beta >= 0.0, "smooth_l1_loss: expected beta >= 0, got {beta}");
    if beta == 0.0 {
        return reduce(d.abs(), options.reduction);
    }
    let size = d.detach().abs();
    let value = Tensor::where_(&size.lt(beta), &size * 0.5 * &size / beta, &size - 0.5 * beta);
    let rule = || {
        let d = d.clone();
        move |g: &Tensor| g * (&d / beta).clamp(-1.0, 1.0)
    };
    reduce(op("smooth_l1_loss", value).wrt(&d, rule).done(), options.reduction)
}

/// Mean of `d²/2` near 0 and `|d| − ½` from 1 on, with `d = input − target`.
#[track_caller]
pub fn huber_loss(input: &Tensor, target: &Tensor) -> Tensor {
    huber_loss_with(input, target, &HuberLoss::builder())
}

/// [`huber_loss`] with options: `d²/2` up to `delta`, `delta·(|d| − delta/2)` from there on.
#[track_caller]
pub fn huber_loss_with(input: &Tensor, target: &Tensor, options: &HuberLossOptions) -> Tensor {
    check_target("huber_loss", input, target);
    let (d, delta) = (input - target, options.delta);
    assert!(delta > 0.0, "huber_loss: expected delta > 0, got {delta}");
    let size = d.detach().abs();
    let value = Tensor::where_(&size.lt(delta), &size * 0.5 * &size, (&size - 0.5 * delta) * delta);
    let rule = || {
        let d = d.clone();
        move |g: &Tensor| g * d.clamp(-delta, delta)
    };
    reduce(op("huber_loss", value).wrt(&d, rule).done(), options.reduction)
}
