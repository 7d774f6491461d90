//! Memory pools: there is one, and it keeps nothing.

use super::state::{healthy, in_context};
use super::{Code, Handle, give};
use std::ffi::{c_int, c_void};

/// The handle of the only memory pool.
pub(super) const POOL: Handle = 0x20;

super::export! {
    /// A pool, the same as every other.
    fn cuMemPoolCreate(pool: *mut Handle, _properties: *const c_void) {
        healthy()?;
        give(pool, POOL)
    }
    /// Pools need no end.
    fn cuMemPoolDestroy(_pool: Handle) {
        in_context().map(|_| ())
    }
    /// Attributes of pools have no effect.
    fn cuMemPoolSetAttribute(pool: Handle, _which: u32, _value: *mut c_void) {
        healthy()?;
        if pool == POOL { Ok(()) } else { Err(Code::InvalidValue) }
    }
    /// What the device holds; 64-bit attributes only.
    fn cuMemPoolGetAttribute(pool: Handle, which: u32, value: *mut u64) {
        let s = healthy()?;
        if pool != POOL {
            return Err(Code::InvalidValue);
        }
        match which {
            // Reuse policies are 32-bit switches.
            1..=3 => give(value as *mut c_int, 1),
            5..=8 => { let used = s.device.memory().used; give(value, used) }
            _ => give(value, 0),
        }
    }
    /// Pools keep nothing.
    fn cuMemPoolTrimTo(_pool: Handle, _bytes: usize) {
        healthy().map(|_| ())
    }
}
