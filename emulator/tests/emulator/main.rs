//! The interpreter against independent references: every instruction, and programs.

mod check;
mod common;
mod convert;
mod eight;
mod float;
mod forms;
mod hostile;
mod int;
mod memory;
mod options;
mod order;
mod parser;
mod programs;
mod small;
mod warp;
mod workspace;
mod wrong;
