//! The C interface of the CUDA driver.
//!
//! The library exports the functions under their own names, so a program that opens
//! `libcuda.so` and finds this library runs on the emulator. Each does what the driver's manual
//! says, as strictly as it allows:
//!
//! * Streams are queues that run only when something waits for them, as late as possible and in
//!   an unexpected order between streams, so a missing wait shows.
//! * A kernel's failure appears at a later call, and then at every call (it is sticky).
//! * Devices are apart: what belongs to one is no valid handle or address on another.
//! * The current context belongs to the thread; without one most calls fail.
//! * Memory of `cuMemAllocAsync` exists from its place in the stream to that of
//!   `cuMemFreeAsync`. Pageable host memory is read at once, pinned memory when the copy runs.
//!
//! Reports go to standard error and, appended, to the file `PTX_EMULATOR_REPORT`; counts of
//! launches, a line of JSON each, to the file `PTX_EMULATOR_COUNTS`.

#![allow(non_snake_case)] // The names are CUDA's.

mod context;
mod device;
mod error;
mod event;
mod launch;
mod library;
mod memory;
mod module;
mod own;
mod plane;
mod pointer;
mod pool;
mod state;
mod stream;
mod symbol;

pub use context::*;
pub use device::*;
pub use error::{Code, cuGetErrorName, cuGetErrorString};
pub use event::*;
pub use launch::*;
pub use library::*;
pub use memory::*;
pub use module::*;
pub use own::{ApiCounts, ptxEmulatorApiCounts, ptxEmulatorLastReport};
pub use plane::*;
pub use pointer::*;
pub use pool::*;
pub use stream::*;
pub use symbol::{cuGetProcAddress, cuGetProcAddress_v2};

/// An opaque handle: never a pointer that the host may follow.
pub type Handle = usize;

/// Exported functions: a body that returns `Result<(), Code>`.
macro_rules! export {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As the CUDA driver's function of that name: pointers must be valid or null.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $ty),*) -> u32 {
            let run = move || -> Result<(), $crate::driver::Code> { $body };
            // A panic must not run into C code; it would be a mistake of the emulator.
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
                Ok(Ok(())) => 0,
                Ok(Err(code)) => code as u32,
                Err(_) => $crate::driver::Code::Unknown as u32,
            }
        }
    )*
        /// What this module exports.
        pub(super) const EXPORTS: &[$crate::driver::symbol::Export] =
            &[$((stringify!($name), $name as *const std::ffi::c_void)),*];
    };
}
use export;

/// Writes a result through a pointer of the caller.
fn give<T>(to: *mut T, value: T) -> Result<(), Code> {
    if to.is_null() {
        return Err(Code::InvalidValue);
    }
    // SAFETY: the caller of the exported function vouches for its pointers; null is refused.
    unsafe { to.write(value) };
    Ok(())
}

/// A string of the caller.
fn text<'a>(from: *const std::ffi::c_char) -> Result<&'a str, Code> {
    if from.is_null() {
        return Err(Code::InvalidValue);
    }
    // SAFETY: as in `give`; C strings end with a zero.
    unsafe { std::ffi::CStr::from_ptr(from) }.to_str().map_err(|_| Code::InvalidValue)
}
