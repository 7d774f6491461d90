//! Optimizers over parameter groups, learning-rate schedulers and gradient clipping, with PyTorch's
//! names, defaults, formulas and state dicts.
#![forbid(unsafe_code)]

mod adagrad;
mod adam;
mod clip;
pub mod lr_scheduler;
mod optimizer;
mod options;
mod rmsprop;
mod sgd;

pub use adagrad::{Adagrad, AdagradOptions};
pub use adam::{Adam, AdamOptions, AdamW, AdamWOptions};
pub use clip::{clip_grad_norm_, clip_grad_value_};
pub use optimizer::{Algorithm, Group, Hyper, Optim, Optimizer, Slots};
pub use rmsprop::{RMSprop, RMSpropOptions};
pub use sgd::{SGD, SGDOptions};
