//! MNIST and sets in its form (Fashion-MNIST, KMNIST, …): four idx files in one folder.

use std::path::{Path, PathBuf};

use taper_tensor::Tensor;

use crate::idx::{self, IdxArray, IdxType};
use crate::{Error, Result};

/// The names of Fashion-MNIST's ten classes.
pub const FASHION_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Which part of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// What a model learns from.
    Train,
    /// What it is tested on.
    Test,
}

impl Split {
    fn prefix(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "t10k",
        }
    }
}

/// Reads one part of the set in `folder`: pictures `[N, 1, H, W]` as f32 in 0 ..= 1 (a byte divided by
/// 255, PyTorch's `ToTensor`), and labels `[N]` as i64 in 0 ..= 9.
///
/// The files are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
/// `t10k-labels-idx1-ubyte`, as they are or as `.gz`.
///
/// Errors as [`idx::read`], and if the files do not fit each other or hold something else.
///
/// ```
/// use taper_data::{Split, mnist};
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../assets/fashion-mnist");
/// let (images, labels) = mnist(folder, Split::Test)?;
/// assert_eq!(images.shape(), [2000, 1, 28, 28]);
/// assert_eq!(labels.shape(), [2000]);
/// # Ok::<(), taper_data::Error>(())
/// ```
pub fn mnist(folder: impl AsRef<Path>, split: Split) -> Result<(Tensor, Tensor)> {
    let (folder, prefix) = (folder.as_ref(), split.prefix());
    let images = find(folder, &format!("{prefix}-images-idx3-ubyte"));
    let labels = find(folder, &format!("{prefix}-labels-idx1-ubyte"));
    pair((&idx::read(&images)?, &images), (&idx::read(&labels)?, &labels))
}

/// As [`mnist`], from the contents of the two files, plain or gzip: for data built into a program by
/// `include_bytes!`.
pub fn mnist_from_bytes(images: &[u8], labels: &[u8]) -> Result<(Tensor, Tensor)> {
    let (images_name, labels_name) = (Path::new("<images>"), Path::new("<labels>"));
    let images = idx::read_from(images, images_name)?;
    let labels = idx::read_from(labels, labels_name)?;
    pair((&images, images_name), (&labels, labels_name))
}

/// The plain file if it is there, else the packed one.
fn find(folder: &Path, name: &str) -> PathBuf {
    let plain = folder.join(name);
    if plain.exists() { plain } else { folder.join(format!("{name}.gz")) }
}

fn pair(images: (&IdxArray, &Path), labels: (&IdxArray, &Path)) -> Result<(Tensor, Tensor)> {
    let ((images, image_path), (labels, label_path)) = (images, labels);
    expect_bytes(images, 3, image_path)?;
    expect_bytes(labels, 1, label_path)?;
    if images.shape[0] != labels.shape[0] {
        return Err(Error::Mismatch {
            path: label_path.into(),
            found: labels.shape[0],
            other: image_path.into(),
            expected: images.shape[0],
        });
    }
    if let Some(at) = labels.data.iter().position(|&label| label > 9) {
        return Err(Error::Format {
            path: label_path.into(),
            offset: 8 + at as u64,
            message: format!("label {} is not in 0 ..= 9", labels.data[at]),
        });
    }
    let grey: [f32; 256] = std::array::from_fn(|byte| byte as f32 / 255.0);
    let pixels: Vec<f32> = images.data.iter().map(|&byte| grey[byte as usize]).collect();
    let classes: Vec<i64> = labels.data.iter().map(|&label| label as i64).collect();
    let [n, h, w] = [images.shape[0], images.shape[1], images.shape[2]];
    Ok((Tensor::from_vec(pixels, [n, 1, h, w]), Tensor::from_vec(classes, [n])))
}

fn expect_bytes(array: &IdxArray, rank: usize, path: &Path) -> Result<()> {
    let wrong = |offset, message| Err(Error::Format { path: path.into(), offset, message });
    if array.dtype != IdxType::U8 {
        return wrong(2, format!("expected unsigned bytes (08), found {:?}", array.dtype));
    }
    if array.shape.len() != rank {
        return wrong(3, format!("expected {rank} dimensions, found {:?}", array.shape));
    }
    Ok(())
}
