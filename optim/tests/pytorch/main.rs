//! Optimizers, clipping and schedulers against numbers of real PyTorch (`tests/fixtures`), and what state
//! dicts promise.

mod clip;
mod fixture;
mod made;
mod options;
mod schedulers;
mod state;
mod trajectories;
