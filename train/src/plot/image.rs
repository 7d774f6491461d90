//! Pictures that stand in a figure.

use taper_tensor::{DType, Tensor};

/// A picture of red, green and blue bytes.
///
/// ```
/// use taper_tensor::tensor;
/// use taper_train::plot::Image;
/// let image = Image::from_tensor(&tensor([[0.0, 0.5], [1.0, 2.0]]));
/// assert_eq!((image.width(), image.height()), (2, 2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
    /// Whether it is smooth when it is enlarged, or shows its pixels.
    pub(super) smooth: bool,
}

impl Image {
    /// From its bytes, three for each pixel, row by row.
    ///
    /// # Panics
    /// If there are not `3 · width · height` of them.
    #[track_caller]
    pub fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Image {
        assert_eq!(rgb.len(), 3 * width * height, "Image: {width} x {height} pixels need three bytes each");
        Image { width, height, rgb, smooth: false }
    }

    /// From a tensor `[H, W]`, `[1, H, W]` (grey) or `[3, H, W]` (colours): floats from 0 (dark) to 1, or
    /// bytes. What lies outside is cut off.
    ///
    /// # Panics
    /// For other shapes and dtypes.
    #[track_caller]
    pub fn from_tensor(pixels: &Tensor) -> Image {
        let (channels, height, width) = match *pixels.shape() {
            [h, w] => (1, h, w),
            [c @ (1 | 3), h, w] => (c, h, w),
            _ => panic!("Image: expected [H, W], [1, H, W] or [3, H, W], got {:?}", pixels.shape()),
        };
        let bytes: Vec<u8> = match pixels.dtype() {
            DType::U8 => pixels.to_vec(),
            d if d.is_float() => pixels.to_vec::<f32>().iter().map(|v| (v * 255.0).round() as u8).collect(),
            d => panic!("Image: expected floats in 0 ..= 1 or u8, got {d:?}"),
        };
        let plane = height * width;
        let rgb = (0..3 * plane).map(|i| bytes[if channels == 3 { i % 3 * plane } else { 0 } + i / 3]);
        Image { width, height, rgb: rgb.collect(), smooth: false }
    }

    /// Smooth when enlarged, instead of showing its pixels as squares.
    pub fn smooth(mut self) -> Image {
        self.smooth = true;
        self
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Colour at a place in pixels, whose centres are at halves.
    pub(super) fn sample(&self, x: f64, y: f64) -> [f64; 3] {
        let pixel = |x: f64, y: f64| {
            let (x, y) =
                ((x.max(0.0) as usize).min(self.width - 1), (y.max(0.0) as usize).min(self.height - 1));
            let i = 3 * (y * self.width + x);
            [self.rgb[i] as f64, self.rgb[i + 1] as f64, self.rgb[i + 2] as f64]
        };
        if !self.smooth {
            return pixel(x, y);
        }
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let (a, b) = (pixel(left, top), pixel(left + 1.0, top));
        let (c, d) = (pixel(left, top + 1.0), pixel(left + 1.0, top + 1.0));
        std::array::from_fn(|k| {
            (a[k] * (1.0 - fx) + b[k] * fx) * (1.0 - fy) + (c[k] * (1.0 - fx) + d[k] * fx) * fy
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::tensor;

    #[test]
    fn channels_become_pixels() {
        let planes = tensor([[[0.0, 1.0]], [[0.5, 0.25]], [[-1.0, 7.0]]]);
        assert_eq!(Image::from_tensor(&planes).rgb, [0, 128, 0, 255, 64, 255]);
        let grey = tensor([[3, 200]]).to_dtype(DType::U8);
        assert_eq!(Image::from_tensor(&grey).rgb, [3, 3, 3, 200, 200, 200]);
        // Any strides.
        let turned = planes.flip([2]);
        assert_eq!(Image::from_tensor(&turned).rgb, [255, 64, 255, 0, 128, 0]);
    }

    #[test]
    fn enlarged_pictures_are_squares_or_smooth() {
        let image = Image::from_rgb(2, 1, vec![0, 0, 0, 100, 100, 100]);
        assert_eq!([0.5, 0.99, 1.01].map(|x| image.sample(x, 0.5)[0]), [0.0, 0.0, 100.0]);
        let smooth = image.smooth();
        assert_eq!(
            [0.1, 0.5, 1.0, 1.25, 1.9].map(|x| smooth.sample(x, 0.5)[0]),
            [0.0, 0.0, 50.0, 75.0, 100.0]
        );
    }

    #[test]
    #[should_panic(expected = "expected [H, W], [1, H, W] or [3, H, W], got [2, 4, 4]")]
    fn other_shapes_are_refused() {
        Image::from_tensor(&Tensor::zeros([2, 4, 4]));
    }
}
