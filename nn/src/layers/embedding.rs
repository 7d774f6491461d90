//! Vectors for words.

use super::forward;
use crate::functional as F;
use crate::options::builder;
use crate::parameter::Parameter;
use taper_nn_derive::Module;
use taper_tensor::Tensor;

/// A trained vector for each of `num_embeddings` positions: i64 `[…]` to `[…, embedding_dim]`. The weight
/// `[num_embeddings, embedding_dim]` starts normal.
#[derive(Module, Debug)]
#[module(extra_repr = Embedding::extra)]
pub struct Embedding {
    /// `[num_embeddings, embedding_dim]`.
    pub weight: Parameter,
    #[module(skip)]
    padding_idx: Option<isize>,
}

builder! {
    EmbeddingOptions => Embedding(num_embeddings: usize, embedding_dim: usize) {
        /// The row for padding: zero at the beginning and without gradient; negative counts from the end.
        padding_idx: Option<isize> as impl Into<Option<isize>> = None,
    }
}

impl Embedding {
    #[track_caller]
    fn from_options(o: EmbeddingOptions) -> Self {
        let rows = o.num_embeddings as isize;
        let padding_idx = o.padding_idx.map(|p| {
            assert!((-rows..rows).contains(&p), "Embedding: padding_idx {p} is out of range for {rows} rows");
            p.rem_euclid(rows)
        });
        let mut weight = Tensor::randn([o.num_embeddings, o.embedding_dim]);
        if let Some(p) = padding_idx {
            weight.set(p, 0.0);
        }
        Embedding { weight: Parameter::new(weight), padding_idx }
    }

    fn extra(&self) -> String {
        let shape = self.weight.shape();
        let padding = self.padding_idx.map(|p| format!(", padding_idx={p}")).unwrap_or_default();
        format!("{}, {}{padding}", shape[0], shape[1])
    }

    fn misfit(&self, x: &Tensor) -> Result<(), String> {
        if x.dtype().is_int() {
            return Ok(());
        }
        Err(format!("{self}: expected positions (int64), got {} of shape {:?}", x.dtype(), x.shape()))
    }
}
forward! { Embedding, check |self, x| self.misfit(x), |self, x| F::embedding(x, &self.weight, self.padding_idx) }
