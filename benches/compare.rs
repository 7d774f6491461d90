//! Comparisons, logic and selection by masks.

mod common;

use common::{Work, numbers};
use taper::Tensor;

const N: usize = 10_000_000;

fn main() {
    common::run("compare", |f| {
        f.bench("compare_lt_1e7", Work::Bytes(9 * N), || {
            let (a, b) = (numbers(N), numbers(N));
            move || a.lt(&b)
        });
        f.bench("compare_gt_scalar_1e7", Work::Bytes(5 * N), || {
            let a = numbers(N);
            move || a.gt(0.25)
        });
        f.bench("compare_and_1e7", Work::Bytes(3 * N), || {
            let (a, b) = (numbers(N).gt(0.0), numbers(N).gt(0.0));
            move || a.logical_and(&b)
        });
        f.bench("compare_where_1e7", Work::Bytes(13 * N), || {
            let (mask, a, b) = (numbers(N).gt(0.0), numbers(N), numbers(N));
            move || Tensor::where_(&mask, &a, &b)
        });
        f.bench("compare_masked_fill_4096x4096", Work::Bytes(8 << 24), || {
            let (x, mask) = (numbers([4096, 4096]), Tensor::ones([4096, 4096]).triu(1).gt(0.0));
            move || x.masked_fill(&mask, f64::NEG_INFINITY)
        });
    });
}
