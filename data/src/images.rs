//! Pictures in folders.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ImageFormat, ImageReader, Limits};
use taper_tensor::Tensor;

use crate::dataset::Dataset;
use crate::{Error, Result};

/// Reads a PNG or JPEG picture as u8 `[3, H, W]`: red, green, blue, whatever the file has
/// (`torchvision.io.read_image` with `ImageReadMode.RGB`). Transparency is ignored.
///
/// Errors if it cannot be read, is damaged, or is no such picture. A header that claims more pixels than
/// the file can hold is refused before there is memory for them.
pub fn read_image(path: impl AsRef<Path>) -> Result<Tensor> {
    let path = path.as_ref();
    let bytes = fs::read(path).map_err(|source| Error::Io { path: path.into(), source })?;
    image_from(&bytes, path)
}

/// As [`read_image`], from the contents of the file; `name` stands for the file in error messages.
pub fn image_from(bytes: &[u8], name: impl AsRef<Path>) -> Result<Tensor> {
    let path = name.as_ref();
    let failed = |message: String| Error::Image { path: path.into(), bytes: bytes.len(), message };
    let format = image::guess_format(bytes)
        .ok()
        .filter(|f| [ImageFormat::Png, ImageFormat::Jpeg].contains(f))
        .ok_or_else(|| failed("neither PNG nor JPEG".into()))?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(most_pixels(bytes.len()));
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| failed(e.to_string()))?.into_rgb8();
    let [w, h] = [picture.width(), picture.height()].map(|n| n as usize);
    Ok(Tensor::from_vec(picture.into_raw(), [h, w, 3]).permute([2, 0, 1]).contiguous())
}

/// How many bytes a picture of so many packed bytes can have. Deflate makes at most 1,032 bytes of one,
/// and a JPEG block of 64 values has at least two bits; 16-bit colour doubles that.
fn most_pixels(packed: usize) -> u64 {
    (packed as u64).saturating_mul(2100).saturating_add(1 << 20)
}

/// Pictures sorted into folders, one folder for each class (`torchvision.datasets.ImageFolder`):
/// `root/cat/1.png`, `root/dog/x.jpeg`, …, at any depth below the class.
///
/// Classes are numbered in the order of their names, and pictures come in the order of their paths. An
/// item is the picture as u8 `[3, H, W]` and its label, or the error of its file: pictures are read when
/// they are asked for. Where they differ in size, bring them to one by a transform before they are
/// batched.
///
/// ```no_run
/// use taper_data::{DataLoader, Dataset, ImageFolder, transforms::{CenterCrop, ToTensor, Transform}};
/// let folder = ImageFolder::new("pictures/train")?;
/// println!("{} pictures of {:?}", folder.len(), folder.classes());
/// let set = folder.map(|item| item.map(|(x, y)| (ToTensor::new().apply(&CenterCrop::new(64).apply(&x)), y)));
/// for batch in &DataLoader::new(set).batch_size(32).shuffle(true).num_workers(4) {
///     let (x, y) = batch?;
///     assert_eq!(x.shape()[1..], [3, 64, 64]);
/// }
/// # Ok::<(), taper_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    classes: Vec<String>,
    samples: Vec<(PathBuf, i64)>,
}

impl ImageFolder {
    /// Finds the pictures below `root`: files that end in `.png`, `.jpg` or `.jpeg`.
    ///
    /// Errors if a folder cannot be read, if there is no class, and if a class has no picture.
    pub fn new(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let (folders, _) = entries(root)?;
        let empty = |path: &Path, what: &str| Err(Error::Empty { path: path.into(), what: what.into() });
        if folders.is_empty() {
            return empty(root, "folders of classes");
        }
        let (mut classes, mut samples) = (vec![], vec![]);
        for folder in folders {
            let label = classes.len() as i64;
            classes.push(folder.file_name().unwrap_or_default().to_string_lossy().into_owned());
            let mut pictures = vec![];
            collect(&folder, &mut pictures, 0)?;
            if pictures.is_empty() {
                return empty(&folder, ".png, .jpg or .jpeg files");
            }
            pictures.sort();
            samples.extend(pictures.into_iter().map(|path| (path, label)));
        }
        Ok(Self { classes, samples })
    }

    /// The names of the classes; a label is a place here.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The files and their labels.
    pub fn samples(&self) -> &[(PathBuf, i64)] {
        &self.samples
    }
}

impl Dataset for ImageFolder {
    type Item = Result<(Tensor, i64)>;
    fn len(&self) -> usize {
        self.samples.len()
    }
    fn get(&self, index: usize) -> Self::Item {
        let (path, label) = &self.samples[index];
        Ok((read_image(path)?, *label))
    }
}

/// Folders deeper than this are taken for a circle of links.
const DEPTH: usize = 32;

/// The folders and the files in a folder, by name.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let failed = |source| Error::Io { path: folder.into(), source };
    let paths = fs::read_dir(folder).map_err(failed)?.map(|entry| Ok(entry.map_err(failed)?.path()));
    let mut paths = paths.collect::<Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths.into_iter().partition(|path| path.is_dir()))
}

fn collect(folder: &Path, pictures: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    let (folders, files) = entries(folder)?;
    let is_picture = |path: &PathBuf| {
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        ending.is_some_and(|e| ["png", "jpg", "jpeg"].contains(&e.as_str()))
    };
    pictures.extend(files.into_iter().filter(is_picture));
    for folder in folders.iter().filter(|_| depth < DEPTH) {
        collect(folder, pictures, depth + 1)?;
    }
    Ok(())
}
