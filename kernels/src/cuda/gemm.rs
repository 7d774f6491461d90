//! Matrix products on the tiles of `kernels/cuda/gemm.cu`: which kernel, by how the factors lie and how many
//! rows there are.

use super::context::Context;
use super::launch::{Divisor, Parameter, arg, tag};
use super::memory::CudaBuffer;
use super::tiles::{Cut, Sizes, cut};
use crate::{Activation, DType, Gemm, Result, Strides, collapse};

/// Batch dimensions that a kernel takes.
const BATCH_DIMS: usize = 4;
/// Rows up to which the kernels for few rows are taken: they read the right factor once for each four.
const FEW: u32 = 8;
/// Rows of such a kernel's block.
const ROWS: u32 = 4;
/// Columns of a block: a warp for each (lanes along k), or lanes along them.
const DOT_COLS: u32 = 8;
const AXPY_COLS: u32 = 32;
/// Fewest k for which lanes along k have something to do.
const DOT_K: u32 = 32;

/// `Epilogue` of `include/epilogue.cuh`: where results go, and what is done to them.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Epilogue {
    pub out: u64,
    pub bias: u64,
    pub out_row: i64,
    pub out_near: i64,
    pub out_far: i64,
    pub bias_row: i64,
    pub bias_col: i64,
    pub inner: Divisor,
    pub rows: u32,
    pub cols: u32,
    pub accumulate: u32,
    pub activation: u32,
}

/// `Gemm` of `gemm.cu`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Params {
    a: u64,
    b: u64,
    out: Epilogue,
    a_row: i64,
    a_k: i64,
    b_k: i64,
    b_col: i64,
    partial: u64,
    dim: [Divisor; BATCH_DIMS],
    a_batch: [i64; BATCH_DIMS],
    b_batch: [i64; BATCH_DIMS],
    out_batch: [i64; BATCH_DIMS],
    bias_batch: [i64; BATCH_DIMS],
    dims: u32,
    batches: u32,
    k: u32,
    tiles_down: u32,
    tiles_across: u32,
    splits: u32,
    chunk: u32,
}

// SAFETY: the members of gemm.cu in its order.
unsafe impl Parameter for Params {}

/// The number that the kernels know an activation by.
pub(super) fn activation_number(a: Activation) -> u32 {
    match a {
        Activation::None => 0,
        Activation::Relu => 1,
        Activation::Gelu => 2,
        Activation::GeluTanh => 3,
        Activation::Silu => 4,
        Activation::Sigmoid => 5,
        Activation::Tanh => 6,
    }
}

/// Memory for the sums over parts of k, where there are several parts.
pub(super) fn partial_sums(
    cx: &'static Context,
    how: Cut,
    results: u64,
    dtype: DType,
) -> Result<Option<CudaBuffer>> {
    // f32 for 16-bit floats, 32 bits for small integers.
    let size = dtype.size().max(4);
    match how.splits {
        1 => Ok(None),
        n => cx.alloc(results as usize * n as usize * size).map(Some),
    }
}

/// True where there are tiles of 128 × 128.
pub(super) fn has_large_tiles(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16 | DType::F32)
}

/// A call with its batches reduced to dimensions that no operand steps through as one.
struct Problem {
    p: Params,
    /// Sizes of all batch dimensions; those before the last four are walked by the host.
    shape: Vec<usize>,
    /// Steps of a, b, out and bias in them.
    steps: [Strides; 4],
    dtype: DType,
}

pub(super) fn gemm(cx: &'static Context, gemm: Gemm) -> Result {
    let Gemm { a, b, out, accumulate, bias, activation } = gemm;
    let dtype = out.dtype;
    if dtype == DType::Bool {
        return Err(cx.unsupported("matmul", dtype));
    }
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let nd = out.layout.ndim();
    let shape = out.layout.shape();
    let k = a.layout.shape()[nd - 1];
    let none: Strides = smallvec::smallvec![0; nd];
    let [sa, sb, so] = [a.layout, b.layout, out.layout].map(|l| l.strides());
    let sbias = bias.as_ref().map_or(&none[..], |b| b.layout.strides());
    let last = |s: &[isize]| [s[nd - 2] as i64, s[nd - 1] as i64];
    let ([a_row, a_k], [b_k, b_col]) = (last(sa), last(sb));
    let ([out_row, out_col], [bias_row, bias_col]) = (last(so), last(sbias));
    let (shape_of_batch, steps) =
        collapse(&shape[..nd - 2], [&sa[..nd - 2], &sb[..nd - 2], &so[..nd - 2], &sbias[..nd - 2]]);
    let mut p =
        Params { a: cx.address(&a)?, b: cx.address(&b)?, a_row, a_k, b_k, b_col, ..Params::default() };
    p.out = Epilogue {
        out: cx.address_mut(&out)?,
        bias: bias.map_or(Ok(0), |v| cx.address(&v))?,
        out_row,
        out_near: out_col,
        bias_row,
        bias_col,
        rows: size(shape[nd - 2]),
        cols: size(shape[nd - 1]),
        accumulate: accumulate as u32,
        activation: activation_number(activation),
        ..Epilogue::default()
    };
    p.k = size(k);
    let mut problem = Problem { p, shape: shape_of_batch.to_vec(), steps, dtype };
    problem.fold_batch_into_rows();
    problem.turn();
    problem.run(cx)
}

/// A size as kernels take it; larger tensors have no memory on any device of today.
fn size(n: usize) -> u32 {
    assert!(n < 1 << 31, "a matrix product of a side of {n} elements is too large for a CUDA kernel");
    n as u32
}

impl Problem {
    /// Products whose right factor is one are one product of more rows, where those lie alike.
    fn fold_batch_into_rows(&mut self) {
        while let Some(&n) = self.shape.last() {
            let p = &mut self.p;
            let rows = p.out.rows as i64;
            let [a, b, out, bias] = self.steps.each_ref().map(|s| *s.last().expect("as many") as i64);
            let alike = |step: i64, row: i64| step == rows * row;
            let all = n as i64 * rows;
            if b != 0 || !alike(a, p.a_row) || !alike(out, p.out.out_row) || all >= 1 << 31 {
                return;
            }
            if p.out.bias != 0 && !alike(bias, p.out.bias_row) {
                return;
            }
            p.out.rows = all as u32;
            self.shape.pop();
            self.steps.iter_mut().for_each(|s| {
                s.pop();
            });
        }
    }

    /// Takes the product of the transposed factors where the output lies column by column, or where there
    /// are few columns and many rows.
    fn turn(&mut self) {
        let p = &mut self.p;
        let columns_first = p.out.out_near != 1 && p.out.out_row == 1 && p.out.rows > 1;
        if !(columns_first || p.out.cols <= FEW && p.out.rows > FEW) {
            return;
        }
        std::mem::swap(&mut p.a, &mut p.b);
        (p.a_row, p.a_k, p.b_k, p.b_col) = (p.b_col, p.b_k, p.a_k, p.a_row);
        std::mem::swap(&mut p.out.out_row, &mut p.out.out_near);
        std::mem::swap(&mut p.out.bias_row, &mut p.out.bias_col);
        std::mem::swap(&mut p.out.rows, &mut p.out.cols);
        self.steps.swap(0, 1);
    }

    fn run(mut self, cx: &'static Context) -> Result {
        let outer = self.shape.len().saturating_sub(BATCH_DIMS);
        let p = &mut self.p;
        p.out.inner = Divisor::new(p.out.cols as usize);
        p.dims = (self.shape.len() - outer) as u32;
        p.batches = size(self.shape[outer..].iter().product());
        for (d, &n) in self.shape[outer..].iter().enumerate() {
            p.dim[d] = Divisor::new(n);
            let step = |k: usize| self.steps[k][outer + d] as i64;
            (p.a_batch[d], p.b_batch[d], p.out_batch[d], p.bias_batch[d]) =
                (step(0), step(1), step(2), step(3));
        }
        let bytes = self.dtype.size() as i64;
        let mut index = vec![0usize; outer];
        loop {
            let mut p = self.p;
            let move_by = |k: usize| {
                index.iter().zip(&self.steps[k]).map(|(&i, &s)| i as i64 * s as i64).sum::<i64>() * bytes
            };
            p.a = p.a.wrapping_add_signed(move_by(0));
            p.b = p.b.wrapping_add_signed(move_by(1));
            p.out.out = p.out.out.wrapping_add_signed(move_by(2));
            if p.out.bias != 0 {
                p.out.bias = p.out.bias.wrapping_add_signed(move_by(3));
            }
            one_launch(cx, p, self.dtype)?;
            // The next index of the outer dimensions, the last one fastest.
            let Some(d) = (0..outer).rev().find(|&d| index[d] + 1 < self.shape[d]) else { return Ok(()) };
            index[d] += 1;
            index[d + 1..].fill(0);
        }
    }
}

/// Blocks of a launch.
pub(super) fn grid(blocks: u64) -> u32 {
    assert!(blocks < 1 << 31, "a product of {blocks} tiles is too large for a CUDA kernel");
    blocks as u32
}

fn one_launch(cx: &'static Context, mut p: Params, dtype: DType) -> Result {
    let tag = tag(dtype);
    if let Some((name, cols)) = for_few_rows(&p, dtype) {
        (p.tiles_down, p.tiles_across) = (p.out.rows.div_ceil(ROWS), p.out.cols.div_ceil(cols));
        let blocks = grid(p.tiles_down as u64 * p.tiles_across as u64 * p.batches as u64);
        // SAFETY: `Params` is the kernel's parameter; the views reach no further than their memory.
        return unsafe { cx.launch(("gemm", name, tag), blocks, &[arg(&p)]) };
    }
    let sizes = Sizes { rows: p.out.rows, cols: p.out.cols, k: p.k, batches: p.batches };
    let how = cut(sizes, has_large_tiles(dtype), cx.driver.multiprocessors());
    [p.tiles_down, p.tiles_across] = how.tiles(sizes);
    (p.splits, p.chunk) = (how.splits, how.chunk);
    let results = sizes.results();
    let partial = partial_sums(cx, how, results, dtype)?;
    p.partial = partial.as_ref().map_or(0, |s| s.address());
    let name = tiled(how.tile == 128, lies(&p, dtype));
    // SAFETY: as above; the partial products have their memory.
    unsafe {
        cx.launch_grid(("gemm", name, tag), [grid(how.blocks(sizes)), 1, 1], how.threads(), &[arg(&p)])?;
        if how.splits > 1 {
            cx.launch(("gemm", "gemm_combine", tag), grid(results.div_ceil(256)), &[arg(&p)])?;
        }
    }
    Ok(())
}

/// The kernel for few rows whose lanes read neighbours of the right factor, and its columns per block.
fn for_few_rows(p: &Params, dtype: DType) -> Option<(&'static str, u32)> {
    if p.out.rows > FEW || p.k == 0 {
        return None;
    }
    if dtype.is_float() && p.k >= DOT_K && p.b_k == 1 {
        return Some(("gemm_dot", DOT_COLS));
    }
    (p.b_col == 1 && p.out.cols >= AXPY_COLS).then_some(("gemm_axpy", AXPY_COLS))
}

/// How a factor can be loaded: by vectors along k, by vectors along its rows or columns.
#[derive(Clone, Copy, PartialEq)]
enum Lies {
    AlongK,
    AlongOuter,
    Anyhow,
}

fn lies(p: &Params, dtype: DType) -> [Lies; 2] {
    if !dtype.is_float() || p.k == 0 {
        return [Lies::Anyhow; 2];
    }
    let vector = if dtype == DType::F64 { 2 } else { 4 };
    let whole = |n: i64| n % vector == 0;
    let aligned = |address: u64| address.is_multiple_of(vector as u64 * dtype.size() as u64);
    let factor = |address: u64, outer: u32, outer_step: i64, k_step: i64, batch: &[i64]| {
        if !aligned(address) || !batch[..p.dims as usize].iter().all(|&s| whole(s)) {
            Lies::Anyhow
        } else if k_step == 1 && whole(p.k as i64) && (whole(outer_step) || outer == 1) {
            Lies::AlongK
        } else if outer_step == 1 && whole(outer as i64) && (whole(k_step) || p.k == 1) {
            Lies::AlongOuter
        } else {
            Lies::Anyhow
        }
    };
    let left = factor(p.a, p.out.rows, p.a_row, p.a_k, &p.a_batch);
    let right = factor(p.b, p.out.cols, p.b_col, p.b_k, &p.b_batch);
    // There are no kernels that load one factor by vectors alone.
    if left == Lies::Anyhow || right == Lies::Anyhow { [Lies::Anyhow; 2] } else { [left, right] }
}

fn tiled(large: bool, lies: [Lies; 2]) -> &'static str {
    use Lies::*;
    match (large, lies) {
        (true, [AlongK, AlongK]) => "gemm_kk",
        (true, [AlongK, AlongOuter]) => "gemm_ko",
        (true, [AlongOuter, AlongK]) => "gemm_ok",
        (true, [AlongOuter, AlongOuter]) => "gemm_oo",
        (true, _) => "gemm_any",
        (false, [AlongK, AlongK]) => "gemm_small_kk",
        (false, [AlongK, AlongOuter]) => "gemm_small_ko",
        (false, [AlongOuter, AlongK]) => "gemm_small_ok",
        (false, [AlongOuter, AlongOuter]) => "gemm_small_oo",
        (false, _) => "gemm_small_any",
    }
}
