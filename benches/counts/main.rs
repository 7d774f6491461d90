//! Small workloads whose instructions callgrind counts; `benches/counts/run` starts them.
//!
//! `counts NAME` warms the workload up and runs it once more inside [`counted`]; without a name, every
//! workload runs.

#[path = "../common/steps.rs"]
mod steps;

use std::hint::black_box;
use steps::{TRAINING, numbers};
use taper::prelude::*;
use taper::{ConvOptions, IntoShape, manual_seed};

type Run = Box<dyn FnMut()>;
type Workload = (&'static str, fn() -> Run);

/// Callgrind counts between this function's beginning and its end.
#[inline(never)]
fn counted(run: &mut dyn FnMut()) {
    run();
    // Something to do after the call, so that it is not a jump.
    black_box(());
}

fn forward<const N: usize>(inputs: [Tensor; N], f: impl Fn(&[Tensor; N]) -> Tensor + 'static) -> Run {
    Box::new(move || drop(black_box(f(&inputs))))
}

/// `f` of leaves and the way back, with a gradient of ones.
fn both_ways<const N: usize>(inputs: [Tensor; N], f: impl Fn(&[Tensor; N]) -> Tensor + 'static) -> Run {
    let leaves = inputs.map(|t| t.requires_grad_(true));
    let ones = f(&leaves).detach().ones_like();
    Box::new(move || {
        leaves.iter().for_each(Tensor::zero_grad);
        f(&leaves).backward_with(Some(&ones), Default::default());
    })
}

fn product(left: impl IntoShape, right: impl IntoShape) -> Run {
    forward([numbers(left), numbers(right)], |[a, b]| a.matmul(b))
}

/// A 3x3 convolution from 16 to 32 channels.
fn convolution() -> ([Tensor; 3], impl Fn(&[Tensor; 3]) -> Tensor + 'static) {
    let inputs = [numbers([4, 16, 18, 18]), numbers([32, 16, 3, 3]), numbers(32)];
    (inputs, |[x, w, b]| x.conv2d(w, Some(b), ConvOptions::default().padding(1)))
}

const KERNELS: [Workload; 18] = [
    ("gemm_64", || product([64, 64], [64, 64])),
    ("gemm_192", || product([192, 192], [192, 192])),
    ("gemm_8x784x256", || product([8, 784], [784, 256])),
    ("gemm_batch16_64x32x64", || product([16, 64, 32], [16, 32, 64])),
    ("gemm_1x1024x1024", || product([1, 1024], [1024, 1024])),
    ("add_1e5", || forward([numbers(100_000), numbers(100_000)], |[a, b]| a + b)),
    ("badd_300x300", || forward([numbers([300, 300]), numbers(300)], |[a, b]| a + b)),
    ("exp_1e5", || forward([numbers(100_000)], |[x]| x.exp())),
    ("gelu_1e5", || forward([numbers(100_000)], |[x]| x.gelu())),
    ("sum_1e5", || forward([numbers(100_000)], |[x]| x.sum())),
    ("sum_axis0_300x300", || forward([numbers([300, 300])], |[x]| x.sum_dim(0, false))),
    ("softmax_128x1000", || forward([numbers([128, 1000])], |[x]| x.softmax(-1))),
    ("layer_norm_128x1000", || {
        forward([numbers([128, 1000]), numbers(1000), numbers(1000)], |[x, w, b]| {
            x.layer_norm(1000, Some(w), Some(b), 1e-5)
        })
    }),
    ("transpose_copy_300", || forward([numbers([300, 300])], |[x]| x.t().contiguous())),
    ("conv_fwd_16to32_18x18_pad1", || {
        let (inputs, f) = convolution();
        forward(inputs, f)
    }),
    ("conv_fwdbwd_16to32_18x18_pad1", || {
        let (inputs, f) = convolution();
        both_ways(inputs, f)
    }),
    ("max_pool2_8x16x30x30", || forward([numbers([8, 16, 30, 30])], |[x]| x.max_pool2d(2))),
    ("chain1000_add1", || both_ways([taper::tensor([0.5])], |[x]| (0..1000).fold(x.clone(), |y, _| y + x))),
];

fn names() -> impl Iterator<Item = &'static str> {
    KERNELS.iter().map(|w| w.0).chain(TRAINING.iter().map(|t| t.name))
}

fn setup(name: &str) -> Option<Run> {
    manual_seed(0);
    if let Some((_, setup)) = KERNELS.iter().find(|w| w.0 == name) {
        return Some(setup());
    }
    // An eighth of the batch: callgrind makes a multiply-add of one some two hundred times slower.
    let training = TRAINING.iter().find(|t| t.name == name)?;
    let mut step = (training.step)(training.batch / 8);
    Some(Box::new(move || {
        black_box(step());
    }))
}

fn main() {
    let wanted = std::env::args().nth(1).filter(|a| !a.starts_with("--") || a == "--names");
    match wanted.as_deref() {
        Some("--names") => names().for_each(|n| println!("{n}")),
        Some(name) => {
            let mut run = setup(name).unwrap_or_else(|| panic!("no workload {name}; see --names"));
            // From the second step on, all memory is from before.
            (0..2).for_each(|_| run());
            counted(&mut run);
        }
        None => names().filter_map(setup).for_each(|mut run| run()),
    }
}
