//! Running sums and products, and what sorts.

mod common;

use common::{Family, Work, numbers};
use taper::Tensor;

/// On 1024 rows of 1024.
fn scan(f: &mut Family, name: &str, op: fn(&Tensor) -> Tensor) {
    f.bench(&format!("{name}_1024x1024"), Work::Bytes(8 << 20), || {
        let x = numbers([1024, 1024]) + 1.0;
        move || op(&x)
    });
}

fn sort<O: 'static>(f: &mut Family, name: &str, shape: &'static [usize], op: fn(&Tensor) -> O) {
    f.bench(name, Work::Items(shape.iter().product()), || {
        let x = numbers(shape);
        move || op(&x)
    });
}

fn main() {
    common::run("scan_sort", |f| {
        scan(f, "scan_cumsum_axis0", |x| x.cumsum(0));
        scan(f, "scan_cumsum_axis1", |x| x.cumsum(1));
        scan(f, "scan_cumprod_axis1", |x| x.cumprod(1));
        sort(f, "sort_1e6", &[1_000_000], |x| x.sort(0, false));
        f.bench("sort_i64_1e6", Work::Items(1_000_000), || {
            let x = Tensor::randint(0, 1 << 40, 1_000_000);
            move || x.sort(0, false)
        });
        f.bench("sort_unique_i64_1e6", Work::Items(1_000_000), || {
            let x = Tensor::randint(0, 1000, 1_000_000);
            move || x.unique()
        });
        sort(f, "sort_rows_1024x1024", &[1024, 1024], |x| x.sort(1, false));
        sort(f, "sort_columns_1024x1024", &[1024, 1024], |x| x.sort(0, false));
        sort(f, "sort_topk10_1024x1024", &[1024, 1024], |x| x.topk(10, 1, true));
        sort(f, "sort_median_1024x1024", &[1024, 1024], |x| x.median_dim(1, false));
    });
}
