//! Aligned memory without a type, recycled by size class.
//!
//! A fresh large allocation costs one page fault per 4 KiB, more than the arithmetic of most
//! elementwise kernels; so freed buffers are kept and handed out again.
//!
//! A buffer may also show bytes that somebody else owns, such as a mapped file: it becomes a copy when
//! it is written.

use crate::dtype::Element;
use std::alloc::{Layout as AllocLayout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

/// Alignment of every buffer: a cache line, and the widest SIMD vector.
pub const ALIGN: usize = 64;
/// Bytes kept for reuse at most.
const CACHE_LIMIT: usize = 1 << 30;

/// Something that holds bytes which stay where they are while it lives.
pub type Owner = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Owned bytes, aligned to [`ALIGN`] and always initialised (with zeros, or with what an earlier
/// owner left); or bytes of an [`Owner`], copied on the first write.
pub struct Buffer {
    ptr: NonNull<u8>,
    len: usize,
    home: Home,
}

/// Who frees the bytes.
enum Home {
    /// The buffer: they are of this size class.
    Class(usize),
    /// Another owner, who keeps them unchanged as long as this reference to it lives.
    Foreign(#[expect(dead_code, reason = "held for its drop")] Owner),
}

// SAFETY: a Buffer owns its memory alone, like a Box<[u8]>, or shares an owner that is Send and Sync.
unsafe impl Send for Buffer {}
// SAFETY: shared access only reads.
unsafe impl Sync for Buffer {}

/// Bytes of the size class that holds `len` bytes: four classes per power of two, so at most a
/// quarter is unused.
fn size_class(len: usize) -> usize {
    let len = len.max(ALIGN);
    let quarter = (len.next_power_of_two() / 8).max(ALIGN);
    len.div_ceil(quarter) * quarter
}

struct Cache {
    free: Vec<(usize, Vec<NonNull<u8>>)>,
    bytes: usize,
}
// SAFETY: the pointers are owned by the cache alone.
unsafe impl Send for Cache {}
static CACHE: Mutex<Cache> = Mutex::new(Cache { free: Vec::new(), bytes: 0 });

impl Cache {
    fn take(&mut self, class: usize) -> Option<NonNull<u8>> {
        let i = self.free.binary_search_by_key(&class, |e| e.0).ok()?;
        let ptr = self.free[i].1.pop()?;
        self.bytes -= class;
        Some(ptr)
    }
    fn put(&mut self, class: usize, ptr: NonNull<u8>) -> bool {
        if self.bytes + class > CACHE_LIMIT {
            return false;
        }
        let i = match self.free.binary_search_by_key(&class, |e| e.0) {
            Ok(i) => i,
            Err(i) => {
                self.free.insert(i, (class, Vec::new()));
                i
            }
        };
        self.free[i].1.push(ptr);
        self.bytes += class;
        true
    }
}

fn cache() -> std::sync::MutexGuard<'static, Cache> {
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives all memory that is kept for reuse back to the system.
pub fn empty_cache() {
    let mut c = cache();
    for (class, list) in std::mem::take(&mut c.free) {
        for ptr in list {
            // SAFETY: allocated by `Buffer::new` with this class's layout, and owned by the cache.
            unsafe { dealloc(ptr.as_ptr(), class_layout(class)) }
        }
    }
    c.bytes = 0;
}

/// Bytes kept for reuse at this moment.
pub fn cached_bytes() -> usize {
    cache().bytes
}

fn class_layout(class: usize) -> AllocLayout {
    AllocLayout::from_size_align(class, ALIGN).expect("buffer larger than the address space")
}

impl Buffer {
    /// `len` bytes, from the cache or fresh. Contents are initialised but arbitrary.
    ///
    /// # Panics
    /// Where `len` exceeds the address space; aborts as `Vec` does where memory is out.
    pub fn new(len: usize) -> Self {
        let class = size_class(len);
        if let Some(ptr) = cache().take(class) {
            return Buffer { ptr, len, home: Home::Class(class) };
        }
        let layout = class_layout(class);
        // SAFETY: the class is at least ALIGN bytes, so the layout is not empty.
        let ptr = unsafe { alloc_zeroed(layout) };
        let Some(ptr) = NonNull::new(ptr) else { handle_alloc_error(layout) };
        Buffer { ptr, len, home: Home::Class(class) }
    }

    /// A range of an owner's bytes, not copied; `None` where the owner has no such range, or it begins
    /// at an address where elements of 8 bytes may not lie.
    pub fn foreign(owner: Owner, range: Range<usize>) -> Option<Self> {
        let bytes = (*owner).as_ref().get(range)?;
        let (ptr, len) = (NonNull::from(bytes).cast(), bytes.len());
        ptr.cast::<u64>().is_aligned().then_some(Buffer { ptr, len, home: Home::Foreign(owner) })
    }

    /// `len` zero bytes.
    pub fn zeroed(len: usize) -> Self {
        let mut b = Self::new(len);
        b.bytes_mut().fill(0);
        b
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }
    /// True for no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.as_slice()
    }
    /// The bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.as_mut_slice()
    }

    /// The memory seen as elements (bytes left over at the end are not seen).
    pub fn as_slice<T: Element>(&self) -> &[T] {
        // SAFETY: aligned for any Element, initialised, `len` bytes long; any bits are a valid Element.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr().cast(), self.len / size_of::<T>()) }
    }

    /// The memory seen as elements, to write; foreign bytes are copied first.
    pub fn as_mut_slice<T: Element>(&mut self) -> &mut [T] {
        if let Home::Foreign(_) = self.home {
            *self = self.clone();
        }
        // SAFETY: as in `as_slice`, and owned and borrowed uniquely.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr().cast(), self.len / size_of::<T>()) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Home::Class(class) = self.home else { return };
        if !cache().put(class, self.ptr) {
            // SAFETY: allocated in `new` with this layout, and not kept by the cache.
            unsafe { dealloc(self.ptr.as_ptr(), class_layout(class)) }
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut b = Self::new(self.len);
        b.bytes_mut().copy_from_slice(self.bytes());
        b
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_a_quarter() {
        for len in (0..5000).chain([1 << 20, (1 << 20) + 1, 123_456_789]) {
            let c = size_class(len);
            assert!(c >= len && c.is_multiple_of(ALIGN), "{len} {c}");
            assert!(len < 512 || c - len <= len / 3, "{len} {c}");
        }
    }

    #[test]
    fn buffers_are_aligned_and_recycled() {
        let mut b = Buffer::zeroed(1000);
        assert_eq!(b.bytes().as_ptr() as usize % ALIGN, 0);
        b.as_mut_slice::<f64>()[3] = 2.5;
        assert_eq!(b.clone().as_slice::<f64>()[3], 2.5);
        drop(b);
        assert!(Buffer::zeroed(999).bytes().iter().all(|&x| x == 0));
    }

    #[test]
    fn foreign_bytes_are_shared_until_written() {
        let owner = Arc::new((0..64).collect::<Vec<u8>>());
        let at = owner.as_ptr().align_offset(8);
        let mut b = Buffer::foreign(owner.clone(), at..at + 3).unwrap();
        assert_eq!((b.bytes(), b.bytes().as_ptr()), (&owner[at..at + 3], owner[at..].as_ptr()));
        assert_eq!(Arc::strong_count(&owner), 2);
        b.bytes_mut()[0] = 99;
        assert_eq!((b.bytes()[0], b.bytes()[1], owner[at]), (99, owner[at + 1], at as u8));
        assert_eq!(Arc::strong_count(&owner), 1);
        assert!(Buffer::foreign(owner.clone(), at + 1..at + 3).is_none(), "not aligned");
        assert!(Buffer::foreign(owner.clone(), at..65).is_none(), "not there");
    }
}
