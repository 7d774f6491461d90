//! CIFAR-10 in its binary layout, and sets in that form.
//!
//! A file is a row of records of 3,073 bytes: the label, then 32×32 bytes each of red, green and blue.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use taper_tensor::Tensor;

use crate::mnist::Split;
use crate::source::Source;
use crate::{Error, Result};

/// The names of CIFAR-10's ten classes.
pub const CIFAR_CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;
const RECORD: usize = 1 + PIXELS;

/// Reads one part of CIFAR-10 from `folder`: pictures `[N, 3, 32, 32]` as u8 and labels `[N]` as i64 in
/// 0 ..= 9 (`torchvision.datasets.CIFAR10`). [`ToTensor`](crate::transforms::ToTensor) makes f32 of a
/// picture.
///
/// The files are `data_batch_1.bin` to `data_batch_5.bin` for training and `test_batch.bin`, in the
/// folder or in `cifar-10-batches-bin` below it, as they are or as `.gz`: what
/// `cifar-10-binary.tar.gz` holds.
///
/// Errors if a file cannot be read, is damaged or ends within a record, and for labels above 9.
///
/// ```no_run
/// use taper_data::{Split, cifar10};
/// let (images, labels) = cifar10("cifar-10-batches-bin", Split::Test)?;
/// assert_eq!((images.shape(), labels.shape()), (&[10_000, 3, 32, 32][..], &[10_000][..]));
/// # Ok::<(), taper_data::Error>(())
/// ```
pub fn cifar10(folder: impl AsRef<Path>, split: Split) -> Result<(Tensor, Tensor)> {
    let folder = folder.as_ref();
    let inner = folder.join("cifar-10-batches-bin");
    let folder = if inner.is_dir() { &inner } else { folder };
    let mut parts = Parts::default();
    match split {
        Split::Train => {
            for batch in 1..=5 {
                parts.read(Source::open(&find(folder, &format!("data_batch_{batch}.bin")))?)?;
            }
        }
        Split::Test => parts.read(Source::open(&find(folder, "test_batch.bin"))?)?,
    }
    Ok(parts.tensors())
}

/// As [`cifar10`], from one file in this layout, plain or gzip.
pub fn cifar10_file(path: impl AsRef<Path>) -> Result<(Tensor, Tensor)> {
    let mut parts = Parts::default();
    parts.read(Source::open(path.as_ref())?)?;
    Ok(parts.tensors())
}

/// As [`cifar10_file`], from any reader; `name` stands for the file in error messages. For data built
/// into a program by `include_bytes!`.
pub fn cifar10_from(reader: impl BufRead, name: impl AsRef<Path>) -> Result<(Tensor, Tensor)> {
    let mut parts = Parts::default();
    parts.read(Source::new(name.as_ref(), reader)?)?;
    Ok(parts.tensors())
}

/// The plain file if it is there or nothing is, else the packed one.
fn find(folder: &Path, name: &str) -> PathBuf {
    let (plain, packed) = (folder.join(name), folder.join(format!("{name}.gz")));
    if packed.exists() && !plain.exists() { packed } else { plain }
}

#[derive(Default)]
struct Parts {
    pixels: Vec<u8>,
    labels: Vec<i64>,
}

impl Parts {
    fn read(&mut self, mut source: Source<'_>) -> Result<()> {
        let bytes = source.rest()?;
        let over = bytes.len() % RECORD;
        if over > 0 || bytes.is_empty() {
            let (path, offset) = (source.path().into(), bytes.len() as u64);
            return Err(Error::Truncated { path, offset, missing: (RECORD - over) as u64 });
        }
        self.pixels.reserve_exact(bytes.len() / RECORD * PIXELS);
        for (i, record) in bytes.chunks_exact(RECORD).enumerate() {
            if record[0] > 9 {
                let message = format!("label {} is not in 0 ..= 9", record[0]);
                return Err(source.format((i * RECORD) as u64, message));
            }
            self.labels.push(record[0] as i64);
            self.pixels.extend_from_slice(&record[1..]);
        }
        Ok(())
    }

    fn tensors(self) -> (Tensor, Tensor) {
        let n = self.labels.len();
        (Tensor::from_vec(self.pixels, [n, 3, SIDE, SIDE]), Tensor::from_vec(self.labels, [n]))
    }
}
