//! CIFAR-10's binary layout, on emoji in it and on damaged copies of them.

mod wounds;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use taper_data::{Error, Split, cifar10, cifar10_file, cifar10_from};
use taper_tensor::{DType, Tensor};

const RECORD: usize = 3073;

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/emoji").join(name)
}

/// The records of the test file.
fn plain() -> Vec<u8> {
    let mut bytes = vec![];
    GzDecoder::new(&fs::read(asset("test.bin.gz")).unwrap()[..]).read_to_end(&mut bytes).unwrap();
    bytes
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn decode(bytes: &[u8]) -> Result<(Tensor, Tensor), Error> {
    cifar10_from(bytes, "batch")
}

#[track_caller]
fn message(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

#[test]
fn reads_the_emoji() {
    let mut sizes = vec![];
    for name in ["train.bin.gz", "test.bin.gz"] {
        let (images, labels) = cifar10_file(asset(name)).unwrap();
        let n = labels.size(0);
        assert_eq!((images.shape(), images.dtype()), (&[n, 3, 32, 32][..], DType::U8));
        let labels = labels.to_vec::<i64>();
        // As assets/emoji/README.md has it.
        sizes.push((0..9).map(|class| labels.iter().filter(|&&l| l == class).count()).collect::<Vec<_>>());
        // They stand on white.
        assert_eq!(images.index((0, .., 0, 0)).to_vec::<u8>(), [255, 255, 255]);
    }
    assert_eq!(sizes[0], [136, 309, 128, 105, 175, 68, 212, 180, 216]);
    assert_eq!(sizes[1], [33, 77, 31, 26, 43, 17, 52, 44, 54]);
}

#[test]
fn channels_rows_and_columns_are_in_their_places() {
    let mut record = vec![7];
    record.extend((0..3072).map(|i| (i % 251) as u8));
    let (images, labels) = decode(&record).unwrap();
    assert_eq!(labels.to_vec::<i64>(), [7]);
    for (c, y, x) in [(0, 0, 1), (0, 1, 0), (1, 0, 0), (2, 31, 31)] {
        let pixel = images.index((0, c as i64, y as i64, x as i64)).item() as usize;
        assert_eq!(pixel, (c * 1024 + y * 32 + x) % 251);
    }
}

/// Some emoji in the files of the real set; every other one packed.
fn folder() -> (tempfile::TempDir, Vec<u8>) {
    let (folder, bytes) = (tempfile::tempdir().unwrap(), plain());
    let inner = folder.path().join("cifar-10-batches-bin");
    fs::create_dir(&inner).unwrap();
    for batch in 0..6 {
        let part = &bytes[batch * 10 * RECORD..(batch + 1) * 10 * RECORD];
        let name = if batch == 5 { "test_batch.bin".into() } else { format!("data_batch_{}.bin", batch + 1) };
        match batch % 2 {
            0 => fs::write(inner.join(name), part).unwrap(),
            _ => fs::write(inner.join(name + ".gz"), packed(part)).unwrap(),
        }
    }
    (folder, bytes)
}

#[test]
fn reads_folders() {
    let (folder, bytes) = folder();
    let (whole, labels) = decode(&bytes).unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("cifar-10-batches-bin")] {
        for (split, start, len) in [(Split::Train, 0, 50), (Split::Test, 50, 10)] {
            let (images, classes) = cifar10(&path, split).unwrap();
            assert_eq!(images.to_vec::<u8>(), whole.narrow(0, start, len).to_vec::<u8>());
            assert_eq!(classes.to_vec::<i64>(), labels.narrow(0, start, len).to_vec::<i64>());
        }
    }
}

#[test]
fn missing_and_damaged_files_are_named() {
    let (folder, _) = folder();
    let inner = folder.path().join("cifar-10-batches-bin");
    fs::write(inner.join("data_batch_3.bin"), [1, 2, 3]).unwrap();
    let error = cifar10(folder.path(), Split::Train).unwrap_err().to_string();
    assert!(error.ends_with("data_batch_3.bin: truncated at byte 3: 3070 more bytes expected"), "{error}");
    fs::remove_file(inner.join("data_batch_3.bin")).unwrap();
    let error = cifar10(folder.path(), Split::Train).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if path.ends_with("data_batch_3.bin")), "{error}");
    assert!(cifar10(folder.path(), Split::Test).is_ok());
}

#[test]
fn errors_name_file_and_place() {
    let mut bytes = plain();
    assert_eq!(message(&[]), "batch: truncated at byte 0: 3073 more bytes expected");
    assert_eq!(message(&bytes[..RECORD + 73]), "batch: truncated at byte 3146: 3000 more bytes expected");
    bytes[2 * RECORD] = 10;
    assert_eq!(message(&bytes), "batch: byte 6146: label 10 is not in 0 ..= 9");
    let cut = fs::read(asset("test.bin.gz")).unwrap();
    let cut = message(&cut[..100_000]);
    assert!(cut.starts_with("batch: damaged gzip data after "), "{cut}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(wounds::cases()))]

    /// Whatever happens to a file, it is read whole or refused: never a panic.
    #[test]
    fn damaged_files(
        plain_file in wounds::wounded(plain()[..4 * RECORD].to_vec(), 2),
        packed_file in wounds::wounded(packed(&plain()[..4 * RECORD]), 20),
    ) {
        for bytes in [plain_file, packed_file] {
            match decode(&bytes) {
                Ok((images, labels)) => {
                    let n = labels.size(0);
                    prop_assert_eq!(images.shape(), &[n, 3, 32, 32]);
                    prop_assert!(n > 0 && labels.to_vec::<i64>().iter().all(|l| (0..10).contains(l)));
                }
                Err(error) => prop_assert!(error.to_string().starts_with("batch: "), "{}", error),
            }
        }
    }
}
