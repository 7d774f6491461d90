//! What the driver knows about an address.

use super::state::{State, healthy};
use super::{Code, Handle, give};
use std::ffi::{c_int, c_void};

/// One attribute of the memory at an address, written where the caller wants it.
fn attribute(s: &State, which: u32, address: u64, to: *mut c_void) -> Result<(), Code> {
    let host =
        s.pinned.range(..=address as usize).next_back().filter(|(at, p)| address as usize - **at < p.len);
    let managed = host.is_some_and(|(_, p)| p.managed);
    let owner = s.owner(address);
    let found = s.device_at(address).memory().find(address, 1).map(|(a, _)| (a.start, a.len));
    if to.is_null() || host.is_none() && found.is_none() {
        return Err(Code::InvalidValue);
    }
    let on_host = host.is_some() && !managed;
    match which {
        1 => give(to as *mut Handle, super::state::PRIMARY + owner),
        2 => give(to as *mut u32, if on_host { 1 } else { 2 }),
        3 => give(to as *mut u64, address),
        4 if host.is_some() => give(to as *mut u64, address),
        6 => give(to as *mut u32, 1),
        7 => give(to as *mut u64, found.map_or(address, |f| f.0)),
        8 => give(to as *mut u32, managed as u32),
        9 => give(to as *mut c_int, owner as c_int),
        11 => give(to as *mut u64, found.map_or(address, |f| f.0)),
        12 => give(to as *mut usize, found.map_or(0, |f| f.1 as usize)),
        13 => give(to as *mut u32, 1),
        _ => Err(Code::NotSupported),
    }
}

super::export! {
    /// The allocation that an address lies in.
    fn cuMemGetAddressRange_v2(base: *mut u64, bytes: *mut usize, address: u64) {
        let s = healthy()?;
        let (a, _) = s.device_at(address).memory().find(address, 1).ok_or(Code::NotFound)?;
        if !base.is_null() {
            give(base, a.start)?;
        }
        if bytes.is_null() { Ok(()) } else { give(bytes, a.len as usize) }
    }

    /// Pinned memory has the same address on the device.
    fn cuMemHostGetDevicePointer_v2(device: *mut u64, host: usize, _flags: u32) {
        if !healthy()?.pinned_range(host, 1) {
            return Err(Code::InvalidValue);
        }
        give(device, host as u64)
    }
    /// One attribute of the memory at an address.
    fn cuPointerGetAttribute(value: *mut c_void, which: u32, address: u64) {
        attribute(&*healthy()?, which, address, value)
    }
    /// Several attributes; those of an address that is not known are 0.
    fn cuPointerGetAttributes(n: u32, which: *const u32, values: *const *mut c_void, address: u64) {
        let s = healthy()?;
        if which.is_null() || values.is_null() {
            return Err(Code::InvalidValue);
        }
        for k in 0..n as usize {
            // SAFETY: the caller gives `n` attributes and `n` places for them.
            let (which, to) = unsafe { (*which.add(k), *values.add(k)) };
            if attribute(&s, which, address, to).is_err() {
                let wide = matches!(which, 1 | 3 | 4 | 7 | 11 | 12);
                if wide { give(to as *mut u64, 0)? } else { give(to as *mut u32, 0)? }
            }
        }
        Ok(())
    }
    /// Managed memory is everywhere already.
    fn cuMemPrefetchAsync(_address: u64, _bytes: usize, _device: c_int, stream: Handle) {
        healthy()?.stream(stream).map(|_| ())
    }
    /// Advice has no effect.
    fn cuMemAdvise(_address: u64, _bytes: usize, _advice: u32, _device: c_int) {
        healthy().map(|_| ())
    }
    /// As `cuMemPrefetchAsync`: a location of 8 bytes in place of a device.
    fn cuMemPrefetchAsync_v2(_address: u64, _bytes: usize, _location: u64, _flags: u32, stream: Handle) {
        healthy()?.stream(stream).map(|_| ())
    }
    /// As `cuMemAdvise`.
    fn cuMemAdvise_v2(_address: u64, _bytes: usize, _advice: u32, _location: u64) {
        healthy().map(|_| ())
    }
}
