//! The idx reader on real files, and on damaged copies of them.

mod wounds;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use taper_data::idx::{self, IdxArray, IdxType};
use taper_data::{Error, Result};
use wounds::{cases, wound};

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/fashion-mnist").join(name)
}

fn packed_labels() -> Vec<u8> {
    std::fs::read(asset("t10k-labels-idx1-ubyte.gz")).unwrap()
}

fn plain_labels() -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(&packed_labels()[..]).read_to_end(&mut plain).unwrap();
    plain
}

fn decode(bytes: &[u8]) -> Result<IdxArray> {
    idx::read_from(bytes, "labels")
}

#[track_caller]
fn message(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

#[test]
fn reads_the_excerpt() {
    let images = idx::read(asset("t10k-images-idx3-ubyte.gz")).unwrap();
    assert_eq!((images.dtype, &images.shape[..]), (IdxType::U8, &[2000, 28, 28][..]));
    assert_eq!(images.data.len(), 2000 * 28 * 28);
    let labels = idx::read(asset("t10k-labels-idx1-ubyte.gz")).unwrap();
    assert_eq!(labels.shape, [2000]);
    // The first test pictures: ankle boot, pullover, two trousers, shirt, trouser.
    assert_eq!(labels.data[..6], [9, 2, 1, 1, 6, 1]);
}

#[test]
fn packed_and_plain_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels");
    std::fs::write(&path, plain_labels()).unwrap();
    assert_eq!(idx::read(&path).unwrap(), idx::read(asset("t10k-labels-idx1-ubyte.gz")).unwrap());
}

#[test]
fn wider_elements_come_in_this_machines_order() {
    let bytes = [0, 0, 0x0d, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0];
    let array = decode(&bytes).unwrap();
    assert_eq!(array.shape, [1, 2]);
    let values: Vec<f32> = array.data.chunks(4).map(|b| f32::from_ne_bytes(b.try_into().unwrap())).collect();
    assert_eq!(values, [1.0, -2.5]);
}

#[test]
fn empty_arrays() {
    assert_eq!(decode(&[0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 5]).unwrap().shape, [0, 5]);
    assert_eq!(decode(&[0, 0, 8, 0, 7]).unwrap().data, [7]);
}

#[test]
fn errors_name_file_and_place() {
    let plain = plain_labels();
    let missing = idx::read("no/such/file").unwrap_err();
    assert!(matches!(&missing, Error::Io { path, .. } if path == Path::new("no/such/file")), "{missing}");
    assert_eq!(message(&[]), "labels: truncated at byte 0: 4 more bytes expected");
    assert_eq!(message(&plain[..6]), "labels: truncated at byte 6: 2 more bytes expected");
    assert_eq!(message(&plain[..1000]), "labels: truncated at byte 1000: 1008 more bytes expected");
    let long = [&plain[..], &[1]].concat();
    assert_eq!(message(&long), "labels: unexpected bytes from byte 2008 on: the data should end there");
    assert_eq!(message(b"\x89PNG"), "labels: byte 0: not an idx file: it starts with 89 50, not 00 00");
    assert_eq!(message(&[0, 0, 10, 1]), "labels: byte 2: unknown idx element type 0a");
    let huge = [&[0, 0, 8, 3][..], &[255; 12]].concat();
    assert_eq!(
        message(&huge),
        "labels: byte 4: dimensions [4294967295, 4294967295, 4294967295] are more than can be addressed"
    );
    // Four billion bytes claimed, none there: refused without asking for them.
    assert_eq!(
        message(&[0, 0, 8, 1, 255, 255, 255, 255]),
        "labels: truncated at byte 8: 4294967295 more bytes expected"
    );
}

#[test]
fn gzip_damage_is_named() {
    let packed = packed_labels();
    let cut = decode(&packed[..500]).unwrap_err();
    assert!(matches!(cut, Error::Gzip { .. }), "{cut}");
    assert!(cut.to_string().starts_with("labels: damaged gzip data after "), "{cut}");
    let mut sum = packed.clone();
    let at = sum.len() - 6;
    sum[at] ^= 1;
    let sum = decode(&sum).unwrap_err();
    assert!(matches!(sum, Error::Gzip { offset: 2008, .. }), "{sum}");
    let after = decode(&[&packed[..], b"rest"].concat()).unwrap_err();
    assert!(matches!(after, Error::Gzip { offset: 2008, .. }), "{after}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// Whatever happens to a file, it is read whole and consistent, or refused: never a panic.
    #[test]
    fn mutated_files_never_panic(
        packed in any::<bool>(), early in any::<bool>(),
        wounds in prop::collection::vec((any::<u8>(), any::<usize>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = if packed { packed_labels() } else { plain_labels() };
        for (kind, at, value) in wounds {
            // Half of the cases aim at the header, where a wound has most to say.
            wound(&mut bytes, kind, if early { at % 12 } else { at }, value);
        }
        if let Ok(array) = decode(&bytes) {
            prop_assert_eq!(array.data.len(), array.shape.iter().product::<usize>() * array.dtype.size());
        }
    }

    /// What is written as idx is read back, plain and packed.
    #[test]
    fn round_trip(shape in prop::collection::vec(0usize..5, 0..4), seed in any::<u8>()) {
        let count = shape.iter().product::<usize>();
        let data: Vec<u8> = (0..count).map(|i| seed.wrapping_mul(31).wrapping_add(i as u8)).collect();
        let mut plain = vec![0, 0, 8, shape.len() as u8];
        shape.iter().for_each(|&n| plain.extend((n as u32).to_be_bytes()));
        plain.extend(&data);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&plain).unwrap();
        for bytes in [plain, encoder.finish().unwrap()] {
            let array = decode(&bytes).unwrap();
            prop_assert_eq!((&array.shape, &array.data), (&shape, &data));
        }
    }
}
