//! Matrix products: square ones, those of a dense layer, a vector by a matrix, many small ones.

mod common;

use common::{Family, Work, numbers};
use taper::DType;

fn product(f: &mut Family, name: &str, [batch, m, k, n]: [usize; 4], dtype: DType) {
    f.bench(name, Work::Flops(2 * batch * m * k * n), || {
        let shaped = |rows: usize, columns: usize| {
            let x = numbers([batch, rows, columns]).to_dtype(dtype);
            if batch == 1 { x.squeeze(0) } else { x }
        };
        let (a, b) = (shaped(m, k), shaped(k, n));
        move || a.matmul(&b)
    });
}

fn main() {
    common::run("gemm", |f| {
        for n in [64, 128, 256, 512, 1024, 2048] {
            product(f, &format!("gemm_{n}"), [1, n, n, n], DType::F32);
        }
        product(f, "gemm_64x784x256", [1, 64, 784, 256], DType::F32);
        product(f, "gemm_1x4096x4096", [1, 1, 4096, 4096], DType::F32);
        product(f, "gemm_batch256_128x64x128", [256, 128, 64, 128], DType::F32);
        product(f, "gemm_512_f64", [1, 512, 512, 512], DType::F64);
        product(f, "gemm_512_bf16", [1, 512, 512, 512], DType::BF16);
    });
}
