//! A private random stream for a piece of work.

use super::Generator;
use std::cell::RefCell;

/// What this thread draws from in place of the global generator.
enum Private {
    /// Nothing was drawn yet. Seeding costs about as much as 600 draws, and much work draws nothing.
    Seed(u64),
    Seeded(Generator),
    /// In use by [`draw`].
    Lent,
}

thread_local! {
    static PRIVATE: RefCell<Option<Private>> = const { RefCell::new(None) };
}

/// Puts the stream of outside back, also when a panic passes.
struct Restore(Option<Private>);

impl Drop for Restore {
    fn drop(&mut self) {
        let outer = self.0.take();
        PRIVATE.with_borrow_mut(|private| *private = outer);
    }
}

/// Runs `f` with a random stream of its own: what this thread would draw from the global generator
/// comes from one that starts at `seed` (`torch.random.fork_rng` and `torch.manual_seed` in one).
/// The global stream is not touched, whatever `f` does, [`manual_seed`](super::manual_seed) included.
///
/// It holds for the calling thread alone. Scopes nest. Where nothing is drawn it costs nothing.
///
/// ```
/// use taper_tensor::{Tensor, manual_seed, with_seed};
/// manual_seed(42);
/// let private = with_seed(1, || Tensor::rand(1).item_as::<f32>());
/// assert_eq!(private, 0.7576316); // as after manual_seed(1)
/// assert_eq!(Tensor::rand(1).item_as::<f32>(), 0.88226926); // as after manual_seed(42)
/// ```
pub fn with_seed<R>(seed: u64, f: impl FnOnce() -> R) -> R {
    let _restore = Restore(PRIVATE.replace(Some(Private::Seed(seed))));
    f()
}

/// A generator lent by its scope, which gets it back, also when a panic passes.
struct Lent(Option<Generator>);

impl Drop for Lent {
    fn drop(&mut self) {
        PRIVATE.set(self.0.take().map(Private::Seeded));
    }
}

/// Runs `f` with the private generator, if this thread is in a scope; gives `f` back otherwise.
pub(super) fn draw<R, F: FnOnce(&mut Generator) -> R>(f: F) -> Result<R, F> {
    let taken =
        PRIVATE.with_borrow_mut(|private| private.as_mut().map(|p| std::mem::replace(p, Private::Lent)));
    let generator = match taken {
        None => return Err(f),
        Some(Private::Seed(seed)) => Generator::new(seed),
        Some(Private::Seeded(generator)) => generator,
        Some(Private::Lent) => panic!("the function given to with_generator must not draw by other means"),
    };
    let mut lent = Lent(Some(generator));
    Ok(f(lent.0.as_mut().expect("just put there")))
}

/// Starts the private stream anew, if this thread is in a scope.
pub(super) fn reseed(seed: u64) -> bool {
    PRIVATE.with_borrow_mut(|private| private.as_mut().map(|p| *p = Private::Seed(seed)).is_some())
}

#[cfg(test)]
mod tests {
    use super::with_seed;
    use crate::{Tensor, get_rng_state, initial_seed, manual_seed, set_rng_state, with_generator};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn next() -> Vec<i64> {
        Tensor::randint(0, 1 << 20, 3).to_vec()
    }

    // The outermost scope stands for the global stream, which other tests draw from as well.
    #[test]
    fn scopes_nest_and_leave_no_trace() {
        let plain = |seed| with_seed(seed, || [next(), next()]);
        let [first, second] = plain(1);
        with_seed(1, || {
            assert_eq!(next(), first);
            with_seed(2, || {
                assert_eq!(initial_seed(), 2);
                assert_eq!(next(), plain(2)[0]);
                manual_seed(3);
                assert_eq!(next(), plain(3)[0]);
                with_seed(9, || ());
                assert_eq!(next(), plain(3)[1]);
            });
            assert_eq!(next(), second);
        });
    }

    #[test]
    fn states_are_the_scopes() {
        with_seed(5, || {
            let state = get_rng_state();
            let drawn = next();
            set_rng_state(&state).unwrap();
            assert_eq!(next(), drawn);
        });
    }

    #[test]
    fn panics_restore() {
        let expected = with_seed(1, || [next(), next(), next()]);
        with_seed(1, || {
            assert_eq!(next(), expected[0]);
            let inner = || with_seed(2, || panic!("{:?}", next()));
            assert!(catch_unwind(inner).is_err());
            assert_eq!(next(), expected[1]);
            let draw_within_a_draw = AssertUnwindSafe(|| with_generator(|_| next()));
            assert!(catch_unwind(draw_within_a_draw).is_err());
            assert_eq!(next(), expected[2]);
        });
    }

    #[test]
    fn other_threads_are_not_touched() {
        with_seed(1, || {
            let inside = std::thread::spawn(initial_seed).join().unwrap();
            assert_ne!(inside, 1);
            assert_eq!(initial_seed(), 1);
        });
    }
}
