//! The CUDA backend against the CPU's kernels: every family, over dtypes, strides and odd sizes.
//!
//! Needs a driver, a device's or the emulator's (`cargo xtask cuda test` builds that and runs this). Without
//! one each test says so and passes; with `TAPER_CUDA_REQUIRED=1` it fails.
#![cfg(feature = "cuda")]

mod both;
mod conv;
mod copy;
mod counts;
mod device;
mod elementwise;
mod gemm;
mod index;
mod long;
#[path = "../products/operand.rs"]
#[allow(dead_code, reason = "shared with another test")]
mod operand;
mod optimizer;
mod pool;
mod random;
mod reduce;
mod rows;
mod sort;
mod support;
