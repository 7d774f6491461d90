//! Normalisation: layer, batch and group norm.
//!
//! Forward and gradient are one kernel each. While a backward pass is itself recorded, the gradient is
//! composed of plain operations instead, which makes it right to any order.

use crate::error::{Error, ok};
use crate::operand::IntoShape;
use crate::tensor::Tensor;
use taper_autograd::{is_grad_enabled, op};
use taper_kernels::{DType, NormOp};

/// A new tensor in the dtype of statistics.
#[track_caller]
fn statistic(x: &Tensor, n: usize) -> Tensor {
    Tensor::empty_with(n, (x.dtype().compute(), x.device()))
}

/// Refuses a weight or bias of another shape or dtype.
#[track_caller]
fn check(name: &'static str, what: &str, x: &Tensor, t: Option<&Tensor>, shape: &[usize]) {
    let Some(t) = t else { return };
    assert!(t.shape() == shape, "{name}: expected a {what} of shape {shape:?}, got {:?}", t.shape());
    assert!(
        t.dtype() == x.dtype() || t.dtype() == x.dtype().compute(),
        "{name}: a {what} of {} for an input of {}; convert one with to_dtype",
        t.dtype(),
        x.dtype()
    );
    assert!(t.device() == x.device(), "{}", Error::Device { op: name, a: x.device(), b: t.device() });
}

#[track_caller]
fn check_input(name: &'static str, x: &Tensor) {
    assert!(
        x.dtype().is_float(),
        "{name}: expected a floating-point tensor, got {}; convert it with to_dtype first",
        x.dtype()
    );
}

/// What both norms have in common: rows (or channels) of `x` are centred and scaled by their own
/// statistics, then by a weight and a bias.
#[derive(Clone)]
struct Normalised {
    x: Tensor,
    weight: Option<Tensor>,
    mean: Tensor,
    rstd: Tensor,
    eps: f64,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// `x` is `[rows, n]`; statistics `[rows]`, weights `[n]`.
    Layer,
    /// `x` is `[N, C, L]`; statistics and weights `[C]`.
    Batch,
}

impl Normalised {
    /// Gradients of x, weight and bias, one kernel.
    #[track_caller]
    fn fused(&self, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        let n = self.x.shape()[1];
        let mut dw = needs[1].then(|| statistic(&self.x, n));
        let mut db = needs[2].then(|| statistic(&self.x, n));
        let dx = self.x.produce_like("norm_grad", self.x.shape(), self.x.dtype(), |k, out| {
            let (g, x, weight) = (g.as_view(), self.x.as_view(), self.weight.as_ref().map(|w| w.as_view()));
            let (mean, rstd) = (self.mean.as_view(), self.rstd.as_view());
            let (dweight, dbias) =
                (dw.as_mut().map(|t| t.as_view_mut()), db.as_mut().map(|t| t.as_view_mut()));
            let grad = match self.kind {
                Kind::Layer => NormOp::LayerGrad { g, x, weight, mean, rstd, dweight, dbias },
                Kind::Batch => NormOp::BatchGrad { g, x, weight, mean, rstd, dweight, dbias },
            };
            k.norm(grad, Some(out))
        });
        vec![Some(ok(dx)), dw, db]
    }

    /// The same by plain recorded operations, statistics included.
    #[track_caller]
    fn composed(&self, g: &Tensor, needs: &[bool]) -> Vec<Option<Tensor>> {
        // Statistics run over `over`, sums of the weights' gradients over `rows`.
        let (over, rows, shape): (&[isize], &[isize], &[isize]) = match self.kind {
            Kind::Layer => (&[1], &[0], &[1, -1]),
            Kind::Batch => (&[0, 2], &[0, 2], &[1, -1, 1]),
        };
        let dtype = self.x.dtype().compute();
        let (x, g) = (self.x.to_dtype(dtype), g.to_dtype(dtype));
        let centred = &x - x.mean_dim(over, true);
        let rstd = ((&centred * &centred).mean_dim(over, true) + self.eps).rsqrt();
        let unit = centred * &rstd;
        let gw = match &self.weight {
            Some(w) => &g * w.to_dtype(dtype).reshape(shape),
            None => g.clone(),
        };
        let dx = || rstd * (&gw - gw.mean_dim(over, true) - &unit * (&gw * &unit).mean_dim(over, true));
        let dx = needs[0].then(dx);
        let dw = needs[1].then(|| (&g * &unit).sum_dim(rows, false));
        let db = needs[2].then(|| g.sum_dim(rows, false));
        vec![dx, dw, db]
    }

    /// Puts the result on the tape.
    #[track_caller]
    fn record(self, name: &'static str, y: Tensor, bias: Option<&Tensor>) -> Tensor {
        let (x, constant) = (self.x.clone(), self.mean.clone());
        let weight = self.weight.as_ref().unwrap_or(&constant).clone();
        let inputs = [&x, &weight, bias.unwrap_or(&constant)];
        let rule = || {
            move |g: &Tensor, needs: &[bool]| {
                if is_grad_enabled() { self.composed(g, needs) } else { self.fused(g, needs) }
            }
        };
        op(name, y).wrt_all(&inputs, rule).done()
    }
}

/// `[C]` beside `[N, C, L]`.
#[track_caller]
fn per_channel(t: &Tensor) -> Tensor {
    t.reshape([1, -1, 1])
}

impl Tensor {
    /// This tensor as `[N, C, L]`.
    #[track_caller]
    fn channels(&self, name: &'static str) -> Tensor {
        check_input(name, self);
        assert!(
            self.ndim() >= 2,
            "{name}: expected an input [batch, channels, ...], got shape {:?}",
            self.shape()
        );
        if self.ndim() == 2 { self.unsqueeze(2) } else { self.flatten(2, -1) }
    }

    /// `(x − mean)/√(var + eps)·weight + bias` with mean and biased variance over the last dimensions,
    /// whose sizes are `normalized_shape` (`torch.nn.functional.layer_norm`; there `eps` is by default
    /// 1e-5). Weight and bias have that shape.
    ///
    /// # Panics
    /// For integers, and where shapes or dtypes do not fit.
    #[track_caller]
    pub fn layer_norm(
        &self,
        normalized_shape: impl IntoShape,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Tensor {
        let (name, shape) = ("layer_norm", normalized_shape.into_shape());
        check_input(name, self);
        assert!(
            !shape.is_empty() && self.shape().ends_with(&shape),
            "{name}: the input of shape {:?} does not end in the normalized shape {:?}",
            self.shape(),
            shape.as_slice()
        );
        check(name, "weight", self, weight, &shape);
        check(name, "bias", self, bias, &shape);
        let n: usize = shape.iter().product();
        let rows: usize = self.shape()[..self.ndim() - shape.len()].iter().product();
        let x = self.reshape_to(&[rows, n]);
        let (weight, bias) = (weight.map(|t| t.reshape_to(&[n])), bias.map(|t| t.reshape_to(&[n])));
        let (mut mean, mut rstd) = (statistic(self, rows), statistic(self, rows));
        let y = x.produce_like(name, x.shape(), x.dtype(), |k, out| {
            let forward = NormOp::Layer {
                x: x.as_view(),
                weight: weight.as_ref().map(|t| t.as_view()),
                bias: bias.as_ref().map(|t| t.as_view()),
                eps,
                mean: mean.as_view_mut(),
                rstd: rstd.as_view_mut(),
            };
            k.norm(forward, Some(out))
        });
        let normalised = Normalised { x, weight, mean, rstd, eps, kind: Kind::Layer };
        normalised.record(name, ok(y), bias.as_ref()).reshape_to(self.shape())
    }

    /// Batch norm while training: `(x − mean)/√(var + eps)·weight + bias` with mean and biased variance
    /// of each channel, over all but dimension 1. Gives the result, the mean and the biased variance (in
    /// f32 for f16 and bf16), from which a layer updates its running statistics.
    ///
    /// # Panics
    /// For integers, for a single value per channel, and where shapes or dtypes do not fit.
    #[track_caller]
    pub fn batch_norm_train(
        &self,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> (Tensor, Tensor, Tensor) {
        let name = "batch_norm";
        let x = self.channels(name);
        let c = x.shape()[1];
        assert!(
            x.shape()[0] * x.shape()[2] != 1,
            "{name}: expected more than one value per channel while training, got shape {:?}",
            self.shape()
        );
        check(name, "weight", self, weight, &[c]);
        check(name, "bias", self, bias, &[c]);
        let (mut mean, mut var) = (statistic(self, c), statistic(self, c));
        let backend = ok(self.device().backend().map_err(Error::kernel(name)));
        let stats = NormOp::BatchStats { x: x.as_view(), mean: mean.as_view_mut(), var: var.as_view_mut() };
        ok(backend.norm(stats, None).map_err(Error::kernel(name)));
        let (y, rstd) = x.batch_apply(&mean, &var, weight, bias, eps);
        let normalised =
            Normalised { x, weight: weight.cloned(), mean: mean.clone(), rstd, eps, kind: Kind::Batch };
        (normalised.record(name, y, bias).reshape_to(self.shape()), mean, var)
    }

    /// Batch norm with given statistics: `(x − mean)/√(var + eps)·weight + bias` per channel (dimension
    /// 1). Statistics have no gradient.
    ///
    /// # Panics
    /// For integers, where shapes or dtypes do not fit, and where a statistic requires grad.
    #[track_caller]
    pub fn batch_norm_eval(
        &self,
        mean: &Tensor,
        var: &Tensor,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Tensor {
        let name = "batch_norm";
        let x = self.channels(name);
        let c = [x.shape()[1]];
        for (what, t) in [("mean", Some(mean)), ("variance", Some(var)), ("weight", weight), ("bias", bias)] {
            check(name, what, self, t, &c);
        }
        let (y, rstd) = x.batch_apply(mean, var, weight, bias, eps);
        let mut y = op(name, y).no_rule(mean).no_rule(var).wrt(&x, || {
            let scale = weight.map(|w| w * &rstd).unwrap_or(rstd.clone());
            move |g: &Tensor| g * per_channel(&scale).to_dtype(g.dtype())
        });
        if let Some(w) = weight {
            y = y.wrt(w, || {
                let (x, mean, rstd) = (x.clone(), mean.clone(), rstd.clone());
                move |g: &Tensor| {
                    (g * ((&x - per_channel(&mean)) * per_channel(&rstd))).sum_dim([0, 2], false)
                }
            });
        }
        if let Some(b) = bias {
            y = y.wrt(b, || |g: &Tensor| g.sum_dim([0, 2], false));
        }
        y.done().reshape_to(self.shape())
    }

    /// The forward kernel of batch norm, and `1/√(var + eps)`; not recorded.
    #[track_caller]
    fn batch_apply(
        &self,
        mean: &Tensor,
        var: &Tensor,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> (Tensor, Tensor) {
        let rstd = (var.detach().to_dtype(DType::F64) + eps).rsqrt().to_dtype(self.dtype().compute());
        let y = self.produce_like("batch_norm", self.shape(), self.dtype(), |k, out| {
            let apply = NormOp::BatchApply {
                x: self.as_view(),
                mean: mean.as_view(),
                rstd: rstd.as_view(),
                weight: weight.map(|t| t.as_view()),
                bias: bias.map(|t| t.as_view()),
            };
            k.norm(apply, Some(out))
        });
        (ok(y), rstd)
    }

    /// Channels (dimension 1) in groups, each normalised over the group's channels and all later
    /// dimensions (`torch.nn.functional.group_norm`). Weight and bias are `[channels]`.
    ///
    /// # Panics
    /// For integers, where the channels do not divide into the groups, and where shapes or dtypes do not fit.
    #[track_caller]
    pub fn group_norm(
        &self,
        groups: usize,
        weight: Option<&Tensor>,
        bias: Option<&Tensor>,
        eps: f64,
    ) -> Tensor {
        let name = "group_norm";
        let x = self.channels(name);
        let (n, c) = (x.shape()[0], x.shape()[1]);
        assert!(
            groups > 0 && c.is_multiple_of(groups),
            "{name}: {c} channels do not divide into {groups} groups"
        );
        check(name, "weight", self, weight, &[c]);
        check(name, "bias", self, bias, &[c]);
        let per_group = c / groups * x.shape()[2];
        let mut y = x
            .reshape_to(&[n * groups, per_group])
            .layer_norm(per_group, None, None, eps)
            .reshape_to(x.shape());
        if let Some(w) = weight {
            y *= per_channel(w).to_dtype(self.dtype());
        }
        if let Some(b) = bias {
            y += per_channel(b).to_dtype(self.dtype());
        }
        y.reshape_to(self.shape())
    }
}
