//! Losses at the points where their formula changes, element by element.

use crate::case::Case;
use taper::Tensor;
use taper::nn::{self, functional as F};

pub fn run(c: &Case) -> Option<Vec<Tensor>> {
    let none = nn::Reduction::None;
    let arg = |name: &str| c.float(name).unwrap_or(1.0);
    let (x, y) = (c.inputs.first()?, c.maybe(1)?);
    Some(vec![match c.op() {
        "l1_loss" => F::l1_loss_with(x, y, &nn::L1Loss::builder().reduction(none)),
        "mse_loss" => F::mse_loss_with(x, y, &nn::MSELoss::builder().reduction(none)),
        "smooth_l1_loss" => {
            F::smooth_l1_loss_with(x, y, &nn::SmoothL1Loss::builder().beta(arg("beta")).reduction(none))
        }
        "huber_loss" => {
            F::huber_loss_with(x, y, &nn::HuberLoss::builder().delta(arg("delta")).reduction(none))
        }
        _ => return None,
    }])
}
