//! Matrix product.
//!
//! [`problem`] reduces a call to single products of strided matrices. A product then takes one of
//! three ways: [`vector`] (one row or column), [`small`] (one thread, one block) or [`large`] (blocks, on
//! several threads); the last two share the [`tile`]. All sizes are in [`sizes`].

pub(super) mod block;
mod large;
pub(super) mod pack;
pub(super) mod plain;
mod problem;
pub(super) mod real;
pub(super) mod scratch;
pub(super) mod sizes;
mod small;
pub(super) mod tile;
mod vector;
pub(super) mod widened;

use crate::cpu::{
    elementwise,
    par::{for_each_job, num_threads},
    simd::simd_level,
};
use crate::{backend::*, *};
use problem::{Problem, Starts};
use real::{Mat, Product, Real, Target};
use widened::Widened;

pub fn gemm(gemm: Gemm) -> Result {
    let Gemm { a, b, mut out, accumulate, bias, activation } = gemm;
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let dtype = out.dtype;
    if matches!(dtype, DType::F16 | DType::BF16) {
        let (a, b) = (Widened::of(a)?, Widened::of(b)?);
        let bias = bias.map(Widened::of).transpose()?;
        let mut wide = if accumulate { Widened::of(out.as_view())? } else { Widened::empty(out.layout) };
        let bias = bias.as_ref().map(|b| b.view());
        self::gemm(Gemm { a: a.view(), b: b.view(), out: wide.view_mut(), accumulate, bias, activation })?;
        return wide.rounded(out);
    }
    let problem =
        Problem::new(a.layout, b.layout, out.layout, bias.as_ref().map(|b| b.layout), accumulate, activation);
    for view in [Some(a), Some(b), bias].into_iter().flatten() {
        assert!(
            view.layout.span().end * dtype.size() <= bytes(view.storage),
            "operand reaches past its memory"
        );
    }
    assert!(out.layout.span().end * dtype.size() <= bytes(out.storage), "result reaches past its memory");
    match dtype {
        DType::F32 => reals::<f32>(&problem, a.data(), b.data(), bias.map(|b| b.data()), out.data()),
        DType::F64 => reals::<f64>(&problem, a.data(), b.data(), bias.map(|b| b.data()), out.data()),
        d => dispatch_dtype!(
            d,
            ints T => plain::run::<T>(&problem, a.data(), b.data(), bias.map(|b| b.data()), out.data()),
            else return Err(Error::Unsupported { op: "matmul", dtype, device: Device::Cpu })
        ),
    }
    finish(activation, out)
}

/// Applies the activations that the kernels' epilogues have not got.
pub(super) fn finish(activation: Activation, out: ViewMut) -> Result {
    let op = match activation {
        Activation::None | Activation::Relu => return Ok(()),
        Activation::Gelu => UnaryOp::Gelu,
        Activation::GeluTanh => UnaryOp::GeluTanh,
        Activation::Silu => UnaryOp::Silu,
        Activation::Sigmoid => UnaryOp::Sigmoid,
        Activation::Tanh => UnaryOp::Tanh,
    };
    elementwise::unary(op, Src::Out, out)
}

/// All products of a batch.
fn reals<T: Real>(p: &Problem, a: &[T], b: &[T], bias: Option<&[T]>, out: &mut [T]) {
    let target = Target {
        start: out.as_mut_ptr(),
        row: p.out[0],
        col: p.out[1],
        add: p.accumulate,
        bias: None,
        relu: p.relu,
    };
    let mat = |data: &[T], [row, col]: [isize; 2]| Mat { start: data.as_ptr(), row, col };
    let one = Product { m: p.m, n: p.n, k: p.k, a: mat(a, p.a), b: mat(b, p.b), out: target };
    let bias = bias.zip(p.bias).map(|(data, steps)| mat(data, steps));
    let at = |s: &Starts| Product {
        a: one.a.further(s.a),
        b: one.b.further(s.b),
        out: one.out.further(s.out, bias.map(|m| m.further(s.bias))),
        ..one
    };
    let one_product = |s: &_, parallel| {
        // SAFETY: the views' spans lie inside their memory, and the products of a batch write different
        // elements.
        unsafe { product(at(s), parallel) }
    };
    if let Some(start) = p.only_start() {
        return one_product(&start, true);
    }
    let starts = p.starts();
    if starts.len() < 4 || p.work() * starts.len() < sizes::PARALLEL {
        starts.iter().for_each(|s| one_product(s, true));
    } else {
        let grain = (sizes::PARALLEL / 4 / p.work().max(1)).max(1);
        for_each_job(starts.len(), true, grain, &|i| one_product(&starts[i], false));
    }
}

/// One product, on several threads if `parallel` and worth it.
///
/// # Safety
/// The operands are readable, the target is writable and used by no one else.
pub(super) unsafe fn product<T: Real>(mut p: Product<T>, parallel: bool) {
    if (p.out.col != 1 && p.out.row == 1 && p.m > 1) || (p.n == 1 && p.m > 1) {
        p = p.transposed();
    }
    // SAFETY: the caller's promise.
    unsafe {
        if p.k == 0 {
            (0..p.m).for_each(|i| (0..p.n).for_each(|j| tile::finish_one(T::ZERO, &p.out, i, j)));
        } else if p.m == 1 {
            vector::run(&p, parallel);
        } else {
            let parallel = parallel && p.work() >= sizes::PARALLEL && num_threads() > 1;
            if !parallel && sizes::one_block(&p) { small::run(&p) } else { large::run(&p, parallel) }
        }
    }
}

/// Bytes of a vector of the instruction set in use.
pub(super) fn vector_bytes() -> usize {
    use crate::cpu::simd::SimdLevel::*;
    match simd_level() {
        Scalar | Neon => 16,
        Avx2 => 32,
        Avx512 => 64,
    }
}

/// Length of a host memory.
fn bytes(storage: &Storage) -> usize {
    storage.as_cpu().map_or(0, |b| b.len())
}
