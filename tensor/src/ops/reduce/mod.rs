//! Reductions.

mod extremes;
mod moments;
mod product;
mod typed;

use crate::error::{Error, Result, ok};
use crate::operand::IntoDims;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{DType, Dims, ReduceOp};

impl Tensor {
    /// The dimensions to reduce, sorted; an empty list is all of them.
    pub(crate) fn reduce_dims(&self, name: &'static str, dims: &[isize]) -> Result<Vec<usize>> {
        if dims.is_empty() {
            return Ok((0..self.ndim()).collect());
        }
        let mut out: Vec<usize> = dims.iter().map(|&d| self.dim(name, d)).collect::<Result<_>>()?;
        out.sort_unstable();
        if out.windows(2).any(|w| w[0] == w[1]) {
            return Err(Error::index(name, format!("a dimension appears twice in {dims:?}")));
        }
        // A 0-d tensor accepts dimension 0.
        out.retain(|&d| d < self.ndim());
        Ok(out)
    }

    /// Shape with reduced dimensions kept as 1, and without them.
    pub(crate) fn reduced_shapes(&self, dims: &[usize]) -> (Dims, Dims) {
        let kept =
            self.shape().iter().enumerate().map(|(d, &n)| if dims.contains(&d) { 1 } else { n }).collect();
        let gone =
            self.shape().iter().enumerate().filter(|(d, _)| !dims.contains(d)).map(|(_, &n)| n).collect();
        (kept, gone)
    }

    /// Runs a reduction kernel; the result has the reduced dimensions kept as 1. Not recorded.
    #[track_caller]
    pub(crate) fn reduce(
        &self,
        name: &'static str,
        kernel: ReduceOp,
        dims: &[usize],
        dtype: DType,
    ) -> Result<Tensor> {
        let (kept, _) = self.reduced_shapes(dims);
        self.produce_like(name, &kept, dtype, |b, out| b.reduce(kernel, self.as_view(), dims, out))
    }

    /// The dtype of sums and products: i64 for integers and bool.
    fn total_dtype(&self) -> DType {
        if self.dtype().is_float() { self.dtype() } else { DType::I64 }
    }

    /// Sum of all elements; integers and bool give i64. f32 and f64 are added in PyTorch's order.
    #[track_caller]
    pub fn sum(&self) -> Tensor {
        self.sum_dim([], false)
    }

    /// Sum over dimensions (`torch.sum(dim, keepdim)`); an empty list is all.
    #[track_caller]
    pub fn sum_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
        let dims = ok(self.reduce_dims("sum", &dims.into_dims()));
        let y = ok(self.reduce("sum", ReduceOp::Sum, &dims, self.total_dtype()));
        self.finish_sum("sum", y, &dims, keepdim, 1.0)
    }

    /// Mean of all elements.
    ///
    /// # Panics
    /// For integers and bool, as PyTorch does.
    #[track_caller]
    pub fn mean(&self) -> Tensor {
        self.mean_dim([], false)
    }

    /// Mean over dimensions (`torch.mean(dim, keepdim)`); an empty list is all.
    ///
    /// # Panics
    /// For integers and bool, as PyTorch does.
    #[track_caller]
    pub fn mean_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
        if !self.dtype().is_float() {
            panic!(
                "mean: expected a floating-point tensor, got {}; convert it with to_dtype first",
                self.dtype()
            );
        }
        let dims = ok(self.reduce_dims("mean", &dims.into_dims()));
        let y = ok(self.reduce("mean", ReduceOp::Mean, &dims, self.dtype()));
        let n: usize = dims.iter().map(|&d| self.shape()[d]).product();
        self.finish_sum("mean", y, &dims, keepdim, n as f64)
    }

    /// Drops the kept dimensions and records the rule of a sum divided by `count`.
    #[track_caller]
    fn finish_sum(
        &self,
        name: &'static str,
        kept: Tensor,
        dims: &[usize],
        keepdim: bool,
        count: f64,
    ) -> Tensor {
        let (kept_shape, gone) = self.reduced_shapes(dims);
        let y = if keepdim { kept } else { kept.reshape_to(&gone) };
        if !self.dtype().is_float() {
            return y;
        }
        let shape: Dims = self.shape().into();
        let rule = || {
            move |g: &Tensor| {
                let g = if count == 1.0 { g.clone() } else { g / count };
                g.reshape_to(&kept_shape).broadcast_to(shape.as_slice())
            }
        };
        op(name, y).wrt(self, rule).done()
    }

    /// Sums a gradient to the shape of the input that was broadcast to this one's shape.
    #[track_caller]
    pub(crate) fn sum_to(&self, shape: &[usize]) -> Tensor {
        let lead = self.ndim() - shape.len();
        let dims: Vec<isize> = (0..self.ndim())
            .filter(|&d| d < lead || (shape[d - lead] == 1 && self.shape()[d] != 1))
            .map(|d| d as isize)
            .collect();
        if dims.is_empty() {
            return self.reshape_to(shape);
        }
        self.sum_dim(dims, true).reshape_to(shape)
    }

    /// Whether any element is non-zero; a 0-d bool tensor (u8 for u8).
    #[track_caller]
    pub fn any(&self) -> Tensor {
        self.truth("any", ReduceOp::Any, &[], false)
    }
    /// Whether any element along dimensions is non-zero.
    #[track_caller]
    pub fn any_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
        self.truth("any", ReduceOp::Any, &dims.into_dims(), keepdim)
    }
    /// Whether all elements are non-zero; a 0-d bool tensor (u8 for u8).
    #[track_caller]
    pub fn all(&self) -> Tensor {
        self.truth("all", ReduceOp::All, &[], false)
    }
    /// Whether all elements along dimensions are non-zero.
    #[track_caller]
    pub fn all_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
        self.truth("all", ReduceOp::All, &dims.into_dims(), keepdim)
    }

    #[track_caller]
    fn truth(&self, name: &'static str, kernel: ReduceOp, dims: &[isize], keepdim: bool) -> Tensor {
        let dims = ok(self.reduce_dims(name, dims));
        let y = ok(self.reduce(name, kernel, &dims, DType::Bool));
        let y = if keepdim { y } else { y.reshape_to(&self.reduced_shapes(&dims).1) };
        // PyTorch's bytes were its truth values once.
        if self.dtype() == DType::U8 { y.to_dtype(DType::U8) } else { y }
    }
}
