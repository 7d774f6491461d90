//! Running sums and products, and differences.

use crate::error::ok;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{DType, ScanOp};

impl Tensor {
    /// Runs a scan kernel; integers and bool are scanned as i64.
    #[track_caller]
    fn scan(&self, name: &'static str, kernel: ScanOp, axis: usize) -> Tensor {
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::I64 };
        // A 0-d tensor has one entry to run over.
        let x = if self.ndim() == 0 { self.detach().unsqueeze(0) } else { self.detach() };
        let y = x.produce_like(name, x.shape(), dtype, |b, out| b.scan(kernel, x.as_view(), axis, out));
        ok(y).reshape_to(self.shape())
    }

    /// Running sum along a dimension (`torch.cumsum`); integers and bool give i64.
    #[track_caller]
    pub fn cumsum(&self, dim: isize) -> Tensor {
        let d = ok(self.dim("cumsum", dim));
        let y = self.scan("cumsum", ScanOp::Sum, d);
        if !y.dtype().is_float() {
            return y;
        }
        op("cumsum", y).wrt(self, || move |g: &Tensor| g.flip(dim).cumsum(dim).flip(dim)).done()
    }

    /// Running product along a dimension (`torch.cumprod`); integers and bool give i64.
    #[track_caller]
    pub fn cumprod(&self, dim: isize) -> Tensor {
        let d = ok(self.dim("cumprod", dim));
        let y = self.scan("cumprod", ScanOp::Prod, d);
        if !y.dtype().is_float() {
            return y;
        }
        let rule = || {
            let x = self.clone();
            move |g: &Tensor, y: &Tensor| cumprod_grad(g, &x, y, d as isize)
        };
        op("cumprod", y).wrt_y(self, rule).done()
    }

    /// Differences of neighbours along a dimension, `n` times over (`torch.diff`, by default once along
    /// dimension −1). Of bool: whether neighbours differ.
    ///
    /// # Panics
    /// For a 0-d tensor.
    #[track_caller]
    pub fn diff(&self, n: usize, dim: isize) -> Tensor {
        assert!(self.ndim() > 0, "diff: a 0-d tensor has no neighbours");
        (0..n).fold(self.clone(), |x, _| {
            let size = x.size(dim);
            if size == 0 {
                return x;
            }
            let (next, this) = (x.narrow(dim, 1, size - 1), x.narrow(dim, 0, size - 1));
            if x.dtype() == DType::Bool { next.logical_xor(this) } else { next - this }
        })
    }
}

/// `dxᵢ = (Π_{j<i} xⱼ)·sᵢ`, where `sᵢ = Σ_{k≥i} gₖ·Π_{i<j≤k} xⱼ` obeys `sᵢ = gᵢ + xᵢ₊₁·sᵢ₊₁`. Nothing is
/// divided by, so zeros are like any other number. The recurrence is solved by doubling: after each round
/// `s` sums twice as many terms and `a` is the product that leads to the next ones.
#[track_caller]
fn cumprod_grad(g: &Tensor, x: &Tensor, y: &Tensor, dim: isize) -> Tensor {
    if x.ndim() == 0 {
        return g.clone();
    }
    let n = x.size(dim);
    if n == 0 {
        return g.clone();
    }
    // Entries moved to the front by `by`, zeros behind.
    let ahead = |t: &Tensor, by: usize| {
        let rest = t.narrow(dim, by as isize, n - by);
        Tensor::cat(&[&rest, &t.narrow(dim, 0, by).zeros_like()], dim)
    };
    let (mut s, mut a, mut by) = (g.clone(), ahead(x, 1), 1);
    while by < n {
        s = &s + &a * ahead(&s, by);
        a = &a * ahead(&a, by);
        by *= 2;
    }
    let before = Tensor::cat(&[&x.narrow(dim, 0, 1).ones_like(), &y.narrow(dim, 0, n - 1)], dim);
    s * before
}
