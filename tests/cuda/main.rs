//! What a user of a CUDA device sees: moves, errors, files, training.
//!
//! Needs a driver, a device's or the emulator's: `cargo xtask cuda test` (which also runs the op table, the layers'
//! and the optimizers' fixtures on it). Without one each test says so and passes; with `TAPER_CUDA_REQUIRED=1` it
//! fails.
#![cfg(feature = "cuda")]

mod counts;
mod devices;
mod errors;
mod files;
mod moves;
mod random;
mod refused;
mod tensors;
mod threads;
mod training;

use taper::Device;

/// The device under test, or `None` where there is none and none is asked for.
fn device() -> Option<Device> {
    match Device::cuda(0) {
        Ok(device) => Some(device),
        Err(e) if std::env::var_os("TAPER_CUDA_REQUIRED").is_some() => panic!("{e}"),
        Err(e) => {
            eprintln!("!!! SKIPPED: {e} (cargo xtask cuda test runs this on an emulator)");
            None
        }
    }
}

/// Tests that count the device's work, or that make it fail, run alone; the others beside each other.
static ALONE: std::sync::RwLock<()> = std::sync::RwLock::new(());
