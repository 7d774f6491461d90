//! Gather and scatter, sort, random numbers and optimizers against plain loops and PyTorch's numbers.

mod index;
#[path = "../products/operand.rs"]
#[allow(dead_code, reason = "shared with another test")]
mod operand;
mod optimizer;
mod random;
mod sort;
