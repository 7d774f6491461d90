//! Matrix products.

use std::borrow::Cow;

use crate::error::{Error, Result, ok};
use crate::operand::AsTensor;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{Activation, DType, Dims, Gemm, View, broadcast_shapes, dims};

/// Refuses factors that do not multiply: dtypes, devices, and the sizes that meet.
fn check(name: &'static str, a: &Tensor, b: &Tensor) -> Result<()> {
    if a.dtype() != b.dtype() {
        let message = format!(
            "both factors must have one dtype, got {} and {}; convert one with to_dtype",
            a.dtype(),
            b.dtype()
        );
        return Err(Error::dtype(name, message));
    }
    if a.dtype() == DType::Bool {
        return Err(Error::dtype(name, "bool tensors cannot be multiplied as matrices; use to_dtype first"));
    }
    if a.device() != b.device() {
        return Err(Error::Device { op: name, a: a.device(), b: b.device() });
    }
    let (k, rows) = (a.shape()[a.ndim() - 1], b.shape()[b.ndim().saturating_sub(2)]);
    if k != rows {
        let hint = if b.ndim() > 1 && b.shape()[b.ndim() - 1] == k {
            "; the second would fit transposed: b.mt()"
        } else if a.ndim() > 1 && a.shape()[a.ndim() - 2] == rows {
            "; the first would fit transposed: a.mt()"
        } else {
            ""
        };
        let message = format!(
            "shapes {:?} and {:?} cannot be multiplied: the last dimension of the first ({k}) must equal the {} of the second ({rows}){hint}",
            a.shape(),
            b.shape(),
            if b.ndim() > 1 { "second to last dimension" } else { "only dimension" },
        );
        return Err(Error::shape(name, message));
    }
    Ok(())
}

/// The sizes before the last two.
fn batch(x: &Tensor) -> &[usize] {
    &x.shape()[..x.ndim() - 2]
}

/// `a·b` or `a·b + bias` of `[batch…, m, k]` and `[batch…, k, n]` whose sizes were checked, in one
/// kernel call; not recorded.
fn gemm(name: &'static str, a: &Tensor, b: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let [m, k, n] = [a.shape()[a.ndim() - 2], a.shape()[a.ndim() - 1], b.shape()[b.ndim() - 1]];
    let (mut la, mut lb) = (Cow::Borrowed(a.layout()), Cow::Borrowed(b.layout()));
    let mut out_shape = dims(batch(a));
    if batch(a) != batch(b) {
        out_shape = broadcast_shapes(batch(a), batch(b)).ok_or_else(|| {
            let message = format!(
                "shapes {:?} and {:?} cannot be multiplied: the batch dimensions {:?} and {:?} do not broadcast",
                a.shape(),
                b.shape(),
                batch(a),
                batch(b)
            );
            Error::shape(name, message)
        })?;
        let fit = |x: &Tensor, matrix: [usize; 2]| {
            let shape: Dims = out_shape.iter().copied().chain(matrix).collect();
            Cow::Owned(x.layout().broadcast_to(&shape).expect("batches broadcast"))
        };
        (la, lb) = (fit(a, [m, k]), fit(b, [k, n]));
    }
    out_shape.extend([m, n]);
    let bias = match bias {
        None => None,
        Some(t) => Some((t, fit_bias(name, t, a, &out_shape)?)),
    };
    a.produce_like(name, &out_shape, a.dtype(), |kernels, out| {
        kernels.gemm(Gemm {
            a: View::new(a.storage(), a.dtype(), &la),
            b: View::new(b.storage(), b.dtype(), &lb),
            out,
            accumulate: false,
            bias: bias.as_ref().map(|(t, l)| View::new(t.storage(), t.dtype(), l)),
            activation: Activation::None,
        })
    })
}

fn fit_bias(
    name: &'static str,
    bias: &Tensor,
    like: &Tensor,
    shape: &[usize],
) -> Result<taper_kernels::Layout> {
    if bias.dtype() != like.dtype() {
        let message = format!("expected {} like the factors, got {}", like.dtype(), bias.dtype());
        return Err(Error::dtype(name, message));
    }
    if bias.device() != like.device() {
        return Err(Error::Device { op: name, a: like.device(), b: bias.device() });
    }
    bias.layout().broadcast_to(shape).ok_or_else(|| {
        let message =
            format!("a summand of shape {:?} does not broadcast to the product's {shape:?}", bias.shape());
        Error::shape(name, message)
    })
}

/// The product of two tensors of at least two dimensions.
#[track_caller]
fn product(name: &'static str, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check(name, a, b)?;
    if b.ndim() == 2 && a.ndim() > 2 {
        // The right factor is shared by the batch: one product of all its rows, forward and back.
        let (rows, k) = a.shape().split_at(a.ndim() - 1);
        let shape: Dims = rows.iter().copied().chain([b.shape()[1]]).collect();
        return Ok(product(name, &a.reshape_to(&[rows.iter().product(), k[0]]), b)?.reshape_to(&shape));
    }
    let y = op(name, gemm(name, a, b, None)?)
        .wrt(a, || {
            let b = b.clone();
            move |g: &Tensor| g.matmul(b.mt())
        })
        .wrt(b, || {
            let a = a.clone();
            move |g: &Tensor| a.mt().matmul(g)
        });
    Ok(y.done())
}

#[track_caller]
fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let name = "matmul";
    if a.ndim() == 0 || b.ndim() == 0 {
        let message = format!(
            "both tensors need at least one dimension, got shapes {:?} and {:?}; use * to scale by a number",
            a.shape(),
            b.shape()
        );
        return Err(Error::shape(name, message));
    }
    // A vector is one row on the left, one column on the right; that dimension goes away again.
    let (row, column) = (a.ndim() == 1, b.ndim() == 1);
    if row || column {
        check(name, a, b)?; // with the shapes as given
    }
    let y = match (row, column) {
        (false, false) => return product(name, a, b),
        (true, false) => product(name, &a.unsqueeze(0), b)?,
        (false, true) => product(name, a, &b.unsqueeze(1))?,
        (true, true) => product(name, &a.unsqueeze(0), &b.unsqueeze(1))?,
    };
    let y = if column { y.squeeze(-1) } else { y };
    Ok(if row { y.squeeze(if column { -1 } else { -2 }) } else { y })
}

/// Refuses a tensor of another number of dimensions.
#[track_caller]
fn expect_ndim(name: &'static str, what: &str, x: &Tensor, ndim: usize) {
    assert!(
        x.ndim() == ndim,
        "{name}: expected {what} with {ndim} dimensions, got shape {:?}; matmul takes any number",
        x.shape()
    );
}

impl Tensor {
    /// Matrix product (`torch.matmul`) of `[batch…, m, k]` and `[batch…, k, n]`; batch dimensions
    /// broadcast. A vector on the left is one row, on the right one column, and the dimension of size
    /// 1 is dropped from the result; two vectors give their dot product.
    ///
    /// ```
    /// use taper_tensor::tensor;
    /// let a = tensor([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.matmul(tensor([1.0, 10.0])).to_vec::<f32>(), [21.0, 43.0]);
    /// ```
    ///
    /// # Panics
    /// Where the sizes that meet or the dtypes differ, batches do not broadcast, or one is 0-d.
    #[track_caller]
    pub fn matmul(&self, other: impl AsTensor) -> Tensor {
        ok(matmul(self, &other.as_tensor()))
    }

    /// As [`matmul`](Self::matmul), or an error.
    #[track_caller]
    pub fn try_matmul(&self, other: impl AsTensor) -> Result<Tensor> {
        matmul(self, &other.as_tensor())
    }

    /// Product of two matrices (`torch.mm`); nothing broadcasts.
    ///
    /// # Panics
    /// As [`matmul`](Self::matmul), and where one is not a matrix.
    #[track_caller]
    pub fn mm(&self, other: impl AsTensor) -> Tensor {
        let b = other.as_tensor();
        expect_ndim("mm", "a matrix", self, 2);
        expect_ndim("mm", "a matrix", &b, 2);
        ok(product("mm", self, &b))
    }

    /// Products of two batches of matrices `[b, m, k]` and `[b, k, n]` (`torch.bmm`); nothing broadcasts.
    ///
    /// # Panics
    /// As [`matmul`](Self::matmul), and where one has not three dimensions or the batches differ.
    #[track_caller]
    pub fn bmm(&self, other: impl AsTensor) -> Tensor {
        let b = other.as_tensor();
        expect_ndim("bmm", "a batch of matrices", self, 3);
        expect_ndim("bmm", "a batch of matrices", &b, 3);
        assert!(
            self.shape()[0] == b.shape()[0],
            "bmm: batches of {} and {} matrices (shapes {:?} and {:?}); matmul broadcasts",
            self.shape()[0],
            b.shape()[0],
            self.shape(),
            b.shape()
        );
        ok(product("bmm", self, &b))
    }

    /// Product of a matrix and a vector (`torch.mv`).
    ///
    /// # Panics
    /// As [`matmul`](Self::matmul), and where the dimensions are others.
    #[track_caller]
    pub fn mv(&self, vector: impl AsTensor) -> Tensor {
        let v = vector.as_tensor();
        expect_ndim("mv", "a matrix", self, 2);
        expect_ndim("mv", "a vector", &v, 1);
        ok(check("mv", self, &v));
        ok(product("mv", self, &v.unsqueeze(1))).squeeze(1)
    }

    /// Sum of the products of two vectors' elements (`torch.dot`).
    ///
    /// # Panics
    /// As [`matmul`](Self::matmul), and where one is not a vector.
    #[track_caller]
    pub fn dot(&self, other: impl AsTensor) -> Tensor {
        let b = other.as_tensor();
        expect_ndim("dot", "a vector", self, 1);
        expect_ndim("dot", "a vector", &b, 1);
        ok(check("dot", self, &b));
        ok(product("dot", &self.unsqueeze(0), &b.unsqueeze(1))).reshape_to(&[])
    }

    /// All products of two vectors' elements, `[n, m]` (`torch.outer`).
    ///
    /// # Panics
    /// Where one is not a vector.
    #[track_caller]
    pub fn outer(&self, other: impl AsTensor) -> Tensor {
        let b = other.as_tensor();
        expect_ndim("outer", "a vector", self, 1);
        expect_ndim("outer", "a vector", &b, 1);
        self.unsqueeze(1) * b.unsqueeze(0)
    }

    /// `input·weightᵀ + bias` (`torch.nn.functional.linear`): this is `[…, in]`, `weight` is
    /// `[out, in]`, `bias` is `[out]`; the result is `[…, out]`. One fused kernel.
    ///
    /// # Panics
    /// Where sizes or dtypes do not fit.
    #[track_caller]
    pub fn linear(&self, weight: impl AsTensor, bias: Option<&Tensor>) -> Tensor {
        ok(linear(self, &weight.as_tensor(), bias))
    }

    /// As [`linear`](Self::linear), or an error.
    #[track_caller]
    pub fn try_linear(&self, weight: impl AsTensor, bias: Option<&Tensor>) -> Result<Tensor> {
        linear(self, &weight.as_tensor(), bias)
    }

    /// `beta·self + alpha·(a·b)` of two matrices (`torch.addmm`, there by default `beta = alpha = 1`).
    /// With `beta = 0` this tensor is ignored, NaN included.
    ///
    /// # Panics
    /// Where one is not a matrix, or shapes or dtypes do not fit.
    #[track_caller]
    pub fn addmm(&self, a: impl AsTensor, b: impl AsTensor, beta: f64, alpha: f64) -> Tensor {
        let (a, b) = (a.as_tensor(), b.as_tensor());
        expect_ndim("addmm", "a matrix", &a, 2);
        expect_ndim("addmm", "a matrix", &b, 2);
        ok(add_product("addmm", self, &a, &b, beta, alpha))
    }

    /// `beta·self + alpha·(a·b)` of two batches of matrices (`torch.baddbmm`).
    ///
    /// # Panics
    /// Where one has not three dimensions, or shapes or dtypes do not fit.
    #[track_caller]
    pub fn baddbmm(&self, a: impl AsTensor, b: impl AsTensor, beta: f64, alpha: f64) -> Tensor {
        let (a, b) = (a.as_tensor(), b.as_tensor());
        expect_ndim("baddbmm", "a batch of matrices", &a, 3);
        expect_ndim("baddbmm", "a batch of matrices", &b, 3);
        ok(add_product("baddbmm", self, &a, &b, beta, alpha))
    }
}

#[track_caller]
fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let name = "linear";
    if weight.ndim() != 2 || x.ndim() == 0 || x.shape()[x.ndim() - 1] != weight.shape()[1] {
        let message = if weight.ndim() == 2 && x.ndim() > 0 {
            format!(
                "the input of shape {:?} has {} features in its last dimension, the weight of shape {:?} takes {} of them (weights are [out, in])",
                x.shape(),
                x.shape()[x.ndim() - 1],
                weight.shape(),
                weight.shape()[1]
            )
        } else {
            format!(
                "expected an input [..., in] and a weight [out, in], got shapes {:?} and {:?}",
                x.shape(),
                weight.shape()
            )
        };
        return Err(Error::shape(name, message));
    }
    if let Some(b) = bias
        && b.shape() != &weight.shape()[..1]
    {
        let message = format!("a bias of shape {:?} for a weight of shape {:?}", b.shape(), weight.shape());
        return Err(Error::shape(name, message));
    }
    let (rows, features) = x.shape().split_at(x.ndim() - 1);
    let shape: Dims = rows.iter().copied().chain([weight.shape()[0]]).collect();
    let x = x.reshape_to(&[rows.iter().product(), features[0]]);
    let transposed = weight.with_layout(weight.layout().transpose(0, 1));
    check(name, &x, &transposed)?;
    let mut y = op(name, gemm(name, &x, &transposed, bias)?)
        .wrt(&x, || {
            let w = weight.clone();
            move |g: &Tensor| g.matmul(&w)
        })
        .wrt(weight, || {
            let x = x.clone();
            move |g: &Tensor| g.mt().matmul(&x)
        });
    if let Some(b) = bias {
        // The engine sums the rows.
        y = y.wrt_same(b);
    }
    Ok(y.done().reshape_to(&shape))
}

#[track_caller]
fn add_product(
    name: &'static str,
    summand: &Tensor,
    a: &Tensor,
    b: &Tensor,
    beta: f64,
    alpha: f64,
) -> Result<Tensor> {
    check(name, a, b)?;
    if batch(a) != batch(b) {
        let message = format!("batches of shapes {:?} and {:?} differ", a.shape(), b.shape());
        return Err(Error::shape(name, message));
    }
    if (beta, alpha) == (1.0, 1.0) {
        let y = op(name, gemm(name, a, b, Some(summand))?)
            .wrt_same(summand)
            .wrt(a, || {
                let b = b.clone();
                move |g: &Tensor| g.matmul(b.mt())
            })
            .wrt(b, || {
                let a = a.clone();
                move |g: &Tensor| a.mt().matmul(g)
            });
        return Ok(y.done());
    }
    let y = product(name, a, b)? * alpha;
    fit_bias(name, summand, a, y.shape())?;
    Ok(if beta == 0.0 { y } else { summand * beta + y })
}
