//! Reading and writing parts of a tensor: `x[1, ..., 2:5, rows]` is `x.index((1, Ellipsis, 2..5, &rows))`.

mod item;
mod plan;

pub use item::{Ellipsis, IndexItem, IntoIndex, NewAxis, Slice};

use super::gather::NAME_INDEX as NAME;
use crate::error::{Error, Result, ok};
use crate::operand::Operand;
use crate::tensor::Tensor;
use plan::Plan;
use std::sync::Arc;
use taper_autograd::{Value, needs_grad, op};
use taper_kernels::{DType, Dims, GatherOp, Layout, ScatterOp, View, ViewMut, working_for};

impl Tensor {
    /// A part of the tensor (`x[…]`): integers, ranges (`1..3`, `..-1`, `..`), [`Slice`]s with steps,
    /// [`Ellipsis`], [`NewAxis`], tensors of positions (negative ones count from the end) and bool masks.
    ///
    /// Without tensors the result is a view. Tensors of positions broadcast with each other; their
    /// dimensions stand where the first of them stood, or in front where something stands between them.
    /// As in PyTorch an integer beside a tensor does not count as a tensor. Where positions repeat,
    /// gradients add up.
    ///
    /// ```
    /// use taper_tensor::{Ellipsis, NewAxis, Slice, Tensor, tensor};
    /// let x = Tensor::arange(0, 24, 1).reshape([2, 3, 4]);
    /// assert_eq!(x.index((1, .., -1)).to_vec::<i64>(), [15, 19, 23]);
    /// assert_eq!(x.index((Ellipsis, NewAxis, Slice::new(None, None, 2))).shape(), [2, 3, 1, 2]);
    /// assert_eq!(x.index((0, &tensor([2, 0]), 1..3)).to_vec::<i64>(), [9, 10, 1, 2]);
    /// assert_eq!(x.index(&x.gt(20)).to_vec::<i64>(), [21, 22, 23]);
    /// ```
    ///
    /// # Panics
    /// For positions out of range, too many items, masks and tensors of positions that do not fit.
    #[track_caller]
    pub fn index(&self, index: impl IntoIndex) -> Tensor {
        ok(self.try_index(index))
    }

    /// As [`index`](Self::index), or an error.
    #[track_caller]
    pub fn try_index(&self, index: impl IntoIndex) -> Result<Tensor> {
        let plan = Arc::new(Plan::new(self, &index.into_index())?);
        Ok(self.pick(&plan))
    }

    /// Writes `value` (a tensor or a number) to a part of the tensor (`x[…] = value`). The value broadcasts
    /// and is cast; where positions repeat, the last one stays.
    ///
    /// Recorded where this tensor or the value needs a gradient: the written part gets none, the value gets
    /// the part's. (Values that were overwritten by later ones get it too, as in PyTorch.)
    ///
    /// ```
    /// use taper_tensor::{Tensor, tensor};
    /// let mut x = Tensor::zeros([2, 3]);
    /// x.set((.., 1), 5).set((1, 0..2), &tensor([7.0, 8.0]));
    /// assert_eq!(x.to_vec::<f32>(), [0.0, 5.0, 0.0, 7.0, 8.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// As [`index`](Self::index); where the value does not broadcast; for a leaf that requires grad outside
    /// `no_grad`.
    #[track_caller]
    pub fn set(&mut self, index: impl IntoIndex, value: impl Into<Operand>) -> &mut Self {
        ok(self.try_set(index, value))
    }

    /// As [`set`](Self::set), or an error (but a panic for a leaf that requires grad).
    #[track_caller]
    pub fn try_set(&mut self, index: impl IntoIndex, value: impl Into<Operand>) -> Result<&mut Self> {
        self.put_in_place("set", &index.into_index(), value.into(), false)
    }

    /// A copy with `value` written to a part, or added to it with `accumulate` (`torch.index_put`): then
    /// positions that repeat add up.
    ///
    /// # Panics
    /// As [`index`](Self::index), and where the value does not broadcast.
    #[track_caller]
    pub fn index_put(&self, index: impl IntoIndex, value: impl Into<Operand>, accumulate: bool) -> Tensor {
        let plan = Arc::new(ok(Plan::new(self, &index.into_index())));
        let value = ok(self.value_for(&plan, value.into()));
        self.put(&plan, &value, accumulate)
    }

    /// [`index_put`](Self::index_put) in place.
    ///
    /// # Panics
    /// As there, and for a leaf that requires grad outside `no_grad`.
    #[track_caller]
    pub fn index_put_(
        &mut self,
        index: impl IntoIndex,
        value: impl Into<Operand>,
        accumulate: bool,
    ) -> &mut Self {
        ok(self.put_in_place("index_put_", &index.into_index(), value.into(), accumulate))
    }

    #[track_caller]
    fn put_in_place(
        &mut self,
        name: &'static str,
        items: &[IndexItem],
        value: Operand,
        accumulate: bool,
    ) -> Result<&mut Self> {
        self.check_writable(name);
        if let [IndexItem::Tensor(mask)] = items
            && (mask.dtype(), mask.shape()) == (DType::Bool, self.shape())
            && (value.shape().is_empty() && !accumulate)
        {
            return Ok(self.masked_fill_(mask, value));
        }
        let plan = Arc::new(Plan::new(self, items)?);
        let value = self.value_for(&plan, value)?;
        if needs_grad(self) || needs_grad(&value) || (plan.is_view() && accumulate) {
            *self = self.put(&plan, &value, accumulate);
        } else {
            self.write_at(&plan, &value, accumulate);
        }
        Ok(self)
    }

    /// A value in this dtype and in the shape of the part it is for.
    #[track_caller]
    fn value_for(&self, plan: &Plan, value: Operand) -> Result<Tensor> {
        if let Some(v) = value.tensor()
            && v.device() != self.device()
        {
            return Err(Error::Device { op: NAME, a: self.device(), b: v.device() });
        }
        let mut value = value.to_tensor(self.dtype(), self.device()).to_dtype(self.dtype());
        let given: Dims = value.shape().into();
        while value.ndim() > plan.shape().len() && value.shape()[0] == 1 {
            value = value.squeeze(0);
        }
        value.try_broadcast_to(plan.shape()).map_err(|_| {
            let message =
                format!("a value of shape {given:?} does not fit the part of shape {:?}", plan.shape());
            Error::shape(NAME, message)
        })
    }
}

/// Reading and writing by plan: each is the other's derivative.
impl Tensor {
    #[track_caller]
    fn pick(&self, plan: &Arc<Plan>) -> Tensor {
        if plan.is_view() {
            let plan = plan.clone();
            return self.part(NAME, move |l| plan.view(l));
        }
        let (layout, dim, index) = plan.slices(self.layout());
        let y = ok(self.produce_like(NAME, &plan.flat_shape(), self.dtype(), |b, out| {
            let x = View::new(self.storage(), self.dtype(), &layout);
            working_for(NAME, || b.gather(GatherOp::Select { x, index: index.as_view(), dim }, out))
        }));
        let rule = || {
            let (plan, meta) = (plan.clone(), self.meta());
            move |g: &Tensor| <Tensor as Value>::zeros(&meta).put(&plan, g, true)
        };
        op(NAME, y.reshape_to(plan.shape())).wrt(self, rule).done()
    }

    /// A copy with `value`, which has the plan's shape and this dtype, written or added.
    #[track_caller]
    fn put(&self, plan: &Arc<Plan>, value: &Tensor, accumulate: bool) -> Tensor {
        if accumulate && plan.is_view() {
            let plan = plan.clone();
            return self + value.place(self.meta(), move |l| plan.view(l));
        }
        let mut y = self.detach();
        y.write_at(plan, value, accumulate);
        let o = op("index_put", y);
        let o = if accumulate {
            o.wrt_same(self)
        } else {
            o.wrt(self, || {
                let (plan, meta) = (plan.clone(), value.meta());
                move |g: &Tensor| {
                    g.put(&plan, &Tensor::zeros_with(&meta.shape, (g.dtype(), g.device())), false)
                }
            })
        };
        o.wrt(value, || {
            let plan = plan.clone();
            move |g: &Tensor| g.pick(&plan)
        })
        .done()
    }

    /// Writes or adds in place; not recorded. A view's part is only written.
    #[track_caller]
    fn write_at(&mut self, plan: &Plan, value: &Tensor, accumulate: bool) {
        if plan.is_view() {
            return self.write_part(&|l: &Layout| plan.view(l), value);
        }
        let value = value.detach().reshape_to(&plan.flat_shape());
        let out = self.as_view_mut();
        let (layout, dim, index) = plan.slices(out.layout);
        let out = ViewMut::new(out.storage, out.dtype, &layout);
        let (index, src) = (index.as_view(), value.as_view());
        let scatter = match accumulate {
            true => ScatterOp::IndexAdd { index, src, dim },
            false => ScatterOp::IndexCopy { index, src, dim },
        };
        let backend = ok(out.storage.device().backend().map_err(Error::kernel(NAME)));
        ok(backend.scatter(scatter, out).map_err(Error::kernel(NAME)));
    }
}
