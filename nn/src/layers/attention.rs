//! Multi-head attention.

use super::Linear;
use crate::functional::{attend, later_keys, masked_out};
use crate::init::{xavier_uniform_, zeros_};
use crate::options::builder;
use crate::parameter::{Parameter, Training};
use crate::recorder::record;
use taper_nn_derive::Module;
use taper_tensor::{AsTensor, DType, Tensor};

/// Attention of several heads: each projects queries, keys and values to `embed_dim/num_heads` numbers and
/// attends by itself; a last projection joins them.
///
/// Inputs are `[length, batch, embed_dim]`, with `batch_first` `[batch, length, embed_dim]`, or
/// `[length, embed_dim]` without batch.
///
/// ```
/// use taper_nn::{AttentionOptions, MultiheadAttention};
/// use taper_tensor::Tensor;
/// let attention = MultiheadAttention::builder(8, 2).batch_first(true).build();
/// let x = Tensor::ones([1, 5, 8]);
/// let (y, weights) = attention.forward(&x, &x, &x);
/// assert_eq!((y.shape(), weights.unwrap().shape()), (&[1, 5, 8][..], &[1, 5, 5][..]));
/// let (y, _) = attention.forward_with(&x, &x, &x, &AttentionOptions::default().is_causal(true).need_weights(false));
/// assert_eq!(y.shape(), [1, 5, 8]);
/// ```
#[derive(Module, Debug)]
pub struct MultiheadAttention {
    /// `[3·embed_dim, embed_dim]`: the projections of queries, keys and values.
    pub in_proj_weight: Parameter,
    /// `[3·embed_dim]`.
    pub in_proj_bias: Option<Parameter>,
    /// The last projection.
    pub out_proj: Linear,
    #[module(skip)]
    options: MultiheadAttentionOptions,
    training: Training,
}

builder! {
    MultiheadAttentionOptions => MultiheadAttention(embed_dim: usize, num_heads: usize) {
        /// Share of the weights that is dropped while training; 0 by default.
        dropout: f64 = 0.0,
        /// Whether projections have a bias; true by default.
        bias: bool = true,
        /// Whether the batch comes before the length; false by default.
        batch_first: bool = false,
    }
}

/// How [`MultiheadAttention::forward_with`] attends.
#[derive(Clone, Debug)]
pub struct AttentionOptions {
    attn_mask: Option<Tensor>,
    key_padding_mask: Option<Tensor>,
    is_causal: bool,
    need_weights: bool,
    average_attn_weights: bool,
}

impl Default for AttentionOptions {
    /// Without masks; weights are given, averaged over the heads.
    fn default() -> Self {
        AttentionOptions {
            attn_mask: None,
            key_padding_mask: None,
            is_causal: false,
            need_weights: true,
            average_attn_weights: true,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($from:ty);)*) => {
        impl AttentionOptions { $(
            $(#[$doc])*
            pub fn $name(mut self, $name: $from) -> Self {
                self.$name = $name.into();
                self
            }
        )* }
    };
}
setters! {
    /// Bool, true where a query must not see a key, or numbers that are added: `[queries, keys]`, or
    /// `[batch·num_heads, queries, keys]`.
    attn_mask(impl Into<Option<Tensor>>);
    /// `[batch, keys]` (`[keys]` without batch): true for keys that are padding, or numbers that are added.
    key_padding_mask(impl Into<Option<Tensor>>);
    /// Whether a query sees only keys up to its own position. Beside an `attn_mask`, which then is taken to
    /// say so, it does nothing.
    is_causal(bool);
    /// Whether the weights are given back.
    need_weights(bool);
    /// Whether weights are averaged over the heads.
    average_attn_weights(bool);
}

impl MultiheadAttention {
    #[track_caller]
    fn from_options(o: MultiheadAttentionOptions) -> Self {
        let (e, heads) = (o.embed_dim, o.num_heads);
        assert!(
            heads > 0 && e.is_multiple_of(heads),
            "MultiheadAttention: an embedding of {e} does not divide into {heads} heads"
        );
        let out_proj = Linear::builder(e, e).bias(o.bias).build();
        let in_proj_weight = Parameter::new(Tensor::empty([3 * e, e]));
        xavier_uniform_(&in_proj_weight, 1.0);
        if let Some(b) = &out_proj.bias {
            zeros_(b);
        }
        let in_proj_bias = o.bias.then(|| Parameter::new(Tensor::zeros(3 * e)));
        MultiheadAttention { in_proj_weight, in_proj_bias, out_proj, options: o, training: Training::new() }
    }

    /// The result, in the query's form, and the weights `[batch, queries, keys]`, averaged over the heads.
    ///
    /// # Panics
    /// Where shapes do not fit.
    #[track_caller]
    pub fn forward(&self, query: &Tensor, key: &Tensor, value: &Tensor) -> (Tensor, Option<Tensor>) {
        self.forward_with(query, key, value, &AttentionOptions::default())
    }

    /// As [`forward`](Self::forward), with masks and the choice of weights (`[batch, heads, queries, keys]`
    /// where they are not averaged).
    ///
    /// # Panics
    /// Where shapes do not fit.
    #[track_caller]
    pub fn forward_with(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        options: &AttentionOptions,
    ) -> (Tensor, Option<Tensor>) {
        self.check(query, key, value);
        let (e, heads) = (self.options.embed_dim, self.options.num_heads);
        let single = query.ndim() == 2;
        // [batch, length, embed_dim] from here on.
        let batch_first = |x: &Tensor| match (single, self.options.batch_first) {
            (true, _) => x.unsqueeze(0),
            (false, true) => x.clone(),
            (false, false) => x.transpose(0, 1),
        };
        let inputs = [query, key, value].map(batch_first);
        let [n, l, s] = [inputs[0].size(0), inputs[0].size(1), inputs[1].size(1)];
        let weights = self.in_proj_weight.value().chunk(3, 0);
        let biases = self.in_proj_bias.as_ref().map(|b| b.value().chunk(3, 0));
        // [batch, heads, length, embed_dim/heads].
        let [q, k, v] = [0, 1, 2].map(|i| {
            let x = inputs[i].linear(&weights[i], biases.as_ref().map(|b| &b[i]));
            let x = x.reshape([n as isize, -1, heads as isize, (e / heads) as isize]);
            x.transpose(1, 2)
        });
        let bias = self.mask(&q, [n, l, s], options);
        let dropout = if self.training.get() { self.options.dropout } else { 0.0 };
        let (y, weights) = attend(&q, &k, &v, bias.as_ref(), dropout, (1.0 / (e / heads) as f64).sqrt());
        // The length comes first in memory, as in PyTorch: a dropout that follows draws in that order.
        let y = y.permute([2, 0, 1, 3]).reshape([l, n, e].as_slice());
        let y =
            y.linear(&self.out_proj.weight, self.out_proj.bias.as_ref().map(|b| b.as_tensor()).as_deref());
        let y = match (single, self.options.batch_first) {
            (true, _) => y.squeeze(1),
            (false, true) => y.transpose(0, 1),
            (false, false) => y,
        };
        record(self, &y);
        let weights = options.need_weights.then(|| {
            let w = if options.average_attn_weights { weights.mean_dim([1], false) } else { weights };
            if single { w.squeeze(0) } else { w }
        });
        (y, weights)
    }

    #[track_caller]
    fn check(&self, query: &Tensor, key: &Tensor, value: &Tensor) {
        let e = self.options.embed_dim;
        let batch_dim = if self.options.batch_first { 0 } else { 1 };
        let fits = (2..=3).contains(&query.ndim())
            && [query, key, value].iter().all(|x| x.ndim() == query.ndim() && x.size(-1) == e)
            && key.shape() == value.shape()
            && (query.ndim() == 2 || query.size(batch_dim) == key.size(batch_dim));
        assert!(
            fits,
            "MultiheadAttention(embed_dim={e}, batch_first={}): a query of shape {:?}, a key of shape {:?} and a value of \
             shape {:?} do not fit; expected {} with {e} features, and a key and a value of one shape",
            self.options.batch_first,
            query.shape(),
            key.shape(),
            value.shape(),
            if self.options.batch_first { "[batch, length, features]" } else { "[length, batch, features]" },
        );
    }

    /// Both masks as numbers to be added to the scores `[batch, heads, queries, keys]`.
    #[track_caller]
    fn mask(&self, like: &Tensor, [n, l, s]: [usize; 3], options: &AttentionOptions) -> Option<Tensor> {
        let heads = self.options.num_heads;
        let number = |m: &Tensor| if m.dtype() == DType::Bool { masked_out(m, like) } else { m.clone() };
        let attention = match &options.attn_mask {
            Some(m) if m.shape() == [l, s] => Some(number(m)),
            Some(m) if m.shape() == [n * heads, l, s] => Some(number(m).reshape([n, heads, l, s].as_slice())),
            Some(m) => panic!(
                "MultiheadAttention: expected an attn_mask of shape {:?} or {:?}, got {:?}",
                [l, s],
                [n * heads, l, s],
                m.shape()
            ),
            None if options.is_causal => Some(masked_out(&later_keys(l, s, like), like)),
            None => None,
        };
        let padding = options.key_padding_mask.as_ref().map(|m| {
            let fits = m.shape() == [n, s] || (n == 1 && m.shape() == [s]);
            assert!(
                fits,
                "MultiheadAttention: expected a key_padding_mask of shape {:?}, got {:?}",
                [n, s],
                m.shape()
            );
            number(m).reshape([n, 1, 1, s].as_slice())
        });
        match (attention, padding) {
            (Some(a), Some(p)) => Some(a + p),
            (a, p) => a.or(p),
        }
    }
}
