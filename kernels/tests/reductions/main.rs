//! Kernels that run along axes: reductions, scans, softmax, norms.

#[path = "../products/operand.rs"]
#[allow(dead_code, reason = "shared with the products' tests")]
mod operand;
mod sums;
