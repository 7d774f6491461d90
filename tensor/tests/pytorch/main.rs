//! The tensor against real PyTorch: dtypes, texts and random streams that it gave
//! (`tests/fixtures` in the workspace's root says how).

mod draws;
mod fixture;
mod printing;
mod promotion;
mod random;
mod statistics;
mod strides;
