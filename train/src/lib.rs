//! What a training loop shows and keeps.
//!
//! - [`Progress`]: a bar on a terminal, silence elsewhere.
//! - [`Mean`], [`Accuracy`]: running metrics of an epoch.
//! - [`plot`]: curves, scatter plots, decision regions, confusion matrices and sheets of pictures, as SVG and PNG.

#![forbid(unsafe_code)]

mod metrics;
pub mod plot;
mod progress;

pub use metrics::{Accuracy, Mean};
pub use plot::{Heatmap, Image, ImageGrid, Panel, Plot, figure, save_figure};
pub use progress::Progress;
