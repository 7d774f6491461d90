//! Files that are not what they should be: always an error with the path, never a panic, never memory
//! that the file itself has not got.

use crate::{cases, dict};
use proptest::prelude::*;
use std::path::PathBuf;
use taper_tensor::{DType, StateDict, Tensor};

/// A folder with one file in it.
struct Scratch {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Scratch {
    fn new() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        Scratch { path: dir.path().join("damaged.safetensors"), _dir: dir }
    }

    fn load(&self, bytes: &[u8]) -> Result<StateDict, String> {
        std::fs::write(&self.path, bytes).unwrap();
        taper_io::load_state_dict(&self.path).map_err(|e| {
            let message = e.to_string();
            assert!(message.starts_with(self.path.to_str().unwrap()), "no path in {message:?}");
            message
        })
    }
}

fn good_file() -> Vec<u8> {
    let scratch = Scratch::new();
    let all = dict([
        ("weight", Tensor::arange_with(0, 6, 1, DType::F32).reshape([2, 3])),
        ("count", Tensor::full_with((), 7, DType::I64)),
        ("none", Tensor::zeros([0, 2])),
        ("mask", Tensor::ones_with([3], DType::Bool)),
    ]);
    taper_io::save(&all, &scratch.path).unwrap();
    std::fs::read(&scratch.path).unwrap()
}

/// A file of a header and some bytes of data.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn cut_off_anywhere() {
    let (good, scratch) = (good_file(), Scratch::new());
    assert_eq!(scratch.load(&good).unwrap().len(), 4);
    for length in 0..good.len() {
        assert!(scratch.load(&good[..length]).is_err(), "{length} of {} bytes were taken", good.len());
    }
    let longer = [&good[..], &[0]].concat();
    assert!(scratch.load(&longer).is_err(), "a byte too many was taken");
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn flipped_bits(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4)) {
        let mut bytes = good_file();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        // Flips in the data go unseen; what matters is that nothing panics.
        let _ = Scratch::new().load(&bytes);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Scratch::new().load(&bytes).is_err());
    }
}

#[test]
fn sizes_that_cannot_be() {
    let scratch = Scratch::new();
    let mut huge_header = good_file();
    for length in [1u64 << 20, 1 << 40, 1 << 62, u64::MAX] {
        huge_header[..8].copy_from_slice(&length.to_le_bytes());
        assert!(scratch.load(&huge_header).is_err(), "a header of {length} bytes");
    }
    let tensor = |shape: &str, start: u64, end: u64| {
        format!(r#"{{"x":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}}}"#)
    };
    let terabytes = 1u64 << 44;
    for header in [
        tensor("[4398046511104]", 0, terabytes),
        tensor("[4398046511104]", 0, 16),
        tensor("[4]", 0, terabytes),
        tensor("[4]", terabytes, terabytes + 16),
        tensor("[4]", 16, 0),
        tensor("[4611686018427387904,4611686018427387904]", 0, 16),
        tensor("[18446744073709551615]", 0, 16),
        tensor("[99999999999999999999999]", 0, 16),
        tensor("[-4]", 0, 16),
        tensor("[4.0]", 0, 16),
        tensor("[3]", 0, 16),
        tensor("[]", 0, 16),
        tensor("4", 0, 16),
    ] {
        assert!(scratch.load(&file(&header, 16)).is_err(), "{header}");
    }
    // Without elements, but with sizes whose strides no machine can hold.
    for shape in ["[0,4611686018427387904,4611686018427387904]", "[4611686018427387904,0,8]"] {
        match scratch.load(&file(&tensor(shape, 0, 0), 0)) {
            Ok(d) => assert_eq!(d.get("x").unwrap().numel(), 0),
            Err(e) => assert!(e.contains('x'), "{e}"),
        }
    }
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|l| l.strip_prefix("VmPeak:")).unwrap();
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kilobytes < 1 << 30, "{kilobytes} kB were asked for");
    }
}

#[test]
fn headers_that_make_no_sense() {
    let scratch = Scratch::new();
    for header in ["", "x", "[]", "null", "{", r#"{"x":1}"#, r#"{"x":{}}"#, r#"{"x":{"dtype":"F32"}}"#] {
        assert!(scratch.load(&file(header, 16)).is_err(), "{header}");
    }
}

/// Every byte of the data belongs to one tensor, and every name comes once.
#[test]
fn places_that_cannot_be() {
    let scratch = Scratch::new();
    let entry = |name: &str, start: u64, end: u64| {
        format!(r#""{name}":{{"dtype":"U8","shape":[{}],"data_offsets":[{start},{end}]}}"#, end - start)
    };
    for (a, b, message) in [
        (
            entry("a", 0, 4),
            entry("b", 2, 8),
            "\"b\": its bytes begin at 2, where another tensor's reach to 4",
        ),
        (entry("a", 0, 8), entry("b", 0, 8), "\"b\": its bytes begin at 0"),
        (entry("a", 0, 2), entry("b", 4, 8), "\"b\": bytes 2..4 before it are nobody's"),
        (entry("a", 1, 4), entry("b", 4, 8), "\"a\": bytes 0..1 before it are nobody's"),
        (entry("a", 0, 4), entry("b", 4, 7), "its tensors have 7 bytes, the file has 8 for them"),
        (entry("a", 0, 4), entry("a", 4, 8), "\"a\": header: it is there twice"),
        (entry("a", 0, 4), entry("b", 4, 9), "\"b\": bytes 4..9 are not within the 8 bytes of data"),
        (entry("a", 0, 8), r#""__metadata__":{"k":"1","k":"2"}"#.into(), "\"k\" is there twice"),
        (entry("a", 0, 8), r#""__metadata__":{"k":1}"#.into(), "\"__metadata__\": header: invalid type"),
    ] {
        let error = scratch.load(&file(&format!("{{{a},{b}}}"), 8)).unwrap_err();
        assert!(error.contains(message), "{error}, not {message}");
    }
    let mut latin = file(r#"{"x":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#, 8);
    latin[10] = 0xe9;
    assert!(scratch.load(&latin).unwrap_err().contains("not UTF-8"));
    let deep = format!("{}1{}", r#"{"x":"#.repeat(100_000), "}".repeat(100_000));
    assert!(scratch.load(&file(&deep, 8)).is_err());
    let deep = format!(
        r#"{{"x":{{"dtype":"U8","shape":[8],"data_offsets":[0,8],"more":{}{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    // Entries of an entry that the format does not know are passed over, however deep.
    assert!(scratch.load(&file(&deep, 8)).is_ok());
}

/// One tensor of a dtype that taper has not got leaves the others readable.
#[test]
fn part_of_a_file() {
    let scratch = Scratch::new();
    let header = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[4,8]},"a":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]}}"#;
    let mut bytes = file(header, 8);
    let data = bytes.len() - 8;
    bytes[data..data + 4].copy_from_slice(&[1, 2, 3, 4]);
    std::fs::write(&scratch.path, bytes).unwrap();
    let file = taper_io::safetensors::File::open(&scratch.path).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(file.metadata().get("format").unwrap(), "pt");
    let entry = file.entry("b").unwrap();
    assert_eq!(
        (entry.dtype(), entry.dtype_name(), entry.shape(), entry.bytes()),
        (None, "F8_E5M2", &[4][..], 4)
    );
    assert_eq!(file.tensor("a").unwrap().to_vec::<u8>(), [1, 2, 3, 4]);
    assert!(file.tensor("b").unwrap_err().to_string().contains("dtype F8_E5M2 is not supported"));
    assert!(
        file.tensor("c").unwrap_err().to_string().contains("tensor \"c\": the file has none of this name")
    );
    assert!(file.state_dict().is_err() && file.entry("c").is_none());
}

/// The message of a dtype that taper has not got names the tensor and the dtype.
#[test]
fn a_dtype_that_is_not_supported() {
    let header = r#"{"blocks.3.scale":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#;
    let error = Scratch::new().load(&file(header, 4)).unwrap_err();
    assert!(error.contains("tensor \"blocks.3.scale\": dtype F8_E4M3 is not supported"), "{error}");
}

#[test]
fn no_file_and_no_format() {
    let scratch = Scratch::new();
    let error = taper_io::load_state_dict(&scratch.path).unwrap_err().to_string();
    assert!(error.contains("damaged.safetensors: cannot read: "), "{error}");
    for name in ["weights", "weights.txt", "weights.safetensors.bak", ".safetensors"] {
        let path = scratch.path.with_file_name(name);
        for error in [
            taper_io::load_state_dict(&path).unwrap_err(),
            taper_io::save(&StateDict::new(), &path).unwrap_err(),
        ] {
            assert!(error.to_string().contains("unknown file extension"), "{error}");
        }
        assert!(!path.exists());
    }
    let error = taper_io::load_state_dict(scratch.path.parent().unwrap().with_extension("safetensors"));
    assert!(error.is_err());
}
