//! The tape and the backward walk of taper, generic over the value type.
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
