//! Views: the same memory seen with another shape. No elements move (but for `reshape` of a layout
//! that cannot be seen that way).

use crate::error::{Error, Result, ok};
use crate::operand::{IntoDims, IntoShape};
use crate::tensor::{Meta, Tensor, wrap_dim};
use taper_autograd::{Value, op};
use taper_kernels::{Dims, Layout};

/// Sizes with one `-1` to be inferred, as `reshape` takes them: `[2, -1]`, or sizes as tensors give them,
/// `[x.size(0), 4]`.
pub trait IntoReshape {
    /// The sizes as given.
    fn into_sizes(self) -> Vec<isize>;
}
impl<T: IntoDims> IntoReshape for T {
    fn into_sizes(self) -> Vec<isize> {
        self.into_dims()
    }
}
// `i32` is what literals alone become.
macro_rules! into_reshape {
    ($([$($g:tt)*] $t:ty),*) => { $(
        impl<$($g)*> IntoReshape for $t {
            fn into_sizes(self) -> Vec<isize> { self.iter().map(|&n| n as isize).collect() }
        }
    )* };
}
into_reshape!([] &[usize], [] Vec<usize>, [] &Vec<usize>, [const N: usize] [usize; N], [const N: usize] &[usize; N], [const N: usize] [i32; N], [const N: usize] &[i32; N]);
impl IntoReshape for () {
    fn into_sizes(self) -> Vec<isize> {
        vec![]
    }
}

/// Fills in a `-1` so that the sizes have `numel` elements.
fn infer_sizes(op: &'static str, from: &[usize], sizes: &[isize]) -> Result<Dims> {
    let numel: usize = from.iter().product();
    let wrong = || Error::shape(op, format!("shape {from:?} ({numel} elements) cannot become {sizes:?}"));
    let known: usize = sizes.iter().filter(|&&n| n >= 0).map(|&n| n as usize).product();
    match sizes.iter().filter(|&&n| n < 0).count() {
        0 if known == numel => Ok(sizes.iter().map(|&n| n as usize).collect()),
        1 if sizes.contains(&-1) && known > 0 && numel.is_multiple_of(known) => {
            Ok(sizes.iter().map(|&n| if n < 0 { numel / known } else { n as usize }).collect())
        }
        _ => Err(wrong()),
    }
}

impl Tensor {
    /// A view through a part of the layout, given as a function of layouts so that the gradient can be
    /// placed back through the same part. The view must not repeat elements.
    #[track_caller]
    pub(crate) fn part(
        &self,
        name: &'static str,
        part: impl Fn(&Layout) -> Layout + Clone + Send + Sync + 'static,
    ) -> Tensor {
        let y = self.with_layout(part(self.layout()));
        let meta = self.meta();
        op(name, y).wrt(self, || move |g: &Tensor| g.place(meta.clone(), part.clone())).done()
    }

    /// Zeros of `meta` with this tensor written at `part`: the adjoint of [`part`](Self::part).
    #[track_caller]
    pub(crate) fn place(
        &self,
        meta: Meta,
        part: impl Fn(&Layout) -> Layout + Clone + Send + Sync + 'static,
    ) -> Tensor {
        let mut y = <Tensor as Value>::zeros(&meta);
        y.write_part(&part, self);
        op("place", y).wrt(self, || move |g: &Tensor| g.part("part", part.clone())).done()
    }

    /// Writes `value` (of the part's shape) into a part of this tensor's memory; not recorded.
    #[track_caller]
    pub(crate) fn write_part(&mut self, part: &impl Fn(&Layout) -> Layout, value: &Tensor) {
        let mut out = self.as_view_mut();
        let layout = part(out.layout);
        out.layout = &layout;
        let backend = ok(out.storage.device().backend().map_err(Error::kernel("copy")));
        ok(backend.copy(value.as_view(), out).map_err(Error::kernel("copy")));
    }

    /// The same elements, row-major, with another shape; one size may be −1 and is inferred. A view
    /// where the layout allows, otherwise a copy (`torch.reshape`).
    ///
    /// # Panics
    /// Where the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: impl IntoReshape) -> Tensor {
        ok(self.try_reshape(shape))
    }

    /// As [`reshape`](Self::reshape), or an error.
    #[track_caller]
    pub fn try_reshape(&self, shape: impl IntoReshape) -> Result<Tensor> {
        let shape = infer_sizes("reshape", self.shape(), &shape.into_sizes())?;
        Ok(self.reshape_to(&shape))
    }

    /// Reshape to sizes known to fit.
    #[track_caller]
    pub(crate) fn reshape_to(&self, shape: &[usize]) -> Tensor {
        if shape == self.shape() {
            return self.clone();
        }
        let y = match self.layout().reshape(shape) {
            Some(layout) => self.with_layout(layout),
            None => self.copied().with_layout_of(shape),
        };
        let old: Dims = self.shape().into();
        op("reshape", y).wrt(self, || move |g: &Tensor| g.reshape_to(&old)).done()
    }

    fn with_layout_of(&self, shape: &[usize]) -> Tensor {
        self.with_layout(Layout::contiguous(shape))
    }

    /// The same memory with another shape (`Tensor.view`).
    ///
    /// # Panics
    /// Where that takes a copy (use [`reshape`](Self::reshape)), or the number of elements differs.
    #[track_caller]
    pub fn view(&self, shape: impl IntoReshape) -> Tensor {
        let shape = ok(infer_sizes("view", self.shape(), &shape.into_sizes()));
        assert!(
            self.layout().reshape(&shape).is_some(),
            "view: shape {:?} with strides {:?} cannot be seen as {:?} without a copy; use reshape",
            self.shape(),
            self.strides(),
            shape.as_slice()
        );
        self.reshape_to(&shape)
    }

    /// Dimensions `start..=end` made one (`torch.flatten`, there by default 0 and −1).
    #[track_caller]
    pub fn flatten(&self, start: isize, end: isize) -> Tensor {
        let (s, e) = (ok(self.dim("flatten", start)), ok(self.dim("flatten", end)));
        assert!(s <= e, "flatten: start dimension {start} comes after end dimension {end}");
        if self.ndim() == 0 {
            return self.reshape_to(&[1]);
        }
        let mut shape: Dims = self.shape()[..s].into();
        shape.push(self.shape()[s..=e].iter().product());
        shape.extend_from_slice(&self.shape()[e + 1..]);
        self.reshape_to(&shape)
    }

    /// One dimension made several; one size may be −1.
    #[track_caller]
    pub fn unflatten(&self, dim: isize, sizes: impl IntoReshape) -> Tensor {
        let d = ok(self.dim("unflatten", dim));
        let inner = ok(infer_sizes("unflatten", &self.shape()[d..d + 1], &sizes.into_sizes()));
        let mut shape: Dims = self.shape()[..d].into();
        shape.extend_from_slice(&inner);
        shape.extend_from_slice(&self.shape()[d + 1..]);
        self.reshape_to(&shape)
    }

    /// Dimensions of size 1 removed; others are left alone.
    #[track_caller]
    pub fn squeeze(&self, dims: impl IntoDims) -> Tensor {
        let dims: Result<Vec<usize>> = dims.into_dims().iter().map(|&d| self.dim("squeeze", d)).collect();
        let mut dims = ok(dims);
        dims.sort_unstable();
        dims.dedup();
        dims.into_iter().rev().fold(self.clone(), |x, d| x.squeeze_one(d))
    }

    #[track_caller]
    fn squeeze_one(&self, d: usize) -> Tensor {
        if self.shape().get(d) != Some(&1) {
            return self.clone();
        }
        let y = self.with_layout(self.layout().squeeze(d));
        op("squeeze", y).wrt(self, || move |g: &Tensor| g.unsqueeze(d as isize)).done()
    }

    /// All dimensions of size 1 removed.
    #[track_caller]
    pub fn squeeze_all(&self) -> Tensor {
        let shape: Dims = self.shape().iter().copied().filter(|&n| n != 1).collect();
        self.reshape_to(&shape)
    }

    /// A new dimension of size 1 at `dim` (`-1` is after the last).
    #[track_caller]
    pub fn unsqueeze(&self, dim: isize) -> Tensor {
        let d = ok(wrap_dim("unsqueeze", dim, self.ndim() + 1));
        let y = self.with_layout(self.layout().unsqueeze(d));
        op("unsqueeze", y).wrt(self, || move |g: &Tensor| g.squeeze(d as isize)).done()
    }

    /// Two dimensions swapped.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let (a, b) = (ok(self.dim("transpose", a)), ok(self.dim("transpose", b)));
        if a == b {
            return self.clone();
        }
        let y = self.with_layout(self.layout().transpose(a, b));
        op("transpose", y).wrt(self, || move |g: &Tensor| g.transpose(a as isize, b as isize)).done()
    }

    /// The transpose of a matrix; tensors of fewer dimensions stay as they are.
    ///
    /// # Panics
    /// For more than two dimensions (use [`mt`](Self::mt)).
    #[track_caller]
    pub fn t(&self) -> Tensor {
        assert!(
            self.ndim() <= 2,
            "t: expected at most 2 dimensions, got shape {:?}; use mt or transpose",
            self.shape()
        );
        if self.ndim() < 2 { self.clone() } else { self.transpose(0, 1) }
    }

    /// The last two dimensions swapped (`Tensor.mT`).
    #[track_caller]
    pub fn mt(&self) -> Tensor {
        self.transpose(-2, -1)
    }

    /// Dimensions reordered: dimension `i` of the result is dimension `dims[i]` of this one.
    #[track_caller]
    pub fn permute(&self, dims: impl IntoDims) -> Tensor {
        let dims = dims.into_dims();
        let order: Result<Vec<usize>> = dims.iter().map(|&d| self.dim("permute", d)).collect();
        let order = ok(order);
        let mut inverse = vec![usize::MAX; self.ndim()];
        for (i, &d) in order.iter().enumerate() {
            inverse[d] = i;
        }
        assert!(
            order.len() == self.ndim() && !inverse.contains(&usize::MAX),
            "permute: {dims:?} does not name each of the {} dimensions of {:?} once",
            self.ndim(),
            self.shape()
        );
        let y = self.with_layout(self.layout().permute(&order));
        let inverse: Vec<isize> = inverse.into_iter().map(|d| d as isize).collect();
        op("permute", y).wrt(self, || move |g: &Tensor| g.permute(&inverse[..])).done()
    }

    /// One dimension moved to another place, the others in their order (`torch.movedim`).
    #[track_caller]
    pub fn movedim(&self, source: isize, destination: isize) -> Tensor {
        let (from, to) = (ok(self.dim("movedim", source)), ok(self.dim("movedim", destination)));
        if self.ndim() == 0 {
            return self.clone();
        }
        let mut order: Vec<isize> = (0..self.ndim() as isize).collect();
        let moved = order.remove(from);
        order.insert(to, moved);
        self.permute(order)
    }

    /// Sizes of 1 repeated without copying, −1 keeps a size, new dimensions come first (`Tensor.expand`).
    #[track_caller]
    pub fn expand(&self, shape: impl IntoReshape) -> Tensor {
        let sizes = shape.into_sizes();
        let lead = sizes.len().saturating_sub(self.ndim());
        let shape: Dims = (0..sizes.len())
            .map(|i| match sizes[i] {
                -1 if i >= lead => self.shape()[i - lead],
                n => n as usize,
            })
            .collect();
        ok(self.try_broadcast_to(&shape))
    }

    /// The elements repeated to a larger shape, without copying.
    ///
    /// # Panics
    /// Where the shapes do not broadcast.
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl IntoShape) -> Tensor {
        ok(self.try_broadcast_to(shape))
    }

    /// As [`broadcast_to`](Self::broadcast_to), or an error.
    #[track_caller]
    pub fn try_broadcast_to(&self, shape: impl IntoShape) -> Result<Tensor> {
        let shape = shape.into_shape();
        if shape.as_slice() == self.shape() {
            return Ok(self.clone());
        }
        let Some(layout) = self.layout().broadcast_to(&shape) else {
            let message = format!("shape {:?} does not broadcast to {:?}", self.shape(), shape.as_slice());
            return Err(Error::shape("broadcast_to", message));
        };
        // The engine sums the gradient over what was repeated.
        Ok(op("broadcast_to", self.with_layout(layout)).wrt_same(self).done())
    }

    /// One entry of a dimension, which goes away; negative counts from the end.
    #[track_caller]
    pub fn select(&self, dim: isize, index: isize) -> Tensor {
        ok(self.try_select(dim, index))
    }

    /// As [`select`](Self::select), or an error.
    #[track_caller]
    pub fn try_select(&self, dim: isize, index: isize) -> Result<Tensor> {
        if self.ndim() == 0 {
            return Err(Error::index("select", "a 0-d tensor cannot be indexed"));
        }
        let d = self.dim("select", dim)?;
        let n = self.shape()[d] as isize;
        if !(-n..n).contains(&index) {
            let message = format!("index {index} is out of bounds for dimension {d} with size {n}");
            return Err(Error::index("select", message));
        }
        let i = if index < 0 { index + n } else { index } as usize;
        Ok(self.part("select", move |l| l.select(d, i)))
    }

    /// `length` entries of a dimension from `start` (negative counts from the end).
    ///
    /// # Panics
    /// Where the range leaves the dimension.
    #[track_caller]
    pub fn narrow(&self, dim: isize, start: isize, length: usize) -> Tensor {
        ok(self.try_narrow(dim, start, length))
    }

    /// As [`narrow`](Self::narrow), or an error.
    #[track_caller]
    pub fn try_narrow(&self, dim: isize, start: isize, length: usize) -> Result<Tensor> {
        if self.ndim() == 0 {
            return Err(Error::index("narrow", "a 0-d tensor cannot be narrowed"));
        }
        let d = self.dim("narrow", dim)?;
        let n = self.shape()[d];
        let from = if start < 0 { start + n as isize } else { start };
        if from < 0 || from as usize > n || length > n - from as usize {
            let message = format!("start {start} and length {length} leave dimension {d} with size {n}");
            return Err(Error::index("narrow", message));
        }
        Ok(self.part("narrow", move |l| l.slice(d, from as usize, length, 1)))
    }

    /// Entries `start..end` of a dimension, `step` apart, with Python's rules: negative positions count
    /// from the end, `None` is the end in the step's direction, what lies outside is cut off. A negative
    /// step walks backwards.
    ///
    /// # Panics
    /// For a step of 0.
    #[track_caller]
    pub fn slice(
        &self,
        dim: isize,
        start: impl Into<Option<isize>>,
        end: impl Into<Option<isize>>,
        step: isize,
    ) -> Tensor {
        let d = ok(self.dim("slice", dim));
        assert!(self.ndim() > 0, "slice: a 0-d tensor cannot be sliced");
        assert!(step != 0, "slice: the step must not be 0");
        let (from, len) = resolve_slice(self.shape()[d], start.into(), end.into(), step);
        self.part("slice", move |l| l.slice(d, from, len, step))
    }

    /// The order of elements reversed along dimensions (a view).
    #[track_caller]
    pub fn flip(&self, dims: impl IntoDims) -> Tensor {
        let dims: Result<Vec<usize>> = dims.into_dims().iter().map(|&d| self.dim("flip", d)).collect();
        let dims = ok(dims);
        if self.ndim() == 0 {
            return self.clone();
        }
        self.part("flip", move |l| {
            dims.iter().fold(l.clone(), |l, &d| {
                let n = l.shape()[d];
                l.slice(d, n.saturating_sub(1), n, -1)
            })
        })
    }
}

/// First position and number of entries of a Python slice of a dimension of size `n`.
pub(crate) fn resolve_slice(
    n: usize,
    start: Option<isize>,
    end: Option<isize>,
    step: isize,
) -> (usize, usize) {
    let n = n as isize;
    // Positions a backward slice can end at start from -1, "before the first".
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let clip = |p: isize| (if p < 0 { p + n } else { p }).clamp(low, high);
    let from = start.map_or(if step > 0 { low } else { high }, clip);
    let to = end.map_or(if step > 0 { high } else { low }, clip);
    let distance = if step > 0 { to - from } else { from - to };
    let len = if distance <= 0 { 0 } else { (distance as usize).div_ceil(step.unsigned_abs()) };
    (from.max(0) as usize, len)
}
