//! The driver's C interface, called as C programs call it, and by cudarc.

mod api;
mod program;
