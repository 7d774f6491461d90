//! Losses: what the modules of [`loss`](crate::loss) compute.

mod binary;
mod classes;
mod divergence;
mod regression;

pub use binary::*;
pub use classes::*;
pub use divergence::*;
pub use regression::*;

use crate::loss::Reduction;
use taper_tensor::Tensor;

/// The losses of elements, reduced.
#[track_caller]
fn reduce(losses: Tensor, reduction: Reduction) -> Tensor {
    match reduction {
        Reduction::Mean => losses.mean(),
        Reduction::Sum => losses.sum(),
        Reduction::None => losses,
    }
}

/// Refuses a target of another shape: broadcasting in a loss is nearly always a mistake.
#[track_caller]
fn check_target(name: &str, input: &Tensor, target: &Tensor) {
    assert!(
        input.shape() == target.shape(),
        "{name}: the input has shape {:?} and the target {:?}; they must be equal (expand one of them if that is meant)",
        input.shape(),
        target.shape()
    );
    assert!(
        input.dtype().is_float() && target.dtype().is_float(),
        "{name}: expected floating-point input and target, got {} and {}; convert the target with to_dtype",
        input.dtype(),
        target.dtype()
    );
}
