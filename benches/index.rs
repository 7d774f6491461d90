//! Reading and writing through tensors of positions and masks.

mod common;

use common::{Work, numbers, with_backward};
use taper::Tensor;

const N: usize = 1_000_000;

fn positions(end: usize, n: usize) -> Tensor {
    Tensor::randint(0, end as i64, n)
}

fn main() {
    common::run("index", |f| {
        f.bench("index_gather_4096x256", Work::Bytes(16 * 4096 * 256), || {
            let (x, at) = (numbers([4096, 1024]), Tensor::randint(0, 1024, [4096, 256]));
            move || x.gather(1, &at)
        });
        f.bench("index_select_16384_of_50000x256", Work::Bytes(8 * 16384 * 256), || {
            let (x, rows) = (numbers([50_000, 256]), positions(50_000, 16384));
            move || x.index_select(0, &rows)
        });
        f.bench("index_scatter_add_1e6_into_1e4", Work::Bytes(12 * N), || {
            let (zeros, at, x) = (Tensor::zeros(10_000), positions(10_000, N), numbers(N));
            move || zeros.scatter_add(0, &at, &x)
        });
        f.bench("index_scatter_add_rows_4096x256", Work::Bytes(16 * 4096 * 256), || {
            let (zeros, at) = (Tensor::zeros([4096, 1024]), Tensor::randint(0, 1024, [4096, 256]));
            let x = numbers([4096, 256]);
            move || zeros.scatter_add(1, &at, &x)
        });
        f.bench("index_add_16384_into_1000x256", Work::Bytes(8 * 16384 * 256), || {
            let (zeros, at) = (Tensor::zeros([1000, 256]), positions(1000, 16384));
            let x = numbers([16384, 256]);
            move || zeros.index_add(0, &at, &x)
        });
        f.bench("index_embedding_1024x256", Work::Bytes(8 * 1024 * 256), || {
            let (weight, tokens) = (numbers([32_000, 256]), Tensor::randint(0, 32_000, [8, 128]));
            move || Tensor::embedding(&tokens, &weight, None)
        });
        f.bench("index_embedding_fwdbwd_1024x256", Work::Bytes(4 * 256 * (2 * 1024 + 32_000)), || {
            let tokens = Tensor::randint(0, 32_000, [8, 128]);
            with_backward([numbers([32_000, 256])], move |[w]| Tensor::embedding(&tokens, w, None))
        });
        f.bench("index_masked_select_1e6", Work::Bytes(7 * N), || {
            let x = numbers(N);
            let mask = x.gt(0.0);
            move || x.masked_select(&mask)
        });
        f.bench("index_one_hot_1e5x10", Work::Bytes(8 * 1_100_000), || {
            let classes = positions(10, 100_000);
            move || classes.one_hot(10)
        });
    });
}
