//! How convolutions and pooling step over their input.

/// One number for both directions, or (height, width).
pub trait IntoPair {
    /// (height, width).
    fn into_pair(self) -> [usize; 2];
}
impl IntoPair for usize {
    fn into_pair(self) -> [usize; 2] {
        [self, self]
    }
}
impl IntoPair for [usize; 2] {
    fn into_pair(self) -> [usize; 2] {
        self
    }
}
impl IntoPair for (usize, usize) {
    fn into_pair(self) -> [usize; 2] {
        [self.0, self.1]
    }
}

/// Zeros around the input of a convolution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Padding {
    /// As many on each side of the (height, width).
    Zeros([usize; 2]),
    /// As many as give the output the input's size (`padding="same"`); the stride must be 1. An odd
    /// number has its last zero at the end.
    Same,
}
impl<P: IntoPair> From<P> for Padding {
    fn from(p: P) -> Self {
        Padding::Zeros(p.into_pair())
    }
}

/// Stride 1, no padding, dilation 1, one group, unless set otherwise. In one dimension the last number
/// of each pair counts.
///
/// ```
/// use taper_tensor::{ConvOptions, Tensor};
/// let (x, w) = (Tensor::ones([1, 3, 8, 8]), Tensor::ones([4, 3, 3, 3]));
/// assert_eq!(x.conv2d(&w, None, ConvOptions::default().stride(2).padding(1)).shape(), [1, 4, 4, 4]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConvOptions {
    /// Steps of the kernel.
    pub stride: [usize; 2],
    /// Zeros on each side.
    pub padding: Padding,
    /// Distance of the kernel's taps.
    pub dilation: [usize; 2],
    /// Channel groups that do not see each other.
    pub groups: usize,
}

impl Default for ConvOptions {
    fn default() -> Self {
        ConvOptions { stride: [1, 1], padding: Padding::Zeros([0, 0]), dilation: [1, 1], groups: 1 }
    }
}

impl ConvOptions {
    /// Sets the stride.
    pub fn stride(self, stride: impl IntoPair) -> Self {
        ConvOptions { stride: stride.into_pair(), ..self }
    }
    /// Sets the padding.
    pub fn padding(self, padding: impl Into<Padding>) -> Self {
        ConvOptions { padding: padding.into(), ..self }
    }
    /// Sets the dilation.
    pub fn dilation(self, dilation: impl IntoPair) -> Self {
        ConvOptions { dilation: dilation.into_pair(), ..self }
    }
    /// Sets the number of groups.
    pub fn groups(self, groups: usize) -> Self {
        ConvOptions { groups, ..self }
    }
}

/// A pooling window. The stride is the window's size, there is no padding, the dilation is 1, the
/// output's size is rounded down and padding counts in averages, unless set otherwise. In one dimension
/// the last number of each pair counts. A plain size makes one, too: `x.max_pool2d(2)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PoolOptions {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Steps of the window.
    pub stride: [usize; 2],
    /// Border on each side: −∞ for the maximum, zeros for the average.
    pub padding: [usize; 2],
    /// Distance of the window's taps; for the maximum only.
    pub dilation: [usize; 2],
    /// Whether the output's size is rounded up.
    pub ceil_mode: bool,
    /// Whether the border counts in an average.
    pub count_include_pad: bool,
}

impl PoolOptions {
    /// A window of a size, with everything else as by default.
    pub fn new(kernel: impl IntoPair) -> Self {
        let kernel = kernel.into_pair();
        PoolOptions {
            kernel,
            stride: kernel,
            padding: [0, 0],
            dilation: [1, 1],
            ceil_mode: false,
            count_include_pad: true,
        }
    }
    /// Sets the stride.
    pub fn stride(self, stride: impl IntoPair) -> Self {
        PoolOptions { stride: stride.into_pair(), ..self }
    }
    /// Sets the padding.
    pub fn padding(self, padding: impl IntoPair) -> Self {
        PoolOptions { padding: padding.into_pair(), ..self }
    }
    /// Sets the dilation.
    pub fn dilation(self, dilation: impl IntoPair) -> Self {
        PoolOptions { dilation: dilation.into_pair(), ..self }
    }
    /// Rounds the output's size up or down.
    pub fn ceil_mode(self, ceil_mode: bool) -> Self {
        PoolOptions { ceil_mode, ..self }
    }
    /// Counts the border in averages or not.
    pub fn count_include_pad(self, count_include_pad: bool) -> Self {
        PoolOptions { count_include_pad, ..self }
    }

    /// The same window over the last dimension alone.
    pub(super) fn in_one_dimension(self) -> Self {
        PoolOptions {
            kernel: [1, self.kernel[1]],
            stride: [1, self.stride[1]],
            padding: [0, self.padding[1]],
            dilation: [1, self.dilation[1]],
            ..self
        }
    }
}
impl<P: IntoPair> From<P> for PoolOptions {
    fn from(kernel: P) -> Self {
        PoolOptions::new(kernel)
    }
}
