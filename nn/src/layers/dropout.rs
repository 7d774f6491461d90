//! Dropout, of elements and of channels.

use super::forward;
use crate::functional as F;
use crate::options::builder;
use crate::parameter::Training;
use crate::python::float;
use taper_nn_derive::Module;

macro_rules! dropouts {
    ($($(#[$doc:meta])* $layer:ident $options:ident $function:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Module, Debug)]
        #[module(extra_repr = $layer::extra)]
        pub struct $layer {
            p: f64,
            training: Training,
        }

        builder! {
            $options => $layer(p: f64) {}
        }

        impl $layer {
            #[track_caller]
            fn from_options(o: $options) -> Self {
                let name = stringify!($layer);
                assert!((0.0..=1.0).contains(&o.p), "{name}: expected a probability from 0 to 1, got {}", o.p);
                $layer { p: o.p, training: Training::new() }
            }
            fn extra(&self) -> String {
                format!("p={}, inplace=False", float(self.p))
            }
        }

        impl Default for $layer {
            /// PyTorch's: one half.
            fn default() -> Self {
                $layer::new(0.5)
            }
        }
        forward! { $layer, |self, x| F::$function(x, self.p, self.training.get()) }
    )* };
}
dropouts! {
    /// While training, each element becomes 0 with probability `p` and the others grow by `1/(1 − p)`; the
    /// input itself in evaluation. Masks are PyTorch's on AMD and ARM processors; on Intel's, PyTorch takes
    /// others from MKL.
    Dropout DropoutOptions dropout;

    /// [`Dropout`] of whole channels of `[batch, channels, length]`, or without batch.
    Dropout1d Dropout1dOptions dropout1d;

    /// [`Dropout`] of whole channels of `[batch, channels, height, width]`. Three dimensions are
    /// `[batch, channels, length]`, as in PyTorch.
    Dropout2d Dropout2dOptions dropout2d;

    /// [`Dropout`] of whole channels of `[batch, channels, depth, height, width]`, or without batch.
    Dropout3d Dropout3dOptions dropout3d;

    /// Dropout beside [`SELU`](crate::SELU): dropped elements take the value that it tends to for large
    /// negative numbers, and all are scaled and moved so that mean 0 and variance 1 stay.
    ///
    /// Source: Klambauer et al., *Self-Normalizing Neural Networks*, 2017.
    AlphaDropout AlphaDropoutOptions alpha_dropout;

    /// [`AlphaDropout`] of whole channels: the input is `[batch, channels, …]`.
    FeatureAlphaDropout FeatureAlphaDropoutOptions feature_alpha_dropout;
}
