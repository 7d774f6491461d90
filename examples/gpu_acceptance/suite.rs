//! The operations: a case each, with its inputs; value and gradients are compared.

use crate::check::{Check, Results, check};
use taper::nn::functional::scaled_dot_product_attention;
use taper::prelude::*;
use taper::{ConvOptions, ConvTransposeOptions, PoolOptions, Slice};

struct Case {
    name: &'static str,
    inputs: Vec<Tensor>,
    run: fn(&[Tensor]) -> Tensor,
}

macro_rules! cases {
    ($($name:literal [$($input:expr),*] |$x:ident| $run:expr;)*) => {
        vec![$(Case { name: $name, inputs: vec![$($input),*], run: |$x| $run }),*]
    };
}

/// One function of one tensor in each.
macro_rules! functions {
    ($($from:ident: $($name:ident)*;)*) => {
        vec![$($(Case { name: stringify!($name), inputs: vec![$from([3, 341])], run: |x| x[0].$name() }),*),*]
    };
}

/// Numbers around 0.
fn any<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::randn(shape)
}
fn positive<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::rand(shape) * 3.0 + 0.2
}
/// Numbers within (−1, 1).
fn unit<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::rand(shape) * 1.8 - 0.9
}
/// Numbers that are apart in every dtype, in any order: for what has to choose.
fn apart<const N: usize>(shape: [usize; N]) -> Tensor {
    let n = shape.iter().product::<usize>();
    let order = Tensor::randperm(n).to_dtype(DType::F32);
    (order / 8.0 - n as f64 / 16.0).reshape(shape.map(|n| n as isize))
}
/// Integers below n.
fn below<const N: usize>(n: usize, shape: [usize; N]) -> Tensor {
    (Tensor::rand(shape) * n as f64).to_dtype(DType::I64)
}
fn mask<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::rand(shape).gt(0.4)
}

fn elementwise() -> Vec<Case> {
    let mut all = functions! {
        any: neg abs sign square exp expm1 sin cos atan sinh cosh tanh erf sigmoid relu gelu gelu_tanh silu softplus
            floor ceil round trunc logsigmoid isnan isfinite logical_not;
        positive: sqrt rsqrt reciprocal ln log2 log10 log1p;
        unit: tan asin acos;
    };
    all.extend(cases! {
        "add, broadcast" [any([5, 1, 67]), any([4, 1])] |x| &x[0] + &x[1];
        "add, many" [any([70_001]), any([70_001])] |x| &x[0] + &x[1];
        "sub of a transposed" [any([33, 20]), any([20, 33])] |x| &x[0] - x[1].t();
        "mul" [any([4, 65]), any([65])] |x| &x[0] * &x[1];
        "div" [any([4, 65]), positive([65])] |x| &x[0] / &x[1];
        "pow" [positive([130]), unit([130])] |x| x[0].pow(&x[1]);
        "atan2" [any([130]), positive([130])] |x| x[0].atan2(&x[1]);
        "maximum" [apart([9, 9]), any([9])] |x| x[0].maximum(&x[1]);
        "minimum" [apart([9, 9]), any([9])] |x| x[0].minimum(&x[1]);
        "remainder" [any([200])] |x| x[0].remainder(0.75);
        "arithmetic with numbers" [any([7, 9])] |x| 2.0 - (&x[0] * 3.0 + 1.0) / 4.0;
        "leaky_relu" [any([130])] |x| x[0].leaky_relu(0.1);
        "elu" [any([130])] |x| x[0].elu(1.5);
        "clamp" [any([130])] |x| x[0].clamp(-0.5, 0.5);
        "lerp" [any([4, 30]), any([4, 30])] |x| x[0].lerp(&x[1], 0.3);
        "addcmul" [any([99]), any([99]), any([99])] |x| x[0].addcmul(&x[1], &x[2], 0.5);
        "addcdiv" [any([99]), any([99]), positive([99])] |x| x[0].addcdiv(&x[1], &x[2], 0.5);
        "comparison" [any([5, 40]), any([40])] |x| x[0].lt(&x[1]);
        "where_" [mask([6, 20]), any([6, 20]), any([20])] |x| Tensor::where_(&x[0], &x[1], &x[2]);
        "masked_fill" [any([6, 20]), mask([6, 20])] |x| x[0].masked_fill(&x[1], -1.5);
        "to float64 and back" [any([64])] |x| x[0].to_dtype(DType::F64).exp().to_dtype(x[0].dtype());
        "to int64" [any([64])] |x| (&x[0] * 10.0).to_dtype(DType::I64);
        "in place: add_, mul_, clamp_" [any([50]), any([50])] |x| {
            let mut y = x[0].detach();
            y.add_(x[1].detach()).mul_(2.0).clamp_(-1.0, 2.0);
            y
        };
        "in place: a strided part" [any([8, 9])] |x| {
            let mut y = x[0].detach();
            y.set((Slice::new(None, None, 2), 3), 7.0);
            y
        };
        "integers: arithmetic" [below(100, [77]), below(9, [77])] |x| (&x[0] + &x[1]) * 3 - x[0].remainder(7);
        "integers: bits" [below(1000, [77]), below(1000, [77])] |x| (&x[0] & &x[1]) ^ (&x[0] << 2);
    });
    all
}

fn reductions() -> Vec<Case> {
    cases! {
        "sum" [any([13, 257])] |x| x[0].sum();
        "sum of many" [any([300_000])] |x| x[0].sum();
        "sum_dim 0" [any([257, 40])] |x| x[0].sum_dim(0, false);
        "sum_dim 1" [any([40, 257])] |x| x[0].sum_dim(1, true);
        "sum_dim of the middle" [any([5, 40, 12])] |x| x[0].sum_dim(1, false);
        "sum of integers" [below(1000, [999])] |x| x[0].sum();
        "mean_dim" [any([9, 65])] |x| x[0].mean_dim(-1, false);
        "var_dim" [any([9, 65])] |x| x[0].var_dim(-1, 1.0, false);
        "norm" [any([9, 65])] |x| x[0].norm();
        "prod_dim" [positive([9, 11])] |x| x[0].prod_dim(1, false);
        "amax" [apart([9, 33])] |x| x[0].amax(1, false);
        "amin" [apart([9, 33])] |x| x[0].amin(0, false);
        "max_dim" [apart([9, 33])] |x| x[0].max_dim(1, false).0;
        "argmax" [apart([9, 33])] |x| x[0].argmax(1, false);
        "any, all" [mask([9, 33])] |x| x[0].any_dim(1, false).logical_and(x[0].all_dim(1, false));
        "count_nonzero" [mask([9, 33])] |x| x[0].count_nonzero(1);
        "logsumexp" [any([9, 65])] |x| x[0].logsumexp(1, false);
        "softmax" [any([9, 130])] |x| x[0].softmax(-1);
        "softmax of the first" [any([130, 9])] |x| x[0].softmax(0);
        "log_softmax" [any([9, 130])] |x| x[0].log_softmax(-1);
        "cumsum" [any([7, 300])] |x| x[0].cumsum(1);
        "cumprod" [positive([7, 9])] |x| x[0].cumprod(1);
        "sort" [apart([7, 130])] |x| x[0].sort(1, false).0;
        "argsort" [apart([7, 130])] |x| x[0].argsort(1, true);
        "topk" [apart([7, 130])] |x| x[0].topk(5, 1, true).0;
        "topk, positions" [apart([7, 130])] |x| x[0].topk(5, 1, true).1;
        "median_dim" [apart([7, 31])] |x| x[0].median_dim(1, false).0;
    }
}

fn shapes() -> Vec<Case> {
    cases! {
        "permute, contiguous" [any([5, 6, 7])] |x| x[0].permute([2, 0, 1]).contiguous();
        "transposed copy" [any([70, 65])] |x| x[0].t().contiguous();
        "reshape of a transposed" [any([6, 35])] |x| x[0].t().reshape([14, 15]);
        "expand" [any([4, 1])] |x| x[0].expand([3, 4, 5]) * 2.0;
        "flip" [any([4, 9])] |x| x[0].flip([0, 1]);
        "slices with steps" [any([9, 20])] |x| x[0].index((Slice::new(1, None, 3), Slice::new(None, None, -2)));
        "cat" [any([4, 3]), any([4, 5])] |x| Tensor::cat(&[&x[0], &x[1]], 1);
        "stack" [any([4, 3]), any([4, 3])] |x| Tensor::stack(&[&x[0], &x[1]], 1);
        "roll" [any([4, 9])] |x| x[0].roll([3], [1]);
        "tril" [any([9, 9])] |x| x[0].tril(1);
        "diagonal" [any([9, 7])] |x| x[0].diagonal(0, 0, 1);
        "repeat" [any([3, 4])] |x| x[0].repeat([2, 3]);
        "pad" [any([3, 4])] |x| x[0].pad([1, 2, 0, 1], 0.5);
        "gather" [any([9, 33]), below(33, [9, 12])] |x| x[0].gather(1, &x[1]);
        "scatter_add" [any([9, 33]), below(33, [9, 12]), any([9, 12])] |x| x[0].scatter_add(1, &x[1], &x[2]);
        "index_select" [any([9, 33]), below(9, [20])] |x| x[0].index_select(0, &x[1]);
        "index_add" [any([9, 33]), below(9, [20]), any([20, 33])] |x| x[0].index_add(0, &x[1], &x[2]);
        "index by tensors" [any([9, 33]), below(9, [5]), below(33, [5])] |x| x[0].index((&x[1], &x[2]));
        "index_put, adding" [any([9]), below(9, [40]), any([40])] |x| x[0].index_put(&x[1], &x[2], true);
        "masked_select" [any([9, 33]), mask([9, 33])] |x| x[0].masked_select(&x[1]);
        "nonzero" [mask([9, 33])] |x| x[0].nonzero();
        "embedding" [below(50, [4, 7]), any([50, 16])] |x| Tensor::embedding(&x[0], &x[1], None);
        "one_hot" [below(7, [20])] |x| x[0].one_hot(7);
    }
}

fn products() -> Vec<Case> {
    cases! {
        "matmul" [any([33, 65]), any([65, 47])] |x| x[0].matmul(&x[1]);
        "matmul, many tiles" [any([150, 300]), any([300, 140])] |x| x[0].matmul(&x[1]);
        "matmul, transposed" [any([65, 33]), any([47, 65])] |x| x[0].t().matmul(x[1].t());
        "matmul, batches" [any([3, 1, 20, 33]), any([4, 33, 17])] |x| x[0].matmul(&x[1]);
        "matmul, one row" [any([1, 300]), any([300, 200])] |x| x[0].matmul(&x[1]);
        "matmul, one column" [any([200, 300]), any([300, 1])] |x| x[0].matmul(&x[1]);
        "mv" [any([40, 65]), any([65])] |x| x[0].mv(&x[1]);
        "dot" [any([1000]), any([1000])] |x| x[0].dot(&x[1]);
        "outer" [any([20]), any([33])] |x| x[0].outer(&x[1]);
        "linear" [any([17, 65]), any([30, 65]), any([30])] |x| x[0].linear(&x[1], Some(&x[2]));
        "einsum" [any([3, 8, 9]), any([3, 9, 5])] |x| Tensor::einsum("bij,bjk->bki", &[&x[0], &x[1]]);
        "attention, causal" [any([2, 3, 17, 16]), any([2, 3, 17, 16]), any([2, 3, 17, 16])] |x| {
            scaled_dot_product_attention(&x[0], &x[1], &x[2], None, 0.0, true, None)
        };
    }
}

fn pictures() -> Vec<Case> {
    cases! {
        "conv2d" [any([2, 3, 12, 11]), any([8, 3, 3, 3]), any([8])] |x| {
            x[0].conv2d(&x[1], Some(&x[2]), ConvOptions::default())
        };
        "conv2d, padded, stride 2" [any([2, 16, 13, 13]), any([20, 16, 3, 3]), any([20])] |x| {
            x[0].conv2d(&x[1], Some(&x[2]), ConvOptions::default().padding(1).stride(2))
        };
        "conv2d, grouped and dilated" [any([2, 4, 13, 13]), any([6, 2, 3, 3])] |x| {
            x[0].conv2d(&x[1], None, ConvOptions::default().groups(2).dilation(2))
        };
        "conv2d, 1×1" [any([2, 32, 9, 9]), any([24, 32, 1, 1])] |x| x[0].conv2d(&x[1], None, ConvOptions::default());
        "conv2d, a filter for each channel" [any([2, 8, 9, 9]), any([8, 1, 3, 3])] |x| {
            x[0].conv2d(&x[1], None, ConvOptions::default().groups(8).padding(1))
        };
        "conv1d" [any([2, 3, 40]), any([5, 3, 4])] |x| x[0].conv1d(&x[1], None, ConvOptions::default());
        "conv_transpose2d" [any([2, 4, 6, 6]), any([4, 5, 3, 3]), any([5])] |x| {
            x[0].conv_transpose2d(&x[1], Some(&x[2]), ConvTransposeOptions::default().stride(2).padding(1))
        };
        "max_pool2d" [apart([2, 4, 12, 11])] |x| x[0].max_pool2d(PoolOptions::new(3).stride(2).padding(1));
        "avg_pool2d" [any([2, 4, 12, 11])] |x| x[0].avg_pool2d(2);
        "adaptive_avg_pool2d" [any([2, 4, 12, 11])] |x| x[0].adaptive_avg_pool2d(3);
        "layer_norm" [any([9, 130]), any([130]), any([130])] |x| {
            F::layer_norm(&x[0], 130, Some(&x[1]), Some(&x[2]), 1e-5)
        };
    }
}

/// A result's gradient, another number for each element.
pub fn weights(like: &Tensor) -> Tensor {
    let wave = (Tensor::arange_with(0, like.numel() as i64, 1, DType::F64) * 1.7 + 0.3).cos();
    let shape: Vec<isize> = like.shape().iter().map(|&n| n as isize).collect();
    wave.reshape(shape.as_slice()).to_dtype(like.dtype()).to_device(like.device())
}

impl Case {
    fn on(&self, device: Device, dtype: DType) -> Results {
        let input = |t: &Tensor| {
            let float = t.dtype().is_float();
            let t = if float { t.to_dtype(dtype) } else { t.clone() };
            t.to_device(device).requires_grad_(float)
        };
        let inputs: Vec<Tensor> = self.inputs.iter().map(input).collect();
        let y = (self.run)(&inputs);
        let mut results = vec![("value".to_string(), y.detach())];
        if y.requires_grad() {
            y.backward_with(Some(&weights(&y)), Default::default());
            let grads = inputs
                .iter()
                .enumerate()
                .filter_map(|(i, x)| Some((format!("gradient of input {i}"), x.grad()?)));
            results.extend(grads);
        }
        results
    }
}

/// Every case, those of floats in every dtype that is asked for.
pub fn run(device: Device, dtypes: &[DType], mut done: impl FnMut(&Check)) -> Vec<Check> {
    let groups = [
        ("elementwise", elementwise()),
        ("reductions", reductions()),
        ("shapes and indices", shapes()),
        ("products", products()),
        ("pictures and norms", pictures()),
    ];
    let mut checks = Vec::new();
    for (group, cases) in groups {
        for case in cases {
            let floats = case.inputs.iter().any(|t| t.dtype().is_float());
            for &dtype in if floats { dtypes } else { &[DType::I64] } {
                let name = if floats { format!("{} {dtype}", case.name) } else { case.name.to_string() };
                checks.push(check(group, name, device, 1.0, |device| case.on(device, dtype)));
                done(checks.last().expect("just put there"));
            }
        }
    }
    checks
}
