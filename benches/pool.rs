//! Pooling of images.

mod common;

use common::{Work, numbers, with_backward};
use taper::{PoolOptions, Tensor};

const ELEMENTS: usize = 32 * 64 * 30 * 30;

fn images() -> Tensor {
    numbers([32, 64, 30, 30])
}

fn main() {
    common::run("pool", |f| {
        f.bench("conv_maxpool2_32x64x30x30", Work::Bytes(5 * ELEMENTS), || {
            let x = images();
            move || x.max_pool2d(2)
        });
        f.bench("pool_max2_fwdbwd_32x64x30x30", Work::Bytes(10 * ELEMENTS), || {
            with_backward([images()], |[x]| x.max_pool2d(2))
        });
        f.bench("pool_max3_stride2_32x64x30x30", Work::Bytes(5 * ELEMENTS), || {
            let x = images();
            move || x.max_pool2d(PoolOptions::new(3).stride(2).padding(1))
        });
        f.bench("pool_max3_stride2_fwdbwd_32x64x30x30", Work::Bytes(10 * ELEMENTS), || {
            with_backward([images()], |[x]| x.max_pool2d(PoolOptions::new(3).stride(2).padding(1)))
        });
        f.bench("pool_avg2_32x64x30x30", Work::Bytes(5 * ELEMENTS), || {
            let x = images();
            move || x.avg_pool2d(2)
        });
        f.bench("pool_adaptive_avg1_32x64x30x30", Work::Bytes(4 * ELEMENTS), || {
            let x = images();
            move || x.adaptive_avg_pool2d(1)
        });
    });
}
