//! Dropout.

use super::Generator;
use crate::tensor::Tensor;
use taper_autograd::op;
use taper_kernels::RandomOp;

impl Tensor {
    /// While training, each element becomes 0 with probability `p`, and the others grow by `1/(1 − p)`
    /// so that the mean stays (`torch.nn.functional.dropout`). Otherwise, and for `p = 0`, the tensor
    /// itself; nothing is drawn then.
    ///
    /// Masks are PyTorch's on ARM and AMD processors; on Intel's, PyTorch draws them by MKL.
    ///
    /// # Panics
    /// Where `p` is no probability.
    #[track_caller]
    pub fn dropout(&self, p: f64, training: bool) -> Tensor {
        self.dropout_with(p, training, None)
    }

    /// As [`dropout`](Self::dropout) with a generator.
    #[track_caller]
    pub fn dropout_with(&self, p: f64, training: bool, generator: Option<&mut Generator>) -> Tensor {
        assert!((0.0..=1.0).contains(&p), "dropout: expected a probability from 0 to 1, got {p}");
        if !training || p == 0.0 || self.numel() == 0 {
            return self.clone();
        }
        if p == 1.0 {
            return self * 0.0;
        }
        let mut mask = self.drawn_like("dropout", RandomOp::Bernoulli { p: 1.0 - p }, generator);
        mask.div_(1.0 - p);
        op("dropout", self.detach() * &mask).wrt(self, || move |g: &Tensor| g * &mask).done()
    }
}
