//! Work on several threads, split so that the thread count never shows in the result.

use super::team::Team;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::OnceLock;

/// Below this much work per piece (in units of about a nanosecond) a thread hand-over costs more than it saves.
/// Costs are those of 256-bit vectors from memory; from a cache, 512-bit ones take a third of them.
pub const GRAIN: usize = if cfg!(miri) { 16 } else { 8_000 };

/// Calls `f` with pieces that cover `0..n`. A piece is a multiple of `align` long (but the last),
/// sized so that `cost_per_item` (nanoseconds, roughly) times its length reaches [`GRAIN`];
/// little work stays on the calling thread. Pieces do not depend on the number of threads.
pub fn for_each_range(n: usize, align: usize, cost_per_item: f64, f: impl Fn(Range<usize>) + Sync) {
    let piece = ((GRAIN as f64 / cost_per_item) as usize).max(1).next_multiple_of(align.max(1));
    for_each_piece(n, piece, &f);
}

/// Compiled once: the thread pool's machinery for every closure would be most of this crate's code.
fn for_each_piece(n: usize, piece: usize, f: &(dyn Fn(Range<usize>) + Sync)) {
    let pieces = n.div_ceil(piece);
    for_each_job(pieces, pieces > 2, 1, &|i| f(i * piece..((i + 1) * piece).min(n)));
}

/// Calls `f` with every number below `n`; where `parallel`, on several threads, each taking at least
/// `grain` numbers in a row.
pub fn for_each_job(n: usize, parallel: bool, grain: usize, f: &(dyn Fn(usize) + Sync)) {
    if !parallel || n < 2 || num_threads() == 1 {
        (0..n).for_each(f);
    } else if cfg!(miri) {
        // Plain threads, so that Miri sees races: the waiting threads of a pool are slow there.
        std::thread::scope(|s| {
            s.spawn(|| (0..n).step_by(2).for_each(f));
            (1..n).step_by(2).for_each(f);
        });
    } else if rayon::current_thread_index().is_some() {
        // The program has put this thread into a pool of its own.
        (0..n).into_par_iter().with_min_len(grain).for_each(f);
    } else {
        static TEAM: OnceLock<Team> = OnceLock::new();
        TEAM.get_or_init(|| Team::new(num_threads())).run(n, grain, f);
    }
}

/// The number of threads kernels run on.
pub fn num_threads() -> usize {
    if cfg!(miri) { 2 } else { rayon::current_num_threads() }
}

/// Sets the number of threads of the process; `false` where kernels have already started threads.
/// Without it, the environment variable `RAYON_NUM_THREADS` or the machine decides.
pub fn set_num_threads(n: usize) -> bool {
    rayon::ThreadPoolBuilder::new().num_threads(n).build_global().is_ok()
}

/// A mutable slice that several threads write in different places.
#[derive(Clone, Copy)]
pub struct SharedMut<'a, T> {
    ptr: *mut T,
    len: usize,
    life: PhantomData<&'a mut [T]>,
}
// SAFETY: all access is through unsafe methods whose callers promise disjoint places.
unsafe impl<T: Send> Send for SharedMut<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for SharedMut<'_, T> {}

impl crate::ViewMut<'_> {
    /// The whole storage, for several threads to write.
    ///
    /// # Panics
    /// Where the layout reaches beyond the storage, or as [`data`](crate::ViewMut::data) does.
    pub fn shared<T: crate::Element>(&mut self) -> SharedMut<'_, T> {
        let end = self.layout.span().end;
        let data = self.data::<T>();
        assert!(end <= data.len(), "a layout reaches to {end} in a storage of {} elements", data.len());
        SharedMut::new(data)
    }
}

impl<'a, T> SharedMut<'a, T> {
    /// Takes the slice for as long as the pieces live.
    pub fn new(slice: &'a mut [T]) -> Self {
        SharedMut { ptr: slice.as_mut_ptr(), len: slice.len(), life: PhantomData }
    }

    /// Number of elements.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The elements of a range.
    ///
    /// # Safety
    /// No other thread touches the range while the result lives. Panics where it is out of bounds.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn range(&self, r: Range<usize>) -> &mut [T] {
        assert!(r.start <= r.end && r.end <= self.len, "range {r:?} of {} elements", self.len);
        // SAFETY: in bounds; exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.add(r.start), r.end - r.start) }
    }

    /// Pointer to an element, for strided access.
    ///
    /// # Safety
    /// `i` is in bounds, and no other thread touches the elements used through the pointer.
    #[inline(always)]
    pub unsafe fn at(&self, i: usize) -> *mut T {
        debug_assert!(i < self.len.max(1), "{i} of {}", self.len);
        // SAFETY: in bounds by the caller's promise.
        unsafe { self.ptr.add(i) }
    }
}
