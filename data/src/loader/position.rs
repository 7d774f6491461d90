//! Where a loader is in its pass, so that another process can go on from there.

use taper_tensor::{DType, Generator, State, StateError, Tensor, get_rng_state, set_rng_state};

use crate::generator::SharedGenerator;

/// A pass that was begun.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// What its items' random streams come from.
    pub base_seed: i64,
    /// The stream of the order just before its first draw; `None` where nothing was drawn yet.
    pub order: Option<Vec<u8>>,
    /// Batches handed out.
    pub batches: usize,
}

/// The pass that is running, and the one that the next call of `iter` goes on with.
#[derive(Debug, Default)]
pub(super) struct Position {
    passes: u64,
    running: Option<(u64, Pass)>,
    pending: Option<Pass>,
}

impl Position {
    /// A new pass runs now; gives its number.
    pub fn start(&mut self, pass: Pass) -> u64 {
        self.passes += 1;
        self.running = Some((self.passes, pass));
        self.passes
    }

    /// Changes a pass, unless another one has begun since.
    pub fn update(&mut self, number: u64, change: impl FnOnce(&mut Pass)) {
        if let Some((_, pass)) = self.running.as_mut().filter(|(n, _)| *n == number) {
            change(pass);
        }
    }

    /// A pass is over.
    pub fn end(&mut self, number: u64) {
        self.running.take_if(|(n, _)| *n == number);
    }

    /// The pass to go on with, once.
    pub fn take_pending(&mut self) -> Option<Pass> {
        self.pending.take()
    }

    /// What was loaded: the next pass goes on with this one, or is a fresh one.
    pub fn load(&mut self, pass: Option<Pass>) {
        (self.running, self.pending) = (None, pass);
    }

    /// The pass to save.
    pub fn current(&self) -> Option<&Pass> {
        self.running.as_ref().map(|(_, pass)| pass).or(self.pending.as_ref())
    }
}

/// What an order draws from.
pub(super) enum Stream {
    Global,
    Own(SharedGenerator),
}

impl Stream {
    pub fn state(&self) -> Vec<u8> {
        match self {
            Stream::Global => get_rng_state(),
            Stream::Own(own) => own.with(|g| g.state()),
        }
    }

    /// Continues from a state that was checked before.
    pub fn set_state(&self, state: &[u8]) {
        let set = match self {
            Stream::Global => set_rng_state(state).is_ok(),
            Stream::Own(own) => own.with(|g| g.set_state(state).is_ok()),
        };
        debug_assert!(set, "a state of a generator");
    }
}

/// A generator's state as a tensor of bytes, as PyTorch keeps it.
pub(crate) fn state_tensor(bytes: Vec<u8>) -> State {
    let n = bytes.len();
    Tensor::from_vec(bytes, [n]).into()
}

/// The bytes of a generator's state, checked; `None` where there is none.
pub(crate) fn state_bytes(
    target: &'static str,
    name: &str,
    state: Option<&State>,
) -> Result<Option<Vec<u8>>, StateError> {
    let fail = |why: String| Err(StateError::new(target, format!("{name}: {why}")));
    let bytes = match state {
        None | Some(State::None) => return Ok(None),
        Some(State::Tensor(t)) if t.dtype() == DType::U8 && t.ndim() == 1 => t.to_vec::<u8>(),
        Some(other) => return fail(format!("expected a generator's state in u8, got {other:?}")),
    };
    match Generator::default().set_state(&bytes) {
        Ok(()) => Ok(Some(bytes)),
        Err(e) => fail(e.to_string()),
    }
}
