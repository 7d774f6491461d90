//! The device and what it says about itself.

use super::state::{initialise, initialised};
use super::{Code, Handle, give};
use crate::profile::Profile;
use std::ffi::{c_char, c_int};

/// The driver's version: CUDA 12.9.
const VERSION: c_int = 12090;
/// The name that programs show.
const NAME: &str = "PTX emulator";

fn only(device: c_int) -> Result<(), Code> {
    if device == 0 { Ok(()) } else { Err(Code::InvalidDevice) }
}

fn attribute(p: &Profile, which: u32) -> i64 {
    match which {
        1..=3 => 1024,
        4 => 64,
        5 => i32::MAX as i64,
        6 | 7 => 65535,
        8 => Profile::SHARED_PER_BLOCK as i64,
        9 => 65536,            // constant memory
        10 => 32,              // warp size
        11 => i32::MAX as i64, // pitch
        12 | 82 => Profile::REGISTERS as i64,
        13 | 36 => 1_000_000, // clock rates: kHz of no real clock
        14 => 512,            // texture alignment
        15 | 19 | 31 | 41 | 78 | 79 | 80 | 83 | 90 => 1, // overlap, mapped memory, concurrency, unified addresses, …
        16 => p.multiprocessors as i64,
        37 => 256, // bus width
        38 => p.l2 as i64,
        39 => p.threads_per_multiprocessor as i64,
        40 => 2, // copy engines
        75 => p.capability.0 as i64,
        76 => p.capability.1 as i64,
        81 => p.shared_per_multiprocessor as i64,
        97 => p.shared_per_block_opt_in as i64,
        106 => p.blocks_per_multiprocessor as i64,
        111 if p.capability.0 >= 8 => 1024,
        115 => 1, // memory pools
        _ => 0,
    }
}

super::export! {
    /// Must come first.
    fn cuInit(flags: u32) {
        if flags != 0 {
            return Err(Code::InvalidValue);
        }
        initialise();
        Ok(())
    }
    /// The version of CUDA that this driver follows.
    fn cuDriverGetVersion(version: *mut c_int) {
        give(version, VERSION)
    }
    /// There is one device.
    fn cuDeviceGetCount(count: *mut c_int) {
        initialised()?;
        give(count, 1)
    }
    /// The device of that number.
    fn cuDeviceGet(device: *mut c_int, ordinal: c_int) {
        initialised()?;
        only(ordinal)?;
        give(device, 0)
    }
    /// Its name, which says that it is none.
    fn cuDeviceGetName(name: *mut c_char, len: c_int, device: c_int) {
        let s = initialised()?;
        only(device)?;
        if name.is_null() || len <= 0 {
            return Err(Code::InvalidValue);
        }
        let text = format!("{NAME} (sm_{})", s.device.profile().number());
        let n = text.len().min(len as usize - 1);
        // SAFETY: the caller vouches for `len` bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), name as *mut u8, n);
            name.add(n).write(0);
        }
        Ok(())
    }
    /// 16 bytes that are always the same.
    fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], device: c_int) {
        initialised()?;
        only(device)?;
        give(uuid, *b"PTX emulator\0\0\0\0")
    }
    /// As `cuDeviceGetUuid_v2`.
    fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: c_int) {
        initialised()?;
        only(device)?;
        give(uuid, *b"PTX emulator\0\0\0\0")
    }
    /// Its memory.
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) {
        let s = initialised()?;
        only(device)?;
        give(bytes, s.device.profile().memory as usize)
    }
    /// Its attributes; those that no program asks for are 0.
    fn cuDeviceGetAttribute(value: *mut c_int, which: u32, device: c_int) {
        let s = initialised()?;
        only(device)?;
        give(value, attribute(s.device.profile(), which) as c_int)
    }
    /// Compute capability.
    fn cuDeviceComputeCapability(major: *mut c_int, minor: *mut c_int, device: c_int) {
        let s = initialised()?;
        only(device)?;
        give(major, s.device.profile().capability.0 as c_int)?;
        give(minor, s.device.profile().capability.1 as c_int)
    }
    /// There is no other device.
    fn cuDeviceCanAccessPeer(can: *mut c_int, _device: c_int, _peer: c_int) {
        initialised()?;
        give(can, 0)
    }
    /// The one memory pool.
    fn cuDeviceGetDefaultMemPool(pool: *mut Handle, device: c_int) {
        initialised()?;
        only(device)?;
        give(pool, super::pool::POOL)
    }
    /// The one memory pool.
    fn cuDeviceGetMemPool(pool: *mut Handle, device: c_int) {
        initialised()?;
        only(device)?;
        give(pool, super::pool::POOL)
    }
    /// Every pool is the same.
    fn cuDeviceSetMemPool(device: c_int, _pool: Handle) {
        initialised()?;
        only(device)
    }
}
