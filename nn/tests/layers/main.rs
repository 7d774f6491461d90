//! Layers and losses: against real PyTorch, by finite differences, and as parts of models.

#[path = "../common/build.rs"]
mod build;
#[path = "../common/fixture.rs"]
mod fixture;

mod display;
mod errors;
mod gradients;
mod models;
mod pytorch;
mod summary;
