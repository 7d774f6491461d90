//! The devices and what they say about themselves.

use super::pool::POOL;
use super::state::{initialise, initialised, of_device};
use super::{Code, Handle, give};
use crate::profile::Profile;
use std::ffi::{c_char, c_int};

/// The driver's version: CUDA 12.9.
const VERSION: c_int = 12090;
/// The name that programs show.
const NAME: &str = "PTX emulator";

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

/// 16 bytes that are always the same, but for the device's number.
fn unique(device: c_int) -> [u8; 16] {
    let mut bytes = *b"PTX emulator\0\0\0\0";
    bytes[15] = device as u8;
    bytes
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
    /// As many as `PTX_EMULATOR_DEVICES` says, or one.
    fn cuDeviceGetCount(count: *mut c_int) {
        give(count, initialised()?.units.len() as c_int)
    }
    /// The device of that number.
    fn cuDeviceGet(device: *mut c_int, ordinal: c_int) {
        of_device(ordinal)?;
        give(device, ordinal)
    }
    /// Its name, which says that it is none.
    fn cuDeviceGetName(name: *mut c_char, len: c_int, device: c_int) {
        let s = of_device(device)?;
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
    /// 16 bytes that are the device's own.
    fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], device: c_int) {
        of_device(device)?;
        give(uuid, unique(device))
    }
    /// As `cuDeviceGetUuid_v2`.
    fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: c_int) {
        of_device(device)?;
        give(uuid, unique(device))
    }
    /// Its memory.
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) {
        let s = of_device(device)?;
        give(bytes, s.device.profile().memory as usize)
    }
    /// Its attributes; those that no program asks for are 0.
    fn cuDeviceGetAttribute(value: *mut c_int, which: u32, device: c_int) {
        let s = of_device(device)?;
        give(value, attribute(s.device.profile(), which) as c_int)
    }
    /// Compute capability.
    fn cuDeviceComputeCapability(major: *mut c_int, minor: *mut c_int, device: c_int) {
        let s = of_device(device)?;
        give(major, s.device.profile().capability.0 as c_int)?;
        give(minor, s.device.profile().capability.1 as c_int)
    }
    /// Kernels use no other device's memory; copies between devices go without.
    fn cuDeviceCanAccessPeer(can: *mut c_int, device: c_int, peer: c_int) {
        of_device(device)?;
        of_device(peer)?;
        give(can, 0)
    }
    /// The device's memory pool.
    fn cuDeviceGetDefaultMemPool(pool: *mut Handle, device: c_int) {
        give(pool, POOL + of_device(device)?.here)
    }
    /// The device's memory pool.
    fn cuDeviceGetMemPool(pool: *mut Handle, device: c_int) {
        give(pool, POOL + of_device(device)?.here)
    }
    /// A device has one pool.
    fn cuDeviceSetMemPool(device: c_int, _pool: Handle) {
        of_device(device).map(|_| ())
    }
}
