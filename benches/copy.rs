//! Copies that change the order of elements, and casts.

mod common;

use common::{Family, Work, numbers};
use taper::{DType, Tensor};

fn cast(f: &mut Family, name: &str, from: DType, to: DType) {
    const N: usize = 10_000_000;
    f.bench(name, Work::Bytes((from.size() + to.size()) * N), || {
        let x = (numbers(N) * 100.0).to_dtype(from);
        move || x.to_dtype(to)
    });
}

fn main() {
    common::run("copy", |f| {
        f.bench("red_transpose_copy_4096", Work::Bytes(8 << 24), || {
            let x = numbers([4096, 4096]);
            move || x.t().contiguous()
        });
        f.bench("copy_channels_last_32x64x56x56", Work::Bytes(8 * 32 * 64 * 56 * 56), || {
            let x = numbers([32, 64, 56, 56]);
            move || x.permute([0, 2, 3, 1]).contiguous()
        });
        f.bench("copy_heads_8x128x8x32", Work::Bytes(8 * 8 * 128 * 8 * 32), || {
            let x = numbers([8, 128, 8, 32]);
            move || x.transpose(1, 2).contiguous()
        });
        f.bench("copy_cat_16x1e6", Work::Bytes(8 * 16_000_000), || {
            let parts: Vec<Tensor> = (0..16).map(|_| numbers(1_000_000)).collect();
            move || Tensor::cat(&parts, 0)
        });
        cast(f, "cast_f32_bf16_1e7", DType::F32, DType::BF16);
        cast(f, "cast_bf16_f32_1e7", DType::BF16, DType::F32);
        cast(f, "cast_f32_f16_1e7", DType::F32, DType::F16);
        cast(f, "cast_f32_i64_1e7", DType::F32, DType::I64);
        cast(f, "cast_u8_f32_1e7", DType::U8, DType::F32);
    });
}
