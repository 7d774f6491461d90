//! A generator that a loader shares with whoever made it.

use std::sync::{Arc, Mutex, PoisonError};

use taper_tensor::{Generator, State, StateError, Stateful, with_generator};

use crate::loader::{state_bytes, state_tensor};

/// A handle to a [`Generator`]: clones draw from one stream, as in PyTorch, where a loader and its
/// sampler hold the same `torch.Generator`.
#[derive(Clone, Debug)]
pub struct SharedGenerator(Arc<Mutex<Generator>>);

impl SharedGenerator {
    /// A stream with this seed (`torch.Generator().manual_seed(seed)`).
    pub fn new(seed: u64) -> Self {
        Generator::new(seed).into()
    }

    /// Runs `f` with the generator. Other threads that draw from it wait meanwhile.
    pub fn with<R>(&self, f: impl FnOnce(&mut Generator) -> R) -> R {
        // A panic while drawing leaves a generator that is as good as any.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Generator> for SharedGenerator {
    fn from(generator: Generator) -> Self {
        Self(Arc::new(Mutex::new(generator)))
    }
}

/// The bytes of `torch.Generator.get_state()`.
impl Stateful for SharedGenerator {
    fn state_dict(&self) -> State {
        state_tensor(self.with(|g| g.state()))
    }
    fn load_state_dict(&mut self, state: &State) -> Result<(), StateError> {
        let name = "SharedGenerator";
        let bytes = state_bytes(name, "state", Some(state))?;
        let bytes = bytes.ok_or_else(|| StateError::new(name, "there is none"))?;
        self.with(|g| g.set_state(&bytes)).map_err(|e| StateError::new(name, e.to_string()))
    }
}

/// Runs `f` with the given generator, or else with the global one.
pub(crate) fn draw<R>(generator: &Option<SharedGenerator>, f: impl FnOnce(&mut Generator) -> R) -> R {
    match generator {
        Some(own) => own.with(f),
        None => with_generator(f),
    }
}
