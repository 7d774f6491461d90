//! Padding.

use crate::error::{Error, Result, ok};
use crate::operand::IntoDims;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{Dims, Layout, Scalar};

/// What `pad` puts around a tensor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum PadMode {
    /// A value.
    Constant(Scalar),
    /// The entries next to the border, mirrored at it; the border itself is not repeated.
    Reflect,
    /// The border entry.
    Replicate,
    /// The entries at the other end.
    Circular,
}

impl Default for PadMode {
    /// Zeros.
    fn default() -> Self {
        PadMode::Constant(Scalar::Float(0.0))
    }
}

impl<T: Into<Scalar>> From<T> for PadMode {
    fn from(value: T) -> Self {
        PadMode::Constant(value.into())
    }
}

impl Tensor {
    /// Entries put around the tensor (`torch.nn.functional.pad`). `widths` counts from the last
    /// dimension: `[left, right, top, bottom, …]`; negative widths cut off. The mode may be a number for
    /// [`PadMode::Constant`].
    ///
    /// # Panics
    /// For an odd number of widths, more than two for a dimension, widths that cut off too much, and
    /// widths that a mode cannot fill (`Reflect` needs less than the size, `Circular` at most the size).
    #[track_caller]
    pub fn pad(&self, widths: impl IntoDims, mode: impl Into<PadMode>) -> Tensor {
        ok(self.try_pad(widths, mode))
    }

    /// As [`pad`](Self::pad), or an error.
    #[track_caller]
    pub fn try_pad(&self, widths: impl IntoDims, mode: impl Into<PadMode>) -> Result<Tensor> {
        let (widths, mode) = (widths.into_dims(), mode.into());
        let refuse = |why: String| {
            Err(Error::shape("pad", format!("widths {widths:?} for shape {:?}: {why}", self.shape())))
        };
        if widths.len() % 2 != 0 || widths.len() > 2 * self.ndim() {
            return refuse("expected one pair for each padded dimension".into());
        }
        // `(dimension, left, right)`.
        let sides: Vec<(usize, isize, isize)> =
            widths.chunks(2).enumerate().map(|(i, w)| (self.ndim() - 1 - i, w[0], w[1])).collect();
        for &(d, left, right) in &sides {
            let n = self.shape()[d] as isize;
            let most = match mode {
                PadMode::Constant(_) => isize::MAX,
                PadMode::Reflect => n - 1,
                PadMode::Replicate => {
                    if n > 0 {
                        isize::MAX
                    } else {
                        0
                    }
                }
                PadMode::Circular => n,
            };
            if n + left + right < 0 || n + left.min(0) + right.min(0) < 0 {
                return refuse(format!("dimension {d} would get a negative size"));
            }
            if left.max(right) > most.max(0) {
                return refuse(format!("{mode:?} can add at most {most} entries to dimension {d}"));
            }
        }
        let crop = |x: Tensor| {
            sides.iter().fold(x, |x, &(d, left, right)| {
                let (from, to) = ((-left).max(0), (-right).max(0));
                match (from, to) {
                    (0, 0) => x,
                    _ => {
                        let length = x.shape()[d] - (from + to) as usize;
                        x.narrow(d as isize, from, length)
                    }
                }
            })
        };
        let grow = |x: Tensor| {
            sides.iter().fold(x, |x, &(d, left, right)| x.grow(d, left.max(0), right.max(0), mode))
        };
        Ok(match mode {
            PadMode::Constant(value) => crop(self.clone()).surround(&sides, value),
            PadMode::Circular => grow(crop(self.clone())),
            PadMode::Reflect | PadMode::Replicate => crop(grow(self.clone())),
        })
    }

    /// A constant on all sides; negative widths count as 0.
    #[track_caller]
    fn surround(&self, sides: &[(usize, isize, isize)], value: Scalar) -> Tensor {
        let (mut shape, mut starts): (Dims, Dims) = (self.shape().into(), Dims::from_elem(0, self.ndim()));
        for &(d, left, right) in sides {
            starts[d] = left.max(0) as usize;
            shape[d] += (left.max(0) + right.max(0)) as usize;
        }
        let inner: Dims = self.shape().into();
        let part =
            move |l: &Layout| (0..inner.len()).fold(l.clone(), |l, d| l.slice(d, starts[d], inner[d], 1));
        let mut y = Tensor::full_with(shape, value, self);
        y.write_part(&part, self);
        op("pad", y).wrt(self, || move |g: &Tensor| g.part("pad", part.clone())).done()
    }

    /// One dimension with entries from the tensor itself on both sides.
    #[track_caller]
    fn grow(self, d: usize, left: isize, right: isize, mode: PadMode) -> Tensor {
        if left == 0 && right == 0 {
            return self;
        }
        let (dim, n) = (d as isize, self.shape()[d] as isize);
        let part = |from: isize, len: isize| self.narrow(dim, from, len as usize);
        let repeat = |from: isize, len: isize| {
            let mut shape: Dims = self.shape().into();
            shape[d] = len as usize;
            part(from, 1).broadcast_to(shape)
        };
        let (before, after) = match mode {
            PadMode::Reflect => (part(1, left).flip(dim), part(n - 1 - right, right).flip(dim)),
            PadMode::Replicate => (repeat(0, left), repeat(n - 1, right)),
            _ => (part(n - left, left), part(0, right)),
        };
        Tensor::cat(&[&before, &self, &after], dim)
    }
}
