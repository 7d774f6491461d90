//! Pooling. Each kind is linear once its windows (and the places of the maxima) are known, so each and
//! its adjoint are the other's derivative.

use super::window::{IntoPair, PoolOptions};
use crate::error::{Error, Result, ok};
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{DType, Dims, GatherOp, PoolOp, PoolParams};

impl PoolOptions {
    fn params(&self) -> PoolParams {
        PoolParams {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            count_include_pad: self.count_include_pad,
        }
    }

    /// The output's shape, by PyTorch's rules.
    fn output(&self, name: &'static str, x: &[usize]) -> Result<Dims> {
        let wrong = |message: String| Err(Error::shape(name, message));
        if [self.kernel, self.stride, self.dilation].iter().any(|p| p.contains(&0)) {
            return wrong("kernel size, stride and dilation must be at least 1".into());
        }
        let mut shape = Dims::from(x);
        for d in 0..2 {
            let (n, pad, step) = (x[2 + d], self.padding[d], self.stride[d]);
            let reach = self.dilation[d] * (self.kernel[d] - 1) + 1;
            if pad > reach / 2 {
                return wrong(format!(
                    "padding {:?} is more than half of the kernel size {:?}",
                    self.padding, self.kernel
                ));
            }
            let Some(room) = (n + 2 * pad).checked_sub(reach) else {
                return wrong(format!(
                    "the window {:?} is larger than the padded input: shape {x:?}, padding {:?}",
                    self.kernel, self.padding
                ));
            };
            let mut out = if self.ceil_mode { room.div_ceil(step) } else { room / step } + 1;
            // The last window must start inside the input or its left border.
            if self.ceil_mode && (out - 1) * step >= n + pad {
                out -= 1;
            }
            shape[2 + d] = out;
        }
        Ok(shape)
    }
}

/// Largest of each window and its place in the plane.
#[track_caller]
fn max(name: &'static str, x: &Tensor, o: PoolOptions) -> Result<(Tensor, Tensor)> {
    let shape = o.output(name, x.shape())?;
    let mut indices = Tensor::empty_with(&shape, (DType::I64, x.device()));
    let y = x.produce_like(name, &shape, x.dtype(), |k, out| {
        k.pool(PoolOp::Max { x: x.as_view(), indices: indices.as_view_mut() }, o.params(), out)
    })?;
    if !x.dtype().is_float() {
        return Ok((y, indices));
    }
    let y = op(name, y).wrt(x, || {
        let (indices, shape) = (indices.clone(), Dims::from(x.shape()));
        move |g: &Tensor| put(g, &indices, &shape, o.params())
    });
    Ok((y.done(), indices))
}

/// Adds each element to its place in planes of zeros.
#[track_caller]
fn put(g: &Tensor, indices: &Tensor, shape: &[usize], p: PoolParams) -> Tensor {
    let y = g.produce_like("max_pool_grad", shape, g.dtype(), |k, out| {
        k.pool(PoolOp::MaxGrad { g: g.as_view(), indices: indices.as_view() }, p, out)
    });
    op("max_pool_grad", ok(y))
        .wrt(g, || {
            let indices = indices.clone();
            move |h: &Tensor| pick(h, &indices, p)
        })
        .done()
}

/// Reads each place of planes.
#[track_caller]
fn pick(x: &Tensor, indices: &Tensor, p: PoolParams) -> Tensor {
    let flat = |t: &Tensor| t.detach().flatten(2, 3);
    let (planes, places) = (flat(x), flat(indices));
    let y = x.produce_like("max_pool", places.shape(), x.dtype(), |k, out| {
        k.gather(GatherOp::Gather { x: planes.as_view(), index: places.as_view(), dim: 2 }, out)
    });
    let y = ok(y).reshape_to(indices.shape());
    op("max_pool", y)
        .wrt(x, || {
            let (indices, shape) = (indices.clone(), Dims::from(x.shape()));
            move |g: &Tensor| put(g, &indices, &shape, p)
        })
        .done()
}

/// Means over windows, or over near-equal cells.
#[derive(Clone, Copy)]
enum Mean {
    Windows(PoolParams),
    Cells,
}

/// Any value: the kernel does not read it.
const NO_WINDOW: PoolParams =
    PoolParams { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1], count_include_pad: true };

impl Mean {
    fn name(self) -> &'static str {
        match self {
            Mean::Windows(_) => "avg_pool",
            Mean::Cells => "adaptive_avg_pool",
        }
    }

    #[track_caller]
    fn forward(self, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let y = x.produce_like(self.name(), shape, x.dtype(), |k, out| match self {
            Mean::Windows(p) => k.pool(PoolOp::Avg { x: x.as_view() }, p, out),
            Mean::Cells => k.pool(PoolOp::AdaptiveAvg { x: x.as_view() }, NO_WINDOW, out),
        })?;
        let rule = || {
            let shape = Dims::from(x.shape());
            move |g: &Tensor| self.adjoint(g, &shape)
        };
        Ok(op(self.name(), y).wrt(x, rule).done())
    }

    #[track_caller]
    fn adjoint(self, g: &Tensor, shape: &[usize]) -> Tensor {
        let y = g.produce_like(self.name(), shape, g.dtype(), |k, out| match self {
            Mean::Windows(p) => k.pool(PoolOp::AvgGrad { g: g.as_view() }, p, out),
            Mean::Cells => k.pool(PoolOp::AdaptiveAvgGrad { g: g.as_view() }, NO_WINDOW, out),
        });
        let rule = || {
            let shape = Dims::from(g.shape());
            move |h: &Tensor| ok(self.forward(h, &shape))
        };
        op("avg_pool_grad", ok(y)).wrt(g, rule).done()
    }
}

impl Tensor {
    /// This tensor as `[batch, channels, height, width]`, whatever of batch and height is left out.
    #[track_caller]
    fn planes(&self, name: &'static str, spatial: usize) -> Tensor {
        let dims = spatial + 2;
        let sizes = &["length", "height, width"][spatial - 1];
        assert!(
            (dims - 1..=dims).contains(&self.ndim()),
            "{name}: expected an input [batch, channels, {sizes}] (or without batch), got shape {:?}",
            self.shape()
        );
        let x = if self.ndim() < dims { self.unsqueeze(0) } else { self.clone() };
        if spatial == 1 { x.unsqueeze(2) } else { x }
    }

    /// A result of [`planes`](Self::planes) in the form `like` had.
    #[track_caller]
    fn unplanes(&self, like: &Tensor, spatial: usize) -> Tensor {
        let y = if spatial == 1 { self.squeeze(2) } else { self.clone() };
        if like.ndim() < spatial + 2 { y.squeeze(0) } else { y }
    }

    #[track_caller]
    fn pool_max(&self, name: &'static str, spatial: usize, o: PoolOptions) -> (Tensor, Tensor) {
        let (y, indices) = ok(max(name, &self.planes(name, spatial), o));
        (y.unplanes(self, spatial), indices.unplanes(self, spatial))
    }

    #[track_caller]
    fn pool_mean(&self, name: &'static str, spatial: usize, o: PoolOptions) -> Tensor {
        let x = self.planes(name, spatial);
        assert!(o.dilation == [1, 1], "{name}: an average has no dilation");
        let shape = ok(o.output(name, x.shape()));
        ok(Mean::Windows(o.params()).forward(&x, &shape)).unplanes(self, spatial)
    }

    #[track_caller]
    fn pool_cells(&self, name: &'static str, spatial: usize, output: [usize; 2]) -> Tensor {
        let x = self.planes(name, spatial);
        let empty = x.shape()[2..].contains(&0);
        assert!(!empty, "{name}: the input of shape {:?} has no elements to average", self.shape());
        if output == [1, 1] && x.dtype().is_float() {
            // As in PyTorch, whose order of additions is that of a mean then.
            return x.mean_dim([2, 3], true).unplanes(self, spatial);
        }
        let shape = Dims::from_slice(&[x.shape()[0], x.shape()[1], output[0], output[1]]);
        ok(Mean::Cells.forward(&x, &shape)).unplanes(self, spatial)
    }

    /// Largest of each window of `[batch, channels, height, width]`, or without the batch
    /// (`torch.nn.functional.max_pool2d`). NaN wins; of equal elements the first gets the gradient.
    ///
    /// # Panics
    /// Where the window does not fit.
    #[track_caller]
    pub fn max_pool2d(&self, options: impl Into<PoolOptions>) -> Tensor {
        self.pool_max("max_pool2d", 2, options.into()).0
    }

    /// As [`max_pool2d`](Self::max_pool2d), with the places of the maxima: `h·width + w`, i64.
    #[track_caller]
    pub fn max_pool2d_with_indices(&self, options: impl Into<PoolOptions>) -> (Tensor, Tensor) {
        self.pool_max("max_pool2d", 2, options.into())
    }

    /// Largest of each window of `[batch, channels, length]`, or without the batch
    /// (`torch.nn.functional.max_pool1d`).
    ///
    /// # Panics
    /// Where the window does not fit.
    #[track_caller]
    pub fn max_pool1d(&self, options: impl Into<PoolOptions>) -> Tensor {
        self.pool_max("max_pool1d", 1, options.into().in_one_dimension()).0
    }

    /// As [`max_pool1d`](Self::max_pool1d), with the places of the maxima, i64.
    #[track_caller]
    pub fn max_pool1d_with_indices(&self, options: impl Into<PoolOptions>) -> (Tensor, Tensor) {
        self.pool_max("max_pool1d", 1, options.into().in_one_dimension())
    }

    /// Mean of each window of `[batch, channels, height, width]`, or without the batch
    /// (`torch.nn.functional.avg_pool2d`).
    ///
    /// # Panics
    /// Where the window does not fit.
    #[track_caller]
    pub fn avg_pool2d(&self, options: impl Into<PoolOptions>) -> Tensor {
        self.pool_mean("avg_pool2d", 2, options.into())
    }

    /// Mean of each window of `[batch, channels, length]`, or without the batch
    /// (`torch.nn.functional.avg_pool1d`).
    ///
    /// # Panics
    /// Where the window does not fit.
    #[track_caller]
    pub fn avg_pool1d(&self, options: impl Into<PoolOptions>) -> Tensor {
        self.pool_mean("avg_pool1d", 1, options.into().in_one_dimension())
    }

    /// Means of near-equal cells, as many as the output's size asks for
    /// (`torch.nn.functional.adaptive_avg_pool2d`): cell `i` of `n` spans `⌊i·H/n⌋ .. ⌈(i+1)·H/n⌉`.
    ///
    /// # Panics
    /// Where the input is no image, or empty.
    #[track_caller]
    pub fn adaptive_avg_pool2d(&self, output: impl IntoPair) -> Tensor {
        self.pool_cells("adaptive_avg_pool2d", 2, output.into_pair())
    }

    /// As [`adaptive_avg_pool2d`](Self::adaptive_avg_pool2d) for `[batch, channels, length]`.
    ///
    /// # Panics
    /// Where the input is no sequence, or empty.
    #[track_caller]
    pub fn adaptive_avg_pool1d(&self, output: usize) -> Tensor {
        self.pool_cells("adaptive_avg_pool1d", 1, [1, output])
    }
}
