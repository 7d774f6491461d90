//! Gather and scatter, sort, random numbers and optimizers against plain loops and PyTorch's numbers.

mod index;
#[path = "../products/operand.rs"]
#[allow(dead_code, reason = "shared with another test")]
mod operand;
mod optimizer;
mod random;
mod sort;

/// Runs something with every instruction set the machine has.
fn at_every_level(f: impl Fn()) {
    use taper_kernels::cpu::simd::{available_levels, set_simd_level, simd_level};
    let _own = operand::own_level();
    let usual = simd_level();
    for level in available_levels() {
        set_simd_level(level);
        f();
    }
    set_simd_level(usual);
}
