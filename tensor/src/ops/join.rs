//! Tensors put together, taken apart and repeated.

use crate::error::{Error, Result, ok};
use crate::operand::{AsTensor, IntoDims, IntoShape};
use crate::tensor::{Tensor, wrap_dim};
use std::borrow::Cow;
use taper_autograd::op;
use taper_kernels::{DType, Dims, Layout, ViewMut};

/// Writes tensors into their parts of a new one of the dtype that all of `tensors` promote to.
#[track_caller]
fn assemble<P>(
    name: &'static str,
    tensors: &[Cow<Tensor>],
    pieces: &[(&Tensor, P)],
    shape: &[usize],
) -> Result<Tensor>
where
    P: Fn(&Layout) -> Layout + Clone + Send + Sync + 'static,
{
    let first = &tensors[0];
    if let Some(t) = tensors.iter().find(|t| t.device() != first.device()) {
        return Err(Error::Device { op: name, a: first.device(), b: t.device() });
    }
    let dtype = tensors.iter().map(|t| t.dtype()).reduce(DType::promote).expect("at least one tensor");
    let y = first.produce_like(name, shape, dtype, |b, out| {
        for (t, part) in pieces {
            let layout = part(out.layout);
            b.copy(t.as_view(), ViewMut::new(&mut *out.storage, dtype, &layout))?;
        }
        Ok(())
    })?;
    let o = pieces.iter().fold(op(name, y), |o, (t, part)| {
        o.wrt(t, || {
            let part = part.clone();
            move |g: &Tensor| g.part(name, part.clone())
        })
    });
    Ok(o.done())
}

fn borrowed<'a, T: AsTensor>(name: &'static str, tensors: &'a [T]) -> Result<Vec<Cow<'a, Tensor>>> {
    if tensors.is_empty() {
        return Err(Error::shape(name, "expected at least one tensor, got an empty list"));
    }
    Ok(tensors.iter().map(AsTensor::as_tensor).collect())
}

/// Joining.
impl Tensor {
    /// Tensors one after the other along a dimension (`torch.cat`). Other sizes must agree, dtypes
    /// promote; tensors of shape `[0]` are skipped.
    ///
    /// # Panics
    /// For an empty list, 0-d tensors, and shapes that do not fit.
    #[track_caller]
    pub fn cat<T: AsTensor>(tensors: &[T], dim: isize) -> Tensor {
        ok(Tensor::try_cat(tensors, dim))
    }

    /// As [`cat`](Self::cat), or an error.
    #[track_caller]
    pub fn try_cat<T: AsTensor>(tensors: &[T], dim: isize) -> Result<Tensor> {
        let tensors = borrowed("cat", tensors)?;
        if let Some(i) = tensors.iter().position(|t| t.ndim() == 0) {
            return Err(Error::shape("cat", format!("tensor {i} is 0-d and cannot be joined; use stack")));
        }
        let like = tensors.iter().find(|t| t.shape() != [0]).unwrap_or(&tensors[0]);
        let d = like.dim("cat", dim)?;
        let (mut shape, mut pieces): (Dims, _) = (like.shape().into(), vec![]);
        shape[d] = 0;
        for (i, t) in tensors.iter().enumerate().filter(|(_, t)| t.shape() != [0]) {
            if t.ndim() != like.ndim() || (0..t.ndim()).any(|k| k != d && t.shape()[k] != shape[k]) {
                let message = format!(
                    "shape {:?} of tensor {i} does not fit {:?}: sizes must be equal but for dimension {d}",
                    t.shape(),
                    like.shape()
                );
                return Err(Error::shape("cat", message));
            }
            let (start, n) = (shape[d], t.shape()[d]);
            pieces.push((&**t, move |l: &Layout| l.slice(d, start, n, 1)));
            shape[d] += n;
        }
        assemble("cat", &tensors, &pieces, &shape)
    }

    /// Tensors of one shape along a new dimension (`torch.stack`). Dtypes promote.
    ///
    /// # Panics
    /// For an empty list and shapes that differ.
    #[track_caller]
    pub fn stack<T: AsTensor>(tensors: &[T], dim: isize) -> Tensor {
        ok(Tensor::try_stack(tensors, dim))
    }

    /// As [`stack`](Self::stack), or an error.
    #[track_caller]
    pub fn try_stack<T: AsTensor>(tensors: &[T], dim: isize) -> Result<Tensor> {
        let tensors = borrowed("stack", tensors)?;
        let each = tensors[0].shape();
        let d = wrap_dim("stack", dim, each.len() + 1)?;
        if let Some(i) = tensors.iter().position(|t| t.shape() != each) {
            let message = format!("shape {:?} of tensor {i} differs from {each:?}", tensors[i].shape());
            return Err(Error::shape("stack", message));
        }
        let mut shape: Dims = each.into();
        shape.insert(d, tensors.len());
        let pieces: Vec<_> =
            tensors.iter().enumerate().map(|(i, t)| (&**t, move |l: &Layout| l.select(d, i))).collect();
        assemble("stack", &tensors, &pieces, &shape)
    }

    /// Tensors side by side: `cat` along dimension 1, or 0 for vectors (`torch.hstack`).
    #[track_caller]
    pub fn hstack<T: AsTensor>(tensors: &[T]) -> Tensor {
        let rows: Vec<Tensor> = tensors.iter().map(|t| t.as_tensor().at_least(1)).collect();
        let dim = if rows.iter().all(|t| t.ndim() == 1) { 0 } else { 1 };
        Tensor::cat(&rows, dim)
    }

    /// Tensors below each other: `cat` along dimension 0, vectors being rows (`torch.vstack`).
    #[track_caller]
    pub fn vstack<T: AsTensor>(tensors: &[T]) -> Tensor {
        let rows: Vec<Tensor> = tensors.iter().map(|t| t.as_tensor().at_least(2)).collect();
        Tensor::cat(&rows, 0)
    }

    /// Dimensions of size 1 put in front until there are `ndim`.
    #[track_caller]
    fn at_least(&self, ndim: usize) -> Tensor {
        (self.ndim()..ndim).fold(self.clone(), |x, _| x.unsqueeze(0))
    }
}

/// Taking apart: all results are views.
impl Tensor {
    /// Pieces of `size` entries along a dimension, the last possibly smaller (`torch.split`).
    ///
    /// # Panics
    /// For a size of 0, unless the dimension is empty.
    #[track_caller]
    pub fn split(&self, size: usize, dim: isize) -> Vec<Tensor> {
        let n = self.size(dim);
        assert!(size > 0 || n == 0, "split: the size of the pieces must not be 0");
        let count = if size == 0 { 1 } else { n.div_ceil(size).max(1) };
        (0..count).map(|i| self.narrow(dim, (i * size) as isize, size.min(n - i * size))).collect()
    }

    /// Pieces of given sizes, which must add up (`torch.split` with a list).
    ///
    /// # Panics
    /// Where the sizes do not add up to the dimension's.
    #[track_caller]
    pub fn split_with_sizes(&self, sizes: impl IntoShape, dim: isize) -> Vec<Tensor> {
        ok(self.try_split_with_sizes(sizes, dim))
    }

    /// As [`split_with_sizes`](Self::split_with_sizes), or an error.
    #[track_caller]
    pub fn try_split_with_sizes(&self, sizes: impl IntoShape, dim: isize) -> Result<Vec<Tensor>> {
        let (sizes, d) = (sizes.into_shape(), self.dim("split", dim)?);
        let (n, total) = (self.shape().get(d).copied(), sizes.iter().sum::<usize>());
        if n != Some(total) {
            let message = format!(
                "sizes {:?} add up to {total}, not to dimension {d} of shape {:?}",
                sizes.as_slice(),
                self.shape()
            );
            return Err(Error::shape("split", message));
        }
        let mut start = 0;
        sizes
            .iter()
            .map(|&n| {
                start += n;
                self.try_narrow(d as isize, (start - n) as isize, n)
            })
            .collect()
    }

    /// At most `chunks` pieces of equal size, the last possibly smaller (`torch.chunk`).
    ///
    /// # Panics
    /// For no chunks.
    #[track_caller]
    pub fn chunk(&self, chunks: usize, dim: isize) -> Vec<Tensor> {
        assert!(chunks > 0, "chunk: there must be at least one chunk");
        match self.size(dim) {
            0 => self.split_with_sizes(vec![0; chunks], dim),
            n => self.split(n.div_ceil(chunks), dim),
        }
    }

    /// The entries of a dimension, which goes away (`torch.unbind`).
    ///
    /// # Panics
    /// For a 0-d tensor.
    #[track_caller]
    pub fn unbind(&self, dim: isize) -> Vec<Tensor> {
        assert!(self.ndim() > 0, "unbind: a 0-d tensor has no entries");
        (0..self.size(dim)).map(|i| self.select(dim, i as isize)).collect()
    }
}

/// Repeating and rolling.
impl Tensor {
    /// The tensor repeated along each dimension (`Tensor.repeat`); more repeats than dimensions add
    /// dimensions in front.
    ///
    /// # Panics
    /// For fewer repeats than dimensions.
    #[track_caller]
    pub fn repeat(&self, repeats: impl IntoShape) -> Tensor {
        let repeats = repeats.into_shape();
        assert!(
            repeats.len() >= self.ndim(),
            "repeat: {} repeats for the {} dimensions of shape {:?}",
            repeats.len(),
            self.ndim(),
            self.shape()
        );
        let x = self.at_least(repeats.len());
        let (mut apart, mut wide, mut shape) = (Dims::new(), Dims::new(), Dims::new());
        for (&n, &r) in x.shape().iter().zip(&repeats) {
            apart.extend_from_slice(&[1, n]);
            wide.extend_from_slice(&[r, n]);
            shape.push(r * n);
        }
        x.reshape_to(&apart).broadcast_to(&wide).reshape_to(&shape)
    }

    /// As [`repeat`](Self::repeat), but missing repeats are 1 in front (`torch.tile`).
    #[track_caller]
    pub fn tile(&self, repeats: impl IntoShape) -> Tensor {
        let mut repeats = repeats.into_shape();
        while repeats.len() < self.ndim() {
            repeats.insert(0, 1);
        }
        self.repeat(repeats)
    }

    /// Each entry of a dimension `repeats` times in a row; `None` takes all elements in a row
    /// (`torch.repeat_interleave`).
    #[track_caller]
    pub fn repeat_interleave(&self, repeats: usize, dim: impl Into<Option<isize>>) -> Tensor {
        let Some(dim) = dim.into() else {
            return self.flatten(0, -1).repeat_interleave(repeats, 0);
        };
        let d = ok(self.dim("repeat_interleave", dim));
        let x = self.at_least(1);
        let (mut wide, mut shape): (Dims, Dims) = (x.shape().into(), x.shape().into());
        wide.insert(d + 1, repeats);
        shape[d] *= repeats;
        x.unsqueeze(d as isize + 1).broadcast_to(&wide).reshape_to(&shape)
    }

    /// Entries moved along dimensions, what leaves at one end enters at the other (`torch.roll`). With
    /// no dimensions the tensor is rolled as if flat.
    ///
    /// # Panics
    /// Where there are not as many shifts as dimensions.
    #[track_caller]
    pub fn roll(&self, shifts: impl IntoDims, dims: impl IntoDims) -> Tensor {
        let (shifts, dims) = (shifts.into_dims(), dims.into_dims());
        if dims.is_empty() && shifts.len() == 1 {
            return self.flatten(0, -1).roll(shifts, 0).reshape_to(self.shape());
        }
        assert!(shifts.len() == dims.len(), "roll: shifts {shifts:?} for dimensions {dims:?}");
        shifts.iter().zip(dims).fold(self.clone(), |x, (&shift, dim)| {
            let n = x.size(dim);
            if n == 0 {
                return x;
            }
            let cut = n - shift.rem_euclid(n as isize) as usize;
            Tensor::cat(&[x.narrow(dim, cut as isize, n - cut), x.narrow(dim, 0, cut)], dim)
        })
    }
}
