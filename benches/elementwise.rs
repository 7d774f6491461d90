//! Unary and binary operations, from a thousand elements (overhead) to ten million (memory).

mod common;

use common::{Family, Work, numbers};
use taper::Tensor;

const N: usize = 10_000_000;

/// A function of numbers in `[-4, 4)`.
fn unary(f: &mut Family, name: &str, op: fn(&Tensor) -> Tensor) {
    f.bench(name, Work::Bytes(8 * N), || {
        let x = numbers(N) * 8.0;
        move || op(&x)
    });
}

/// A sum of two matrices, the second as `second` makes it.
fn sum(f: &mut Family, name: &str, bytes: usize, second: fn() -> Tensor) {
    f.bench(name, Work::Bytes(bytes), || {
        let (a, b) = (numbers([4096, 4096]), second());
        move || &a + &b
    });
}

fn main() {
    common::run("elementwise", |f| {
        for (name, n) in [("ew_add_1e3", 1000), ("ew_add_1e7", N)] {
            f.bench(name, Work::Bytes(12 * n), || {
                let (a, b) = (numbers(n), numbers(n));
                move || &a + &b
            });
        }
        const M: usize = 4096 * 4096;
        sum(f, "ew_badd_4096x4096", 8 * M, || numbers(4096));
        sum(f, "ew_add_transposed_4096x4096", 12 * M, || numbers([4096, 4096]).t());
        unary(f, "ew_exp_1e7", Tensor::exp);
        unary(f, "ew_tanh_1e7", Tensor::tanh);
        unary(f, "ew_gelu_1e7", Tensor::gelu);
        unary(f, "ew_gelu_tanh_1e7", Tensor::gelu_tanh);
        unary(f, "ew_muladd_relu_1e7", |x| (x * 2.0 + 1.0).relu());
        f.bench("ew_add_inplace_1e7", Work::Bytes(12 * N), || {
            let (mut a, b) = (numbers(N), numbers(N));
            move || {
                a.add_(&b);
            }
        });
    });
}
