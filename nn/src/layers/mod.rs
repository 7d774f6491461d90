//! Layers, one family to a file.

mod activation;
mod attention;
mod container;
mod conv;
mod conv_transpose;
mod dropout;
mod embedding;
mod linear;
mod norm;
mod pool;
mod recurrent;
mod shape;
mod transformer;

pub use activation::*;
pub use attention::*;
pub use container::*;
pub use conv::*;
pub use conv_transpose::*;
pub use dropout::*;
pub use embedding::*;
pub use linear::*;
pub use norm::*;
pub use pool::*;
pub use recurrent::*;
pub use shape::*;
pub use transformer::*;

/// `forward! { Layer |self, x| y }` implements `Forward` and lets a summary see the output. A check
/// `|self, x| result` before it says why an input does not fit.
macro_rules! forward {
    ($layer:ty $(, check |$cs:ident, $cx:ident| $check:expr)?, |$s:ident, $x:ident| $body:expr) => {
        impl $crate::Forward for $layer {
            #[track_caller]
            fn forward(&$s, $x: &taper_tensor::Tensor) -> taper_tensor::Tensor {
                if let Err(why) = $crate::Forward::check_input($s, $x) {
                    panic!("{why}");
                }
                let y = $body;
                $crate::recorder::record($s, &y);
                y
            }
            $(
                fn check_input(&$cs, $cx: &taper_tensor::Tensor) -> Result<(), String> {
                    $check
                }
            )?
        }
    };
}
pub(crate) use forward;

/// A layer without parameters: its struct, which holds the options, `new`, `builder` and `Forward`.
macro_rules! plain_layer {
    (
        $(#[$doc:meta])*
        $layer:ident, $options:ident ($($arg:ident: $at:ty $(as $afrom:ty)?),*) {
            $($(#[$fdoc:meta])* $field:ident: $t:ty $(as $from:ty)? = $default:expr,)*
        }
        repr |$o:ident| $repr:expr;
        |$x:ident, $fo:ident| $body:expr
    ) => {
        $(#[$doc])*
        #[derive(taper_nn_derive::Module, Clone, Debug)]
        #[module(extra_repr = $layer::extra)]
        pub struct $layer {
            #[module(skip)]
            options: $options,
            /// A layer without size would share its address with others, and a summary goes by address.
            _place: u8,
        }
        $crate::options::builder! {
            $options => $layer($($arg: $at $(as $afrom)?),*) {
                $($(#[$fdoc])* $field: $t $(as $from)? = $default,)*
            }
        }
        impl $layer {
            fn from_options(options: $options) -> Self {
                $layer { options, _place: 0 }
            }
            fn extra(&self) -> String {
                let $o = &self.options;
                let _ = $o;
                $repr
            }
        }
        $crate::layers::forward!($layer, |self, $x| {
            let $fo = &self.options;
            let _ = $fo;
            $body
        });
    };
}
pub(crate) use plain_layer;
