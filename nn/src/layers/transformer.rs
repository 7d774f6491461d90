//! The transformer's encoder layer.

use super::{AttentionOptions, Dropout, LayerNorm, Linear, MultiheadAttention};
use crate::functional as F;
use crate::module::Forward;
use crate::options::builder;
use crate::recorder::record;
use taper_nn_derive::Module;
use taper_tensor::Tensor;

/// The activation between the two dense layers of a [`TransformerEncoderLayer`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TransformerActivation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x·Φ(x)`.
    Gelu,
}

/// Self-attention, then two dense layers; each with a residual connection, a layer norm and dropout.
///
/// ```
/// use taper_nn::{Forward, TransformerEncoderLayer};
/// use taper_tensor::Tensor;
/// let layer = TransformerEncoderLayer::builder(8, 2).dim_feedforward(16).batch_first(true).build();
/// assert_eq!(layer.forward(&Tensor::randn([2, 5, 8])).shape(), [2, 5, 8]);
/// ```
#[derive(Module, Debug)]
pub struct TransformerEncoderLayer {
    /// The attention.
    pub self_attn: MultiheadAttention,
    /// `d_model` to `dim_feedforward`.
    pub linear1: Linear,
    dropout: Dropout,
    /// `dim_feedforward` to `d_model`.
    pub linear2: Linear,
    /// Of the attention.
    pub norm1: LayerNorm,
    /// Of the dense layers.
    pub norm2: LayerNorm,
    dropout1: Dropout,
    dropout2: Dropout,
    #[module(skip)]
    options: TransformerEncoderLayerOptions,
}

builder! {
    TransformerEncoderLayerOptions => TransformerEncoderLayer(d_model: usize, nhead: usize) {
        /// Width of the dense layers; 2048 by default.
        dim_feedforward: usize = 2048,
        /// Share that is dropped while training; 0.1 by default.
        dropout: f64 = 0.1,
        /// ReLU by default.
        activation: TransformerActivation = TransformerActivation::Relu,
        /// Added to variances; 1e-5 by default.
        layer_norm_eps: f64 = 1e-5,
        /// Whether the batch comes before the length; false by default.
        batch_first: bool = false,
        /// Whether norms come before attention and dense layers, instead of after; false by default.
        norm_first: bool = false,
        /// Whether dense layers and norms have a bias; true by default.
        bias: bool = true,
    }
}

impl TransformerEncoderLayer {
    #[track_caller]
    fn from_options(o: TransformerEncoderLayerOptions) -> Self {
        let norm = || LayerNorm::builder(o.d_model).eps(o.layer_norm_eps).bias(o.bias).build();
        let drop = || Dropout::new(o.dropout);
        TransformerEncoderLayer {
            self_attn: MultiheadAttention::builder(o.d_model, o.nhead)
                .dropout(o.dropout)
                .bias(o.bias)
                .batch_first(o.batch_first)
                .build(),
            linear1: Linear::builder(o.d_model, o.dim_feedforward).bias(o.bias).build(),
            dropout: drop(),
            linear2: Linear::builder(o.dim_feedforward, o.d_model).bias(o.bias).build(),
            norm1: norm(),
            norm2: norm(),
            dropout1: drop(),
            dropout2: drop(),
            options: o,
        }
    }

    /// The layer's output, where attention is masked as [`AttentionOptions`] say; the choice of weights in
    /// them is ignored.
    ///
    /// # Panics
    /// Where shapes do not fit.
    #[track_caller]
    pub fn forward_with(&self, x: &Tensor, masks: &AttentionOptions) -> Tensor {
        let y = if self.options.norm_first {
            let x = x + self.attend(&self.norm1.forward(x), masks);
            &x + self.feed(&self.norm2.forward(&x))
        } else {
            let x = self.norm1.forward(&(x + self.attend(x, masks)));
            self.norm2.forward(&(&x + self.feed(&x)))
        };
        record(self, &y);
        y
    }

    #[track_caller]
    fn attend(&self, x: &Tensor, masks: &AttentionOptions) -> Tensor {
        let options = masks.clone().need_weights(false);
        self.dropout1.forward(&self.self_attn.forward_with(x, x, x, &options).0)
    }

    #[track_caller]
    fn feed(&self, x: &Tensor) -> Tensor {
        let hidden = self.linear1.forward(x);
        let hidden = match self.options.activation {
            TransformerActivation::Relu => F::relu(&hidden),
            TransformerActivation::Gelu => F::gelu(&hidden),
        };
        self.dropout2.forward(&self.linear2.forward(&self.dropout.forward(&hidden)))
    }
}

impl Forward for TransformerEncoderLayer {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with(x, &AttentionOptions::default())
    }
}
