//! Largest and smallest, and where they are.

use crate::error::{Error, Result, ok};
use crate::operand::IntoDims;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{DType, ReduceOp};

impl Tensor {
    /// Refuses to look for an extreme among no elements.
    fn expect_elements(&self, name: &'static str, dims: &[usize]) -> Result<()> {
        if dims.iter().any(|&d| self.shape()[d] == 0) || (dims.is_empty() && self.numel() == 0) {
            let message = format!(
                "there is no extreme among no elements: shape {:?}, dimensions {dims:?}",
                self.shape()
            );
            return Err(Error::shape(name, message));
        }
        Ok(())
    }

    /// An extreme over dimensions; elements that reach it share the gradient. Of `whole` tensors NaN
    /// reaches NaN; over dimensions nothing reaches it, and the gradient is NaN, as in PyTorch.
    #[track_caller]
    fn extreme(
        &self,
        name: &'static str,
        kernel: ReduceOp,
        whole: bool,
        dims: &[isize],
        keepdim: bool,
    ) -> Tensor {
        let dims = ok(self.reduce_dims(name, dims));
        ok(self.expect_elements(name, &dims));
        let (kept, gone) = self.reduced_shapes(&dims);
        let y = ok(self.reduce(name, kernel, &dims, self.dtype()));
        let y = if keepdim { y } else { y.reshape_to(&gone) };
        if !self.dtype().is_float() {
            return y;
        }
        let rule = || {
            let x = self.detach();
            move |g: &Tensor, y: &Tensor| {
                let y = y.detach().reshape_to(&kept);
                let mut reached = x.eq(&y);
                if whole {
                    reached |= x.isnan() & y.isnan();
                }
                let reached = reached.to_dtype(g.dtype());
                let axes: Vec<isize> = dims.iter().map(|&d| d as isize).collect();
                let count = reached.sum_dim(axes, true);
                g.reshape_to(&kept) * (reached / count)
            }
        };
        op(name, y).wrt_y(self, rule).done()
    }

    /// Position of an extreme, i64.
    #[track_caller]
    fn position(&self, name: &'static str, kernel: ReduceOp, dim: Option<isize>, keepdim: bool) -> Tensor {
        assert!(
            self.dtype() != DType::Bool,
            "{name}: bool tensors have no order of positions; use to_dtype first"
        );
        let dims = ok(self.reduce_dims(name, dim.as_slice()));
        ok(self.expect_elements(name, &dims));
        let y = ok(self.reduce(name, kernel, &dims, DType::I64));
        if keepdim { y } else { y.reshape_to(&self.reduced_shapes(&dims).1) }
    }

    /// An extreme along one dimension with its position, which gets the gradient.
    #[track_caller]
    fn extreme_dim(
        &self,
        name: &'static str,
        kernel: ReduceOp,
        dim: isize,
        keepdim: bool,
    ) -> (Tensor, Tensor) {
        let d = ok(self.dim(name, dim));
        if self.ndim() == 0 {
            return (self.clone(), Tensor::zeros_with((), (DType::I64, self.device())));
        }
        let ordered = if self.dtype() == DType::Bool { self.to_dtype(DType::U8) } else { self.detach() };
        let indices = ordered.position(name, kernel, Some(dim), true);
        let values = self.gather(d as isize, &indices);
        if keepdim { (values, indices) } else { (values.squeeze(d as isize), indices.squeeze(d as isize)) }
    }
}

/// Each entry: the extreme of everything, along one dimension, over several, and its position.
macro_rules! extremes {
    ($($all:ident $along:ident $over:ident $arg:ident $kernel:ident $arg_kernel:ident $what:literal;)*) => {
        impl Tensor { $(
            #[doc = concat!("The ", $what, " element, 0-d; NaN wins. Equal elements share the gradient.")]
            ///
            /// # Panics
            /// Where there are no elements.
            #[track_caller]
            pub fn $all(&self) -> Tensor {
                self.extreme(stringify!($all), ReduceOp::$kernel, true, &[], false)
            }

            #[doc = concat!("The ", $what, " elements along a dimension and their positions (`torch.", stringify!($all), "(dim, keepdim)`).")]
            /// NaN wins. Of equal elements the first counts, and gets the gradient.
            ///
            /// # Panics
            /// Where the dimension has size 0.
            #[track_caller]
            pub fn $along(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
                self.extreme_dim(stringify!($all), ReduceOp::$arg_kernel, dim, keepdim)
            }

            #[doc = concat!("The ", $what, " element over dimensions; an empty list is all. NaN wins.")]
            /// Equal elements share the gradient; where the result is NaN so is the gradient, as in PyTorch.
            ///
            /// # Panics
            /// Where there are no elements.
            #[track_caller]
            pub fn $over(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
                self.extreme(stringify!($over), ReduceOp::$kernel, false, &dims.into_dims(), keepdim)
            }

            #[doc = concat!("Position of the first ", $what, " element along a dimension, or (`None`) in row-major order; i64.")]
            /// NaN wins.
            ///
            /// # Panics
            /// Where there are no elements, and for bool.
            #[track_caller]
            pub fn $arg(&self, dim: impl Into<Option<isize>>, keepdim: bool) -> Tensor {
                self.position(stringify!($arg), ReduceOp::$arg_kernel, dim.into(), keepdim)
            }
        )* }
    };
}
extremes! {
    max max_dim amax argmax Max ArgMax "largest";
    min min_dim amin argmin Min ArgMin "smallest";
}
