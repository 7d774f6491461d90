//! Softmax and the norms, forward and with the way back.

mod common;

use common::{Work, numbers, with_backward};
use taper::Tensor;

/// Bytes of the matrix of rows and of the batch of images.
const ROWS: usize = 4096 * 1024 * 4;
const IMAGES: usize = 32 * 64 * 28 * 28 * 4;

fn rows() -> Tensor {
    numbers([4096, 1024]) * 8.0
}

fn layer_norm([x, w, b]: &[Tensor; 3]) -> Tensor {
    x.layer_norm(1024, Some(w), Some(b), 1e-5)
}

fn batch_norm([x, w, b]: &[Tensor; 3]) -> Tensor {
    x.batch_norm_train(Some(w), Some(b), 1e-5).0
}

fn main() {
    common::run("normalize", |f| {
        f.bench("red_softmax_4096x1024", Work::Bytes(2 * ROWS), || {
            let x = rows();
            move || x.softmax(-1)
        });
        f.bench("red_softmax_axis0_4096x1024", Work::Bytes(2 * ROWS), || {
            let x = rows();
            move || x.softmax(0)
        });
        f.bench("red_log_softmax_4096x1024", Work::Bytes(2 * ROWS), || {
            let x = rows();
            move || x.log_softmax(-1)
        });
        f.bench("red_softmax_fwdbwd_4096x1024", Work::Bytes(5 * ROWS), || {
            with_backward([rows()], |[x]| x.softmax(-1))
        });
        let row_inputs = || [numbers([4096, 1024]), numbers(1024), numbers(1024)];
        f.bench("red_layernorm_4096x1024", Work::Bytes(2 * ROWS), || {
            let inputs = row_inputs();
            move || layer_norm(&inputs)
        });
        f.bench("red_layernorm_fwdbwd_4096x1024", Work::Bytes(5 * ROWS), || {
            with_backward(row_inputs(), layer_norm)
        });
        let image_inputs = || [numbers([32, 64, 28, 28]), numbers(64), numbers(64)];
        f.bench("red_batchnorm_32x64x28x28", Work::Bytes(2 * IMAGES), || {
            let inputs = image_inputs();
            move || batch_norm(&inputs)
        });
        f.bench("red_batchnorm_fwdbwd_32x64x28x28", Work::Bytes(5 * IMAGES), || {
            with_backward(image_inputs(), batch_norm)
        });
    });
}
