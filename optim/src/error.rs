//! Why a state was not loaded.

/// A state dict that does not fit the optimizer or scheduler. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("cannot load the state of {target}: {message}")]
pub struct StateError {
    /// The optimizer or scheduler.
    pub target: &'static str,
    /// What is missing or does not fit.
    pub message: String,
}

impl StateError {
    pub(crate) fn new(target: &'static str, message: impl Into<String>) -> Self {
        StateError { target, message: message.into() }
    }
}
