//! Fresh memory from the operating system, with or without huge pages.

/// `n` f32 numbers of which no page was touched yet.
pub struct Map {
    place: *mut f32,
    n: usize,
}

// SAFETY: the memory is a `Map`'s own; threads that share one work on parts of their own (`Map::at`).
unsafe impl Sync for Map {}

impl Map {
    pub fn new(n: usize, huge: bool) -> Map {
        Map { place: imp::map(n * 4, huge) as *mut f32, n }
    }

    /// # Safety
    /// `i <= n`, and no two threads may write the same element or one read what another writes.
    pub unsafe fn at(&self, i: usize) -> *mut f32 {
        // SAFETY: within the map: the caller says so.
        unsafe { self.place.add(i) }
    }

    /// Writes every element, on `threads` threads (0 and 1: this one).
    pub fn fill(&self, threads: usize) {
        let part = self.n / threads.max(1);
        let write = |t: usize| {
            // SAFETY: each thread writes a part of its own, within the map; every bit pattern is an f32.
            unsafe { std::slice::from_raw_parts_mut(self.at(t * part), part).fill(1.0) }
        };
        std::thread::scope(|s| {
            for t in 1..threads {
                s.spawn(move || write(t));
            }
            write(0);
        });
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        imp::unmap(self.place as *mut u8, self.n * 4);
    }
}

#[cfg(target_os = "linux")]
mod imp {
    extern "C" {
        fn mmap(addr: *mut u8, len: usize, prot: i32, flags: i32, fd: i32, off: i64) -> *mut u8;
        fn munmap(addr: *mut u8, len: usize) -> i32;
        fn madvise(addr: *mut u8, len: usize, advice: i32) -> i32;
    }

    pub fn map(bytes: usize, huge: bool) -> *mut u8 {
        // SAFETY: new private anonymous memory, readable and writable; the advice is about that memory.
        unsafe {
            let p = mmap(std::ptr::null_mut(), bytes, 3, 0x22, -1, 0);
            assert!(p as isize != -1, "mmap failed");
            madvise(p, bytes, if huge { 14 } else { 15 });
            p
        }
    }

    pub fn unmap(p: *mut u8, bytes: usize) {
        // SAFETY: mapped above with this length, and used no more.
        unsafe { munmap(p, bytes) };
    }
}

/// Elsewhere: what the allocator gives; the pages' size is the system's choice.
#[cfg(not(target_os = "linux"))]
mod imp {
    use std::alloc::{alloc_zeroed, dealloc, Layout};

    fn layout(bytes: usize) -> Layout {
        Layout::from_size_align(bytes, 4096).expect("a size in memory")
    }

    pub fn map(bytes: usize, _huge: bool) -> *mut u8 {
        // SAFETY: the size is not zero.
        let p = unsafe { alloc_zeroed(layout(bytes)) };
        assert!(!p.is_null(), "no memory");
        p
    }

    pub fn unmap(p: *mut u8, bytes: usize) {
        // SAFETY: allocated above with this layout, and used no more.
        unsafe { dealloc(p, layout(bytes)) };
    }
}
