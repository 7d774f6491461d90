//! Blocks of memory from the system, kept for reuse by size class.
//!
//! A fresh large allocation costs one page fault per 4 KiB, more than the arithmetic of most elementwise
//! kernels; so blocks that are given back are kept and handed out again. Large ones ask for huge pages,
//! which have a fault and an entry of the processor's page table per 2 MiB.

use crate::ALIGN;
use std::alloc::{Layout as AllocLayout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(target_os = "linux")]
use memmap2::{Advice, MmapMut, MmapOptions};

/// Bytes kept for reuse at most.
const KEPT_LIMIT: usize = 1 << 30;
/// Blocks of at least this size are mapped, with huge pages: two of them.
#[cfg(target_os = "linux")]
const MAPPED_FROM: usize = 4 << 20;

/// Memory that is owned alone, aligned to [`ALIGN`] and always initialised.
pub(crate) struct Block {
    ptr: NonNull<u8>,
    /// Size in bytes, one of those that [`size_class`] gives.
    class: usize,
    #[cfg(target_os = "linux")]
    map: Option<MmapMut>,
}
// SAFETY: a block owns its memory alone, like a Box<[u8]>.
unsafe impl Send for Block {}

impl Block {
    /// At least `len` bytes; true where they are fresh from the system, and so 0.
    pub fn new(len: usize) -> (Block, bool) {
        let class = size_class(len);
        match cache().take(class) {
            Some(block) => (block, false),
            None => (Block::fresh(class), true),
        }
    }

    fn fresh(class: usize) -> Block {
        let layout = layout(class);
        #[cfg(target_os = "linux")]
        if class >= MAPPED_FROM && !cfg!(miri) {
            let Ok(mut map) = MmapOptions::new().len(class).map_anon() else { handle_alloc_error(layout) };
            // A system without huge pages has small ones.
            let _ = map.advise(Advice::HugePage);
            let ptr = NonNull::new(map.as_mut_ptr()).expect("mapped memory has an address");
            return Block { ptr, class, map: Some(map) };
        }
        // SAFETY: a class is at least ALIGN bytes, so the layout is not empty.
        let ptr = unsafe { alloc_zeroed(layout) };
        let Some(ptr) = NonNull::new(ptr) else { handle_alloc_error(layout) };
        Block {
            ptr,
            class,
            #[cfg(target_os = "linux")]
            map: None,
        }
    }

    /// Where the memory starts.
    pub fn ptr(&self) -> NonNull<u8> {
        self.ptr
    }

    /// Gives the block back, to be handed out again.
    pub fn recycle(self) {
        // What is not kept is freed after the lock is.
        let _too_much = cache().put(self);
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if self.map.is_some() {
            return;
        }
        // SAFETY: allocated in `fresh` with this layout, and owned alone.
        unsafe { dealloc(self.ptr.as_ptr(), layout(self.class)) }
    }
}

fn layout(class: usize) -> AllocLayout {
    AllocLayout::from_size_align(class, ALIGN).expect("buffer larger than the address space")
}

/// Bytes of the size class that holds `len` bytes: four classes per power of two, so at most a
/// quarter is unused.
fn size_class(len: usize) -> usize {
    let len = len.max(ALIGN);
    let quarter = (len.next_power_of_two() / 8).max(ALIGN);
    len.div_ceil(quarter) * quarter
}

/// Below this size, classes are all multiples of [`ALIGN`].
const EVEN: usize = 8 * ALIGN;
const CLASSES: usize = 8 + 4 * usize::BITS as usize;

/// A class's number among all.
fn number(class: usize) -> usize {
    if class <= EVEN {
        return class / ALIGN - 1;
    }
    let power = class.next_power_of_two();
    let quarters = class / (power / 8) - 5;
    8 + 4 * (power / EVEN / 2).ilog2() as usize + quarters
}

struct Cache {
    free: [Vec<Block>; CLASSES],
    bytes: usize,
}
static CACHE: Mutex<Cache> = Mutex::new(Cache { free: [const { Vec::new() }; CLASSES], bytes: 0 });

fn cache() -> MutexGuard<'static, Cache> {
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cache {
    fn take(&mut self, class: usize) -> Option<Block> {
        let block = self.free[number(class)].pop()?;
        self.bytes -= class;
        Some(block)
    }

    /// Keeps a block, or returns it where enough is kept.
    fn put(&mut self, block: Block) -> Option<Block> {
        if self.bytes + block.class > KEPT_LIMIT {
            return Some(block);
        }
        self.bytes += block.class;
        self.free[number(block.class)].push(block);
        None
    }
}

/// Gives all memory that is kept for reuse back to the system.
pub fn empty_cache() {
    let kept = {
        let mut cache = cache();
        cache.bytes = 0;
        cache.free.each_mut().map(std::mem::take)
    };
    drop(kept);
}

/// Bytes kept for reuse at this moment.
pub fn cached_bytes() -> usize {
    cache().bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_a_quarter_and_are_numbered() {
        let mut last = (0, None);
        for len in (0..5000).chain([1 << 20, (1 << 20) + 1, 123_456_789, 1 << 40, usize::MAX / 4]) {
            let c = size_class(len);
            assert!(c >= len && c.is_multiple_of(ALIGN), "{len} {c}");
            assert!(len < 512 || c - len <= len / 3, "{len} {c}");
            let n = number(c);
            assert!(
                n < CLASSES && (last.0 == c) == (last.1 == Some(n)) && last.1.is_none_or(|l| l <= n),
                "{len}"
            );
            last = (c, Some(n));
        }
    }

    #[test]
    fn large_blocks_come_zeroed_and_again() {
        let block = Block::fresh(if cfg!(miri) { 4096 } else { 8 << 20 });
        let bytes = block.class;
        // SAFETY: the block's own memory.
        let all = unsafe { std::slice::from_raw_parts_mut(block.ptr().as_ptr(), bytes) };
        assert!(all.iter().all(|&b| b == 0) && block.ptr().as_ptr().align_offset(ALIGN) == 0);
        all[bytes - 1] = 7;
        block.recycle();
    }
}
