//! What goes in comes out.

use crate::{assert_same, dict};
use std::path::Path;
use taper_tensor::{DType, StateDict, Tensor, tensor};

fn through_a_file(dict: &StateDict) -> StateDict {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tensors.safetensors");
    taper_io::save(dict, &path).unwrap();
    taper_io::load_state_dict(&path).unwrap()
}

#[test]
fn every_dtype() {
    let all: StateDict = DType::ALL
        .into_iter()
        .map(|d| (d.to_string(), Tensor::arange(0, 6, 1).reshape([2, 3]).to_dtype(d)))
        .collect();
    assert_eq!(all.len(), 10);
    let loaded = through_a_file(&all);
    assert_same(&loaded, &all);
    assert_eq!(loaded.get("float16").unwrap().to_vec::<f64>(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(loaded.get("bool").unwrap().to_vec::<bool>(), [false, true, true, true, true, true]);
}

#[test]
fn odd_shapes_and_views() {
    let x = Tensor::arange_with(0, 24, 1, DType::F32).reshape([2, 3, 4]);
    let all = dict([
        ("scalar", Tensor::full((), 2.5)),
        ("empty", Tensor::zeros([0, 3])),
        ("empty too", Tensor::zeros([3, 0])),
        ("one", Tensor::ones([1, 1, 1, 1])),
        ("transposed", x.transpose(0, 2)),
        ("reversed", x.flip([0, 2])),
        ("sliced", x.slice(2, 1, None, 2)),
        ("expanded", tensor([1.0, 2.0]).reshape([2, 1]).expand([2, 3])),
        ("special", tensor([f32::NAN, -0.0, f32::INFINITY, f32::MIN_POSITIVE / 2.0])),
        ("Überschrift \"{}\" \n 名", tensor([1.0])),
        ("", tensor([true, false])),
    ]);
    assert_same(&through_a_file(&all), &all);
    assert!(through_a_file(&StateDict::new()).is_empty());
}

#[test]
fn what_requires_grad_comes_back_as_a_value() {
    let saved = dict([("w", tensor([1.0, 2.0]).requires_grad_(true))]);
    let loaded = through_a_file(&saved);
    assert!(!loaded.get("w").unwrap().requires_grad());
    assert_same(&loaded, &saved);
}

#[test]
fn the_same_tensors_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let path = dir.path().join(name);
        let all = dict([("b", tensor([1.0])), ("a", tensor([2i64])), ("empty", Tensor::zeros(0))]);
        taper_io::save(&all, &path).unwrap();
        std::fs::read(path).unwrap()
    };
    assert_eq!(bytes("1.safetensors"), bytes("2.safetensors"));
}

/// Tensors without elements lie at one place; their order must not be the hash's.
#[test]
fn the_order_of_a_file_is_always_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empties.safetensors");
    let all: StateDict = (0..20).map(|i| (format!("t{i:02}"), Tensor::zeros([0, i]))).collect();
    taper_io::save(&all, &path).unwrap();
    let order = || taper_io::load_state_dict(&path).unwrap().keys().cloned().collect::<Vec<_>>();
    let first = order();
    for _ in 0..5 {
        assert_eq!(order(), first);
    }
}

/// A file written by the Python library (`tests/fixtures/make/files.py`).
#[test]
fn a_file_of_pythons() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/python.safetensors");
    let loaded = taper_io::load_state_dict(path).unwrap();
    let names = ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"];
    let dtypes = [
        DType::F64,
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::I64,
        DType::I32,
        DType::I16,
        DType::I8,
        DType::U8,
        DType::Bool,
    ];
    let mut expected: StateDict = names
        .into_iter()
        .zip(dtypes)
        .map(|(name, d)| (name.to_string(), Tensor::arange(0, 6, 1).reshape([2, 3]).to_dtype(d)))
        .collect();
    expected.insert("scalar", Tensor::full((), 1.5));
    expected.insert("empty", Tensor::zeros([0, 4]));
    let special = [-0.0f32, f32::INFINITY, f32::from_bits(1), f32::from_bits(0x7fc0_0000)];
    expected.insert("layer.0.weight", Tensor::from_slice(&special, [2, 2]));
    assert_same(&loaded, &expected);
}
