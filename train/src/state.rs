//! Reading entries of states.

use taper_tensor::{State, StateError};

/// A count under a name.
pub(crate) fn int(state: &State, target: &'static str, name: &str) -> Result<usize, StateError> {
    let value = state.get(name).and_then(State::as_i64).and_then(|v| usize::try_from(v).ok());
    value.ok_or_else(|| StateError::new(target, format!("{name} should be a count")))
}
