//! The computations of layers and losses as functions (`torch.nn.functional`); layers call these.
//!
//! PyTorch's optional arguments are given in order, or, where there are many, as the options of the
//! module of that name: [`cross_entropy`] and [`cross_entropy_with`].

mod activation;
mod attention;
mod loss;
mod pool;

pub use activation::*;
pub use attention::*;
pub use loss::*;
pub use pool::*;

use taper_tensor::{AsTensor, ConvOptions, ConvTransposeOptions, IntoShape, Tensor};

/// An optional argument's tensor.
macro_rules! optional {
    ($t:ident) => {
        $t.map(|t| t.as_tensor()).as_deref()
    };
}

/// `x·weightᵀ + bias`: `[…, in]` to `[…, out]`, with a weight `[out, in]` and a bias `[out]`.
#[track_caller]
pub fn linear<P: AsTensor>(x: &Tensor, weight: impl AsTensor, bias: Option<&P>) -> Tensor {
    x.linear(weight, optional!(bias))
}

/// Convolution of `[batch, channels, length]` with a weight `[out, channels/groups, kernel]`; of the
/// options' pairs the last number counts.
#[track_caller]
pub fn conv1d<P: AsTensor>(
    x: &Tensor,
    weight: impl AsTensor,
    bias: Option<&P>,
    options: ConvOptions,
) -> Tensor {
    x.conv1d(weight, optional!(bias), options)
}

/// Transposed convolution of `[batch, channels, length]` with a weight `[channels, out/groups, kernel]`; of
/// the options' pairs the last number counts.
#[track_caller]
pub fn conv_transpose1d<P: AsTensor>(
    x: &Tensor,
    weight: impl AsTensor,
    bias: Option<&P>,
    options: ConvTransposeOptions,
) -> Tensor {
    x.conv_transpose1d(weight, optional!(bias), options)
}

/// Transposed convolution of `[batch, channels, height, width]` with a weight
/// `[channels, out/groups, kernel height, kernel width]`.
#[track_caller]
pub fn conv_transpose2d<P: AsTensor>(
    x: &Tensor,
    weight: impl AsTensor,
    bias: Option<&P>,
    options: ConvTransposeOptions,
) -> Tensor {
    x.conv_transpose2d(weight, optional!(bias), options)
}

/// Convolution of `[batch, channels, height, width]` with a weight
/// `[out, channels/groups, kernel height, kernel width]`.
#[track_caller]
pub fn conv2d<P: AsTensor>(
    x: &Tensor,
    weight: impl AsTensor,
    bias: Option<&P>,
    options: ConvOptions,
) -> Tensor {
    x.conv2d(weight, optional!(bias), options)
}

macro_rules! dropouts {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(x: &Tensor, p: f64, training: bool) -> Tensor {
            x.$name(p, training)
        }
    )* };
}
dropouts! {
    /// Each element becomes 0 with probability `p` while training, the others grow by `1/(1 − p)`.
    dropout;
    /// [`dropout`] of whole channels of `[batch, channels, length]`, or without batch.
    dropout1d;
    /// [`dropout`] of whole channels of `[batch, channels, height, width]`.
    dropout2d;
    /// [`dropout`] of whole channels of `[batch, channels, depth, height, width]`, or without batch.
    dropout3d;
    /// While training, elements take with probability `p` the value that SELU tends to for large negative
    /// numbers; all are scaled and moved so that mean 0 and variance 1 stay.
    alpha_dropout;
    /// [`alpha_dropout`] of whole channels of `[batch, channels, …]`.
    feature_alpha_dropout;
}

/// Rows of `weight` at the positions in `index`; the row `padding_idx` gets no gradient.
#[track_caller]
pub fn embedding(index: &Tensor, weight: impl AsTensor, padding_idx: impl Into<Option<isize>>) -> Tensor {
    Tensor::embedding(index, &weight.as_tensor(), padding_idx)
}

/// `(x − mean)/√(var + eps)·weight + bias` over the last dimensions, whose sizes are `normalized_shape`.
#[track_caller]
pub fn layer_norm<P: AsTensor>(
    x: &Tensor,
    normalized_shape: impl IntoShape,
    weight: Option<&P>,
    bias: Option<&P>,
    eps: f64,
) -> Tensor {
    x.layer_norm(normalized_shape, optional!(weight), optional!(bias), eps)
}

/// `[…, classes]` of zeros with a 1 at each class, i64.
#[track_caller]
pub fn one_hot(classes: &Tensor, num_classes: impl Into<Option<usize>>) -> Tensor {
    classes.one_hot(num_classes)
}
