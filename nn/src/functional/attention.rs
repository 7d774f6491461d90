//! Attention.

use taper_tensor::{DType, Tensor};

/// `softmax(q·kᵀ·scale + mask)·v` for queries `[…, L, E]`, keys `[…, S, E]` and values `[…, S, F]`: the
/// result is `[…, L, F]` (`torch.nn.functional.scaled_dot_product_attention`).
///
/// A bool mask says which keys take part, one of floats is added; it broadcasts to `[…, L, S]`. With
/// `is_causal` a query sees the keys up to its own position only. `dropout_p` drops weights, whatever the
/// mode: pass 0 outside of training. The scale is `1/√E` unless given.
///
/// # Panics
/// Where shapes do not fit, and for a mask together with `is_causal`.
#[track_caller]
pub fn scaled_dot_product_attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    mask: Option<&Tensor>,
    dropout_p: f64,
    is_causal: bool,
    scale: Option<f64>,
) -> Tensor {
    let name = "scaled_dot_product_attention";
    for (what, t) in [("query", query), ("key", key), ("value", value)] {
        assert!(
            t.ndim() >= 2,
            "{name}: expected a {what} of at least 2 dimensions, got shape {:?}",
            t.shape()
        );
    }
    assert!(
        query.size(-1) == key.size(-1) && key.size(-2) == value.size(-2),
        "{name}: a query of shape {:?}, a key of shape {:?} and a value of shape {:?} do not fit: queries and keys \
         must agree in their last dimension, keys and values in the one before",
        query.shape(),
        key.shape(),
        value.shape()
    );
    assert!(mask.is_none() || !is_causal, "{name}: a mask and is_causal exclude each other");
    let causal = is_causal.then(|| later_keys(query.size(-2), key.size(-2), query));
    let bias = match (mask, &causal) {
        (Some(m), _) if m.dtype() == DType::Bool => Some(masked_out(&m.logical_not(), query)),
        (Some(m), _) => Some(m.clone()),
        (None, Some(later)) => Some(masked_out(later, query)),
        (None, None) => None,
    };
    let scale = scale.unwrap_or(1.0 / (query.size(-1) as f64).sqrt());
    attend(query, key, value, bias.as_ref(), dropout_p, scale).0
}

/// The result and the weights `[…, L, S]`; `bias` is added to the scores.
#[track_caller]
pub(crate) fn attend(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    bias: Option<&Tensor>,
    dropout_p: f64,
    scale: f64,
) -> (Tensor, Tensor) {
    let scores = (query * scale).matmul(key.mt());
    let scores = match bias {
        Some(b) => scores + b,
        None => scores,
    };
    let weights = scores.softmax(-1).dropout(dropout_p, true);
    (weights.matmul(value), weights)
}

/// Where a query at position `i` must not see the key at position `j > i`; bool `[queries, keys]`.
pub(crate) fn later_keys(queries: usize, keys: usize, like: &Tensor) -> Tensor {
    Tensor::ones_with([queries, keys], (DType::Bool, like.device())).triu(1)
}

/// −∞ where `mask` holds, else 0, in another tensor's dtype.
pub(crate) fn masked_out(mask: &Tensor, like: &Tensor) -> Tensor {
    Tensor::zeros_with(mask.shape(), like).masked_fill(mask, f64::NEG_INFINITY)
}
