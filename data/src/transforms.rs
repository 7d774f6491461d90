//! What is done to pictures before a model sees them (torchvision's transforms).
//!
//! A transform takes one picture and gives another; [`Compose`] does several. They go where items are
//! fetched, into [`Dataset::map`](crate::Dataset::map). Random ones draw from the global generator as
//! torchvision's do; a [`DataLoader`](crate::DataLoader) gives each item a stream of its own in its place.

use taper_tensor::{DType, IntoPair, Tensor};

/// A change to a picture `[…, H, W]`; any function from a tensor to a tensor is one.
pub trait Transform: Send + Sync {
    /// The changed picture.
    ///
    /// # Panics
    /// If the picture does not fit the transform.
    fn apply(&self, image: &Tensor) -> Tensor;
}

impl<F: Fn(&Tensor) -> Tensor + Send + Sync> Transform for F {
    fn apply(&self, image: &Tensor) -> Tensor {
        self(image)
    }
}

/// Several transforms, one after the other (`torchvision.transforms.Compose`).
///
/// ```
/// use taper_data::transforms::{Compose, Normalize, RandomCrop, RandomHorizontalFlip, ToTensor, Transform};
/// use taper_tensor::{DType, Tensor};
/// let transform = Compose::new()
///     .then(RandomCrop::new(32).padding(4))
///     .then(RandomHorizontalFlip::new(0.5))
///     .then(ToTensor::new())
///     .then(Normalize::new([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]));
/// let picture = Tensor::zeros_with([3, 32, 32], DType::U8);
/// let x = transform.apply(&picture);
/// assert_eq!((x.shape(), x.dtype(), x.mean().item()), (&[3, 32, 32][..], DType::F32, -1.0));
/// ```
#[derive(Default)]
pub struct Compose {
    transforms: Vec<Box<dyn Transform>>,
}

impl Compose {
    /// No transform yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, after the others.
    pub fn then(mut self, transform: impl Transform + 'static) -> Self {
        self.transforms.push(Box::new(transform));
        self
    }
}

impl Transform for Compose {
    fn apply(&self, image: &Tensor) -> Tensor {
        self.transforms.iter().fold(image.clone(), |image, transform| transform.apply(&image))
    }
}

/// Bytes 0 ..= 255 to f32 in 0 ..= 1 (`torchvision.transforms.ToTensor`). Pictures are `[3, H, W]`, as
/// this crate's readers give them; [`hwc`](Self::hwc) is for those of other libraries.
///
/// Pictures that are not u8 keep their values and dtype.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToTensor {
    hwc: bool,
}

impl ToTensor {
    /// For pictures `[C, H, W]`.
    pub fn new() -> Self {
        Self::default()
    }

    /// For pictures `[H, W, C]`; the result is `[C, H, W]`.
    pub fn hwc() -> Self {
        Self { hwc: true }
    }
}

impl Transform for ToTensor {
    fn apply(&self, image: &Tensor) -> Tensor {
        let image = if self.hwc { image.permute([2, 0, 1]).contiguous() } else { image.clone() };
        match image.dtype() {
            DType::U8 => {
                let mut pixels = image.to_dtype(DType::F32);
                pixels.div_(255.0);
                pixels
            }
            _ => image,
        }
    }
}

/// `(picture − mean) / std`, channel by channel (`torchvision.transforms.Normalize`).
#[derive(Clone, Debug)]
pub struct Normalize {
    mean: Tensor,
    std: Tensor,
}

impl Normalize {
    /// A mean and a standard deviation for each channel, or one for all of them.
    ///
    /// # Panics
    /// If there are different numbers of them, or a standard deviation is 0.
    #[track_caller]
    pub fn new(mean: impl AsRef<[f64]>, std: impl AsRef<[f64]>) -> Self {
        let (mean, std) = (mean.as_ref(), std.as_ref());
        assert!(
            mean.len() == std.len() && !mean.is_empty(),
            "Normalize: expected as many means as standard deviations, got {} and {}",
            mean.len(),
            std.len()
        );
        assert!(!std.contains(&0.0), "Normalize: a standard deviation is 0");
        let column = |v: &[f64]| Tensor::from_slice(v, [v.len(), 1, 1]).to_dtype(DType::F32);
        Self { mean: column(mean), std: column(std) }
    }
}

impl Transform for Normalize {
    fn apply(&self, image: &Tensor) -> Tensor {
        assert!(
            image.dtype().is_float(),
            "Normalize: expected a floating-point picture, got {}; ToTensor makes one",
            image.dtype()
        );
        let (channels, ours) = (image.shape().iter().rev().nth(2).copied(), self.mean.size(0));
        assert!(
            ours == 1 || channels == Some(ours),
            "Normalize: {ours} means for a picture of shape {:?}",
            image.shape()
        );
        let [mean, std] = [&self.mean, &self.std].map(|t| t.to_dtype(image.dtype()));
        let mut image = image - mean;
        image.div_(&std);
        image
    }
}

/// Height and width.
fn sides(name: &str, image: &Tensor) -> [usize; 2] {
    assert!(image.ndim() >= 2, "{name}: expected a picture [.., H, W], got shape {:?}", image.shape());
    [image.size(-2), image.size(-1)]
}

fn crop(image: &Tensor, [top, left]: [usize; 2], [height, width]: [usize; 2]) -> Tensor {
    image.narrow(-2, top as isize, height).narrow(-1, left as isize, width).contiguous()
}

/// A piece of the picture at a random place (`torchvision.transforms.RandomCrop`).
#[derive(Clone, Copy, Debug)]
pub struct RandomCrop {
    size: [usize; 2],
    padding: usize,
    fill: f64,
}

impl RandomCrop {
    /// Pieces of this size: one number or height and width.
    pub fn new(size: impl IntoPair) -> Self {
        Self { size: size.into_pair(), padding: 0, fill: 0.0 }
    }

    /// Puts a border of so many pixels around the picture first. Default: 0.
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// What the border is made of, in the picture's numbers. Default: 0.
    pub fn fill(mut self, fill: f64) -> Self {
        self.fill = fill;
        self
    }
}

impl Transform for RandomCrop {
    /// Draws the row, then the column; nothing where there is no choice.
    fn apply(&self, image: &Tensor) -> Tensor {
        let padded;
        let image = match self.padding {
            0 => image,
            p => {
                padded = image.pad([p as isize; 4], self.fill);
                &padded
            }
        };
        let (sides, size) = (sides("RandomCrop", image), self.size);
        assert!(
            sides[0] >= size[0] && sides[1] >= size[1],
            "RandomCrop: a piece of {size:?} of a picture that has {sides:?} with padding"
        );
        if sides == size {
            return image.clone();
        }
        let draw = |i: usize| Tensor::randint(0, (sides[i] - size[i] + 1) as i64, 1).item() as usize;
        let [top, left] = [draw(0), draw(1)];
        crop(image, [top, left], size)
    }
}

/// The middle of the picture (`torchvision.transforms.CenterCrop`); a smaller picture gets zeros around
/// it.
#[derive(Clone, Copy, Debug)]
pub struct CenterCrop {
    size: [usize; 2],
}

impl CenterCrop {
    /// The middle of this size: one number or height and width.
    pub fn new(size: impl IntoPair) -> Self {
        Self { size: size.into_pair() }
    }
}

impl Transform for CenterCrop {
    fn apply(&self, image: &Tensor) -> Tensor {
        let [height, width] = sides("CenterCrop", image);
        let more = |i: usize, n: usize| self.size[i].saturating_sub(n) as isize;
        let [dy, dx] = [more(0, height), more(1, width)];
        let padded;
        let image = match (dy, dx) {
            (0, 0) => image,
            _ => {
                padded = image.pad([dx / 2, (dx + 1) / 2, dy / 2, (dy + 1) / 2], 0.0);
                &padded
            }
        };
        let sides = sides("CenterCrop", image);
        // Python's round: halves go to the even number.
        let start = |i: usize| match sides[i] - self.size[i] {
            d if d % 4 == 3 => d.div_ceil(2),
            d => d / 2,
        };
        crop(image, [start(0), start(1)], self.size)
    }
}

/// Mirrors the picture left to right with probability `p`
/// (`torchvision.transforms.RandomHorizontalFlip`).
#[derive(Clone, Copy, Debug)]
pub struct RandomHorizontalFlip {
    p: f64,
}

impl RandomHorizontalFlip {
    /// Mirrors with probability `p`; torchvision's default is 0.5.
    ///
    /// # Panics
    /// If `p` is no probability.
    #[track_caller]
    pub fn new(p: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&p),
            "RandomHorizontalFlip: expected a probability from 0 to 1, got {p}"
        );
        Self { p }
    }
}

impl Default for RandomHorizontalFlip {
    fn default() -> Self {
        Self::new(0.5)
    }
}

impl Transform for RandomHorizontalFlip {
    fn apply(&self, image: &Tensor) -> Tensor {
        if Tensor::rand(1).item() < self.p { image.flip(-1) } else { image.clone() }
    }
}
