//! Functions by name, for programs that ask the driver itself instead of the linker.

use super::{Code, give, text};
use std::ffi::{c_char, c_int, c_void};

/// An exported function: its name and address.
pub(super) type Export = (&'static str, *const c_void);

/// All exported functions, by the module that has them.
const ALL: [&[Export]; 14] = [
    super::context::EXPORTS,
    super::device::EXPORTS,
    super::error::EXPORTS,
    super::event::EXPORTS,
    super::launch::EXPORTS,
    super::library::EXPORTS,
    super::memory::EXPORTS,
    super::module::EXPORTS,
    super::pointer::EXPORTS,
    super::pool::EXPORTS,
    super::own::EXPORTS,
    super::plane::EXPORTS,
    super::stream::EXPORTS,
    EXPORTS,
];

/// The CUDA version from which on a name stands for a later form of a function. Forms that are
/// not here are older than `cuGetProcAddress`.
const SINCE: [(&str, c_int); 7] = [
    ("cuCtxCreate_v3", 11040),
    ("cuDeviceGetUuid_v2", 11040),
    ("cuGetProcAddress_v2", 12000),
    ("cuMemPrefetchAsync_v2", 12020),
    ("cuMemAdvise_v2", 12020),
    ("cuCtxCreate_v4", 12050),
    ("cuEventElapsedTime_v2", 12080),
];

/// Answers of `cuGetProcAddress_v2`.
const FOUND: u32 = 0;
const NO_SYMBOL: u32 = 1;
const TOO_OLD: u32 = 2;

/// The newest form of a function that a program of that CUDA version knows.
fn find(name: &str, version: c_int) -> Result<*const c_void, u32> {
    let all = || ALL.iter().copied().flatten();
    let mut status = NO_SYMBOL;
    for form in ["_v4", "_v3", "_v2", ""] {
        let full = format!("{name}{form}");
        let Some(&(_, address)) = all().find(|e| e.0 == full) else { continue };
        if SINCE.iter().all(|&(late, since)| late != full || since <= version) {
            return Ok(address);
        }
        status = TOO_OLD;
    }
    Err(status)
}

fn answer(
    name: *const c_char,
    address: *mut *const c_void,
    version: c_int,
    flags: u64,
) -> Result<Result<(), u32>, Code> {
    // 1 and 2 choose between forms that differ in their default stream; here they are the same.
    if flags > 2 {
        return Err(Code::InvalidValue);
    }
    let found = find(text(name)?, version);
    give(address, found.unwrap_or(std::ptr::null()))?;
    Ok(found.map(|_| ()))
}

super::export! {
    /// The address of a function by its name without a version, as programs of CUDA 11.3 to 11.8 ask.
    fn cuGetProcAddress(name: *const c_char, address: *mut *const c_void, version: c_int, flags: u64) {
        answer(name, address, version, flags)?.map_err(|_| Code::NotFound)
    }
    /// Likewise, and why there is none: 1 where nothing has that name, 2 where it is too new.
    fn cuGetProcAddress_v2(name: *const c_char, address: *mut *const c_void, version: c_int, flags: u64, status: *mut u32) {
        let found = answer(name, address, version, flags)?;
        if !status.is_null() {
            give(status, found.err().unwrap_or(FOUND))?;
        }
        found.map_err(|_| Code::NotFound)
    }
}
