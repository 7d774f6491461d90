//! Elements in order.

use crate::error::{Error, Result, ok};
use crate::tensor::Tensor;
use taper_autograd::{Value, op};
use taper_kernels::{DType, Dims, ReduceOp};

/// What [`Tensor::unique_all`] finds.
pub struct Unique {
    /// Each value once, in ascending order.
    pub values: Tensor,
    /// For each element of the tensor, in its shape, the position of its value in `values`; i64.
    pub inverse: Tensor,
    /// How often each value occurs; i64.
    pub counts: Tensor,
}

impl Tensor {
    /// The elements along a dimension in order, and where they came from (i64) (`torch.sort`, by default
    /// along dimension −1, ascending). The sort is stable; NaN counts as the largest.
    ///
    /// ```
    /// let (values, indices) = taper_tensor::tensor([3.0, 1.0, 2.0]).sort(-1, false);
    /// assert_eq!(values.to_vec::<f32>(), [1.0, 2.0, 3.0]);
    /// assert_eq!(indices.to_vec::<i64>(), [1, 2, 0]);
    /// ```
    #[track_caller]
    pub fn sort(&self, dim: isize, descending: bool) -> (Tensor, Tensor) {
        let d = ok(self.dim("sort", dim));
        let n = self.shape().get(d).copied().unwrap_or(1);
        ok(self.ordered("sort", d, n, |b, x, values, indices| b.sort(x, d, descending, values, indices)))
    }

    /// The positions that put a dimension in order (`torch.argsort`, by default along dimension −1,
    /// ascending). Stable.
    #[track_caller]
    pub fn argsort(&self, dim: isize, descending: bool) -> Tensor {
        self.detach().sort(dim, descending).1
    }

    /// The `k` largest (or smallest) elements along a dimension in order, and where they are (i64)
    /// (`torch.topk`, by default the largest along dimension −1). Of equal elements the first are taken.
    ///
    /// # Panics
    /// Where the dimension has fewer than `k` entries.
    #[track_caller]
    pub fn topk(&self, k: usize, dim: isize, largest: bool) -> (Tensor, Tensor) {
        ok(self.try_topk(k, dim, largest))
    }

    /// As [`topk`](Self::topk), or an error.
    #[track_caller]
    pub fn try_topk(&self, k: usize, dim: isize, largest: bool) -> Result<(Tensor, Tensor)> {
        let d = self.dim("topk", dim)?;
        let n = self.shape().get(d).copied().unwrap_or(1);
        if k > n {
            let message = format!("k = {k} for dimension {d} of shape {:?}", self.shape());
            return Err(Error::index("topk", message));
        }
        self.ordered("topk", d, k, |b, x, values, indices| b.topk(x, d, largest, values, indices))
    }

    /// Runs a kernel that gives `k` values along `d` and their positions.
    #[track_caller]
    fn ordered(
        &self,
        name: &'static str,
        d: usize,
        k: usize,
        kernel: impl FnOnce(
            &'static dyn taper_kernels::Backend,
            taper_kernels::View,
            taper_kernels::ViewMut,
            taper_kernels::ViewMut,
        ) -> taper_kernels::Result,
    ) -> Result<(Tensor, Tensor)> {
        if self.ndim() == 0 {
            let (values, indices) = self.unsqueeze(0).ordered(name, d, k, kernel)?;
            return match k {
                0 => Ok((values, indices)),
                _ => Ok((values.squeeze(0), indices.squeeze(0))),
            };
        }
        let mut shape: Dims = self.shape().into();
        shape[d] = k;
        let mut indices = Tensor::zeros_with(&shape, (DType::I64, self.device()));
        let values = self.produce_like(name, &shape, self.dtype(), |b, values| {
            kernel(b, self.as_view(), values, indices.as_view_mut())
        })?;
        let rule = || {
            let (meta, indices) = (self.meta(), indices.clone());
            move |g: &Tensor| <Tensor as Value>::zeros(&meta).scatter(d as isize, &indices, g)
        };
        Ok((op(name, values).wrt(self, rule).done(), indices))
    }

    /// The `k`-th smallest element along a dimension, counted from 1, and its position
    /// (`torch.kthvalue`, by default along dimension −1).
    ///
    /// # Panics
    /// Where `k` is not in `1..=size`.
    #[track_caller]
    pub fn kthvalue(&self, k: usize, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        assert!(
            k > 0 && k <= self.entries(dim),
            "kthvalue: k = {k} for dimension {dim} of {:?}",
            self.shape()
        );
        let (values, indices) = self.topk(k, dim, false);
        if self.ndim() == 0 {
            return (values, indices);
        }
        let last = |t: Tensor| {
            let t = t.narrow(dim, k as isize - 1, 1);
            if keepdim { t } else { t.squeeze(dim) }
        };
        (last(values), last(indices))
    }

    /// Size of a dimension; 1 for a 0-d tensor.
    #[track_caller]
    fn entries(&self, dim: isize) -> usize {
        let d = ok(self.dim("sort", dim));
        self.shape().get(d).copied().unwrap_or(1)
    }

    /// The median along a dimension, of two the lower one, and its position (`torch.median(dim)`). NaN wins.
    ///
    /// # Panics
    /// For an empty dimension.
    #[track_caller]
    pub fn median_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        let n = self.entries(dim);
        assert!(n > 0, "median: dimension {dim} of shape {:?} is empty", self.shape());
        if self.ndim() == 0 {
            return self.kthvalue(1, dim, keepdim);
        }
        let (_, middle) = self.detach().kthvalue(n.div_ceil(2), dim, true);
        let nan = self.detach().isnan().to_dtype(DType::I32);
        let d = ok(self.dim("median", dim));
        let first_nan = ok(nan.reduce("median", ReduceOp::ArgMax, &[d], DType::I64));
        let indices = Tensor::where_(&nan.gather(dim, &first_nan).eq(1), &first_nan, &middle);
        let values = self.gather(dim, &indices);
        if keepdim { (values, indices) } else { (values.squeeze(dim), indices.squeeze(dim)) }
    }

    /// The median of all elements, of two the lower one (`torch.median`). NaN wins.
    ///
    /// # Panics
    /// For an empty tensor.
    #[track_caller]
    pub fn median(&self) -> Tensor {
        self.flatten(0, -1).median_dim(0, false).0
    }

    /// The median of the elements along a dimension that are not NaN, of two the lower one, and its position
    /// (`torch.nanmedian(dim)`). NaN where all are.
    ///
    /// # Panics
    /// For an empty dimension.
    #[track_caller]
    pub fn nanmedian_dim(&self, dim: isize, keepdim: bool) -> (Tensor, Tensor) {
        assert!(self.entries(dim) > 0, "nanmedian: dimension {dim} of shape {:?} is empty", self.shape());
        if self.ndim() == 0 || !self.dtype().is_float() {
            return self.median_dim(dim, keepdim);
        }
        // NaN sorts last.
        let order = self.argsort(dim, false);
        let middle = (self.isnan().logical_not().sum_dim(dim, true) - 1).clamp(0.0, None).floor_divide(2);
        let indices = order.gather(dim, &middle);
        let values = self.gather(dim, &indices);
        if keepdim { (values, indices) } else { (values.squeeze(dim), indices.squeeze(dim)) }
    }

    /// The median of all elements that are not NaN, of two the lower one (`torch.nanmedian`). NaN where all are.
    ///
    /// # Panics
    /// For an empty tensor.
    #[track_caller]
    pub fn nanmedian(&self) -> Tensor {
        self.flatten(0, -1).nanmedian_dim(0, false).0
    }

    /// Each value of the tensor once, in ascending order (`torch.unique`). Every NaN is a value of its own.
    #[track_caller]
    pub fn unique(&self) -> Tensor {
        self.unique_all().values
    }

    /// [`unique`](Self::unique) with the positions that give the tensor back, and counts (`torch.unique`
    /// with `return_inverse` and `return_counts`).
    #[track_caller]
    pub fn unique_all(&self) -> Unique {
        let n = self.numel();
        let (sorted, order) = self.detach().reshape_to(&[n]).sort(0, false);
        if n == 0 {
            return Unique { values: sorted, inverse: order.reshape_to(self.shape()), counts: order };
        }
        // True where a value starts.
        let mut starts = Tensor::full_with([n], true, &order.to_dtype(DType::Bool));
        starts.set(1.., sorted.narrow(0, 1, n - 1).ne(sorted.narrow(0, 0, n - 1)));
        let at = starts.nonzero().reshape_to(&[starts.sum().item() as usize]);
        let ends = Tensor::cat(&[&at.narrow(0, 1, at.numel() - 1), &at.full_like(n).narrow(0, 0, 1)], 0);
        let rank = starts.cumsum(0) - 1i64;
        let inverse = order.zeros_like().scatter(0, &order, rank).reshape_to(self.shape());
        Unique { values: sorted.index_select(0, &at), inverse, counts: ends - at }
    }
}
