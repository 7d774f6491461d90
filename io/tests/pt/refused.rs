//! Files that hold more than data, or what taper has not got: errors that say what and where.

use crate::fixture;

#[test]
fn with_the_reason() {
    let list: [(&str, &[&str]); 20] = [
        (
            "refused_linear.pt",
            &["torch.nn.modules.linear.Linear", "whole model", "model.state_dict()", "byte 2:"],
        ),
        ("refused_model.pt", &["project.models.Net", "whole model", "model.state_dict()"]),
        ("refused_legacy_model.pt", &["project.models.Net", "model.state_dict()"]),
        ("refused_script.pt", &["TorchScript", "model.state_dict()"]),
        ("refused_complex.pt", &["\"list.0.it\"", "complex64 is not supported"]),
        ("refused_float8.pt", &["\"list.0.it\"", "float8_e4m3fn is not supported"]),
        ("refused_uint16.pt", &["\"list.0.it\"", "uint16 is not supported"]),
        ("refused_sparse.pt", &["list.0.it: a sparse tensor"]),
        ("refused_quantized.pt", &["list.0.it: a quantized tensor"]),
        ("refused_meta.pt", &["list.0.it: a tensor without data"]),
        ("refused_negated.pt", &["list.0.it", "conjugated or negated"]),
        ("refused_bigint.pt", &["list.0.it: an integer of 9 bytes"]),
        ("refused_complex_number.pt", &["list.0.it: a complex number"]),
        ("refused_tuple_key.pt", &["list.0.it: a dict's key is a tuple"]),
        ("refused_surrogate.pt", &["data.pkl, byte ", "not UTF-8"]),
        ("refused_numpy.pt", &["it names numpy.", "float(x)"]),
        ("refused_loop.pt", &["loop.0: it contains itself"]),
        ("refused_plain_pickle.pt", &["not a file of PyTorch's"]),
        ("refused_evil.pt", &["data.pkl, byte ", "it names posix.system", "nothing is run"]),
        ("missing.pt", &["cannot read"]),
    ];
    for (name, parts) in list {
        let path = fixture(name);
        let error = taper_io::load(&path).map(drop).unwrap_err().to_string();
        assert!(error.starts_with(path.to_str().unwrap()), "{error}");
        for part in parts {
            assert!(error.contains(part), "{name}: {part:?} is not in {error:?}");
        }
    }
    let names =
        std::fs::read_dir(fixture("")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let all: Vec<String> = names.filter(|n| n.starts_with("refused_")).collect();
    for name in all {
        assert!(list.iter().any(|(n, _)| *n == name), "{name} is not in the list");
    }
}

#[test]
fn what_is_no_file_of_pytorchs() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pt");
    let mut tar = vec![0; 600];
    tar[..4].copy_from_slice(b"data");
    tar[257..262].copy_from_slice(b"ustar");
    for (bytes, part) in [
        (&b""[..], "is empty"),
        (b"hello", "it begins with hello"),
        (b"<!DOCTYPE html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"\x10\0\0\0\0\0\0\0{\"a\"", "safetensors"),
        (b"PK\x03\x04", "directory is missing"),
        (&tar, "tar archive"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = taper_io::load(&path).map(drop).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}
