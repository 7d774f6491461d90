//! An emulated CUDA driver.
//!
//! PTX, the text that GPU compilers write, is parsed, decoded and executed on the CPU: 32 lanes in
//! lockstep, with divergence, barriers, shuffles, votes and atomics as the PTX manual describes
//! them. What it cannot execute is refused when the module is loaded, with the instruction and the
//! line; it never guesses.
//!
//! * [`Device`] is the Rust interface: memory, modules, launches.
//! * [`driver`] exports the C interface of the CUDA driver. Built as a `cdylib` and put on the
//!   library path as `libcuda.so` it runs ordinary programs that open the driver, such as those
//!   that use cudarc.
//! * [`check`] finds what `compute-sanitizer` finds: accesses out of bounds, races, reads of
//!   memory nobody wrote, divergent barriers. [`Options::shuffle`] runs warps and blocks in a
//!   random order from a seed. [`counts`] says what a launch did: instructions, memory sectors,
//!   bank conflicts. Nothing here is ever a time.
//!
//! ```
//! use ptx_emulator::{Device, Dim, Options, Profile};
//! let ptx = ".version 7.0 .target sm_80 .address_size 64
//! .visible .entry twice(.param .u64 p) {
//!   .reg .b32 %r<3>; .reg .b64 %rd<4>;
//!   ld.param.u64 %rd1, [p];
//!   mov.u32 %r1, %tid.x;
//!   mul.wide.u32 %rd2, %r1, 4;
//!   add.s64 %rd3, %rd1, %rd2;
//!   ld.global.u32 %r2, [%rd3];
//!   add.s32 %r2, %r2, %r2;
//!   st.global.u32 [%rd3], %r2;
//!   ret;
//! }";
//! let device = Device::new(Profile::sm_80(), Options::default());
//! let module = device.load(ptx).unwrap();
//! let x = device.alloc(16).unwrap();
//! device.write(x, &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0]).unwrap();
//! device.launch(module.kernel("twice").unwrap(), Dim::x(1), Dim::x(4), 0, &x.to_le_bytes()).unwrap();
//! assert_eq!(device.read(x, 16).unwrap()[12], 8);
//! ```

pub mod check;
pub mod counts;
mod decode;
mod device;
pub mod driver;
mod error;
mod exec;
pub mod lines;
mod memory;
mod mutation;
mod options;
mod profile;
pub mod ptx;

pub use decode::{Kernel, Module, OPCODES};
pub use device::Device;
pub use error::{Fault, FaultKind, PtxError};
pub use exec::Dim;
pub use mutation::Mutation;
pub use options::Options;
pub use profile::Profile;
