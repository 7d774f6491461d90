//! numpy's files: one array (`.npy`), or a zip of them (`.npz`).

mod header;
pub mod npy;
pub mod npz;
