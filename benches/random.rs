//! Draws from the generator, which gives PyTorch's numbers.

mod common;

use common::{Family, Work, numbers};
use taper::{DType, Tensor};

const N: usize = 1_000_000;

fn draw(f: &mut Family, name: &str, dtype: DType, op: fn() -> Tensor) {
    f.bench(&format!("{name}_1e6"), Work::Bytes(dtype.size() * N), || op);
}

fn main() {
    common::run("random", |f| {
        draw(f, "random_rand", DType::F32, || Tensor::rand(N));
        draw(f, "random_randn", DType::F32, || Tensor::randn(N));
        draw(f, "random_rand_bf16", DType::BF16, || Tensor::rand_with(N, DType::BF16, None));
        draw(f, "random_randn_bf16", DType::BF16, || Tensor::randn_with(N, DType::BF16, None));
        draw(f, "random_randint", DType::I64, || Tensor::randint(0, 100, N));
        draw(f, "random_randperm", DType::I64, || Tensor::randperm(N));
        f.bench("random_dropout_1e6", Work::Bytes(8 * N), || {
            let x = numbers(N);
            move || x.dropout(0.5, true)
        });
    });
}
