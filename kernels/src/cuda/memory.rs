//! Memory of a device: blocks from the driver, kept for reuse by size class.
//!
//! All work goes to one stream, so a block that is given back may be handed out again at once: what its
//! next owner does comes after what its last one did. Nothing waits for that.

use super::context::Context;
use super::counters::Counters;
use super::driver::Driver;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Alignment of blocks, and the smallest.
const UNIT: usize = 512;

/// Free blocks by size.
#[derive(Default)]
pub(super) struct Cache {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    blocks: BTreeMap<usize, Vec<u64>>,
    bytes: usize,
    /// Bytes that tensors hold.
    used: usize,
}

/// Bytes of the class that holds `len`: four classes per power of two.
fn size_class(len: usize) -> usize {
    let len = len.max(UNIT);
    let quarter = (len.next_power_of_two() / 8).max(UNIT);
    len.div_ceil(quarter) * quarter
}

/// `TAPER_CUDA_CACHE=0` frees every block at once, so that a sanitizer sees uses after that.
fn keeps() -> bool {
    static KEEPS: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var("TAPER_CUDA_CACHE").map_or(true, |v| v != "0"));
    *KEEPS
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, class: usize) -> Option<u64> {
        let mut kept = self.lock();
        let address = kept.blocks.get_mut(&class)?.pop()?;
        kept.bytes -= class;
        Some(address)
    }

    fn put(&self, driver: &Driver, class: usize, address: u64) {
        self.lock().used -= class;
        if !keeps() {
            // SAFETY: the block is nobody's. A device that has failed has no memory to care for.
            let _ = unsafe { driver.free(address) };
            return;
        }
        let mut kept = self.lock();
        kept.bytes += class;
        kept.blocks.entry(class).or_default().push(address);
    }

    /// Gives all blocks that are kept back to the system.
    pub fn empty(&self, driver: &Driver) -> Result {
        let kept = {
            let mut kept = self.lock();
            kept.bytes = 0;
            std::mem::take(&mut kept.blocks)
        };
        for address in kept.into_values().flatten() {
            // SAFETY: blocks of the cache are nobody's.
            unsafe { driver.free(address) }?;
        }
        driver.trim()
    }

    /// Bytes that tensors hold, and bytes kept for reuse.
    pub fn bytes(&self) -> (usize, usize) {
        let kept = self.lock();
        (kept.used, kept.bytes)
    }
}

/// Memory of a CUDA device, owned alone. It goes back to the cache when it is dropped.
pub struct CudaBuffer {
    context: &'static Context,
    address: u64,
    len: usize,
    class: usize,
}

impl CudaBuffer {
    /// `len` bytes with arbitrary contents.
    pub(super) fn new(context: &'static Context, len: usize) -> Result<CudaBuffer> {
        if len == 0 {
            return Ok(CudaBuffer { context, address: 0, len, class: 0 });
        }
        let (driver, cache) = (&context.driver, &context.cache);
        let out_of_memory = || Error::OutOfMemory {
            device: driver.device(),
            requested: len,
            used: cache.bytes().0,
            free: driver.memory().map_or(0, |m| m.0),
        };
        // Beyond what an address can be, and rounding up would overflow.
        if len > isize::MAX as usize / 2 {
            return Err(out_of_memory());
        }
        let class = size_class(len);
        Counters::add(&context.counters.requests, 1);
        let address = match cache.take(class) {
            Some(address) => address,
            None => {
                Counters::add(&context.counters.allocations, 1);
                match driver.alloc(class)? {
                    Some(address) => address,
                    None => {
                        cache.empty(driver)?;
                        driver.alloc(class)?.ok_or_else(out_of_memory)?
                    }
                }
            }
        };
        cache.lock().used += class;
        Ok(CudaBuffer { context, address, len, class })
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }
    /// True for no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// Where it lives.
    pub fn device(&self) -> crate::Device {
        self.context.driver.device()
    }
    /// The address on the device; 0 for no bytes.
    pub(super) fn address(&self) -> u64 {
        self.address
    }
    /// The device.
    pub(super) fn context(&self) -> &'static Context {
        self.context
    }
}

impl Drop for CudaBuffer {
    fn drop(&mut self) {
        if self.class > 0 {
            self.context.cache.put(&self.context.driver, self.class, self.address);
        }
    }
}

impl Clone for CudaBuffer {
    /// A copy, on the device.
    ///
    /// # Panics
    /// Where the device has failed or has no memory left; kernels that copy return an error.
    fn clone(&self) -> Self {
        let copy = || {
            let new = CudaBuffer::new(self.context, self.len)?;
            if self.len > 0 {
                // SAFETY: two blocks of this length.
                unsafe { self.context.driver.on_device(new.address, self.address, self.len) }?;
            }
            Ok::<_, Error>(new)
        };
        copy().unwrap_or_else(|e| panic!("{e}"))
    }
}

impl std::fmt::Debug for CudaBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CudaBuffer({} bytes on {})", self.len, self.device())
    }
}
