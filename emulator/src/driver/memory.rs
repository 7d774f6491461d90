//! Memory of the devices and of the host, and copies between them.

use super::state::{DEFAULT, Locked, Pinned, State, healthy, in_context};
use super::stream::{HostPtr, Work};
use super::{Code, Handle, give};
use std::alloc::{Layout, alloc_zeroed};
use std::ffi::c_void;

impl State {
    /// Whether all these bytes are pinned host memory.
    pub fn pinned_range(&self, start: usize, len: usize) -> bool {
        self.pinned
            .range(..=start)
            .next_back()
            .is_some_and(|(&at, p)| start - at <= p.len && len <= p.len - (start - at))
    }

    fn room(&mut self, bytes: u64) -> Result<(), Code> {
        let fits = |s: &State| {
            let memory = s.device.memory();
            memory.used.saturating_add(s.promised).saturating_add(bytes) <= memory.total
        };
        if bytes == 0 {
            return Err(Code::InvalidValue);
        }
        if !fits(self) {
            // Frees that wait in streams may make room.
            self.run_all();
            if !fits(self) {
                return Err(Code::OutOfMemory);
            }
        }
        Ok(())
    }

    /// Memory of a device from a place in a stream on; by itself of the stream's device.
    fn alloc_async(&mut self, bytes: usize, stream: Handle, device: Option<usize>) -> Result<u64, Code> {
        let stream = self.stream(stream)?;
        let bytes = bytes as u64;
        let start = self.on(device.unwrap_or(self.streams[&stream].device), |s| {
            s.room(bytes)?;
            s.counts.allocations += 1;
            let start = s.device.memory().reserve(bytes);
            s.promised += bytes;
            s.allocated.insert(start, bytes);
            Ok(start)
        })?;
        self.push(stream, Work::Alloc(start, bytes))?;
        Ok(start)
    }

    /// Whether something was allocated there; it is not any more.
    fn take(&mut self, address: u64) -> bool {
        let owner = self.owner(address);
        self.units[owner].allocated.remove(&address).is_some()
    }

    fn check_range(&mut self, address: u64, bytes: usize) -> Result<(), Code> {
        // Memory allocated in a stream exists later; its range is known already.
        let unit = &self.units[self.owner(address)];
        let known = unit.device.memory().find(address, bytes as u64).is_some()
            || unit.allocated.iter().any(|(&start, &len)| {
                address >= start && address - start <= len && bytes as u64 <= len - (address - start)
            });
        if known {
            return Ok(());
        }
        let words = unit.device.memory().table().explain(address, bytes as u64);
        self.tell(&format!("a copy or fill of {bytes} bytes at {address:#x}: {words}"));
        Err(Code::InvalidValue)
    }

    fn host_alloc(&mut self, bytes: usize, managed: bool) -> Result<usize, Code> {
        if bytes == 0 {
            return Err(Code::InvalidValue);
        }
        let layout = Layout::from_size_align(bytes, 4096).map_err(|_| Code::OutOfMemory)?;
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            return Err(Code::OutOfMemory);
        }
        let pinned = Pinned { device: self.here, len: bytes, layout: Some(layout), managed };
        // SAFETY: the memory lives until `unpin` frees it.
        unsafe { self.pin(start as usize, pinned) };
        Ok(start as usize)
    }

    fn host_free(&mut self, start: usize, managed: bool) -> Result<(), Code> {
        if self.pinned.get(&start).is_none_or(|p| p.layout.is_none() || p.managed != managed) {
            return Err(Code::InvalidValue);
        }
        // Kernels that may use managed memory run first. Pinned memory is freed under pending
        // copies, as it is on a device; the copy then says so.
        if managed {
            self.run_everything();
        }
        self.unpin(start);
        Ok(())
    }

    pub(super) fn copy_to_device(
        &mut self,
        to: u64,
        from: *const c_void,
        bytes: usize,
        stream: Handle,
    ) -> Result<(), Code> {
        self.counts.to_device += 1;
        self.counts.to_device_bytes += bytes as u64;
        if bytes == 0 {
            return Ok(());
        }
        if from.is_null() {
            return Err(Code::InvalidValue);
        }
        self.check_range(to, bytes)?;
        let work = if self.pinned_range(from as usize, bytes) {
            Work::FromPinned(to, HostPtr(from as usize), bytes)
        } else {
            // SAFETY: the caller vouches for the bytes; pageable memory is read at once.
            Work::ToDevice(to, unsafe { std::slice::from_raw_parts(from as *const u8, bytes) }.to_vec())
        };
        self.push(stream, work).map(|_| ())
    }

    /// Copies to pinned memory wait; those to pageable memory are done when the call returns.
    pub(super) fn copy_to_host(
        &mut self,
        to: *mut c_void,
        from: u64,
        bytes: usize,
        stream: Handle,
    ) -> Result<(), Code> {
        self.counts.to_host += 1;
        self.counts.to_host_bytes += bytes as u64;
        if bytes == 0 {
            return Ok(());
        }
        if to.is_null() {
            return Err(Code::InvalidValue);
        }
        self.check_range(from, bytes)?;
        let stream = self.stream(stream)?;
        let ticket = self.push(stream, Work::ToHost(HostPtr(to as usize), from, bytes))?;
        if !self.pinned_range(to as usize, bytes) {
            self.run_until(stream, ticket);
            return self.verdict();
        }
        Ok(())
    }

    /// Runs all work of all devices.
    fn run_everything(&mut self) {
        (0..self.units.len()).for_each(|device| self.on(device, State::run_all));
    }

    pub(super) fn on_device(&mut self, to: u64, from: u64, bytes: usize, stream: Handle) -> Result<(), Code> {
        self.counts.on_device += 1;
        if bytes == 0 {
            return Ok(());
        }
        self.check_range(to, bytes)?;
        self.check_range(from, bytes)?;
        self.push(stream, Work::OnDevice(to, from, bytes as u64)).map(|_| ())
    }

    /// Whether both addresses belong to the devices of their contexts.
    fn peers(&self, to: u64, to_context: Handle, from: u64, from_context: Handle) -> Result<(), Code> {
        for (address, context) in [(to, to_context), (from, from_context)] {
            let device = self.contexts.get(&context).ok_or(Code::InvalidContext)?.device;
            if self.owner(address) != device {
                return Err(Code::InvalidValue);
            }
        }
        Ok(())
    }

    pub(super) fn any(&mut self, to: u64, from: u64, bytes: usize, stream: Handle) -> Result<(), Code> {
        // Addresses of the device are larger than any of the host.
        const DEVICE: u64 = 1 << 52;
        match (to >= DEVICE, from >= DEVICE) {
            (true, true) => self.on_device(to, from, bytes, stream),
            (true, false) => self.copy_to_device(to, from as *const c_void, bytes, stream),
            (false, true) => self.copy_to_host(to as *mut c_void, from, bytes, stream),
            (false, false) => Err(Code::InvalidValue),
        }
    }

    pub(super) fn fill(&mut self, to: u64, pattern: &[u8], count: usize, stream: Handle) -> Result<(), Code> {
        self.counts.fills += 1;
        let bytes = count.checked_mul(pattern.len()).ok_or(Code::InvalidValue)?;
        if !to.is_multiple_of(pattern.len() as u64) {
            return Err(Code::InvalidValue);
        }
        if bytes == 0 {
            return Ok(());
        }
        self.check_range(to, bytes)?;
        self.push(stream, Work::Fill(to, pattern.to_vec(), count as u64)).map(|_| ())
    }
}

/// A call that waits for what it started in the default stream.
pub(super) fn waiting(f: impl FnOnce(&mut State) -> Result<(), Code>) -> Result<(), Code> {
    let mut s: Locked = healthy()?;
    f(&mut s)?;
    s.counts.synchronisations += 1;
    s.drain(DEFAULT);
    s.verdict()
}

super::export! {
    /// Memory of the device, at once.
    fn cuMemAlloc_v2(address: *mut u64, bytes: usize) {
        let mut s = healthy()?;
        s.room(bytes as u64)?;
        s.counts.allocations += 1;
        let start = s.device.alloc(bytes as u64).ok_or(Code::OutOfMemory)?;
        s.allocated.insert(start, bytes as u64);
        give(address, start)
    }
    /// Frees memory, after all work has been done.
    fn cuMemFree_v2(address: u64) {
        let mut s = in_context()?;
        if address == 0 {
            return Ok(());
        }
        let owner = s.owner(address);
        s.on(owner, State::run_all);
        s.counts.frees += 1;
        s.counts.synchronisations += 1;
        if s.pinned.get(&(address as usize)).is_some_and(|p| p.managed) {
            s.host_free(address as usize, true)?;
            return s.verdict();
        }
        if !s.take(address) {
            let again = if s.device_at(address).memory().was_freed(address) { " (it was freed before)" } else { "" };
            s.tell(&format!("free of {address:#x}, where nothing is allocated{again}"));
            return Err(Code::InvalidValue);
        }
        s.device_at(address).free(address);
        s.verdict()
    }
    /// Memory from a place in a stream on.
    fn cuMemAllocAsync(address: *mut u64, bytes: usize, stream: Handle) {
        let start = healthy()?.alloc_async(bytes, stream, None)?;
        give(address, start)
    }
    /// As `cuMemAllocAsync`, of the pool's device.
    fn cuMemAllocFromPoolAsync(address: *mut u64, bytes: usize, pool: Handle, stream: Handle) {
        let mut s = healthy()?;
        let device = super::pool::device_of(&s, pool)?;
        let start = s.alloc_async(bytes, stream, Some(device))?;
        give(address, start)
    }
    /// Memory up to a place in a stream.
    fn cuMemFreeAsync(address: u64, stream: Handle) {
        let mut s = in_context()?;
        if address == 0 {
            return Ok(());
        }
        let stream = s.stream(stream)?;
        if !s.take(address) {
            s.tell(&format!("free of {address:#x}, where nothing is allocated"));
            return Err(Code::InvalidValue);
        }
        s.counts.frees += 1;
        s.push(stream, Work::Free(address))?;
        s.verdict()
    }
    /// Memory that host and device share.
    fn cuMemAllocManaged(address: *mut u64, bytes: usize, _flags: u32) {
        let mut s = healthy()?;
        s.counts.allocations += 1;
        let start = s.host_alloc(bytes, true)?;
        give(address, start as u64)
    }
    /// Pinned memory of the host.
    fn cuMemHostAlloc(address: *mut usize, bytes: usize, _flags: u32) {
        let start = healthy()?.host_alloc(bytes, false)?;
        give(address, start)
    }
    /// Pinned memory of the host.
    fn cuMemAllocHost_v2(address: *mut usize, bytes: usize) {
        let start = healthy()?.host_alloc(bytes, false)?;
        give(address, start)
    }
    /// Frees pinned memory.
    fn cuMemFreeHost(address: usize) {
        in_context()?.host_free(address, false)
    }
    /// Pins memory of the program.
    fn cuMemHostRegister_v2(address: usize, bytes: usize, _flags: u32) {
        let mut s = healthy()?;
        if address == 0 || bytes == 0 {
            return Err(Code::InvalidValue);
        }
        if s.pinned_range(address, 1) {
            return Err(Code::AlreadyRegistered);
        }
        let pinned = Pinned { device: s.here, len: bytes, layout: None, managed: false };
        // SAFETY: the caller keeps the memory until `cuMemHostUnregister`.
        unsafe { s.pin(address, pinned) };
        Ok(())
    }
    /// Undoes `cuMemHostRegister_v2`.
    fn cuMemHostUnregister(address: usize) {
        let mut s = in_context()?;
        if s.pinned.get(&address).is_none_or(|p| p.layout.is_some()) {
            return Err(Code::NotRegistered);
        }
        s.run_everything();
        s.unpin(address);
        Ok(())
    }
    /// Free and total memory.
    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) {
        let s = healthy()?;
        let (used, all) = { let m = s.device.memory(); (m.used + s.promised, m.total) };
        give(free, all.saturating_sub(used) as usize)?;
        give(total, all as usize)
    }

    /// Host to device, done when it returns.
    fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) {
        waiting(|s| s.copy_to_device(to, from, bytes, DEFAULT))
    }
    /// Device to host, done when it returns.
    fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) {
        waiting(|s| s.copy_to_host(to, from, bytes, DEFAULT))
    }
    /// Inside the device, in the default stream.
    fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) {
        healthy()?.on_device(to, from, bytes, DEFAULT)
    }
    /// Between any two addresses, done when it returns.
    fn cuMemcpy(to: u64, from: u64, bytes: usize) {
        waiting(|s| s.any(to, from, bytes, DEFAULT))
    }
    /// Host to device, in a stream.
    fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: Handle) {
        healthy()?.copy_to_device(to, from, bytes, stream)
    }
    /// Device to host, in a stream.
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: Handle) {
        healthy()?.copy_to_host(to, from, bytes, stream)
    }
    /// Inside the device, in a stream.
    fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: Handle) {
        healthy()?.on_device(to, from, bytes, stream)
    }
    /// Between any two addresses, in a stream.
    fn cuMemcpyAsync(to: u64, from: u64, bytes: usize, stream: Handle) {
        healthy()?.any(to, from, bytes, stream)
    }
    /// From one context's device to another's, in a stream.
    fn cuMemcpyPeerAsync(to: u64, to_context: Handle, from: u64, from_context: Handle, bytes: usize, stream: Handle) {
        let mut s = healthy()?;
        s.peers(to, to_context, from, from_context)?;
        s.on_device(to, from, bytes, stream)
    }
    /// Likewise, after all work of both devices and before any later one.
    fn cuMemcpyPeer(to: u64, to_context: Handle, from: u64, from_context: Handle, bytes: usize) {
        let mut s = healthy()?;
        s.peers(to, to_context, from, from_context)?;
        s.run_everything();
        s.on_device(to, from, bytes, DEFAULT)?;
        s.drain(DEFAULT);
        s.verdict()
    }

    /// Fills with a byte, in the default stream.
    fn cuMemsetD8_v2(to: u64, value: u8, count: usize) {
        healthy()?.fill(to, &[value], count, DEFAULT)
    }
    /// Fills with a 16-bit value, in the default stream.
    fn cuMemsetD16_v2(to: u64, value: u16, count: usize) {
        healthy()?.fill(to, &value.to_le_bytes(), count, DEFAULT)
    }
    /// Fills with a 32-bit value, in the default stream.
    fn cuMemsetD32_v2(to: u64, value: u32, count: usize) {
        healthy()?.fill(to, &value.to_le_bytes(), count, DEFAULT)
    }
    /// Fills with a byte, in a stream.
    fn cuMemsetD8Async(to: u64, value: u8, count: usize, stream: Handle) {
        healthy()?.fill(to, &[value], count, stream)
    }
    /// Fills with a 16-bit value, in a stream.
    fn cuMemsetD16Async(to: u64, value: u16, count: usize, stream: Handle) {
        healthy()?.fill(to, &value.to_le_bytes(), count, stream)
    }
    /// Fills with a 32-bit value, in a stream.
    fn cuMemsetD32Async(to: u64, value: u32, count: usize, stream: Handle) {
        healthy()?.fill(to, &value.to_le_bytes(), count, stream)
    }
}
