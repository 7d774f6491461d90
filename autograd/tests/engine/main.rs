//! Tests of the engine on two small value types: the crate's `Scalar`, and a broadcasting vector.

mod anomaly;
mod backward;
mod deep;
mod errors;
mod functional;
mod gradcheck;
mod hooks;
mod modes;
mod panics;
mod programs;
mod rules;
mod threads;
mod trace;
mod vector;

use taper_autograd::scalar::Scalar;
use taper_autograd::{BackwardOptions, backward, try_grad};

const FREE: BackwardOptions = BackwardOptions { retain_graph: false, create_graph: false };
const RETAIN: BackwardOptions = BackwardOptions { retain_graph: true, create_graph: false };
const CREATE: BackwardOptions = BackwardOptions { retain_graph: false, create_graph: true };

fn leaves<const N: usize>(values: [f64; N]) -> [Scalar; N] {
    values.map(Scalar::leaf)
}

fn grad_of(x: &Scalar) -> f64 {
    x.grad().expect("has a gradient").item()
}

fn backward_with(root: &Scalar, seed: f64, options: BackwardOptions) {
    backward(root, Some(Scalar::new(seed)), options);
}

/// The derivative of `y` in `x`.
fn derivative(y: &Scalar, x: &Scalar, options: BackwardOptions) -> Scalar {
    let (y, x) = (std::slice::from_ref(y), std::slice::from_ref(x));
    try_grad(y, x, None, options, false).unwrap().remove(0).unwrap()
}
