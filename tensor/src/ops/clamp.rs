//! Elements limited to a range.

use crate::operand::{Operand, result_type};
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::{Scalar, UnaryOp};

impl Tensor {
    /// Each element limited to `[min, max]`. The gradient passes strictly between
    /// them and is 0 at them, as in PyTorch.
    ///
    /// # Panics
    /// Where neither bound is given.
    #[track_caller]
    pub fn clamp(&self, min: impl Into<Option<f64>>, max: impl Into<Option<f64>>) -> Tensor {
        let (min, max): (Option<f64>, Option<f64>) = (min.into(), max.into());
        assert!(min.is_some() || max.is_some(), "clamp: at least one of min and max must be given");
        let kernel = UnaryOp::Clamp { lo: min.map(Scalar::Float), hi: max.map(Scalar::Float) };
        // Integers with fractional bounds become floats, as in type promotion.
        let whole = |b: Option<f64>| b.is_none_or(|v| v.fract() == 0.0 && v.is_finite());
        let (y, x) = self.unary("clamp", kernel, !(whole(min) && whole(max)));
        let rule = || {
            let x = x.clone();
            move |g: &Tensor| {
                let inside = match (min, max) {
                    (Some(lo), Some(hi)) => x.gt(lo) & x.lt(hi),
                    (Some(lo), None) => x.gt(lo),
                    (_, Some(hi)) => x.lt(hi),
                    (None, None) => unreachable!("checked above"),
                };
                g * inside.to_dtype(g.dtype())
            }
        };
        op("clamp", y).wrt(&x, rule).done()
    }

    /// Each element limited to `[min, max]`, bounds that are tensors and broadcast (`torch.clamp` with tensors);
    /// `max` where `min > max`. NaN of any of them gives NaN.
    ///
    /// The gradient goes to whoever the result is: at a bound, half to the element and half to the bound; where
    /// `min > max`, to `max`; beside NaN, to the element.
    ///
    /// # Panics
    /// Where neither bound is given, or shapes do not broadcast.
    #[track_caller]
    pub fn clamp_tensor<'a>(
        &self,
        min: impl Into<Option<&'a Tensor>>,
        max: impl Into<Option<&'a Tensor>>,
    ) -> Tensor {
        let (low, high) = match (min.into(), max.into()) {
            (Some(low), Some(high)) => (low, high),
            (Some(low), None) => return self.maximum(low),
            (None, Some(high)) => return self.minimum(high),
            (None, None) => panic!("clamp_tensor: at least one of min and max must be given"),
        };
        let meet =
            |dtype, t: &Tensor| result_type(&Operand::Tensor(Tensor::zeros_with([1], dtype)), &t.into());
        let dtype = meet(meet(self.dtype(), low), high);
        let [x, low, high] = [self, low, high].map(|t| t.to_dtype(dtype));
        let y = x.detach().maximum(low.detach()).minimum(high.detach());
        let values = [&x, &low, &high].map(Tensor::detach);
        // How much of the gradient goes to the lower bound, and to the upper one.
        let shares = move |g: &Tensor| {
            let [x, low, high] = &values;
            let number = |t: Tensor| t.to_dtype(g.dtype());
            let (apart, ordered) = (low.lt(high), low.le(high));
            let to_low = number(x.lt(low) & &ordered) + number(x.eq(low) & &apart) * 0.5;
            let beyond = (x.gt(high) & &ordered) | (low.gt(high) & x.eq(x));
            let to_high = number(beyond) + number(x.eq(high) & &apart) * 0.5;
            [to_low, to_high]
        };
        let (for_low, for_high) = (shares.clone(), shares.clone());
        op("clamp_tensor", y)
            .wrt(&x, || {
                move |g: &Tensor| {
                    let [low, high] = shares(g);
                    g * (1.0 - low - high)
                }
            })
            .wrt(&low, || move |g: &Tensor| g * &for_low(g)[0])
            .wrt(&high, || move |g: &Tensor| g * &for_high(g)[1])
            .done()
    }
}
