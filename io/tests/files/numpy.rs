//! numpy's files: read, written, and damaged.

use crate::{assert_same, cases, dict};
use proptest::prelude::*;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use taper_io::{npy, npz};
use taper_tensor::{DType, State, StateDict, Tensor, tensor};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A file made by numpy (`tests/fixtures/make/files.py`).
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/numpy").join(name)
}

fn every_dtype() -> StateDict {
    let name = |d: DType| match d {
        DType::Bool => "bool".to_string(),
        DType::U8 => "u8".into(),
        d if d.is_float() => format!("f{}", 8 * d.size()),
        d => format!("i{}", 8 * d.size()),
    };
    let mut all: StateDict = DType::ALL
        .into_iter()
        .filter(|&d| d != DType::BF16)
        .map(|d| (name(d), Tensor::arange(0, 6, 1).reshape([2, 3]).to_dtype(d)))
        .collect();
    all.insert("scalar", Tensor::full_with((), 1.5, DType::F64));
    all.insert("empty", Tensor::zeros([0, 4]));
    all
}

#[test]
fn archives_of_numpys() {
    for name in ["all.npz", "deflated.npz"] {
        assert_same(&taper_io::load_state_dict(fixture(name)).unwrap(), &every_dtype());
    }
    // The archive's order stays.
    let loaded = npz::load(fixture("all.npz")).unwrap();
    assert_eq!(loaded.keys().take(3).collect::<Vec<_>>(), ["f64", "f32", "f16"]);
}

#[test]
fn arrays_of_numpys() {
    let block = Tensor::arange(0, 24, 1).reshape([2, 3, 4]);
    let fortran = npy::load(fixture("fortran.npy")).unwrap();
    assert!(fortran.equal(&block.to_dtype(DType::F64)) && fortran.dtype() == DType::F64);
    assert_eq!(fortran.strides(), [1, 2, 6]);
    let big = npy::load(fixture("big_endian.npy")).unwrap();
    assert!(big.equal(&block.to_dtype(DType::I32)) && big.dtype() == DType::I32);
    for version in [2, 3] {
        let read = npy::load(fixture(&format!("version{version}.npy"))).unwrap();
        assert_eq!(read.to_vec::<f32>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
    for (name, message) in [
        ("bfloat16.npy", "dtype '<V2' is not supported"),
        ("complex.npy", "dtype '<c8' is not supported"),
        ("uint16.npy", "dtype '<u2' is not supported"),
        ("records.npy", "arrays of records are not supported"),
        ("object.npy", "dtype '|O' is not supported"),
    ] {
        let error = npy::load(fixture(name)).unwrap_err().to_string();
        assert!(
            error.contains(name) && (error.contains(message) || error.contains("perhaps bfloat16")),
            "{error}"
        );
    }
}

/// What numpy would write of the same arrays, byte for byte.
#[test]
fn arrays_are_numpys_own_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npy");
    let mut zip = zip::ZipArchive::new(Cursor::new(std::fs::read(fixture("all.npz")).unwrap())).unwrap();
    for (name, t) in every_dtype().iter() {
        taper_io::save(t, &path).unwrap();
        let mut theirs = Vec::new();
        std::io::Read::read_to_end(&mut zip.by_name(&format!("{name}.npy")).unwrap(), &mut theirs).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), theirs, "{name}");
    }
}

#[test]
fn what_goes_in_comes_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.npz");
    let mut all = every_dtype();
    all.insert("view", tensor([[1.0, 2.0], [3.0, 4.0]]).transpose(0, 1));
    all.insert("layer.0/weight ü", Tensor::zeros([3, 0, 2]));
    for compressed in [false, true] {
        let save = |all| if compressed { npz::save_compressed(all, &path) } else { npz::save(all, &path) };
        save(&all).unwrap();
        let loaded = npz::load(&path).unwrap();
        assert_same(&loaded, &all);
        assert!(loaded.keys().eq(all.keys()));
        let bytes = std::fs::read(&path).unwrap();
        save(&all).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
    taper_io::save(&StateDict::new(), &path).unwrap();
    assert!(taper_io::load_state_dict(&path).unwrap().is_empty());
}

#[test]
fn what_numpy_cannot_hold() {
    let dir = tempfile::tempdir().unwrap();
    let (one, many) = (dir.path().join("x.npy"), dir.path().join("x.npz"));
    let half = tensor([1.0]).to_dtype(DType::BF16);
    let tree = State::map([("epoch", 1.into())]);
    let said = |result: taper_io::Result<()>| result.unwrap_err().to_string();
    assert!(
        said(taper_io::save(&half, &one)).contains("x.npy: numpy has no bfloat16; convert it to float32")
    );
    assert!(
        said(taper_io::save(&dict([("w", half)]), &many)).contains("tensor \"w\": numpy has no bfloat16")
    );
    assert!(said(taper_io::save(&tree, &one)).contains("a .npy file holds one tensor, not a map"));
    assert!(said(taper_io::save(&tree, &many)).contains("a .npz file holds named tensors, not a tree"));
    assert!(said(taper_io::save(&tensor([1.0]), &many)).contains("not a tensor"));
    for name in ["../x", "/x", "a/../../x", "..", "a\\..\\x", "\0"] {
        let error = said(taper_io::save(&dict([(name, tensor([1.0]))]), &many));
        assert!(error.contains("its name is a path out of the archive"), "{error}");
    }
    assert!(crate::names(dir.path()).is_empty());
}

/// Where a file is written and what reading it says.
struct Scratch {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Scratch {
    fn new(name: &str) -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        Scratch { path: dir.path().join(name), _dir: dir }
    }
    fn load(&self, bytes: &[u8]) -> Result<State, String> {
        std::fs::write(&self.path, bytes).unwrap();
        taper_io::load(&self.path).map_err(|e| {
            let text = e.to_string();
            assert!(text.starts_with(self.path.to_str().unwrap()), "no path in {text:?}");
            text
        })
    }
}

#[test]
fn arrays_that_are_cut_off_or_lie() {
    let scratch = Scratch::new("x.npy");
    let good = std::fs::read(fixture("version2.npy")).unwrap();
    for length in 0..good.len() {
        assert!(scratch.load(&good[..length]).is_err(), "{length} of {} bytes were taken", good.len());
    }
    assert!(scratch.load(&[&good[..], &[0]].concat()).unwrap_err().contains("25 bytes after the header"));
    for (from, to) in [
        ("(6,)", "(6, 99999999, 99999999, 99999999)"),
        ("(6,)", "(4611686018427387904, 4)"),
        ("(6,)", "(0, 4611686018427387904, 4611686018427387904)"),
        ("(6,)", "(1000000000000,)"),
        ("(6,)", "(7,)"),
        ("(6,)", "(-6,)"),
        ("(6,)", "6"),
    ] {
        let text = String::from_utf8_lossy(&good[12..good.len() - 24]).replace(from, to);
        let header =
            [&good[..8], &(text.len() as u32).to_le_bytes(), text.as_bytes(), &good[good.len() - 24..]]
                .concat();
        assert!(scratch.load(&header).is_err(), "{to}");
    }
    let mut version = good.clone();
    version[6] = 4;
    assert!(scratch.load(&version).unwrap_err().contains("version 4 of the format is not known"));
    let mut length = good.clone();
    length[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(scratch.load(&length).unwrap_err().contains("cut off within the header"));
    assert!(scratch.load(b"PK").unwrap_err().contains("does not begin with"));
}

/// An archive of some entries.
fn archive(entries: &[(&str, &[u8], CompressionMethod)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes, method) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(*method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn archives_that_lie() {
    let scratch = Scratch::new("x.npz");
    let good = std::fs::read(fixture("version2.npy")).unwrap();
    let stored = CompressionMethod::Stored;
    for (name, message) in [
        ("../x.npy", "\"../x.npy\": its name is a path out of the archive"),
        ("/etc/x.npy", "its name is a path out of the archive"),
        ("a/../../x.npy", "its name is a path out of the archive"),
        ("x.txt", "tensor \"x.txt\": not an array (.npy)"),
    ] {
        let error = scratch.load(&archive(&[(name, &good, stored)])).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
    let error = scratch.load(&archive(&[("a.npy", b"text", stored)])).unwrap_err();
    assert!(error.contains("tensor \"a.npy\": no array of numpy's"), "{error}");

    // Two entries, the second renamed as the first, in both of its headers.
    let two = archive(&[("a.npy", &good, stored), ("b.npy", &good, stored)]);
    assert!(scratch.load(&two).is_ok());
    let renamed = replaced(&two, b"b.npy", b"a.npy");
    assert!(scratch.load(&renamed).unwrap_err().contains("there twice"));

    // A byte of the data changed: the checksum tells.
    let mut damaged = archive(&[("a.npy", &good, stored)]);
    let at = damaged.windows(6).position(|w| w == b"\x93NUMPY").unwrap() + good.len() - 1;
    damaged[at] ^= 1;
    assert!(scratch.load(&damaged).unwrap_err().contains("tensor \"a.npy\""));

    // A size that is not the entry's: larger and smaller, within what deflate can do and beyond it.
    let packed = archive(&[("a.npy", &good, CompressionMethod::Deflated)]);
    let size = (good.len() as u32).to_le_bytes();
    for claimed in [good.len() as u32 - 1, good.len() as u32 + 1, 20_000, 1 << 30, u32::MAX - 1] {
        let lying = replaced(&packed, &size, &claimed.to_le_bytes());
        assert!(scratch.load(&lying).is_err(), "{claimed} bytes were believed");
    }
    let lying = replaced(&packed, &size, &(1u32 << 30).to_le_bytes());
    assert!(scratch.load(&lying).unwrap_err().contains("bytes cannot unpack to 1073741824"));
}

/// An archive that unpacks to a hundred times its size is what it is; a true bomb shares its bytes.
#[test]
fn bombs() {
    let scratch = Scratch::new("x.npz");
    let zeros = dict([("zeros", Tensor::zeros([1000, 1000]))]);
    npz::save_compressed(&zeros, &scratch.path).unwrap();
    assert!(std::fs::metadata(&scratch.path).unwrap().len() < 10_000);
    assert_same(&npz::load(&scratch.path).unwrap(), &zeros);

    // Many names for the bytes of one entry.
    let bytes = std::fs::read(&scratch.path).unwrap();
    let directory = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let end = bytes.windows(4).position(|w| w == b"PK\x05\x06").unwrap();
    let mut bomb = bytes[..directory].to_vec();
    let copies = 500u16;
    for i in 0..copies {
        bomb.extend(replaced(&bytes[directory..end], b"zeros", format!("z{i:04}").as_bytes()));
    }
    let size = (bomb.len() - directory) as u32;
    let mut tail = bytes[end..].to_vec();
    tail[8..10].copy_from_slice(&copies.to_le_bytes());
    tail[10..12].copy_from_slice(&copies.to_le_bytes());
    tail[12..16].copy_from_slice(&size.to_le_bytes());
    bomb.extend(tail);
    let error = scratch.load(&bomb).unwrap_err();
    assert!(error.contains("\"z0000.npy\": its name in the directory is not that at byte 0"), "{error}");
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> =
        (0..=bytes.len() - from.len()).filter(|&i| bytes[i..].starts_with(from)).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|i| bytes[i..i + to.len()].copy_from_slice(to));
    bytes
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn damaged_files_are_never_a_panic(
        which in 0..6usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let name = ["all.npz", "deflated.npz", "fortran.npy", "big_endian.npy", "version2.npy", "version3.npy"][which];
        let mut bytes = std::fs::read(fixture(name)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        let _ = Scratch::new(name).load(&bytes);
    }
}
