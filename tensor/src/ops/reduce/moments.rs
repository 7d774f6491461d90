//! Variance and standard deviation, norms, log-sum-exp, counts.

use crate::error::ok;
use crate::operand::IntoDims;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{DType, Device, Dims, ReduceOp};

/// Dimensions that a statistic runs over.
struct Axes {
    dims: Vec<isize>,
    kept: Dims,
    gone: Dims,
    /// Number of elements that become one.
    count: usize,
}

impl Axes {
    #[track_caller]
    fn new(name: &'static str, x: &Tensor, dims: impl IntoDims) -> Axes {
        assert!(
            x.dtype().is_float(),
            "{name}: expected a floating-point tensor, got {}; convert it with to_dtype first",
            x.dtype()
        );
        let dims = ok(x.reduce_dims(name, &dims.into_dims()));
        let (kept, gone) = x.reduced_shapes(&dims);
        let count = dims.iter().map(|&d| x.shape()[d]).product();
        Axes { dims: dims.iter().map(|&d| d as isize).collect(), kept, gone, count }
    }

    #[track_caller]
    fn sum(&self, x: &Tensor) -> Tensor {
        x.sum_dim(&self.dims[..], true)
    }

    #[track_caller]
    fn mean(&self, x: &Tensor) -> Tensor {
        x.mean_dim(&self.dims[..], true)
    }

    /// A result with the dimensions kept, in the form asked for.
    #[track_caller]
    fn finish(&self, y: Tensor, keepdim: bool) -> Tensor {
        if keepdim { y } else { y.reshape_to(&self.gone) }
    }
}

/// Variance with the dimensions kept, in f64, where PyTorch computes it, too; not recorded.
#[track_caller]
fn variance(x: &Tensor, axes: &Axes, correction: f64) -> Tensor {
    // Below 0 there are no degrees of freedom.
    let freedom = (axes.count as f64 - correction).max(0.0);
    // Squares of f64 overflow, and are then what PyTorch makes of them in the order below.
    if x.device() == Device::Cpu && x.dtype() != DType::F64 {
        let dims: Vec<usize> = axes.dims.iter().map(|&d| d as usize).collect();
        return ok(x.detach().reduce("var", ReduceOp::Deviations, &dims, DType::F64)) / freedom;
    }
    let wide = x.detach().to_dtype(DType::F64);
    let centred = &wide - axes.mean(&wide);
    // The mean was rounded: its error is taken off again.
    let rest = axes.sum(&centred);
    let square = axes.sum(&(&centred * &centred)) - &rest * &rest / axes.count as f64;
    square / freedom
}

/// The gradient of the variance, from a gradient with the dimensions kept.
#[track_caller]
fn variance_grad(g: &Tensor, x: &Tensor, axes: &Axes, correction: f64) -> Tensor {
    (x - axes.mean(x)) * (g * (2.0 / (axes.count as f64 - correction)))
}

impl Tensor {
    /// Variance of all elements, with Bessel's correction.
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn var(&self) -> Tensor {
        self.var_dim([], 1.0, false)
    }

    /// Variance over dimensions: the sum of squared deviations divided by the count less `correction`
    /// (`torch.var(dim, correction=1, keepdim)`); an empty list is all dimensions.
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn var_dim(&self, dims: impl IntoDims, correction: f64, keepdim: bool) -> Tensor {
        let axes = Axes::new("var", self, dims);
        let y = axes.finish(variance(self, &axes, correction).to_dtype(self.dtype()), keepdim);
        let rule = || {
            let x = self.clone();
            move |g: &Tensor| variance_grad(&g.reshape_to(&axes.kept), &x, &axes, correction)
        };
        op("var", y).wrt(self, rule).done()
    }

    /// Standard deviation of all elements, with Bessel's correction.
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn std(&self) -> Tensor {
        self.std_dim([], 1.0, false)
    }

    /// Standard deviation over dimensions, as [`var_dim`](Self::var_dim). Its gradient at 0 is 0.
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn std_dim(&self, dims: impl IntoDims, correction: f64, keepdim: bool) -> Tensor {
        let axes = Axes::new("std", self, dims);
        let y = axes.finish(variance(self, &axes, correction).sqrt().to_dtype(self.dtype()), keepdim);
        let rule = || {
            let x = self.clone();
            move |g: &Tensor, y: &Tensor| {
                let y = y.reshape_to(&axes.kept);
                let zero = y.eq(0.0);
                let g = Tensor::where_(&zero, 0.0, g.reshape_to(&axes.kept)) / (unless(&zero, &y) * 2.0);
                variance_grad(&g, &x, &axes, correction)
            }
        };
        op("std", y).wrt_y(self, rule).done()
    }

    /// Variance and mean over dimensions (`torch.var_mean`).
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn var_mean_dim(&self, dims: impl IntoDims, correction: f64, keepdim: bool) -> (Tensor, Tensor) {
        let dims = dims.into_dims();
        (self.var_dim(&dims[..], correction, keepdim), self.mean_dim(dims, keepdim))
    }

    /// Euclidean norm of all elements.
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn norm(&self) -> Tensor {
        self.norm_dim(2.0, [], false)
    }

    /// `(Σ|x|ᵖ)^(1/p)` over dimensions (`torch.linalg.vector_norm`, `torch.norm(p, dim)`); an empty list
    /// is all dimensions. `p = ±∞` is the largest or smallest `|x|`, `p = 0` the number of non-zeros. The
    /// gradient where the norm is 0 is 0.
    ///
    /// # Panics
    /// For integers and bool, and for `p = ±∞` of no elements.
    #[track_caller]
    pub fn norm_dim(&self, p: f64, dims: impl IntoDims, keepdim: bool) -> Tensor {
        let axes = Axes::new("norm", self, dims);
        let wide = self.detach().to_dtype(self.dtype().compute());
        let size = wide.abs();
        let y = match p {
            0.0 => axes.sum(&size.ne(0.0).to_dtype(size.dtype())),
            1.0 => axes.sum(&size),
            // The root of one power may overflow on the way.
            _ if axes.count == 1 => axes.sum(&size),
            2.0 => axes.sum(&(&wide * &wide)).sqrt(),
            f64::INFINITY => size.amax(&axes.dims[..], true),
            f64::NEG_INFINITY => size.amin(&axes.dims[..], true),
            _ => axes.sum(&size.pow(p)).pow(1.0 / p),
        };
        let y = axes.finish(y.to_dtype(self.dtype()), keepdim);
        let rule = || {
            let x = self.clone();
            move |g: &Tensor, y: &Tensor| {
                norm_grad(&g.reshape_to(&axes.kept), &x, &y.reshape_to(&axes.kept), p, &axes)
            }
        };
        op("norm", y).wrt_y(self, rule).done()
    }

    /// `ln Σeˣ` over dimensions, without overflow (`torch.logsumexp`); an empty list is all dimensions.
    /// Integers and bool are computed as f32.
    #[track_caller]
    pub fn logsumexp(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
        if !self.dtype().is_float() {
            return self.to_dtype(DType::F32).logsumexp(dims, keepdim);
        }
        let axes = Axes::new("logsumexp", self, dims);
        let x = self.detach();
        let y = if axes.count == 0 {
            axes.sum(&x.exp()).ln()
        } else {
            let top = x.amax(&axes.dims[..], true);
            let top = Tensor::where_(&top.abs().eq(f64::INFINITY), 0.0, top);
            axes.sum(&(x - &top).exp()).ln() + top
        };
        let y = axes.finish(y, keepdim);
        let rule = || {
            let x = self.clone();
            move |g: &Tensor, y: &Tensor| {
                let y = y.reshape_to(&axes.kept);
                let y = Tensor::where_(&y.eq(f64::NEG_INFINITY), 0.0, y);
                g.reshape_to(&axes.kept) * (&x - y).exp()
            }
        };
        op("logsumexp", y).wrt_y(self, rule).done()
    }

    /// Number of elements that are not zero, over dimensions (an empty list is all); i64.
    #[track_caller]
    pub fn count_nonzero(&self, dims: impl IntoDims) -> Tensor {
        self.ne(0).sum_dim(dims, false)
    }
}

/// `x`, and 1 where `zero` holds, so that nothing is divided by zero.
#[track_caller]
fn unless(zero: &Tensor, x: &Tensor) -> Tensor {
    Tensor::where_(zero, 1.0, x)
}

/// The gradient of a norm `y` from `g`, both with the dimensions kept.
#[track_caller]
fn norm_grad(g: &Tensor, x: &Tensor, y: &Tensor, p: f64, axes: &Axes) -> Tensor {
    let zero = y.eq(0.0);
    match p {
        0.0 => x.zeros_like(),
        1.0 => g * x.sign(),
        2.0 => x * (g / unless(&zero, y)),
        _ if p.is_infinite() => {
            let size = x.detach().abs();
            let reached = (size.eq(y) | (size.isnan() & y.isnan())).to_dtype(g.dtype());
            let count = axes.sum(&reached);
            x.sign() * reached * (g / count)
        }
        _ => {
            // sign(x)·|x|^(p − 1), where an x of 0 gives 0 even for p < 1.
            let none = x.eq(0.0);
            let power = Tensor::where_(&none, 0.0, unless(&none, x).abs().pow(p - 1.0));
            let scale = Tensor::where_(&zero, 0.0, g / unless(&zero, y).pow(p - 1.0));
            x.sign() * power * scale
        }
    }
}
