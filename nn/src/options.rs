//! How layers and losses take their options: one macro writes `new`, `builder`, a setter for each
//! option and `build`.

use taper_tensor::{IntoPair, Padding, Tensor};

/// What a setter is given, as what the option holds.
pub(crate) trait Convert<T> {
    fn convert(self) -> T;
}
impl<P: IntoPair> Convert<[usize; 2]> for P {
    fn convert(self) -> [usize; 2] {
        self.into_pair()
    }
}
impl<P: IntoPair> Convert<Option<[usize; 2]>> for P {
    fn convert(self) -> Option<[usize; 2]> {
        Some(self.into_pair())
    }
}
macro_rules! convert_by_into {
    ($($t:ty),*) => { $(
        impl<P: Into<$t>> Convert<$t> for P {
            fn convert(self) -> $t { self.into() }
        }
    )* };
}
convert_by_into!(Padding, Option<f64>, Option<isize>, Option<usize>, Option<Tensor>);

/// `builder! { Options => Layer (required: T, …) { option: T = default, … } }`. A type may be followed
/// by `as impl Trait`: what the function takes, [`Convert`]ed. The layer must have a function
/// `from_options(Options) -> Layer`.
macro_rules! builder {
    ($options:ident => $layer:ident ($($arg:ident: $at:ty $(as $afrom:ty)?),*) {
        $($(#[$doc:meta])* $field:ident: $t:ty $(as $from:ty)? = $default:expr,)*
    }) => {
        #[doc = concat!("Options of [`", stringify!($layer), "`]: PyTorch's defaults unless set. Made by [`", stringify!($layer), "::builder`].")]
        #[derive(Clone, Debug)]
        pub struct $options { $(pub(crate) $arg: $at,)* $(pub(crate) $field: $t,)* }

        impl $layer {
            /// With PyTorch's defaults.
            #[track_caller]
            pub fn new($($arg: $crate::options::builder!(@arg $at $(as $afrom)?)),*) -> Self {
                Self::builder($($arg),*).build()
            }
            /// Starts with PyTorch's defaults; set options and call `build`.
            #[allow(clippy::needless_update)]
            pub fn builder($($arg: $crate::options::builder!(@arg $at $(as $afrom)?)),*) -> $options {
                $options {
                    $($arg: $crate::options::builder!(@take $arg $at $(as $afrom)?),)*
                    $($field: $default,)*
                }
            }
        }
        impl $options {
            $(
                $(#[$doc])*
                pub fn $field(mut self, $field: $crate::options::builder!(@arg $t $(as $from)?)) -> Self {
                    self.$field = $crate::options::builder!(@take $field $t $(as $from)?);
                    self
                }
            )*
            /// Makes it.
            #[track_caller]
            pub fn build(self) -> $layer {
                $layer::from_options(self)
            }
        }
        $crate::options::builder!(@default $layer ($($arg)*));
    };
    (@arg $t:ty) => { $t };
    (@arg $t:ty as $from:ty) => { $from };
    (@take $v:ident $t:ty) => { $v };
    (@take $v:ident $t:ty as $from:ty) => { $crate::options::Convert::<$t>::convert($v) };
    (@default $layer:ident ()) => {
        impl Default for $layer {
            fn default() -> Self { Self::new() }
        }
    };
    (@default $layer:ident ($($arg:ident)+)) => {};
}
pub(crate) use builder;
