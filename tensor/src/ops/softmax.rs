//! Softmax and its logarithm.

use crate::error::ok;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::SoftmaxOp;

/// The gradient of the input from that of the output, in one kernel.
#[track_caller]
fn softmax_grad(g: &Tensor, y: &Tensor, log: bool, axis: usize) -> Tensor {
    let name = if log { "log_softmax_grad" } else { "softmax_grad" };
    let value = g.produce_like(name, y.shape(), y.dtype(), |k, out| {
        k.softmax(SoftmaxOp::Grad { y: y.as_view(), g: g.as_view() }, log, axis, out)
    });
    let sum = move |x: Tensor| x.sum_dim(axis as isize, true);
    op(name, ok(value))
        .wrt(g, || {
            let y = y.clone();
            move |h: &Tensor| if log { h - sum(h * y.exp()) } else { &y * (h - sum(h * &y)) }
        })
        .wrt(y, || {
            let (g, y) = (g.clone(), y.clone());
            move |h: &Tensor| match log {
                true => -(h * y.exp() * sum(g.clone())),
                false => h * (&g - sum(&g * &y)) - &g * sum(h * &y),
            }
        })
        .done()
}

impl Tensor {
    #[track_caller]
    fn softmax_of(&self, name: &'static str, log: bool, dim: isize) -> Tensor {
        assert!(
            self.dtype().is_float(),
            "{name}: expected a floating-point tensor, got {}; convert it with to_dtype first",
            self.dtype()
        );
        let axis = ok(self.dim(name, dim));
        if self.ndim() == 0 {
            return self.reshape_to(&[1]).softmax_of(name, log, 0).reshape_to(&[]);
        }
        let y = self.produce_like(name, self.shape(), self.dtype(), |k, out| {
            k.softmax(SoftmaxOp::Forward { x: self.as_view() }, log, axis, out)
        });
        op(name, ok(y)).wrt_y(self, || move |g: &Tensor, y: &Tensor| softmax_grad(g, y, log, axis)).done()
    }

    /// `eˣ / Σeˣ` along a dimension (`torch.softmax`), without overflow.
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn softmax(&self, dim: isize) -> Tensor {
        self.softmax_of("softmax", false, dim)
    }

    /// `x − ln Σeˣ` along a dimension (`torch.log_softmax`).
    ///
    /// # Panics
    /// For integers and bool.
    #[track_caller]
    pub fn log_softmax(&self, dim: isize) -> Tensor {
        self.softmax_of("log_softmax", true, dim)
    }
}
