//! Modules, layers, losses and initialisation.
//!
//! [`Module`] is what a model holds, [`Forward`] what it computes; layers carry PyTorch's names,
//! defaults, initial values and state-dict keys. `Layer::new` takes what PyTorch requires, and
//! `Layer::builder` its options, too: `Conv2d::builder(1, 32, 3).padding(1).build()`.
#![forbid(unsafe_code)]

// The derive macro names this crate from inside it, too.
extern crate self as taper_nn;

pub mod functional;
pub mod init;
mod layers;
pub mod loss;
mod module;
mod options;
mod parameter;
mod python;
mod recorder;
mod repr;
mod state;
mod summary;

pub use layers::*;
pub use loss::*;
pub use module::{Field, Forward, Module, Slot, Visitor};
pub use parameter::{Buffer, Parameter, Training};
pub use repr::repr;
pub use state::{LoadError, LoadReport, Mismatch};
pub use summary::{LayerSummary, Summary, summary, summary_of};
pub use taper_nn_derive::Module;
