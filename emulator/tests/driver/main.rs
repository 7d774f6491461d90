//! The driver's C interface, called as C programs call it, and by cudarc.

// Each call gets pointers to live variables of the sizes that cuda.h asks for (or, where a test says so, a
// wrong value that the driver must refuse); a comment at each would say the same.
#![allow(clippy::undocumented_unsafe_blocks)]

mod api;
mod devices;
mod more;
mod program;
