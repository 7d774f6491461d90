//! The CUDA backend against the CPU's kernels: every family, over dtypes, strides and odd sizes.
//!
//! Needs a driver, a device's or the emulator's (`cargo xtask cuda test` builds that and runs this). Without
//! one each test says so and passes; with `TAPER_CUDA_REQUIRED=1` it fails.
#![cfg(feature = "cuda")]

mod copy;
mod device;
mod elementwise;
mod reduce;
mod support;
