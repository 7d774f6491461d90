//! Dropout: of elements and of whole channels, with zeros or with what keeps SELU's statistics.

use super::Generator;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::RandomOp;

/// What SELU tends to for large negative numbers, negated.
const ALPHA: f64 = 1.758_099_340_847_376_6;

/// What stands in the place of dropped elements.
#[derive(Clone, Copy, PartialEq)]
enum Instead {
    /// 0; others grow.
    Zero,
    /// −ALPHA, then all are scaled and moved so that mean 0 and variance 1 stay.
    Alpha,
}

impl Tensor {
    /// Drops with probability `p` whatever one draw of the mask stands for; the mask has this tensor's
    /// shape, or with `channels` one element for the first two dimensions each.
    #[track_caller]
    fn drop_out(
        &self,
        name: &'static str,
        p: f64,
        training: bool,
        channels: bool,
        instead: Instead,
        generator: Option<&mut Generator>,
    ) -> Tensor {
        assert!((0.0..=1.0).contains(&p), "{name}: expected a probability from 0 to 1, got {p}");
        assert!(self.dtype().is_float(), "{name}: expected a floating-point tensor, got {}", self.dtype());
        if !training || p == 0.0 || self.numel() == 0 {
            return self.clone();
        }
        if p == 1.0 {
            return self * 0.0;
        }
        // Other kinds take PyTorch's `bernoulli_`.
        let keep = match (channels, instead) {
            (false, Instead::Zero) => RandomOp::Keep { p: 1.0 - p },
            _ => RandomOp::Bernoulli { p: 1.0 - p },
        };
        let mut mask = if channels {
            let shape: Vec<usize> =
                self.shape().iter().enumerate().map(|(d, &n)| if d < 2 { n } else { 1 }).collect();
            Tensor::empty_with(shape, self).drawn_like(name, keep, generator)
        } else {
            self.drawn_like(name, keep, generator)
        };
        let y = match instead {
            Instead::Zero => {
                mask.div_(1.0 - p);
                self.detach() * &mask
            }
            Instead::Alpha => {
                let a = 1.0 / ((ALPHA * ALPHA * p + 1.0) * (1.0 - p)).sqrt();
                let mut shift = &mask - 1.0;
                shift.mul_(ALPHA * a).add_(ALPHA * a * p);
                mask.mul_(a);
                self.detach() * &mask + shift
            }
        };
        op(name, y).wrt(self, || move |g: &Tensor| g * &mask).done()
    }
}

/// Makes `name(p, training)` and `name_with(p, training, generator)`.
macro_rules! dropouts {
    ($($(#[$doc:meta])* $name:ident $with:ident, |$x:ident, $p:ident, $training:ident, $g:ident| $body:expr;)*) => {
        impl Tensor { $(
            $(#[$doc])*
            ///
            /// # Panics
            /// Where `p` is no probability, for integers, and for numbers of dimensions that do not fit.
            #[track_caller]
            pub fn $name(&self, p: f64, training: bool) -> Tensor {
                self.$with(p, training, None)
            }
            #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), ") with a generator (`None` is the global one).")]
            #[track_caller]
            pub fn $with(&self, $p: f64, $training: bool, $g: Option<&mut Generator>) -> Tensor {
                let $x = self;
                $body
            }
        )* }
    };
}
dropouts! {
    /// While training, each element becomes 0 with probability `p`, and the others grow by `1/(1 − p)`
    /// so that the mean stays (`torch.nn.functional.dropout`). Otherwise, and for `p = 0`, the tensor
    /// itself; nothing is drawn then.
    ///
    /// Masks are PyTorch's on ARM and AMD processors; on Intel's, PyTorch draws them by MKL.
    dropout dropout_with, |x, p, training, g| x.drop_out("dropout", p, training, false, Instead::Zero, g);

    /// [`dropout`](Self::dropout) of whole channels of `[batch, channels, length]`, or without the batch
    /// (`torch.nn.functional.dropout1d`): one draw for each channel.
    dropout1d dropout1d_with, |x, p, training, g| x.drop_channels("dropout1d", 1, p, training, g);

    /// [`dropout`](Self::dropout) of whole channels of `[batch, channels, height, width]`
    /// (`torch.nn.functional.dropout2d`): one draw for each channel. Three dimensions are
    /// `[batch, channels, length]`, as in PyTorch.
    dropout2d dropout2d_with, |x, p, training, g| x.drop_channels("dropout2d", 2, p, training, g);

    /// [`dropout`](Self::dropout) of whole channels of `[batch, channels, depth, height, width]`, or without
    /// the batch (`torch.nn.functional.dropout3d`): one draw for each channel.
    dropout3d dropout3d_with, |x, p, training, g| x.drop_channels("dropout3d", 3, p, training, g);

    /// Dropout for networks of SELU (`torch.nn.functional.alpha_dropout`): dropped elements take the value
    /// that SELU tends to for large negative numbers, and all are scaled and moved, so that mean 0 and
    /// variance 1 stay. `p = 1` gives zeros.
    ///
    /// Source: Klambauer et al., *Self-Normalizing Neural Networks*, 2017.
    alpha_dropout alpha_dropout_with, |x, p, training, g| {
        x.drop_out("alpha_dropout", p, training, false, Instead::Alpha, g)
    };

    /// [`alpha_dropout`](Self::alpha_dropout) of whole channels: the first two dimensions are batch and
    /// channels (`torch.nn.functional.feature_alpha_dropout`).
    feature_alpha_dropout feature_alpha_dropout_with, |x, p, training, g| {
        x.check_channels("feature_alpha_dropout");
        x.drop_out("feature_alpha_dropout", p, training, true, Instead::Alpha, g)
    };
}

impl Tensor {
    #[track_caller]
    fn check_channels(&self, name: &str) {
        assert!(
            self.ndim() >= 2,
            "{name}: expected batch and channels as the first dimensions, got shape {:?}",
            self.shape()
        );
    }

    #[track_caller]
    fn drop_channels(
        &self,
        name: &'static str,
        spatial: usize,
        p: f64,
        training: bool,
        generator: Option<&mut Generator>,
    ) -> Tensor {
        let dims = spatial + 2;
        assert!(
            (dims - 1..=dims).contains(&self.ndim()),
            "{name}: expected {} or {dims} dimensions, got shape {:?}",
            dims - 1,
            self.shape()
        );
        // PyTorch takes three dimensions of dropout2d for a batch of sequences.
        if self.ndim() == dims || spatial == 2 {
            return self.drop_out(name, p, training, true, Instead::Zero, generator);
        }
        self.unsqueeze(0).drop_out(name, p, training, true, Instead::Zero, generator).squeeze(0)
    }
}
