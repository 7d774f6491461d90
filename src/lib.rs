//! taper: a tensor and autograd engine, written from scratch, that reads like PyTorch.
//!
//! This crate is the façade: it re-exports the crates below it and has no logic of its own.
//! `use taper::prelude::*;` brings what most programs need.
#![forbid(unsafe_code)]

pub use taper_autograd as autograd;
pub use taper_data as data;
pub use taper_io as io;
pub use taper_io::{LoadOptions, SaveOptions, load, load_state_dict, load_with, save, save_with};
pub use taper_kernels as kernels;
pub use taper_nn as nn;
pub use taper_optim as optim;
pub use taper_tensor::*;
pub use taper_train as train;

/// What most programs need: `use taper::prelude::*;`.
pub mod prelude {
    pub use taper_autograd::{enable_grad, inference_mode, no_grad, set_grad_enabled};
    pub use taper_data::{DataLoader, Dataset, TensorDataset, random_split};
    pub use taper_nn::{self as nn, Forward, Module, Parameter, functional as F};
    pub use taper_optim::{self as optim, Optimizer, lr_scheduler::LrScheduler};
    pub use taper_tensor::{DType, Device, StateDict, Stateful, Tensor, manual_seed, tensor};
}

/// The README's program is a doc-test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
