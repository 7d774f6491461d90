//! The memory of the device.
//!
//! Device addresses are a space of their own: they start where no host address can be, so host
//! code that dereferences one fails, and they are never used twice, so an access to freed memory
//! is always noticed. Kernels run on several host threads; every access is a relaxed atomic, as
//! racing accesses of a GPU are.

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Where generic addresses of shared memory start.
pub(crate) const GENERIC_SHARED: u64 = 1 << 56;
/// Where generic addresses of local memory start.
pub(crate) const GENERIC_LOCAL: u64 = 1 << 57;
/// Where generic addresses of parameters start.
pub(crate) const GENERIC_PARAM: u64 = 1 << 58;
/// Where the memory of the first device starts, and bytes from one device to the next: no host address is
/// that large.
const FIRST: u64 = 1 << 52;
/// Devices that have room below the other windows.
pub(crate) const DEVICES: usize = 8;

/// The device that an address belongs to; `None` for those of the host.
pub(crate) fn device_of(address: u64) -> Option<usize> {
    ((address / FIRST) as usize).checked_sub(1)
}
/// Unused addresses between two allocations.
const GAP: u64 = 4096;
/// Up to this size fresh memory is filled with NaN; above it is zero (and takes no room until
/// it is written).
const POISON_UP_TO: usize = 64 << 20;

/// The start of the window a generic address lies in; 0 is global memory.
pub(crate) fn window_of(address: u64) -> u64 {
    match address >> 56 {
        1 => GENERIC_SHARED,
        2 | 3 => GENERIC_LOCAL,
        4..=7 => GENERIC_PARAM,
        _ => 0,
    }
}

/// A piece of memory that kernels can access.
pub(crate) struct Allocation {
    pub start: u64,
    pub len: u64,
    host: *mut u8,
    /// `None` where the memory belongs to the host program (pinned or managed memory).
    layout: Option<Layout>,
    /// In check mode a bit for each byte that has been written.
    written: Option<Vec<AtomicU64>>,
    pub read_only: AtomicBool,
}

// SAFETY: the memory is only accessed through atomics (kernels) or while no kernel runs (copies),
// and lives as long as the allocation.
unsafe impl Send for Allocation {}
// SAFETY: as above.
unsafe impl Sync for Allocation {}

impl Drop for Allocation {
    fn drop(&mut self) {
        if let Some(layout) = self.layout {
            // SAFETY: allocated with this layout in `Memory::alloc`, and nobody else frees it.
            unsafe { dealloc(self.host, layout) }
        }
    }
}

impl Allocation {
    fn words(at: u64, len: u64) -> impl Iterator<Item = (usize, u64)> {
        let end = at + len;
        (at / 64..end.div_ceil(64)).map(move |word| {
            let (low, high) = (at.max(word * 64) - word * 64, end.min(word * 64 + 64) - word * 64);
            let ones = if high - low == 64 { !0 } else { ((1u64 << (high - low)) - 1) << low };
            (word as usize, ones)
        })
    }

    /// Notes that `len` bytes at offset `at` have been written.
    pub fn mark(&self, at: u64, len: u64) {
        if let Some(written) = &self.written {
            for (word, ones) in Self::words(at, len) {
                written[word].fetch_or(ones, Relaxed);
            }
        }
    }

    /// Whether all these bytes have been written (always so outside of check mode).
    pub fn is_written(&self, at: u64, len: u64) -> bool {
        let Some(written) = &self.written else { return true };
        Self::words(at, len).all(|(word, ones)| written[word].load(Relaxed) & ones == ones)
    }

    /// A copy keeps what is unwritten unwritten.
    fn copy_marks(&self, at: u64, from: &Allocation, source: u64, len: u64) {
        let (Some(to), Some(from)) = (&self.written, &from.written) else { return self.mark(at, len) };
        for k in 0..len {
            let bit = from[((source + k) / 64) as usize].load(Relaxed) >> ((source + k) % 64) & 1;
            let (word, shift) = (((at + k) / 64) as usize, (at + k) % 64);
            to[word].fetch_and(!(1 << shift), Relaxed);
            to[word].fetch_or(bit << shift, Relaxed);
        }
    }
}

/// One entry of the table that kernels look addresses up in.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub start: u64,
    pub end: u64,
    pub host: usize,
}

/// All allocations at one moment, in the order of their addresses.
#[derive(Default)]
pub(crate) struct Table {
    pub ranges: Vec<Range>,
    pub owners: Vec<Arc<Allocation>>,
    pub freed: Vec<(u64, u64)>,
    pub ordinal: usize,
}

impl Table {
    /// Index of the allocation that holds the address, if any does.
    pub fn find(&self, address: u64) -> Option<usize> {
        let after = self.ranges.partition_point(|r| r.start <= address);
        let index = after.checked_sub(1)?;
        (address < self.ranges[index].end).then_some(index)
    }

    /// What is wrong with an access of `bytes` at `address`, in words.
    pub fn explain(&self, address: u64, bytes: u64) -> String {
        if let Some(other) = device_of(address).filter(|&d| d != self.ordinal && d < DEVICES) {
            return format!("this is memory of device {other}, not of device {}", self.ordinal);
        }
        if let Some((start, end)) =
            self.freed.iter().rev().find(|f| (f.0..f.1.max(f.0 + 1)).contains(&address))
        {
            return format!("use after free: the {}-byte allocation at {start:#x} was freed", end - start);
        }
        let after = self.ranges.partition_point(|r| r.start <= address);
        // What is nearer is more likely to be meant.
        let next = self.ranges.get(after).map_or(u64::MAX, |r| r.start - address);
        match after.checked_sub(1).map(|k| self.ranges[k]) {
            Some(r) if address.saturating_sub(r.end) < next.min(1 << 20) => format!(
                "{} bytes past the end of the {}-byte allocation at {:#x}",
                address + bytes - r.end,
                r.end - r.start,
                r.start
            ),
            _ => match self.ranges.get(after) {
                Some(r) if r.start - address < 1 << 20 => {
                    format!(
                        "{} bytes before the {}-byte allocation at {:#x}",
                        r.start - address,
                        r.end - r.start,
                        r.start
                    )
                }
                _ => "no allocation is near".to_string(),
            },
        }
    }
}

/// The memory of a device.
pub(crate) struct Memory {
    live: BTreeMap<u64, Arc<Allocation>>,
    freed: Vec<(u64, u64)>,
    next: u64,
    ordinal: usize,
    pub used: u64,
    pub total: u64,
    check: bool,
    table: Option<Arc<Table>>,
}

impl Memory {
    pub fn new(total: u64, check: bool, ordinal: usize) -> Self {
        let next = FIRST * (1 + ordinal as u64);
        Memory { live: BTreeMap::new(), freed: Vec::new(), next, ordinal, used: 0, total, check, table: None }
    }

    /// The memory of a device whose former memory, with all that was in it, is gone.
    pub fn follow(&mut self, before: &mut Memory) {
        self.next = before.next;
        self.freed = std::mem::take(&mut before.freed);
        let rest = before.live.values().filter(|a| a.layout.is_some());
        self.freed.extend(rest.map(|a| (a.start, a.start + a.len)));
    }

    /// An address for `len` bytes; nothing is there yet.
    pub fn reserve(&mut self, len: u64) -> u64 {
        let start = self.next;
        self.next = (start + len + GAP).next_multiple_of(512);
        start
    }

    /// New memory at a reserved address; `None` where the device or the host has not enough.
    pub fn commit(&mut self, start: u64, len: u64) -> Option<()> {
        if self.used.checked_add(len)? > self.total {
            return None;
        }
        let size = usize::try_from(len).ok()?.max(1);
        let layout = Layout::from_size_align(size, 512).ok()?;
        // SAFETY: the layout's size is not zero.
        let host = unsafe { if size <= POISON_UP_TO { alloc(layout) } else { alloc_zeroed(layout) } };
        if host.is_null() {
            return None;
        }
        if size <= POISON_UP_TO {
            // SAFETY: `size` bytes were just allocated.
            unsafe { std::ptr::write_bytes(host, 0xff, size) }
        }
        let written = self.check.then(|| (0..size.div_ceil(64)).map(|_| AtomicU64::new(0)).collect());
        let a =
            Allocation { start, len, host, layout: Some(layout), written, read_only: AtomicBool::new(false) };
        self.used += len;
        self.live.insert(start, Arc::new(a));
        self.table = None;
        Some(())
    }

    pub fn alloc(&mut self, len: u64) -> Option<u64> {
        if self.used.checked_add(len)? > self.total {
            return None;
        }
        let start = self.reserve(len);
        self.commit(start, len)?;
        Some(start)
    }

    /// Makes memory of the host program accessible at its own address.
    ///
    /// # Safety
    /// `host` must point to `len` bytes that stay valid until [`Memory::free`] of that address.
    pub unsafe fn map_host(&mut self, host: *mut u8, len: u64) {
        let start = host as u64;
        let a =
            Allocation { start, len, host, layout: None, written: None, read_only: AtomicBool::new(false) };
        self.live.insert(start, Arc::new(a));
        self.table = None;
    }

    /// Frees the allocation that starts at the address.
    pub fn free(&mut self, start: u64) -> bool {
        let Some(a) = self.live.remove(&start) else { return false };
        if a.layout.is_some() {
            self.used -= a.len;
            self.freed.push((a.start, a.start + a.len));
        }
        self.table = None;
        true
    }

    /// Kernels may not write there any more (check mode says so where one does).
    pub fn protect(&self, start: u64) {
        if let Some(a) = self.live.get(&start) {
            a.read_only.store(true, Relaxed);
        }
    }

    pub fn was_freed(&self, start: u64) -> bool {
        self.freed.iter().any(|f| f.0 == start)
    }

    pub fn table(&mut self) -> Arc<Table> {
        self.table
            .get_or_insert_with(|| {
                let owners: Vec<Arc<Allocation>> = self.live.values().cloned().collect();
                let range = |a: &Arc<Allocation>| Range {
                    start: a.start,
                    end: a.start + a.len,
                    host: a.host as usize,
                };
                let ranges = owners.iter().map(range).collect();
                Arc::new(Table { ranges, owners, freed: self.freed.clone(), ordinal: self.ordinal })
            })
            .clone()
    }

    /// The allocation that holds all these bytes, and the offset in it.
    pub fn find(&self, address: u64, len: u64) -> Option<(Arc<Allocation>, u64)> {
        let (start, a) = self.live.range(..=address).next_back()?;
        let offset = address - start;
        (offset.checked_add(len)? <= a.len).then(|| (a.clone(), offset))
    }

    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), String> {
        let (a, at) =
            self.find(address, bytes.len() as u64).ok_or_else(|| self.reason(address, bytes.len()))?;
        // SAFETY: `find` checked the range; no kernel runs while the device is locked for a copy.
        unsafe { std::ptr::copy(bytes.as_ptr(), a.host.add(at as usize), bytes.len()) }
        a.mark(at, bytes.len() as u64);
        Ok(())
    }

    pub fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), String> {
        let (a, at) = self.find(address, out.len() as u64).ok_or_else(|| self.reason(address, out.len()))?;
        // SAFETY: as in `write`.
        unsafe { std::ptr::copy(a.host.add(at as usize), out.as_mut_ptr(), out.len()) }
        Ok(())
    }

    pub fn copy(&mut self, to: u64, from: u64, len: u64) -> Result<(), String> {
        let (source, s) = self.find(from, len).ok_or_else(|| self.reason(from, len as usize))?;
        self.copy_in(to, &source, s, len)
    }

    /// Copies from an allocation, perhaps of another device.
    pub fn copy_in(&mut self, to: u64, source: &Allocation, s: u64, len: u64) -> Result<(), String> {
        let (target, t) = self.find(to, len).ok_or_else(|| self.reason(to, len as usize))?;
        // SAFETY: both ranges have been found; no kernel runs while the driver is locked for a copy, and `copy`
        // allows them to overlap.
        unsafe { std::ptr::copy(source.host.add(s as usize), target.host.add(t as usize), len as usize) }
        target.copy_marks(t, source, s, len);
        Ok(())
    }

    /// Fills `count` elements with the pattern.
    pub fn fill(&mut self, address: u64, pattern: &[u8], count: u64) -> Result<(), String> {
        let len = (pattern.len() as u64).checked_mul(count).ok_or("too many bytes")?;
        let (a, at) = self.find(address, len).ok_or_else(|| self.reason(address, len as usize))?;
        for k in 0..len as usize {
            // SAFETY: as in `write`.
            unsafe { a.host.add(at as usize + k).write(pattern[k % pattern.len()]) }
        }
        a.mark(at, len);
        Ok(())
    }

    pub fn reason(&mut self, address: u64, len: usize) -> String {
        format!("{len} bytes at {address:#x}: {}", self.table().explain(address, len as u64))
    }
}

/// Relaxed accesses at host addresses.
///
/// # Safety
/// Each needs an aligned address of that many bytes inside an allocation that is alive.
pub(crate) mod raw {
    use super::*;

    macro_rules! access {
        ($load:ident, $store:ident, $atomic:ty, $t:ty) => {
            #[inline(always)]
            pub unsafe fn $load(at: usize) -> $t {
                // SAFETY: see the module.
                unsafe { <$atomic>::from_ptr(at as *mut $t) }.load(Relaxed)
            }
            #[inline(always)]
            pub unsafe fn $store(at: usize, value: $t) {
                // SAFETY: see the module.
                unsafe { <$atomic>::from_ptr(at as *mut $t) }.store(value, Relaxed)
            }
        };
    }
    access!(load8, store8, AtomicU8, u8);
    access!(load16, store16, AtomicU16, u16);
    access!(load32, store32, AtomicU32, u32);
    access!(load64, store64, AtomicU64, u64);

    /// An atomic update; returns the old value.
    pub unsafe fn update(at: usize, bytes: u32, f: impl Fn(u64) -> u64) -> u64 {
        // SAFETY: see the module.
        unsafe {
            match bytes {
                2 => AtomicU16::from_ptr(at as *mut u16)
                    .fetch_update(Relaxed, Relaxed, |x| Some(f(x as u64) as u16))
                    .map_or_else(u64::from, u64::from),
                4 => AtomicU32::from_ptr(at as *mut u32)
                    .fetch_update(Relaxed, Relaxed, |x| Some(f(x as u64) as u32))
                    .map_or_else(u64::from, u64::from),
                _ => AtomicU64::from_ptr(at as *mut u64)
                    .fetch_update(Relaxed, Relaxed, |x| Some(f(x)))
                    .unwrap_or_else(|x| x),
            }
        }
    }
}
