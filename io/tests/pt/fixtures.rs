//! Files by PyTorch (`tests/fixtures/make/pt.py`) against what PyTorch says is in them.

use crate::fixture;
use serde_json::Value as Json;
use std::collections::HashMap;
use taper_io::pt::{Container, File};
use taper_io::{LoadOptions, load_with};
use taper_tensor::{Key, State, Tensor};

fn expected() -> serde_json::Map<String, Json> {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers<T: TryFrom<i64>>(json: &Json) -> Vec<T> {
    let number = |n: &Json| T::try_from(n.as_i64().unwrap()).ok().unwrap();
    json.as_array().unwrap().iter().map(number).collect()
}

/// Compares a state with PyTorch's; `storages` has the storage of each number.
#[track_caller]
fn compare(at: &str, state: &State, json: &Json, storages: &mut HashMap<u64, Tensor>) {
    let (kind, json) = json.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), state) {
        ("tensor", State::Tensor(t)) => {
            assert_eq!(t.dtype().to_string(), json["dtype"].as_str().unwrap(), "{at}");
            assert_eq!(t.shape(), numbers::<usize>(&json["shape"]), "{at}");
            if t.numel() > 0 {
                assert_eq!(t.strides(), numbers::<isize>(&json["strides"]), "{at}");
                assert_eq!(t.storage_offset() as u64, json["offset"].as_u64().unwrap(), "{at}");
            }
            let hex: String = t.to_bytes().iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, json["hex"].as_str().unwrap(), "{at}");
            if let Some(number) = json["storage"].as_u64() {
                for (other, its) in storages.iter() {
                    assert_eq!(t.shares_storage(its), *other == number, "{at}: storages {other} {number}");
                }
                storages.insert(number, Tensor::clone(t));
            }
        }
        ("map", State::Map(map)) => {
            let pairs = json.as_array().unwrap();
            assert_eq!(map.len(), pairs.len(), "{at}");
            for ((key, value), pair) in map.iter().zip(pairs) {
                let same = match key {
                    Key::Str(s) => pair[0].as_str() == Some(s),
                    Key::Int(i) => pair[0].as_i64() == Some(*i),
                };
                assert!(same, "{at}: {key:?} {}", pair[0]);
                compare(&format!("{at}.{}", pair[0]), value, &pair[1], storages);
            }
        }
        ("list", State::List(items)) | ("tuple", State::Tuple(items)) => {
            let list = json.as_array().unwrap();
            assert_eq!(items.len(), list.len(), "{at}");
            for (i, (item, json)) in items.iter().zip(list).enumerate() {
                compare(&format!("{at}.{i}"), item, json, storages);
            }
        }
        ("int", State::Int(i)) => assert_eq!(Some(*i), json.as_i64(), "{at}"),
        ("float", State::Float(f)) => assert_eq!(*f, json.as_str().unwrap().parse::<f64>().unwrap(), "{at}"),
        ("bool", State::Bool(b)) => assert_eq!(Some(*b), json.as_bool(), "{at}"),
        ("str", State::Str(s)) => assert_eq!(Some(s.as_str()), json.as_str(), "{at}"),
        ("none", State::None) => {}
        _ => panic!("{at}: {state:?} is not {kind} {json}"),
    }
}

#[test]
fn what_pytorch_wrote() {
    let expected = expected();
    assert!(expected.len() >= 24, "{}", expected.len());
    for (name, json) in &expected {
        for mmap in [true, false] {
            let options = LoadOptions { mmap, ..LoadOptions::default() };
            let state = load_with(fixture(name), &options).unwrap_or_else(|e| panic!("{e}"));
            compare(name, &state, json, &mut HashMap::new());
        }
    }
}

#[test]
fn a_listing_says_what_loading_gives() {
    let file = File::open(fixture("cuda.pth")).unwrap();
    let entries: Vec<_> = file.entries().iter().map(|e| (e.name(), e.dtype_name(), e.shape())).collect();
    assert_eq!(entries[0], ("conv.weight", "float32", &[2, 1, 3, 3][..]));
    assert_eq!(entries[6], ("norm.num_batches_tracked", "int64", &[][..]));
    assert!(file.entries().iter().all(|e| e.device() == "cuda:0"), "{:?}", file.entries());
    assert_eq!(file.metadata()[0].0, "");
    let versions = file.metadata()[0].1.get("_metadata").unwrap();
    assert_eq!(versions.get("norm").unwrap().get("version").unwrap().as_i64(), Some(2));
    let root = "state_dict".to_string();
    let version = Some("3".to_string());
    let zip = Container::Zip { root, version, big_endian: false, checksums: true };
    assert_eq!((file.container(), file.protocol()), (&zip, 2));

    let file = File::open(fixture("legacy_views.pt")).unwrap();
    assert_eq!(*file.container(), Container::Legacy);
    let strided = &file.entries()[2];
    assert_eq!(
        (strided.name(), strided.strides(), strided.storage_offset()),
        ("strided", &[12, 8, 1][..], 1)
    );
    assert_eq!(strided.storage_key(), file.entries()[0].storage_key());
    assert_eq!(strided.storage_bytes(), 96);

    let file = File::open(fixture("plain_4.pt")).unwrap();
    let parameter = file.entries().iter().find(|e| e.name() == "parameter").unwrap();
    assert!(parameter.is_parameter() && parameter.requires_grad());
    let value = |name: &str| file.values().iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!(value("tuple").as_list().unwrap()[1].as_str(), Some("a"));
    assert_eq!(value("cuda").as_str(), Some("cuda:1"));
    assert_eq!(file.protocol(), 4);
}

#[test]
fn a_listing_shows_what_cannot_be_loaded() {
    let file = File::open(fixture("refused_complex.pt")).unwrap();
    let entry = &file.entries()[1];
    assert_eq!((entry.name(), entry.dtype_name(), entry.dtype()), ("list.0.it", "complex64", None));
    let mut tensors = file.tensors();
    assert_eq!(tensors.next().unwrap().unwrap().to_vec::<f32>(), [1.0]);
    let error = tensors.next().unwrap().unwrap_err().to_string();
    assert!(error.contains("complex64 is not supported") && tensors.next().is_none(), "{error}");
    let file = File::open(fixture("refused_sparse.pt")).unwrap();
    assert_eq!(file.unsupported(), [("list.0.it".to_string(), "a sparse tensor".to_string())]);
}

#[test]
fn one_tensor_at_a_time() {
    let file = File::open(fixture("views.pt")).unwrap();
    let tensors: Vec<Tensor> = file.tensors().map(Result::unwrap).collect();
    assert_eq!(tensors[3].to_vec::<f32>(), [23.0]);
    assert!(tensors[3].shares_storage(&tensors[1]) && !tensors[3].shares_storage(&tensors[8]));
}

#[test]
fn writing_to_a_loaded_tensor_leaves_the_file_and_its_clones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("copy.pt");
    std::fs::copy(fixture("views.pt"), &path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let dict = taper_io::load_state_dict(&path).unwrap();
    let mut a = dict.get("tied_a").unwrap().clone();
    a.add_(1.0);
    assert_eq!(dict.get("tied_a").unwrap().to_vec::<f32>()[0], 1.5);
    assert_eq!(a.to_vec::<f32>()[0], 2.5);
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
