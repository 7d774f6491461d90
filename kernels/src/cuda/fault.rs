//! What only a kernel can find wrong: an index out of range, a division by zero.
//!
//! A kernel gets the address of a word. It is all ones, until the kernel finds something: then it holds the
//! least of what its threads found (`kernels/cuda/include/fault.cuh`), the same in any order of threads. The
//! words are read with the next result that the host reads, so looking costs no wait of its own.

use super::context::Context;
use super::memory::CudaBuffer;
use crate::{Error, Layout, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Words there are. When all are taken, the host waits for the device once.
const WORDS: usize = 64;
const NONE: u64 = u64::MAX;

/// What a kernel may find.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Fault {
    /// An integer divided by zero.
    ZeroDivision {
        /// The operation's name.
        op: &'static str,
    },
    /// An index outside of a dimension.
    Index {
        /// The operation's name.
        op: &'static str,
        /// The dimension that is indexed.
        dim: usize,
        /// Its size.
        size: usize,
        /// How the index tensor lies, to name the entry.
        index: Layout,
    },
}

impl Fault {
    fn error(&self, word: u64) -> (&'static str, Error) {
        match self {
            Fault::ZeroDivision { op } => (op, Error::ZeroDivision { op }),
            Fault::Index { op, dim, size, index } => {
                // As `raise` of fault.cuh packs them; numbers of more than 32 bits are cut to the nearest.
                let value = word as u32 as i32 as i64;
                let at = entry(index, (word >> 32) as isize).unwrap_or(0);
                (op, Error::IndexOutOfBounds { index: value, dim: *dim, size: *size, at })
            }
        }
    }
}

/// The row-major position of the element that lies `offset` from a layout's first.
fn entry(layout: &Layout, offset: isize) -> Option<usize> {
    if layout.is_contiguous() {
        return Some(offset as usize);
    }
    let at = |i: usize| {
        let mut rest = i;
        let mut sum = 0;
        for (&n, &step) in layout.shape().iter().zip(layout.strides()).rev() {
            sum += (rest % n) as isize * step;
            rest /= n;
        }
        sum
    };
    (0..layout.numel()).find(|&i| at(i) == offset)
}

#[derive(Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    words: Option<CudaBuffer>,
    /// What the words that are taken stand for.
    taken: Vec<Fault>,
}

/// A word that was given to a kernel. While it lives nobody reads the words: it must live until the kernel is in
/// the stream, or another thread's read could come between, and forget what the word stands for.
pub(super) struct Word<'a> {
    address: u64,
    _unread: MutexGuard<'a, State>,
}

impl Word<'_> {
    /// What the kernel gets.
    pub fn address(&self) -> u64 {
        self.address
    }
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A word for a kernel. Kernels that may find the same share one.
    pub fn slot(&self, cx: &'static Context, fault: Fault) -> Result<Word<'_>> {
        loop {
            let mut unread = self.lock();
            let state = &mut *unread;
            let known = state.taken.iter().position(|t| *t == fault);
            if known.is_none() && state.taken.len() == WORDS {
                drop(unread);
                cx.synchronize()?;
                continue;
            }
            let words = match &state.words {
                Some(words) => words,
                None => {
                    let words = cx.alloc(8 * WORDS)?;
                    // SAFETY: memory of this length.
                    unsafe { cx.driver.set(words.address(), 0xff, 8 * WORDS) }?;
                    state.words.insert(words)
                }
            };
            let k = known.unwrap_or(state.taken.len());
            let address = words.address() + 8 * k as u64;
            if known.is_none() {
                state.taken.push(fault);
            }
            return Ok(Word { address, _unread: unread });
        }
    }

    /// Runs `read` with the words to fetch, where some are taken, and reports what they say.
    pub fn reported(&self, cx: &Context, read: impl FnOnce(Option<(u64, &mut [u8])>) -> Result) -> Result {
        let mut state = self.lock();
        let (Some(words), false) = (&state.words, state.taken.is_empty()) else {
            drop(state);
            return read(None);
        };
        let (address, count) = (words.address(), state.taken.len());
        let mut bytes = [0; 8 * WORDS];
        read(Some((address, &mut bytes[..8 * count])))?;
        let found = state
            .taken
            .iter()
            .zip(bytes.chunks_exact(8))
            .map(|(fault, word)| (fault, u64::from_le_bytes(word.try_into().expect("8 bytes"))))
            .find(|&(_, word)| word != NONE)
            .map(|(fault, word)| fault.error(word));
        state.taken.clear();
        let Some((op, source)) = found else { return Ok(()) };
        // SAFETY: the words' own memory.
        unsafe { cx.driver.set(address, 0xff, 8 * WORDS) }?;
        Err(Error::Late { device: cx.device(), op, source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_value_and_entry() {
        let index = Layout::contiguous(&[3, 4]).permute(&[1, 0]);
        let fault = Fault::Index { op: "gather", dim: 1, size: 5, index: index.clone() };
        // Entry (2, 1) of the transposed view: offset 2 + 1·4.
        let word = 6u64 << 32 | (-7i32) as u32 as u64;
        let (op, error) = fault.error(word);
        assert_eq!(op, "gather");
        assert_eq!(error, Error::IndexOutOfBounds { index: -7, dim: 1, size: 5, at: 7 });
        assert_eq!(entry(&Layout::contiguous(&[3, 4]), 6), Some(6));
    }
}
