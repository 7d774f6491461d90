//! Reductions: over everything, over rows, over columns.

mod common;

use common::{Family, Work, numbers};
use taper::Tensor;

fn matrix<O: 'static>(f: &mut Family, name: &str, op: fn(&Tensor) -> O) {
    f.bench(&format!("{name}_4096x4096"), Work::Bytes(4 << 24), || {
        let x = numbers([4096, 4096]);
        move || op(&x)
    });
}

fn main() {
    common::run("reduce", |f| {
        f.bench("red_sum_1e7", Work::Bytes(40_000_000), || {
            let x = numbers(10_000_000);
            move || x.sum().item()
        });
        matrix(f, "red_sum_axis0", |x| x.sum_dim(0, false));
        matrix(f, "red_sum_axis1", |x| x.sum_dim(1, false));
        matrix(f, "red_mean_axis1", |x| x.mean_dim(1, false));
        matrix(f, "red_var_axis1", |x| x.var_dim(1, 1.0, false));
        matrix(f, "red_max_axis0", |x| x.max_dim(0, false));
        matrix(f, "red_max_axis1", |x| x.max_dim(1, false));
        matrix(f, "red_var_axis0", |x| x.var_dim(0, 1.0, false));
        matrix(f, "red_var_all", |x| x.var());
        matrix(f, "red_argmax_axis0", |x| x.argmax(0, false));
        matrix(f, "red_argmax_axis1", |x| x.argmax(1, false));
        matrix(f, "red_logsumexp_axis1", |x| x.logsumexp(1, false));
        f.bench("red_all_1e7", Work::Bytes(10_000_000), || {
            let x = numbers(10_000_000).lt(1.0);
            move || x.all()
        });
    });
}
