//! What a training loop shows and keeps.
//!
//! - [`Progress`]: a bar on a terminal, silence elsewhere.
//! - [`Mean`], [`Accuracy`]: running metrics of an epoch.
//! - [`Plot`]: line charts as SVG.

#![forbid(unsafe_code)]

mod metrics;
mod plot;
mod progress;

pub use metrics::{Accuracy, Mean};
pub use plot::{Plot, figure, save_figure};
pub use progress::Progress;
