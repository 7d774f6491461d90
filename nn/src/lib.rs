//! Modules, layers, losses and initialisation.
//!
//! [`Module`] is what a model holds, [`Forward`] what it computes; layers carry PyTorch's names,
//! defaults, initial values and state-dict keys.
#![forbid(unsafe_code)]

// The derive macro names this crate from inside it, too.
extern crate self as taper_nn;

mod module;
mod parameter;
mod state;

pub use module::{Field, Forward, Module, Slot, Visitor};
pub use parameter::{Buffer, Parameter, Training};
pub use state::{LoadError, LoadReport, Mismatch};
pub use taper_nn_derive::Module;
