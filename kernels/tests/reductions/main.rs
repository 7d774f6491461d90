//! Kernels that run along axes: reductions, scans, softmax, norms.

mod common;
mod folds;
mod norm;
#[path = "../products/operand.rs"]
#[allow(dead_code, reason = "shared with the products' tests")]
mod operand;
mod scan;
mod softmax;
mod sums;
