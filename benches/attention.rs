//! Scaled dot-product attention: a training's heads, long rows, one new token against all before.

mod common;

use common::{Family, Work, numbers, with_backward};
use taper::Tensor;
use taper::nn::functional::scaled_dot_product_attention;

/// Batch, heads, queries, keys, width of a head.
type Shape = [usize; 5];

fn inputs([batch, heads, queries, keys, width]: Shape) -> [Tensor; 3] {
    [queries, keys, keys].map(|n| numbers([batch, heads, n, width]))
}

/// Flops of the two products, without regard to what a causal mask leaves out.
fn flops(shape: Shape) -> usize {
    4 * shape.iter().product::<usize>()
}

fn attention(causal: bool) -> impl Fn(&[Tensor; 3]) -> Tensor + Copy {
    move |[q, k, v]| scaled_dot_product_attention(q, k, v, None, 0.0, causal, None)
}

fn both(f: &mut Family, name: &str, shape: Shape, causal: bool) {
    let run = attention(causal);
    f.bench(&format!("attention_fwd_{name}"), Work::Flops(flops(shape)), || {
        let x = inputs(shape);
        move || run(&x)
    });
    // Two and a half times the forward's: four products of gradients, and the scores again.
    f.bench(&format!("attention_fwdbwd_{name}"), Work::Flops(flops(shape) * 7 / 2), || {
        with_backward(inputs(shape), run)
    });
}

fn main() {
    common::run("attention", |f| {
        both(f, "8x8x128x32_causal", [8, 8, 128, 128, 32], true);
        both(f, "8x8x128x32", [8, 8, 128, 128, 32], false);
        both(f, "1x8x1024x64_causal", [1, 8, 1024, 1024, 64], true);
        f.bench("attention_fwd_1x8x1of1024x64", Work::Flops(flops([1, 8, 1, 1024, 64])), || {
            let x = inputs([1, 8, 1, 1024, 64]);
            move || attention(false)(&x)
        });
    });
}
