//! Reading and writing through tensors of positions along one dimension. Positions are i32 or i64 and
//! count from the front; see `index` for ones that count from the end.

use super::binary::wrt;
use crate::error::{Error, Result, ok};
use crate::operand::Operand;
use crate::tensor::Tensor;
use taper_autograd::{Value, op};
use taper_kernels::{DType, Dims, GatherOp, Layout, ReduceOp, ScatterOp, Src, broadcast_shapes, working_for};

/// The name of `x[…]` in messages and on the tape.
pub(super) const NAME_INDEX: &str = "index";

/// A tensor of positions as the kernels take it: i64 and off the tape.
#[track_caller]
pub(super) fn positions(name: &'static str, index: &Tensor) -> Result<Tensor> {
    match index.dtype() {
        DType::I64 => Ok(index.detach()),
        DType::I32 => Ok(index.to_dtype(DType::I64)),
        d => Err(Error::dtype(name, format!("positions must be int64 or int32, got {d}"))),
    }
}

/// Sizes of a tensor of positions against those of the tensor they are for, dimension `dim` aside.
fn check_sizes(
    name: &'static str,
    index: &Tensor,
    of: &Tensor,
    what: &str,
    dim: Option<usize>,
) -> Result<()> {
    let fits = index.ndim() == of.ndim()
        && (0..of.ndim()).all(|d| Some(d) == dim || index.shape()[d] <= of.shape()[d]);
    if fits || index.numel() == 0 && index.ndim() == of.ndim() {
        return Ok(());
    }
    let but = dim.map_or(String::new(), |d| format!(" apart from dimension {d}"));
    let message = format!(
        "index of shape {:?} does not fit {what} of shape {:?}: it must have as many dimensions, none larger{but}",
        index.shape(),
        of.shape()
    );
    Err(Error::shape(name, message))
}

fn check_dtypes(name: &'static str, x: &Tensor, source: &Tensor) -> Result<()> {
    if x.dtype() != source.dtype() {
        let message =
            format!("expected a source of {}, as this tensor is, got {}", x.dtype(), source.dtype());
        return Err(Error::dtype(name, message));
    }
    Ok(())
}

fn check_devices(name: &'static str, x: &Tensor, other: &Tensor) -> Result<()> {
    if x.device() != other.device() {
        return Err(Error::Device { op: name, a: x.device(), b: other.device() });
    }
    Ok(())
}

/// `name` and `try_name` of one signature; the first is the second at the caller's line.
macro_rules! both {
    ($($(#[$doc:meta])* $name:ident $try_name:ident ($($arg:ident: $t:ty),*) |$x:ident| $body:block)*) => {
        impl Tensor { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self, $($arg: $t),*) -> Tensor {
                ok(self.$try_name($($arg),*))
            }
            #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), "), or an error.")]
            #[track_caller]
            pub fn $try_name(&self, $($arg: $t),*) -> Result<Tensor> {
                let $x = self;
                $body
            }
        )* }
    };
}

both! {
    /// `out[i][j] = x[index[i][j]][j]` for dimension 0, alike for others (`torch.gather`). The result has
    /// the index's shape, which may be smaller than this one's. Gradients of repeated positions add up.
    ///
    /// # Panics
    /// For positions outside `0..size`, an index of another dtype than i64 and i32 or that does not fit.
    gather try_gather (dim: isize, index: &Tensor) |x| {
        let (d, index) = (x.dim("gather", dim)?, positions("gather", index)?);
        check_devices("gather", x, &index)?;
        check_sizes("gather", &index, x, "the tensor", Some(d))?;
        if x.ndim() == 0 {
            return Ok(x.unsqueeze(0).try_gather(0, &index.unsqueeze(0))?.squeeze(0));
        }
        let y = x.produce_like("gather", index.shape(), x.dtype(), |b, out| {
            b.gather(GatherOp::Gather { x: x.as_view(), index: index.as_view(), dim: d }, out)
        })?;
        let meta = x.meta();
        let rule = || move |g: &Tensor| <Tensor as Value>::zeros(&meta).scatter_add(dim, &index, g);
        Ok(op("gather", y).wrt(x, rule).done())
    }

    /// `out[index[i][j]][j] += source[i][j]` for dimension 0, alike for others, added in row-major order
    /// (`torch.scatter_add`). The index may be smaller than the source, whose rest is not used.
    ///
    /// # Panics
    /// For positions outside `0..size`, an index of another dtype than i64 and i32 or that does not fit,
    /// a source of another dtype.
    scatter_add try_scatter_add (dim: isize, index: &Tensor, source: &Tensor) |x| {
        x.scatter_op("scatter_add", dim, index, source.into(), true)
    }

    /// Whole entries of a dimension, in the order of a one-dimensional (or 0-d) index
    /// (`torch.index_select`). Gradients of repeated positions add up.
    ///
    /// # Panics
    /// For positions outside `0..size`, and an index of another dtype than i64 and i32 or with more
    /// dimensions.
    index_select try_index_select (dim: isize, index: &Tensor) |x| {
        let d = x.dim("index_select", dim)?;
        let index = vector("index_select", index)?;
        check_devices("index_select", x, &index)?;
        if x.ndim() == 0 {
            return Ok(x.unsqueeze(0).try_index_select(0, &index)?.squeeze(0));
        }
        let mut shape: Dims = x.shape().into();
        shape[d] = index.numel();
        let y = x.produce_like("index_select", &shape, x.dtype(), |b, out| {
            b.gather(GatherOp::Select { x: x.as_view(), index: index.as_view(), dim: d }, out)
        })?;
        let meta = x.meta();
        let rule = || move |g: &Tensor| <Tensor as Value>::zeros(&meta).index_add(dim, &index, g);
        Ok(op("index_select", y).wrt(x, rule).done())
    }

    /// Each entry of `source` added to the entry of this tensor that a one-dimensional index names, one
    /// after the other (`torch.index_add`; for its `alpha` scale the source).
    ///
    /// # Panics
    /// For positions outside `0..size`, an index of another dtype than i64 and i32, a source of another
    /// dtype or shape.
    index_add try_index_add (dim: isize, index: &Tensor, source: &Tensor) |x| {
        x.index_write("index_add", dim, index, source, true)
    }

    /// Each entry of `source` put in the place of the entry of this tensor that a one-dimensional index
    /// names (`torch.index_copy`). Of repeated positions the last one stays; the gradient of the source
    /// does not tell them apart.
    ///
    /// # Panics
    /// As [`index_add`](Self::index_add).
    index_copy try_index_copy (dim: isize, index: &Tensor, source: &Tensor) |x| {
        x.index_write("index_copy", dim, index, source, false)
    }
}

/// Positions in one dimension; a 0-d tensor is one position.
#[track_caller]
fn vector(name: &'static str, index: &Tensor) -> Result<Tensor> {
    let index = positions(name, index)?;
    if index.ndim() > 1 {
        let message = format!("expected a one-dimensional index, got shape {:?}", index.shape());
        return Err(Error::shape(name, message));
    }
    Ok(index.reshape_to(&[index.numel()]))
}

impl Tensor {
    /// `out[index[i][j]][j] = source[i][j]` for dimension 0, alike for others (`torch.scatter`); the source
    /// is a tensor or a number. The index may be smaller than the source, whose rest is not used.
    ///
    /// Of repeated positions the last (row-major) stays. Overwritten elements get no gradient; the
    /// gradient of the source does not tell repeated positions apart.
    ///
    /// # Panics
    /// As [`scatter_add`](Self::scatter_add).
    #[track_caller]
    pub fn scatter(&self, dim: isize, index: &Tensor, source: impl Into<Operand>) -> Tensor {
        ok(self.try_scatter(dim, index, source))
    }

    /// As [`scatter`](Self::scatter), or an error.
    #[track_caller]
    pub fn try_scatter(&self, dim: isize, index: &Tensor, source: impl Into<Operand>) -> Result<Tensor> {
        self.scatter_op("scatter", dim, index, source.into(), false)
    }

    #[track_caller]
    fn scatter_op(
        &self,
        name: &'static str,
        dim: isize,
        index: &Tensor,
        source: Operand,
        add: bool,
    ) -> Result<Tensor> {
        let (d, index) = (self.dim(name, dim)?, positions(name, index)?);
        check_devices(name, self, &index)?;
        check_sizes(name, &index, self, "the tensor", Some(d))?;
        let source = match source {
            Operand::Tensor(s) => {
                check_dtypes(name, self, &s)?;
                check_devices(name, self, &s)?;
                check_sizes(name, &index, &s, "the source", None)?;
                Operand::Tensor(s.cut_to(index.shape()))
            }
            number => number,
        };
        if self.ndim() == 0 {
            let source = match source {
                Operand::Tensor(s) => Operand::Tensor(s.unsqueeze(0)),
                number => number,
            };
            return Ok(self.unsqueeze(0).scatter_op(name, 0, &index.unsqueeze(0), source, add)?.squeeze(0));
        }
        let mut y = self.detach();
        let out = y.as_view_mut();
        let backend = out.storage.device().backend().map_err(Error::kernel(name))?;
        let (i, dim_of_kernel) = (index.as_view(), d);
        let kernel = match &source {
            Operand::Tensor(s) if add => {
                ScatterOp::ScatterAdd { index: i, src: s.as_view(), dim: dim_of_kernel }
            }
            Operand::Tensor(s) => {
                ScatterOp::Scatter { index: i, src: Src::View(s.as_view()), dim: dim_of_kernel }
            }
            Operand::Scalar(s) => ScatterOp::Scatter { index: i, src: Src::Scalar(*s), dim: dim_of_kernel },
        };
        working_for(name, || backend.scatter(kernel, out)).map_err(Error::kernel(name))?;
        let o = op(name, y);
        let o = if add {
            o.wrt_same(self)
        } else {
            o.wrt(self, || {
                let index = index.clone();
                move |g: &Tensor| g.scatter(dim, &index, 0i64)
            })
        };
        Ok(wrt(o, &source, || move |g: &Tensor| g.gather(dim, &index)).done())
    }

    /// The first elements along every dimension.
    #[track_caller]
    fn cut_to(&self, shape: &[usize]) -> Tensor {
        if self.shape() == shape {
            return self.clone();
        }
        let shape: Dims = shape.into();
        let part = move |l: &Layout| (0..shape.len()).fold(l.clone(), |l, d| l.slice(d, 0, shape[d], 1));
        self.part("narrow", part)
    }

    #[track_caller]
    fn index_write(
        &self,
        name: &'static str,
        dim: isize,
        index: &Tensor,
        source: &Tensor,
        add: bool,
    ) -> Result<Tensor> {
        let (d, index) = (self.dim(name, dim)?, vector(name, index)?);
        check_devices(name, self, &index)?;
        check_devices(name, self, source)?;
        check_dtypes(name, self, source)?;
        if self.ndim() == 0 {
            let source = source.reshape_to(&[1]);
            return Ok(self.unsqueeze(0).index_write(name, 0, &index, &source, add)?.squeeze(0));
        }
        let mut expected: Dims = self.shape().into();
        expected[d] = index.numel();
        if source.shape() != expected.as_slice() {
            let message = format!(
                "a source of shape {:?} does not fit {} positions in dimension {d} of shape {:?}",
                source.shape(),
                index.numel(),
                self.shape()
            );
            return Err(Error::shape(name, message));
        }
        let mut y = self.detach();
        let out = y.as_view_mut();
        let backend = out.storage.device().backend().map_err(Error::kernel(name))?;
        let (i, src) = (index.as_view(), source.as_view());
        let kernel = match add {
            true => ScatterOp::IndexAdd { index: i, src, dim: d },
            false => ScatterOp::IndexCopy { index: i, src, dim: d },
        };
        backend.scatter(kernel, out).map_err(Error::kernel(name))?;
        let o = op(name, y);
        let o = if add {
            o.wrt_same(self)
        } else {
            o.wrt(self, || {
                let index = index.clone();
                move |g: &Tensor| g.index_fill(dim, &index, 0i64)
            })
        };
        Ok(o.wrt(source, || move |g: &Tensor| g.index_select(dim, &index)).done())
    }

    /// The entries that a one-dimensional index names, filled with a number or a 0-d tensor
    /// (`torch.index_fill`).
    ///
    /// # Panics
    /// As [`index_add`](Self::index_add).
    #[track_caller]
    pub fn index_fill(&self, dim: isize, index: &Tensor, value: impl Into<Operand>) -> Tensor {
        let value = value.into().to_tensor(self.dtype(), self.device());
        assert!(value.ndim() == 0, "index_fill: expected a number or a 0-d tensor, got {}", value.meta());
        let mut shape: Dims = self.shape().into();
        if let Some(n) = shape.get_mut(ok(self.dim("index_fill", dim))) {
            *n = index.numel();
        }
        self.index_copy(dim, index, &value.to_dtype(self.dtype()).broadcast_to(shape))
    }

    /// [`gather`](Self::gather) with an index that broadcasts with this tensor; with no dimension, from the
    /// flat tensor (`torch.take_along_dim`). It takes what `argsort` gives.
    ///
    /// # Panics
    /// For positions outside `0..size`, and shapes that do not broadcast.
    #[track_caller]
    pub fn take_along_dim(&self, index: &Tensor, dim: impl Into<Option<isize>>) -> Tensor {
        let Some(dim) = dim.into() else {
            return self.flatten(0, -1).gather(0, &index.flatten(0, -1));
        };
        let d = ok(self.dim("take_along_dim", dim));
        let without = |t: &Tensor| {
            let mut shape: Dims = t.shape().into();
            if d < shape.len() {
                shape[d] = 1;
            }
            shape
        };
        let common =
            broadcast_shapes(&without(self), &without(index)).filter(|_| self.ndim() == index.ndim());
        let Some(mut shape) = common else {
            let message = format!(
                "index of shape {:?} and tensor of shape {:?} must broadcast but for dimension {d}",
                index.shape(),
                self.shape()
            );
            panic!("{}", Error::shape("take_along_dim", message));
        };
        let mut wide = |t: &Tensor| {
            if let Some(&n) = t.shape().get(d) {
                shape[d] = n;
            }
            t.broadcast_to(&shape)
        };
        let (x, index) = (wide(self), wide(index));
        x.gather(dim, &index)
    }

    /// Elements by their row-major number; the result has the index's shape (`torch.take`). Negative
    /// numbers count from the end.
    ///
    /// # Panics
    /// For numbers outside the tensor.
    #[track_caller]
    pub fn take(&self, index: &Tensor) -> Tensor {
        self.reshape_to(&[self.numel()]).index(index.unsqueeze(0)).squeeze(0)
    }

    /// Rows of a weight matrix for an index of any shape (`torch.nn.functional.embedding`): the result has
    /// the index's shape and the row's size behind it. The row `padding_idx` (negative counts from the end)
    /// gets no gradient.
    ///
    /// # Panics
    /// For positions outside the matrix, and where `weight` is not a matrix.
    #[track_caller]
    pub fn embedding(index: &Tensor, weight: &Tensor, padding_idx: impl Into<Option<isize>>) -> Tensor {
        ok(Tensor::try_embedding(index, weight, padding_idx))
    }

    /// As [`embedding`](Self::embedding), or an error.
    #[track_caller]
    pub fn try_embedding(
        index: &Tensor,
        weight: &Tensor,
        padding_idx: impl Into<Option<isize>>,
    ) -> Result<Tensor> {
        let name = "embedding";
        let &[rows, size] = weight.shape() else {
            let message = format!("expected a matrix of weights, got shape {:?}", weight.shape());
            return Err(Error::shape(name, message));
        };
        let padding = match padding_idx.into() {
            None => None,
            Some(p) if (-(rows as isize)..rows as isize).contains(&p) => {
                Some(p.rem_euclid(rows as isize) as i64)
            }
            Some(p) => {
                return Err(Error::index(name, format!("padding_idx {p} is out of bounds for {rows} rows")));
            }
        };
        let index = positions(name, index)?;
        check_devices(name, weight, &index)?;
        let flat = index.reshape_to(&[index.numel()]);
        let mut shape: Dims = index.shape().into();
        shape.push(size);
        let y = weight.produce_like(name, &[flat.numel(), size], weight.dtype(), |b, out| {
            let rows = GatherOp::Select { x: weight.as_view(), index: flat.as_view(), dim: 0 };
            working_for(name, || b.gather(rows, out))
        })?;
        let meta = weight.meta();
        let rule = || {
            move |g: &Tensor| {
                let g = g.reshape_to(&[flat.numel(), size]);
                let g = match padding {
                    Some(p) => g.masked_fill(&flat.eq(p).unsqueeze(1), 0i64),
                    None => g,
                };
                <Tensor as Value>::zeros(&meta).index_add(0, &flat, &g)
            }
        };
        Ok(op(name, y.reshape_to(&shape)).wrt(weight, rule).done())
    }

    /// For each class a vector with a 1 at its place, i64 (`torch.nn.functional.one_hot`). Without a number
    /// of classes there is one more than the largest class.
    ///
    /// # Panics
    /// For classes outside `0..num_classes`, another dtype than i64 and i32, and an empty tensor without a
    /// number of classes.
    #[track_caller]
    pub fn one_hot(&self, num_classes: impl Into<Option<usize>>) -> Tensor {
        let classes = ok(positions("one_hot", self));
        let count = num_classes.into().unwrap_or_else(|| {
            assert!(self.numel() > 0, "one_hot: an empty tensor needs a number of classes");
            classes.largest() as usize + 1
        });
        let mut shape: Dims = self.shape().into();
        shape.push(count);
        let zeros = Tensor::zeros_with(shape, &classes);
        ok(zeros.scatter_op("one_hot", -1, &classes.unsqueeze(-1), 1i64.into(), false))
    }

    /// How often each number from 0 to the largest (or `minlength − 1`) occurs, i64 (`torch.bincount`).
    ///
    /// # Panics
    /// For negative numbers, and where the tensor is not a vector of i64 or i32.
    #[track_caller]
    pub fn bincount(&self, minlength: usize) -> Tensor {
        let x = ok(positions("bincount", self));
        assert!(x.ndim() == 1, "bincount: expected a vector, got shape {:?}", x.shape());
        let n = if x.numel() > 0 { (x.largest().max(0) as usize + 1).max(minlength) } else { minlength };
        let (zeros, ones) = (Tensor::zeros_with([n], &x), x.ones_like());
        ok(zeros.scatter_op("bincount", 0, &x, ones.into(), true))
    }

    /// The largest of some integers.
    #[track_caller]
    fn largest(&self) -> i64 {
        let dims: Vec<usize> = (0..self.ndim()).collect();
        ok(self.reduce("max", ReduceOp::Max, &dims, self.dtype())).item_as()
    }
}
