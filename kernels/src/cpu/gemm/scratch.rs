//! Memory for packed operands, kept by each thread from one call to the next.

use crate::{Buffer, Element};
use std::cell::RefCell;

/// Buffers a thread keeps, and the largest it keeps (larger ones go back to the common cache).
/// None under Miri: memory that was used before would hide reads past its end.
const KEPT: usize = 4;
const LARGEST: usize = if cfg!(miri) { 0 } else { 8 << 20 };

thread_local! {
    static FREE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// A buffer on loan; it may be used from other threads, and goes back to the thread it is dropped on.
pub struct Scratch(Option<Buffer>);

impl Scratch {
    /// Room for `len` elements, with arbitrary contents.
    pub fn new<T: Element>(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        let kept = FREE.with_borrow_mut(|free| {
            let fits = free.iter().position(|b| b.len() >= bytes)?;
            Some(free.swap_remove(fits))
        });
        Scratch(Some(kept.unwrap_or_else(|| Buffer::new(bytes.next_power_of_two()))))
    }

    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        self.0.as_mut().expect("present until dropped").as_mut_slice()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = self.0.take().expect("present until dropped");
        if buffer.len() > LARGEST {
            return;
        }
        // A thread that is going away keeps nothing.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() == KEPT {
                let smallest = (0..KEPT).min_by_key(|&i| free[i].len()).expect("not empty");
                free.swap_remove(smallest);
            }
            free.push(buffer);
        });
    }
}
