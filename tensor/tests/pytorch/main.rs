//! The tensor against real PyTorch: numbers, gradients, dtypes, texts and random streams that it gave
//! (`tests/fixtures` in the workspace's root says how).

mod call;
mod fixture;
mod ops;
mod printing;
mod promotion;
mod random;
