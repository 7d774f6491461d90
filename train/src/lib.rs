//! What a training loop shows and keeps.
//!
//! - [`Progress`]: a bar on a terminal, silence elsewhere.
//! - [`Mean`], [`Accuracy`]: running metrics of an epoch.

#![forbid(unsafe_code)]

mod metrics;
mod progress;

pub use metrics::{Accuracy, Mean};
pub use progress::Progress;
