//! Trees: every value comes back as it was, and a damaged structure is an error.

use crate::{cases, dict};
use proptest::prelude::*;
use std::path::Path;
use taper_io::safetensors::{self, File};
use taper_tensor::{Key, OrderedMap, State, Tensor, tensor};

/// Equal in kind, order and every bit.
fn same(a: &State, b: &State) -> bool {
    let items = |a: &[State], b: &[State]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b));
    match (a, b) {
        (State::Tensor(a), State::Tensor(b)) => {
            (a.dtype(), a.shape(), a.to_bytes()) == (b.dtype(), b.shape(), b.to_bytes())
        }
        (State::Map(a), State::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
        }
        (State::List(a), State::List(b)) | (State::Tuple(a), State::Tuple(b)) => items(a, b),
        (State::Int(a), State::Int(b)) => a == b,
        (State::Float(a), State::Float(b)) => a.to_bits() == b.to_bits(),
        (State::Bool(a), State::Bool(b)) => a == b,
        (State::Str(a), State::Str(b)) => a == b,
        (State::None, State::None) => true,
        _ => false,
    }
}

fn path(dir: &tempfile::TempDir) -> std::path::PathBuf {
    dir.path().join("tree.safetensors")
}

#[track_caller]
fn comes_back(state: &State) -> File {
    let dir = tempfile::tempdir().unwrap();
    for path in [path(&dir), dir.path().join("tree.pt")] {
        taper_io::save(state, &path).unwrap();
        let back = taper_io::load(&path).unwrap();
        assert!(same(&back, state), "{state:?}\nbecame\n{back:?}");
    }
    File::open(path(&dir)).unwrap()
}

fn map<const N: usize>(entries: [(Key, State); N]) -> State {
    State::Map(entries.into_iter().collect())
}

#[test]
fn every_kind_of_value() {
    let optimizer = map([
        (0.into(), State::map([("step", 3.0.into()), ("exp_avg", tensor([1.0, 2.0]).into())])),
        ((-7).into(), State::None),
        ("7".into(), true.into()),
        (7.into(), false.into()),
    ]);
    let tree = State::map([
        ("model", State::map([("fc.weight", tensor([[1.0]]).into()), ("fc.bias", tensor([2i64]).into())])),
        ("optimizer", State::map([("state", optimizer)])),
        ("betas", State::Tuple(vec![0.9.into(), 0.999.into()])),
        ("list", State::List(vec![State::None, "text \"quoted\" \n \u{1} 名".into(), State::Tuple(vec![])])),
        ("empty map", State::map([])),
        ("empty list", State::List(vec![])),
        ("$first", State::map([("$tensor", 1.into()), ("other", 2.into())])),
        ("", Tensor::zeros([0, 3]).into()),
        ("scalar", Tensor::full((), f64::NAN).into()),
    ]);
    let file = comes_back(&tree);
    // Every tensor has its dotted name, for programs that know nothing of the tree.
    let names: Vec<&str> = file.names().collect();
    assert_eq!(names, ["model.fc.weight", "model.fc.bias", "optimizer.state.0.exp_avg", "", "scalar"]);
    assert_eq!(file.tensor("model.fc.weight").unwrap().to_vec::<f32>(), [1.0]);
}

#[test]
fn numbers_are_exact() {
    let floats = [
        0.0,
        -0.0,
        1.0,
        0.1,
        1e16,
        1e300,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        -1.0 / 3.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        f64::from_bits(0x7ff8_0000_dead_beef),
        f64::from_bits(0xfff0_0000_0000_0001),
        9007199254740993.0,
        2.225073858507201e-308,
    ];
    comes_back(&State::List(floats.map(State::Float).to_vec()));
    comes_back(&State::List([0, -1, i64::MAX, i64::MIN, 1 << 53, (1 << 53) + 1].map(State::Int).to_vec()));
}

#[test]
fn roots_of_every_kind() {
    for root in [
        State::None,
        3.into(),
        0.5.into(),
        "x".into(),
        true.into(),
        State::List(vec![]),
        tensor([1.0]).into(),
    ] {
        comes_back(&root);
    }
    // A plain state dict is an ordinary file, without a word about trees.
    let file = comes_back(&State::map([("b", tensor([1.0]).into()), ("a", tensor([1i64, 2]).into())]));
    assert!(file.metadata().is_empty());
    // A tree is not named tensors.
    let dir = tempfile::tempdir().unwrap();
    taper_io::save(&State::map([("model", State::map([])), ("epoch", 1.into())]), path(&dir)).unwrap();
    let error = taper_io::load_state_dict(path(&dir)).unwrap_err().to_string();
    assert!(
        error.contains("holds a tree with the keys \"model\", \"epoch\", not named tensors alone"),
        "{error}"
    );
}

/// Keys with dots can give two tensors one path.
#[test]
fn names_that_meet() {
    let file = comes_back(&State::map([
        ("a", State::map([("b", tensor([1.0]).into()), ("b#2", tensor([5.0]).into())])),
        ("a.b", tensor([2.0]).into()),
        ("__metadata__", tensor([3.0]).into()),
        ("n", State::None),
    ]));
    assert_eq!(file.names().collect::<Vec<_>>(), ["a.b", "a.b#2", "a.b#3", "__metadata__#"]);
}

#[test]
fn metadata_is_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let all = dict([("w", tensor([1.0]))]);
    safetensors::save_with_metadata(&all, &[("format", "pt"), ("note", "\"ü\"")], path(&dir)).unwrap();
    let file = File::open(path(&dir)).unwrap();
    let found: Vec<(&str, &str)> = file.metadata().iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(found, [("format", "pt"), ("note", "\"ü\"")]);
    for twice in [[("a", ""), ("a", "")], [("a", ""), ("taper.tree", "")]] {
        assert!(safetensors::save_with_metadata(&all, &twice, path(&dir)).is_err());
    }
}

#[test]
fn too_deep_to_be_read_is_not_saved() {
    let nested = |depth| (0..depth).fold(State::None, |inner, _| State::List(vec![inner]));
    comes_back(&nested(100));
    let dir = tempfile::tempdir().unwrap();
    for depth in [150, 2000] {
        let error = taper_io::save(&nested(depth), path(&dir)).unwrap_err().to_string();
        assert!(error.contains("nested too deeply"), "{error}");
    }
    // The deepest that is saved is read, in every kind of nesting.
    let kinds: [fn(State) -> State; 3] =
        [|s| State::Tuple(vec![s]), |s| map([(1.into(), s)]), |s| State::map([("k", s)])];
    for wrap in kinds {
        let mut state = State::from(tensor([1.0]));
        loop {
            if taper_io::save(&state, path(&dir)).is_err() {
                break;
            }
            assert!(same(&taper_io::load(path(&dir)).unwrap(), &state));
            state = wrap(state);
        }
    }
}

/// A file with one tensor "w" and a structure.
fn with_structure(path: &Path, structure: &str) {
    let quoted = serde_json::to_string(structure).unwrap();
    let header = format!(
        r#"{{"__metadata__":{{"taper.tree":{quoted}}},"w":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}}}"#
    );
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn structures_that_make_no_sense() {
    let dir = tempfile::tempdir().unwrap();
    let w = r#"{"$tensor":"w"}"#;
    with_structure(&path(&dir), &format!("[{w},{w}]"));
    assert_eq!(taper_io::load(path(&dir)).unwrap().as_list().unwrap().len(), 2);
    for (structure, message) in [
        (String::new(), "EOF"),
        ("[".into(), "EOF"),
        (format!("{w} 1"), "trailing characters"),
        (r#"{"model":{"a":[{"$tensor":"v"}]}}"#.into(), r#"at "model", "a", 0: there is no tensor "v""#),
        (format!(r#"{{"a":{w},"b":1,"a":2}}"#), r#"key "a" is there twice"#),
        (format!(r#"{{"$map":[[1,{w}],[1,2]]}}"#), "key 1 is there twice"),
        (r#"{"$map":[[1]]}"#.into(), "a key and a value are two"),
        (r#"{"$map":[[1,2,3]]}"#.into(), "trailing characters"),
        (r#"{"$map":[[1.5,2]]}"#.into(), "did not match"),
        (r#"{"$map":{}}"#.into(), "invalid type"),
        (r#"{"$tuple":{}}"#.into(), "without a list"),
        (r#"{"$float":"x"}"#.into(), "without 64 bits"),
        (r#"{"$float":"11112222333344445"}"#.into(), "without 64 bits"),
        (r#"{"$code":"x"}"#.into(), r#"nothing is known of "$code""#),
        (format!(r#"{{"$tensor":"w","x":{w}}}"#), "with another key beside it"),
        ("18446744073709551615".into(), "not within 64 bits"),
        ("1e999".into(), "out of range"),
        ("[]".into(), r#"tensor "w": the file's structure has no place for it"#),
        (format!("{}{w}{}", "[".repeat(100_000), "]".repeat(100_000)), "recursion limit"),
        (format!("{}{w}{}", r#"{"$tuple":["#.repeat(100_000), "]}".repeat(100_000)), "recursion limit"),
    ] {
        with_structure(&path(&dir), &structure);
        let error = taper_io::load(path(&dir)).unwrap_err().to_string();
        let short: String = error.chars().take(300).collect();
        assert!(
            error.starts_with(path(&dir).to_str().unwrap()) && error.contains(message),
            "{message}: {short}"
        );
    }
}

/// The format's own library reads what is written here, and the other way round.
#[test]
fn the_official_library_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let all = dict([
        ("b", Tensor::arange(0, 5, 1)),
        ("half", tensor([1.5, -2.0]).to_dtype(taper_tensor::DType::F16)),
        ("mask", tensor([true, false, true])),
        ("a", tensor([[1.0, 2.0], [3.0, 4.0]]).transpose(0, 1)),
        ("none", Tensor::zeros([2, 0])),
    ]);
    safetensors::save_with_metadata(&all, &[("k", "v")], path(&dir)).unwrap();
    let bytes = std::fs::read(path(&dir)).unwrap();
    let theirs = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.len(), 5);
    for (name, t) in all.iter() {
        let view = theirs.tensor(name).unwrap();
        assert_eq!((view.shape(), view.data()), (t.shape(), &t.to_bytes()[..]), "{name}");
        // Each at a multiple of its element's size.
        assert_eq!((view.data().as_ptr() as usize - bytes.as_ptr() as usize) % t.dtype().size(), 0, "{name}");
    }
    let again = ::safetensors::serialize(theirs.tensors(), None).unwrap();
    std::fs::write(path(&dir), again).unwrap();
    crate::assert_same(&taper_io::load_state_dict(path(&dir)).unwrap(), &all);
}

fn any_state() -> impl Strategy<Value = State> {
    let leaf = prop_oneof![
        Just(State::None),
        any::<bool>().prop_map(State::Bool),
        any::<i64>().prop_map(State::Int),
        any::<u64>().prop_map(|bits| State::Float(f64::from_bits(bits))),
        any::<String>().prop_map(State::Str),
        prop::collection::vec(any::<f32>(), 0..4)
            .prop_map(|v| State::from(Tensor::from_slice(&v, [v.len()]))),
    ];
    let key = prop_oneof![any::<i64>().prop_map(Key::Int), "[$a.#]{0,3}".prop_map(Key::Str)];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let entry = (key.clone(), inner.clone());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(State::List),
            prop::collection::vec(inner, 0..6).prop_map(State::Tuple),
            prop::collection::vec(entry, 0..6)
                .prop_map(|e| State::Map(e.into_iter().collect::<OrderedMap<_, _>>())),
        ]
    })
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn any_tree_comes_back(state in any_state()) {
        comes_back(&state);
    }

    #[test]
    fn a_damaged_tree_is_never_a_panic(
        state in any_state(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        taper_io::save(&state, path(&dir)).unwrap();
        let mut bytes = std::fs::read(path(&dir)).unwrap();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(path(&dir), &bytes).unwrap();
        let _ = taper_io::load(path(&dir));
        bytes.truncate(keep.index(bytes.len()));
        std::fs::write(path(&dir), &bytes).unwrap();
        prop_assert!(taper_io::load(path(&dir)).is_err());
    }
}
