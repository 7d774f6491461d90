//! Aligned memory without a type: recycled blocks, or bytes that somebody else owns, such as a mapped
//! file, of which a buffer becomes a copy when it is written.

use crate::block::Block;
use crate::dtype::Element;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

/// Alignment of every buffer: a cache line, and the widest SIMD vector.
pub const ALIGN: usize = 64;

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
    /// The buffer: they are this block's. Taken when the buffer is dropped.
    Own(Option<Block>),
    /// Another owner, who keeps them unchanged as long as this reference to it lives.
    Foreign(#[expect(dead_code, reason = "held for its drop")] Owner),
}

// SAFETY: a Buffer owns its memory alone, like a Box<[u8]>, or shares an owner that is Send and Sync.
unsafe impl Send for Buffer {}
// SAFETY: shared access only reads.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// `len` bytes, from the cache or fresh. Contents are initialised but arbitrary.
    ///
    /// # Panics
    /// Where `len` exceeds the address space; aborts as `Vec` does where memory is out.
    pub fn new(len: usize) -> Self {
        Self::with_news(len).0
    }

    /// As [`new`](Buffer::new); true where all bytes are 0.
    fn with_news(len: usize) -> (Self, bool) {
        let (block, fresh) = Block::new(len);
        (Buffer { ptr: block.ptr(), len, home: Home::Own(Some(block)) }, fresh)
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
        let (mut b, fresh) = Self::with_news(len);
        if !fresh {
            b.bytes_mut().fill(0);
        }
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
        if let Home::Own(block) = &mut self.home
            && let Some(block) = block.take()
        {
            block.recycle();
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
