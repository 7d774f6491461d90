//! What a training loop shows and keeps.
//!
//! - [`Checkpoint`]: everything that a killed run needs to go on, bit for bit.
//! - [`Progress`]: a bar on a terminal, silence elsewhere.
//! - [`Mean`], [`Accuracy`], [`ConfusionMatrix`]: running metrics of an epoch.
//! - [`History`]: named series over all epochs; CSV, JSONL and curves.
//! - [`EarlyStopping`]: when to stop, and the best weights.
//! - [`plot`]: curves, scatter plots, decision regions, heat maps and sheets of pictures, as SVG and PNG.
//!
//! What has a state is [`Stateful`](taper_tensor::Stateful): it goes into a checkpoint and on from there.

#![forbid(unsafe_code)]

mod checkpoint;
mod confusion;
mod early_stopping;
mod history;
mod metrics;
pub mod plot;
mod progress;
mod state;

pub use checkpoint::{Checkpoint, CheckpointError, FromState, Saved};
pub use confusion::ConfusionMatrix;
pub use early_stopping::{EarlyStopping, Mode};
pub use history::History;
pub use metrics::{Accuracy, Mean};
pub use plot::{Heatmap, Image, ImageGrid, Panel, Plot, figure, save_figure};
pub use progress::Progress;
