//! The tape and the backward walk of taper, generic over the value type.
//!
//! The engine knows no tensor: anything that implements [`Value`] can be differentiated. taper's `Tensor` is one
//! such type, the `f64` of [`scalar`] another, on which the tests and the micrograd example run.
//!
//! ```
//! use taper_autograd::scalar::Scalar;
//!
//! let (w, b) = (Scalar::leaf(0.5), Scalar::leaf(-1.0));
//! let loss = (&w * 3.0 + &b).tanh();
//! loss.backward();
//! let slope = 1.0 - loss.item().powi(2);
//! assert_eq!(w.grad().unwrap().item(), 3.0 * slope);
//! assert_eq!(b.grad().unwrap().item(), slope);
//! ```
//!
//! # How it works
//!
//! An op that has an input requiring grad puts a [`Node`] on the tape: its name, the user's line, the nodes of its
//! inputs, and one rule for each of them that turns the gradient of the output into that of the input. Nodes are
//! owned by the values that need them and numbered in the order of creation. An op's number is higher than its
//! inputs', so [`backward`] only has to take the pending node with the highest number each time: by then everything
//! that used it has been walked and its gradient is complete.
//!
//! Rules are closures written with tracked ops. By default they run with grad mode off and are dropped as the walk
//! goes, and what they saved with them. Under `create_graph` the same rules are recorded, which gives higher
//! derivatives.
//!
//! # Reading order
//!
//! `value.rs` (what the engine asks), `node.rs` (the tape), `op.rs` (how an op gets on it), `rule.rs` (what it leaves
//! there), `backward.rs` (the walk), `grad.rs`; then `mode.rs`, `teardown.rs`, `trace.rs`, `gradcheck.rs`.
#![forbid(unsafe_code)]

mod backward;
mod error;
mod grad;
mod gradcheck;
mod mode;
mod node;
mod op;
mod rule;
pub mod scalar;
mod teardown;
mod trace;
mod value;

pub use backward::{BackwardOptions, backward, backward_all, try_backward, try_backward_all};
pub use error::BackwardError;
pub use grad::{grad, try_grad};
pub use gradcheck::{Differentiable, GradcheckError, GradcheckOptions, Outputs, gradcheck, gradgradcheck};
pub use mode::{
    ModeGuard, detect_anomaly, enable_grad, enable_grad_guard, inference_mode, inference_mode_guard,
    is_anomaly_enabled, is_grad_enabled, is_inference_mode_enabled, no_grad, no_grad_guard, set_grad_enabled,
};
pub use node::{HookHandle, Node};
pub use op::{Op, needs_grad, op, op_at};
pub use trace::{Tape, Trace, TraceEntry};
pub use value::Value;
