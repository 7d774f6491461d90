//! Random numbers: PyTorch's stream, order and bits.
//!
//! Everything draws from the global generator, unless it is given another. [`manual_seed`] makes the
//! numbers repeatable; without it the global generator starts from the system's entropy. [`with_seed`]
//! gives a piece of work a stream of its own.

mod draw;
mod dropout;
mod sample;
mod scope;
mod serial;

use crate::error::{Error, Result};
pub use scope::with_seed;
use std::sync::{Mutex, MutexGuard, PoisonError};
pub use taper_kernels::random::Generator;

static GLOBAL: Mutex<Option<Generator>> = Mutex::new(None);

/// A seed: any integer. Negative ones stand for their two's complement, as in PyTorch.
pub trait IntoSeed {
    /// The 64 bits.
    fn into_seed(self) -> u64;
}
macro_rules! into_seed {
    ($($t:ty),*) => { $(
        impl IntoSeed for $t {
            fn into_seed(self) -> u64 { self as u64 }
        }
    )* };
}
into_seed!(i32, u32, i64, u64, isize, usize);

fn global() -> MutexGuard<'static, Option<Generator>> {
    // A panic while drawing leaves a generator that is as good as any.
    GLOBAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` with the global generator, or with the private one of [`with_seed`]. Other threads that
/// draw wait meanwhile, so `f` must not draw from it by other means.
pub fn with_generator<R>(f: impl FnOnce(&mut Generator) -> R) -> R {
    match scope::draw(f) {
        Ok(drawn) => drawn,
        Err(f) => f(global().get_or_insert_with(Generator::from_entropy)),
    }
}

/// Seeds the global generator (`torch.manual_seed`): the same calls give the same numbers again, and
/// those of PyTorch on the CPU.
///
/// ```
/// use taper_tensor::{manual_seed, Tensor};
/// manual_seed(42);
/// assert_eq!(Tensor::rand(1).item_as::<f32>(), 0.88226926);
/// ```
pub fn manual_seed(seed: impl IntoSeed) {
    let seed = seed.into_seed();
    if !scope::reseed(seed) {
        *global() = Some(Generator::new(seed));
    }
}

/// The seed the global generator was started with (`torch.initial_seed`).
pub fn initial_seed() -> u64 {
    with_generator(|g| g.initial_seed())
}

/// The global generator's state, in the bytes of `torch.get_rng_state()`.
pub fn get_rng_state() -> Vec<u8> {
    with_generator(|g| g.state())
}

/// Continues from a state of [`get_rng_state`] or of PyTorch.
///
/// # Errors
/// Where the bytes are no such state; nothing changes then.
pub fn set_rng_state(state: &[u8]) -> Result<()> {
    with_generator(|g| g.set_state(state)).map_err(Error::kernel("set_rng_state"))
}

/// Runs `f` with the given generator, or else with the global one.
fn with<R>(generator: Option<&mut Generator>, f: impl FnOnce(&mut Generator) -> R) -> R {
    match generator {
        Some(g) => f(g),
        None => with_generator(f),
    }
}
