//! Pooling layers.

use super::plain_layer;
use crate::functional as F;
use crate::python::{option, pair, truth, tuple};
use taper_tensor::{IntoPair, PoolOptions};

plain_layer! {
    /// Largest of each window of `[batch, channels, height, width]` (or without batch).
    MaxPool2d, MaxPool2dOptions (kernel_size: [usize; 2] as impl IntoPair) {
        /// Steps of the window; its size by default.
        stride: Option<[usize; 2]> as impl IntoPair = None,
        /// Border of −∞ on each side; 0 by default.
        padding: [usize; 2] as impl IntoPair = [0, 0],
        /// Distance of the window's taps; 1 by default.
        dilation: [usize; 2] as impl IntoPair = [1, 1],
        /// Whether the output's size is rounded up; false by default.
        ceil_mode: bool = false,
    }
    repr |o| format!(
        "kernel_size={}, stride={}, padding={}, dilation={}, ceil_mode={}",
        pair(o.kernel_size), pair(o.stride.unwrap_or(o.kernel_size)), pair(o.padding), pair(o.dilation), truth(o.ceil_mode)
    );
    |x, o| F::max_pool2d(x, PoolOptions::new(o.kernel_size)
        .stride(o.stride.unwrap_or(o.kernel_size)).padding(o.padding).dilation(o.dilation).ceil_mode(o.ceil_mode))
}

plain_layer! {
    /// Largest of each window of `[batch, channels, length]` (or without batch).
    MaxPool1d, MaxPool1dOptions (kernel_size: usize) {
        /// Steps of the window; its size by default.
        stride: Option<usize> as impl Into<Option<usize>> = None,
        /// Border of −∞ on each side; 0 by default.
        padding: usize = 0,
        /// Distance of the window's taps; 1 by default.
        dilation: usize = 1,
        /// Whether the output's size is rounded up; false by default.
        ceil_mode: bool = false,
    }
    repr |o| format!(
        "kernel_size={}, stride={}, padding={}, dilation={}, ceil_mode={}",
        o.kernel_size, o.stride.unwrap_or(o.kernel_size), o.padding, o.dilation, truth(o.ceil_mode)
    );
    |x, o| F::max_pool1d(x, PoolOptions::new(o.kernel_size)
        .stride(o.stride.unwrap_or(o.kernel_size)).padding(o.padding).dilation(o.dilation).ceil_mode(o.ceil_mode))
}

plain_layer! {
    /// Mean of each window of `[batch, channels, height, width]` (or without batch).
    AvgPool2d, AvgPool2dOptions (kernel_size: [usize; 2] as impl IntoPair) {
        /// Steps of the window; its size by default.
        stride: Option<[usize; 2]> as impl IntoPair = None,
        /// Border of zeros on each side; 0 by default.
        padding: [usize; 2] as impl IntoPair = [0, 0],
        /// Whether the output's size is rounded up; false by default.
        ceil_mode: bool = false,
        /// Whether the border counts; true by default.
        count_include_pad: bool = true,
        /// What sums are divided by, instead of the number of elements.
        divisor_override: Option<usize> as impl Into<Option<usize>> = None,
    }
    repr |o| format!(
        "kernel_size={}, stride={}, padding={}",
        pair(o.kernel_size), pair(o.stride.unwrap_or(o.kernel_size)), pair(o.padding)
    );
    |x, o| {
        let window = PoolOptions::new(o.kernel_size).stride(o.stride.unwrap_or(o.kernel_size)).padding(o.padding)
            .ceil_mode(o.ceil_mode).count_include_pad(o.count_include_pad);
        match o.divisor_override {
            None => F::avg_pool2d(x, window),
            Some(divisor) => F::avg_pool2d_over(x, window, divisor),
        }
    }
}

plain_layer! {
    /// Mean of each window of `[batch, channels, length]` (or without batch).
    AvgPool1d, AvgPool1dOptions (kernel_size: usize) {
        /// Steps of the window; its size by default.
        stride: Option<usize> as impl Into<Option<usize>> = None,
        /// Border of zeros on each side; 0 by default.
        padding: usize = 0,
        /// Whether the output's size is rounded up; false by default.
        ceil_mode: bool = false,
        /// Whether the border counts; true by default.
        count_include_pad: bool = true,
    }
    repr |o| format!(
        "kernel_size={}, stride={}, padding={}",
        tuple(&[o.kernel_size]), tuple(&[o.stride.unwrap_or(o.kernel_size)]), tuple(&[o.padding])
    );
    |x, o| F::avg_pool1d(x, PoolOptions::new(o.kernel_size).stride(o.stride.unwrap_or(o.kernel_size))
        .padding(o.padding).ceil_mode(o.ceil_mode).count_include_pad(o.count_include_pad))
}

/// Sizes of an adaptive pooling's output: one for both, or (height, width); `None` keeps the input's.
pub trait IntoOutputSize {
    /// (height, width).
    fn into_output_size(self) -> [Option<usize>; 2];
}
macro_rules! output_size {
    ($($t:ty),*) => { $(
        impl IntoOutputSize for $t {
            fn into_output_size(self) -> [Option<usize>; 2] {
                self.into_pair().map(Some)
            }
        }
    )* };
}
output_size!(usize, [usize; 2], (usize, usize));
impl IntoOutputSize for (Option<usize>, Option<usize>) {
    fn into_output_size(self) -> [Option<usize>; 2] {
        [self.0, self.1]
    }
}
impl<P: IntoOutputSize> crate::options::Convert<[Option<usize>; 2]> for P {
    fn convert(self) -> [Option<usize>; 2] {
        self.into_output_size()
    }
}

plain_layer! {
    /// Means of near-equal cells of `[batch, channels, height, width]` (or without batch), as many as the
    /// output has places.
    AdaptiveAvgPool2d, AdaptiveAvgPool2dOptions (output_size: [Option<usize>; 2] as impl IntoOutputSize) {}
    repr |o| match o.output_size {
        [Some(a), Some(b)] => format!("output_size={}", pair([a, b])),
        size => {
            let [a, b] = size.map(|n| option(n.map(|n| n.to_string())));
            format!("output_size=({a}, {b})")
        }
    };
    |x, o| {
        let size = |d: usize| o.output_size[d].unwrap_or_else(|| x.size(d as isize - 2));
        F::adaptive_avg_pool2d(x, [size(0), size(1)])
    }
}

plain_layer! {
    /// Means of near-equal cells of `[batch, channels, length]` (or without batch).
    AdaptiveAvgPool1d, AdaptiveAvgPool1dOptions (output_size: usize) {}
    repr |o| format!("output_size={}", o.output_size);
    |x, o| F::adaptive_avg_pool1d(x, o.output_size)
}
