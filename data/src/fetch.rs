//! Fetching the items of a batch, each under a random stream of its own.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use taper_tensor::with_seed;

use crate::dataset::Dataset;

/// What a loader says about the batch that this thread is fetching.
#[derive(Clone)]
pub(crate) struct Context {
    /// The seed of the pass.
    pub seed: u64,
    /// The position in the pass of the batch's first item.
    pub first: usize,
    /// Set when nobody wants the batch any more.
    pub stop: Option<Arc<AtomicBool>>,
}

thread_local! {
    /// Set while a loader fetches a batch, and taken away while one of its items is fetched: a batch
    /// made within an item is that item's own affair.
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
    /// The index of the item being fetched.
    static ITEM: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The payload that unwinds out of a batch nobody wants.
struct Stopped;

/// Mixes all bits of `x` into all bits of the result, one to one (splitmix64).
fn mix64(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The same for 32 bits (the last step of MurmurHash3).
fn mix32(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

impl Context {
    /// The seed of the item at a position of the pass. mt19937 is seeded by the low 32 bits, so those
    /// alone must differ: they do for any two of the first 2³² positions.
    fn item_seed(&self, position: usize) -> u64 {
        let base = mix64(self.seed);
        (base & !0xffff_ffff) | mix32((base as u32).wrapping_add(position as u32)) as u64
    }

    /// Runs `batch`, which makes a batch of this context. What it draws outside of [`items`] comes from
    /// a stream of the batch.
    ///
    /// # Errors
    /// The text of a panic, with the index of the item that was being fetched.
    pub fn run<B>(self, indices: &[usize], batch: impl FnOnce() -> B) -> Result<B, String> {
        let seed = mix64(self.item_seed(self.first));
        let outer = CONTEXT.replace(Some(self));
        ITEM.set(None);
        let made = catch_unwind(AssertUnwindSafe(|| with_seed(seed, batch)));
        CONTEXT.set(outer);
        made.map_err(|payload| describe(&*payload, ITEM.take(), indices))
    }
}

/// Says what was being loaded when it panicked.
fn describe(payload: &(dyn Any + Send), item: Option<usize>, indices: &[usize]) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("(a payload without text)");
    match item {
        Some(index) => format!("DataLoader: panic while loading item {index}: {text}"),
        None => format!("DataLoader: panic while making a batch of items {indices:?}: {text}"),
    }
}

/// Each of the items, under its own random stream where a loader asked for the batch.
pub(crate) fn items<D: Dataset + ?Sized>(dataset: &D, indices: &[usize]) -> Vec<D::Item> {
    let Some(context) = CONTEXT.take() else {
        return indices.iter().map(|&index| dataset.get(index)).collect();
    };
    let stopped = || context.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
    let fetch = |(i, &index): (usize, &usize)| {
        if cfg!(panic = "unwind") && stopped() {
            resume_unwind(Box::new(Stopped));
        }
        ITEM.set(Some(index));
        let item = with_seed(context.item_seed(context.first + i), || dataset.get(index));
        ITEM.set(None);
        item
    };
    let items = indices.iter().enumerate().map(fetch).collect();
    CONTEXT.set(Some(context));
    items
}

#[cfg(test)]
mod tests {
    use super::Context;
    use std::collections::HashSet;

    #[test]
    fn items_of_a_pass_have_seeds_of_their_own() {
        for seed in [0, 1, u64::MAX] {
            let pass = Context { seed, first: 0, stop: None };
            let low: HashSet<u32> = (0..100_000).map(|i| pass.item_seed(i) as u32).collect();
            assert_eq!(low.len(), 100_000);
        }
    }
}
