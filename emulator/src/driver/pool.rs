//! Memory pools: each device has one, and it keeps nothing.

use super::state::{State, healthy, in_context};
use super::{Code, Handle, give};
use std::ffi::{c_int, c_void};

/// The handle of the first device's memory pool; the others follow.
pub(super) const POOL: Handle = 0x20;

/// The device of a pool.
pub(super) fn device_of(s: &State, pool: Handle) -> Result<usize, Code> {
    pool.checked_sub(POOL).filter(|&d| d < s.units.len()).ok_or(Code::InvalidValue)
}

super::export! {
    /// The pool of the current device, as every other of it.
    fn cuMemPoolCreate(pool: *mut Handle, _properties: *const c_void) {
        give(pool, POOL + healthy()?.here)
    }
    /// Pools need no end.
    fn cuMemPoolDestroy(_pool: Handle) {
        in_context().map(|_| ())
    }
    /// Attributes of pools have no effect.
    fn cuMemPoolSetAttribute(pool: Handle, _which: u32, _value: *mut c_void) {
        let s = healthy()?;
        device_of(&s, pool).map(|_| ())
    }
    /// What the device holds; 64-bit attributes only.
    fn cuMemPoolGetAttribute(pool: Handle, which: u32, value: *mut u64) {
        let s = healthy()?;
        let unit = &s.units[device_of(&s, pool)?];
        match which {
            // Reuse policies are 32-bit switches.
            1..=3 => give(value as *mut c_int, 1),
            5..=8 => { let used = unit.device.memory().used; give(value, used) }
            _ => give(value, 0),
        }
    }
    /// Pools keep nothing.
    fn cuMemPoolTrimTo(_pool: Handle, _bytes: usize) {
        healthy().map(|_| ())
    }
}
