//! Operations that move, choose and order elements: every one against plain loops, for all dtypes and
//! odd strides, and its first and second derivatives against finite differences.

mod common;
mod errors;
mod gather;
mod index;
mod join;
mod mask;
mod pad;
mod scan;
mod sort;
mod triangle;
