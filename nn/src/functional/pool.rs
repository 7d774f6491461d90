//! Pooling.

use taper_tensor::{IntoPair, PoolOptions, Tensor};

/// Poolings that a tensor has as a method.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(x: &Tensor, options: impl Into<PoolOptions>) -> Tensor {
            x.$name(options)
        }
    )* };
}
methods! {
    /// Largest of each window of `[batch, channels, length]`.
    max_pool1d;
    /// Largest of each window of `[batch, channels, height, width]`.
    max_pool2d;
    /// Mean of each window of `[batch, channels, length]`.
    avg_pool1d;
    /// Mean of each window of `[batch, channels, height, width]`.
    avg_pool2d;
}

/// Means of near-equal cells of `[batch, channels, length]`.
#[track_caller]
pub fn adaptive_avg_pool1d(x: &Tensor, output: usize) -> Tensor {
    x.adaptive_avg_pool1d(output)
}

/// Means of near-equal cells of `[batch, channels, height, width]`.
#[track_caller]
pub fn adaptive_avg_pool2d(x: &Tensor, output: impl IntoPair) -> Tensor {
    x.adaptive_avg_pool2d(output)
}

/// Sum of each window divided by `divisor` (`avg_pool2d(divisor_override=…)`).
///
/// # Panics
/// Where the window does not fit, and for a divisor of 0.
#[track_caller]
pub fn avg_pool2d_over(x: &Tensor, options: impl Into<PoolOptions>, divisor: usize) -> Tensor {
    assert!(divisor > 0, "avg_pool2d: the divisor must not be 0");
    let o = options.into().count_include_pad(true);
    let y = x.avg_pool2d(o);
    // The number of places each mean was taken over: windows may reach over the padded input's end.
    let counts = |d: usize| -> Vec<f64> {
        let size = x.size(d as isize - 2) + 2 * o.padding[d];
        let windows = y.size(d as isize - 2);
        (0..windows).map(|i| o.kernel[d].min(size - i * o.stride[d]) as f64).collect()
    };
    let (rows, columns) = (counts(0), counts(1));
    let places: Vec<f64> =
        rows.iter().flat_map(|r| columns.iter().map(move |c| r * c / divisor as f64)).collect();
    let places = Tensor::from_vec(places, [rows.len(), columns.len()]);
    y * places.to_dtype(x.dtype()).to_device(x.device())
}
