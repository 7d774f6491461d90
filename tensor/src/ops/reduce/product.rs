//! Products.

use crate::error::ok;
use crate::tensor::{Meta, Tensor};
use taper_autograd::{Value, op};
use taper_kernels::{DType, Dims, Layout, ReduceOp};

/// For each element of the last dimension the product of all others, by a tree of pairs: no division,
/// so zeros do no harm, and made of recorded operations.
#[track_caller]
fn others(x: &Tensor) -> Tensor {
    let last = x.ndim() - 1;
    let (n, wide) = (x.shape()[last], x.shape()[last].next_power_of_two());
    let with_last = |sizes: &[usize]| -> Dims { x.shape()[..last].iter().chain(sizes).copied().collect() };
    // Ones fill up to a power of two.
    let meta = Meta { shape: with_last(&[wide]), ..x.meta() };
    let fill = Tensor::arange(0, wide, 1).ge(n).to_dtype(x.dtype()).to_device(x.device());
    let mut level = x.place(meta, move |l: &Layout| l.slice(last, 0, n, 1)) + fill;
    let mut pairs = Vec::new();
    let mut size = wide;
    while size > 1 {
        size /= 2;
        let pair = level.reshape_to(&with_last(&[size, 2]));
        level = pair.select(-1, 0) * pair.select(-1, 1);
        pairs.push(pair);
    }
    let mut out = Tensor::ones_with(with_last(&[1]), x);
    for pair in pairs.into_iter().rev() {
        size *= 2;
        out = (out.unsqueeze(-1) * pair.flip(-1)).reshape_to(&with_last(&[size]));
    }
    out.narrow(-1, 0, n)
}

impl Tensor {
    /// Product of all elements; integers and bool give i64.
    #[track_caller]
    pub fn prod(&self) -> Tensor {
        self.flatten(0, -1).prod_dim(0, false)
    }

    /// Product along a dimension (`torch.prod(dim, keepdim)`).
    #[track_caller]
    pub fn prod_dim(&self, dim: isize, keepdim: bool) -> Tensor {
        let name = "prod";
        let d = ok(self.dim(name, dim));
        if self.ndim() == 0 {
            return self.reshape_to(&[1]).prod_dim(0, false);
        }
        let dtype = if self.dtype().is_float() { self.dtype() } else { DType::I64 };
        let (kept, gone) = self.reduced_shapes(&[d]);
        let y = ok(self.reduce(name, ReduceOp::Prod, &[d], dtype));
        let y = if keepdim { y } else { y.reshape_to(&gone) };
        if !dtype.is_float() {
            return y;
        }
        let rule = || {
            let x = self.clone();
            move |g: &Tensor, y: &Tensor| {
                if x.detach().eq(0.0).any().item_as::<bool>() {
                    let (d, last) = (d as isize, -1);
                    return g.reshape_to(&kept) * others(&x.transpose(d, last)).transpose(d, last);
                }
                (g * y).reshape_to(&kept) / &x
            }
        };
        op(name, y).wrt_y(self, rule).done()
    }
}
