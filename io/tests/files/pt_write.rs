//! What is written for PyTorch: against bytes of `torch.save`, and against readers of zip files.

use crate::dict;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use taper_tensor::{DType, Key, State, Tensor, tensor};

/// The value that `tests/fixtures/make/everything.py` saves.
fn everything() -> State {
    let a = Tensor::arange_with(0.0, 6.0, 1.0, DType::F32).reshape([2, 3]);
    let model = dict([("w", a.clone()), ("b", a.t()), ("c", tensor(3))]);
    let all = DType::ALL.map(|d| (d.name(), State::from(Tensor::full_with([2], 1.0, d))));
    let mut numbered = taper_tensor::OrderedMap::<Key, State>::new();
    numbered.insert(0, State::map([("step", Tensor::full((), 3.0).into())]));
    numbered.insert(7, State::map([("step", Tensor::full((), 4.0).into())]));
    let ints = [0, 255, 256, 65535, 65536, -1, -256, i32::MAX as i64, i32::MIN as i64].into_iter().chain([
        1 << 31,
        -(1 << 31) - 1,
        1 << 40,
        -(1 << 39),
        (1 << 39),
        i64::MAX,
        i64::MIN,
    ]);
    let wide: Vec<State> = (0..2500).map(State::Int).collect();
    let names: State = State::Map((0..1001).map(|i| (Key::from(format!("k{i}")), State::Int(i))).collect());
    State::map([
        ("model", model.into()),
        ("dtypes", State::map(all)),
        ("state", State::Map(numbered)),
        ("ints", State::List(ints.map(State::Int).collect())),
        ("floats", State::List([1.5, f64::INFINITY, -0.0, 1e-310].map(State::Float).into())),
        ("flags", State::Tuple(vec![true.into(), false.into(), State::None])),
        ("texts", State::List(vec!["é".repeat(200).into(), "".into(), "model".into()])),
        ("one", State::List(vec![1.into()])),
        ("tuples", State::Tuple((0..6).map(|n| State::Tuple((0..n).map(State::Int).collect())).collect())),
        ("nothing", State::List(vec![State::List(vec![]), State::map([])])),
        ("single", State::map([("x", 1.into())])),
        ("wide", State::List(wide)),
        ("names", names),
        ("empty", Tensor::zeros([0, 3]).into()),
        ("scalar", tensor(2.5).into()),
        ("expanded", Tensor::full([3], 2.0).expand([2, 3]).into()),
    ])
}

/// The bytes of `torch.save`, but for the digits of the fingerprint that come of names.
#[test]
fn bytes_of_torch_save() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/everything.pt");
    let theirs = std::fs::read(fixture).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("everything.pt");
    taper_io::save(&everything(), &path).unwrap();
    let ours = std::fs::read(&path).unwrap();
    assert_eq!(ours.len(), theirs.len());
    let differs: Vec<usize> = (0..ours.len()).filter(|&i| ours[i] != theirs[i]).collect();
    let id = find(&theirs, b".data/serialization_id");
    let id = id + find(&theirs[id..], b"FB");
    let id = id + 4 + u16::from_le_bytes([theirs[id + 2], theirs[id + 3]]) as usize;
    // 20 digits, and the checksum of all 40: behind them, and in the directory.
    let crc = [id + 40 + 4, theirs.len() - 98 - 46 - "everything/.data/serialization_id".len() + 16];
    let expected = |i: usize| (id..id + 20).contains(&i) || crc.iter().any(|&c| (c..c + 4).contains(&i));
    assert!(!differs.is_empty() && differs.iter().all(|&i| expected(i)), "bytes {differs:?} differ");
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|w| w == what).unwrap()
}

/// The records of a file by name, read by the `zip` crate, which checks their sums.
fn records(path: &Path) -> HashMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut records = HashMap::new();
    for i in 0..archive.len() {
        let mut record = archive.by_index(i).unwrap();
        assert_eq!(record.data_start().unwrap() % 64, 0);
        let (mut bytes, name) = (Vec::new(), record.name().unwrap().to_string());
        record.read_to_end(&mut bytes).unwrap();
        records.insert(name, bytes);
    }
    records
}

fn saved(value: impl Into<State>) -> HashMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pth");
    taper_io::save(&value.into(), &path).unwrap();
    records(&path)
}

#[test]
fn shared_storages_are_written_once() {
    let x = Tensor::arange_with(0.0, 100.0, 1.0, DType::F32);
    // Tied, a part of the other, and the whole storage of both though they show half of it.
    let two = saved(dict([
        ("a", x.slice(0, 0, 50, 1)),
        ("b", x.slice(0, 10, 20, 1)),
        ("c", x.slice(0, 10, 20, 1)),
    ]));
    assert_eq!(two["x/data/0"], x.to_bytes());
    assert!(!two.contains_key("x/data/1"));
    // The same view twice is one storage too, and nothing but the view.
    let view = x.slice(0, 10, 20, 1);
    let tied = saved(dict([("a", view.clone()), ("b", view.clone()), ("c", tensor([1.0]))]));
    assert_eq!((&tied["x/data/0"], tied["x/data/1"].len()), (&view.to_bytes(), 4));
}

#[test]
fn what_is_shared_comes_back_shared() {
    let x = Tensor::arange_with(0.0, 24.0, 1.0, DType::F32).reshape([4, 6]);
    let all = dict([("x", x.clone()), ("t", x.t()), ("part", x.slice(1, 1, 6, 2)), ("tied", x.clone())]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pt");
    taper_io::save(&all, &path).unwrap();
    let back = taper_io::load_state_dict(&path).unwrap();
    for (name, tensor) in all.iter() {
        let read = back.get(name.as_str()).unwrap();
        assert_eq!(read.strides(), tensor.strides(), "{name}");
        assert_eq!(read.to_bytes(), tensor.to_bytes(), "{name}");
        assert!(read.shares_storage(back.get("x").unwrap()), "{name}");
    }
}

/// What is read is what was written: values, kinds, order, and for tensors dtype, shape and bits.
#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("everything.pt");
    taper_io::save(&everything(), &path).unwrap();
    let show = |state: &State| {
        let mut tensors = Vec::new();
        let mut open = vec![state];
        while let Some(state) = open.pop() {
            match state {
                State::Map(map) => open.extend(map.values()),
                State::List(items) | State::Tuple(items) => open.extend(items),
                State::Tensor(t) => tensors.push((t.strides().to_vec(), t.to_bytes())),
                _ => {}
            }
        }
        (format!("{state:?}"), tensors)
    };
    let read = taper_io::load(&path).unwrap();
    assert_eq!(show(&read), show(&everything()));
    // Tied is tied again, and a second save has the same bytes.
    let of = |name: &str| read.get("model").unwrap().get(name).unwrap().as_tensor().unwrap();
    assert!(of("w").shares_storage(of("b")) && !of("w").shares_storage(of("c")));
    let before = std::fs::read(&path).unwrap();
    taper_io::save(&read, &path).unwrap();
    assert!(std::fs::read(&path).unwrap() == before);
}

#[test]
fn a_lone_view_is_written_alone() {
    let x = Tensor::arange_with(0.0, 6000.0, 1.0, DType::I32).reshape([100, 60]);
    for view in [
        x.slice(0, 5, 10, 1),
        x.slice(0, 5, 10, 1).t(),
        x.slice(1, 3, 50, 2),
        x.slice(1, 3, 4, 1).expand([100, 5]),
        x.slice(0, 5, 6, 1).expand([5, 60]),
        x.flip([0, 1]),
        x.flip([0]).slice(0, 0, 1, 1),
        x.t().slice(0, 2, 4, 1),
    ] {
        // Its elements: in the order of the memory where they are all there is, or else of the rows.
        let mut elements = view.to_vec::<i32>();
        let mut written: Vec<i32> =
            saved(view)["x/data/0"].chunks(4).map(|b| i32::from_le_bytes(b.try_into().unwrap())).collect();
        elements.sort();
        elements.dedup();
        written.sort();
        assert_eq!(written, elements);
    }
    // Larger than the pieces in which it is copied.
    let big = Tensor::arange_with(0.0, 1_200_000.0, 1.0, DType::F32).reshape([3, 400, 1000]);
    let view = big.permute([2, 0, 1]).slice(0, 0, 999, 1);
    assert_eq!(saved(view.clone())["x/data/0"], view.to_bytes());
}

#[test]
fn records_have_the_files_name() {
    let dir = tempfile::tempdir().unwrap();
    for (name, root) in [("run.best.pt", "run.best"), ("köln.pth", "archive"), ("a\\b.pt", "archive")] {
        let path = dir.path().join(name);
        taper_io::save(&tensor([1.0]), &path).unwrap();
        let records = records(&path);
        assert_eq!(records[&format!("{root}/version")], b"3\n");
        assert_eq!(records[&format!("{root}/data/0")], 1f32.to_le_bytes());
        assert_eq!(records.len(), 7);
    }
}

#[test]
fn too_deep_is_refused() {
    let nested = |n: usize| (0..n).fold(State::None, |inner, _| State::List(vec![inner]));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep.pt");
    taper_io::save(&nested(120), &path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = taper_io::save(&nested(121), &path).unwrap_err().to_string();
    assert!(error.ends_with("deep.pt: the tree is nested too deeply to be saved"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
