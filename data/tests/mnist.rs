//! The MNIST folder reader on the committed excerpt, and on folders that are wrong.

use std::path::{Path, PathBuf};

use taper_data::{Error, Split, mnist, mnist_from_bytes};
use taper_tensor::DType;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/fashion-mnist")
}

#[test]
fn excerpt_as_tensors() {
    let (images, labels) = mnist(folder(), Split::Train).unwrap();
    assert_eq!((images.shape(), images.dtype()), (&[10_000, 1, 28, 28][..], DType::F32));
    assert_eq!((labels.shape(), labels.dtype()), (&[10_000][..], DType::I64));
    let pixels = images.to_vec::<f32>();
    assert!(pixels.iter().all(|p| (0.0..=1.0).contains(p)));
    assert!(pixels.contains(&1.0) && pixels.contains(&(37.0 / 255.0)));
    let labels = labels.to_vec::<i64>();
    assert_eq!(labels[..8], [9, 0, 0, 3, 0, 2, 7, 2]);
    // Every class is there, about as often as any other.
    for class in 0..10 {
        let count = labels.iter().filter(|&&l| l == class).count();
        assert!((900..1100).contains(&count), "class {class}: {count}");
    }
}

#[test]
fn bytes_as_files() {
    let read = |name: &str| std::fs::read(folder().join(name)).unwrap();
    let (images, labels) = mnist(folder(), Split::Test).unwrap();
    let (images_2, labels_2) =
        mnist_from_bytes(&read("t10k-images-idx3-ubyte.gz"), &read("t10k-labels-idx1-ubyte.gz")).unwrap();
    assert_eq!(images.to_vec::<f32>(), images_2.to_vec::<f32>());
    assert_eq!(labels.to_vec::<i64>(), labels_2.to_vec::<i64>());
}

#[test]
fn missing_file_is_named() {
    let error = mnist("no/such/folder", Split::Test).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(error.to_string().starts_with("no/such/folder/t10k-images-idx3-ubyte.gz: "), "{error}");
}

/// Two pictures of 1×2, and what `labels` says about them.
fn small(labels: &[u8]) -> String {
    let images = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 102];
    match mnist_from_bytes(&images, labels) {
        Ok((images, _)) => format!("{:?}", images.to_vec::<f32>()),
        Err(e) => e.to_string(),
    }
}

#[test]
fn files_that_do_not_fit() {
    assert_eq!(small(&[0, 0, 8, 1, 0, 0, 0, 2, 3, 9]), "[0.0, 1.0, 0.2, 0.4]");
    assert_eq!(small(&[0, 0, 8, 1, 0, 0, 0, 1, 3]), "<labels> has 1 entries, <images> has 2");
    assert_eq!(small(&[0, 0, 8, 1, 0, 0, 0, 2, 3, 10]), "<labels>: byte 9: label 10 is not in 0 ..= 9");
    assert_eq!(
        small(&[0, 0, 9, 1, 0, 0, 0, 2, 3, 9]),
        "<labels>: byte 2: expected unsigned bytes (08), found I8"
    );
    assert_eq!(
        small(&[0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 3]),
        "<labels>: byte 3: expected 1 dimensions, found [1, 1]"
    );
}
