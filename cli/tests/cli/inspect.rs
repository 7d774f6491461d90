//! What people read.

use crate::{Place, run, weights};
use insta::assert_snapshot;
use taper_tensor::{Key, OrderedMap, State, StateDict, Tensor, tensor};

#[test]
fn a_file_by_the_python_library() {
    let place = Place::new().fixture("python.safetensors");
    assert_snapshot!(place.run(&["inspect", "python.safetensors"]).ok(), @r#"
    python.safetensors: safetensors, 13 tensors, 1.1 kB

      key             dtype     shape   bytes
      i64             int64     [2, 3]     48
      f64             float64   [2, 3]     48
      empty           float32   [0, 4]      0
      f32             float32   [2, 3]     24
      layer.0.weight  float32   [2, 2]     16
      scalar          float32   []          4
      i32             int32     [2, 3]     24
      bf16            bfloat16  [2, 3]     12
      f16             float16   [2, 3]     12
      i16             int16     [2, 3]     12
      i8              int8      [2, 3]      6
      u8              uint8     [2, 3]      6
      bool            bool      [2, 3]      6

    Metadata
      format  "pt"

    13 tensors, 65 elements, 218 B
    "#);
}

#[test]
fn a_tree() {
    let place = Place::new().with("run.safetensors", &run());
    assert_snapshot!(place.run(&["inspect", "run.safetensors"]).ok(), @r#"
    run.safetensors: safetensors with a tree by taper, 4 tensors, 952 B

      key                 dtype    shape   bytes
      model.embed.weight  float32  [4, 3]     48
      model.body.weight   float32  [2, 3]     24
      model.body.steps    int64    []          8
      model.head.weight   float32  [4, 3]     48

    Values
      optimizer.param_groups.0.lr       0.001
      optimizer.param_groups.0.betas    (0.9, 0.999)
      optimizer.param_groups.0.amsgrad  False
      optimizer.param_groups.0.params   [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 8 more]
      epoch                             3
      best                              inf
      note                              "first\ttry"
      parent                            None
      tags                              []

    4 tensors, 31 elements, 128 B
    "#);
}

#[test]
fn arrays_of_numpy() {
    let place = Place::new().fixture("numpy/all.npz").fixture("numpy/fortran.npy");
    assert_snapshot!(place.run(&["inspect", "all.npz", "fortran.npy"]).ok(), @r#"
    all.npz: numpy zip archive, 11 tensors, 2.8 kB

      key     dtype    shape   bytes
      f64     float64  [2, 3]     48
      f32     float32  [2, 3]     24
      f16     float16  [2, 3]     12
      i64     int64    [2, 3]     48
      i32     int32    [2, 3]     24
      i16     int16    [2, 3]     12
      i8      int8     [2, 3]      6
      u8      uint8    [2, 3]      6
      bool    bool     [2, 3]      6
      scalar  float64  []          8
      empty   float32  [0, 4]      0

    11 tensors, 55 elements, 194 B

    fortran.npy: numpy array, 1 tensor, 320 B

      key     dtype    shape      strides    bytes
      tensor  float64  [2, 3, 4]  [1, 2, 6]    192

    1 tensor, 24 elements, 192 B
    "#);
}

#[test]
fn some_keys() {
    let place = Place::new().with("run.safetensors", &run());
    let keys = |pattern: &str| place.run(&["inspect", "--keys", pattern, "run.safetensors"]).ok().to_string();
    assert_snapshot!(keys("model.*.weight"), @r#"
    run.safetensors: safetensors with a tree by taper, 4 tensors, 952 B

      key                 dtype    shape   bytes
      model.embed.weight  float32  [4, 3]     48
      model.body.weight   float32  [2, 3]     24
      model.head.weight   float32  [4, 3]     48

    3 of 4 tensors and 0 of 9 values, 30 elements, 120 B
    "#);
    assert_snapshot!(keys("lr"), @r#"
    run.safetensors: safetensors with a tree by taper, 4 tensors, 952 B

    Values
      optimizer.param_groups.0.lr  0.001

    0 of 4 tensors and 1 of 9 values, 0 elements, 0 B
    "#);
    assert_snapshot!(keys("nothing"), @r#"
    run.safetensors: safetensors with a tree by taper, 4 tensors, 952 B

    0 of 4 tensors and 0 of 9 values, 0 elements, 0 B
    "#);
}

#[test]
fn with_statistics() {
    let place = Place::new().with("weights.safetensors", &weights());
    assert_snapshot!(place.run(&["inspect", "--stats", "weights.safetensors"]).ok(), @r#"
    weights.safetensors: safetensors, 4 tensors, 400 B

      key           dtype    shape   bytes   min   max   mean       std  nan  inf
      embed.weight  float32  [4, 3]     48     0  2.75  1.375  0.901388    0    0
      body.weight   float32  [2, 3]     24    -2   inf    inf       nan    1    1
      body.steps    int64    []          8  1234  1234   1234         -    0    0
      head.weight   float32  [4, 3]     48     0  2.75  1.375  0.901388    0    0

    4 tensors, 31 elements, 128 B
    "#);
}

#[test]
fn nothing_at_all() {
    let place =
        Place::new().with("empty.safetensors", &StateDict::new()).with("empty.npz", &StateDict::new());
    assert_snapshot!(place.run(&["inspect", "empty.safetensors", "empty.npz"]).ok(), @r#"
    empty.safetensors: safetensors, 0 tensors, 16 B

    0 tensors, 0 elements, 0 B

    empty.npz: numpy zip archive, 0 tensors, 22 B

    0 tensors, 0 elements, 0 B
    "#);
}

#[test]
fn nothing_reaches_the_terminal_as_a_command() {
    let evil = "a\x1b[2J\x1b]0;title\x07\u{9b}31m\u{202e}b\r\n";
    let map: OrderedMap<Key, State> = [
        (Key::from(evil), Tensor::zeros([2]).into()),
        (Key::from("text"), State::from(evil)),
        (Key::Int(7), State::Int(1)),
    ]
    .into_iter()
    .collect();
    let place = Place::new().with("evil.safetensors", &State::Map(map));
    let text = place.run(&["inspect", "evil.safetensors"]);
    assert_snapshot!(text.ok(), @r#"
    evil.safetensors: safetensors with a tree by taper, 1 tensor, 352 B

      key                                                  dtype    shape  bytes
      a\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}b\r\n  float32  [2]        8

    Values
      text  "a\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}b\r\n"
      7     1

    1 tensor, 2 elements, 8 B
    "#);
    for run in [&text, &place.run(&["inspect", "--json", "evil.safetensors"])] {
        let odd: Vec<char> =
            run.ok().chars().filter(|&c| c != '\n' && (c.is_control() || c == '\u{202e}')).collect();
        assert_eq!(odd, []);
    }
    let lost = place.run(&["inspect", "no\x1b[2Jsuch.pt"]);
    assert!(lost.trouble().starts_with("no\\u{1b}[2Jsuch.pt: cannot read: "), "{}", lost.err());
}

#[test]
fn long_texts_are_cut() {
    let dict: State = State::map([("x", tensor([1.0]).into()), ("log", "é".repeat(5000).as_str().into())]);
    let place = Place::new().with("long.safetensors", &dict);
    let run = place.run(&["inspect", "--keys", "log", "long.safetensors"]);
    assert_eq!(
        run.ok().lines().nth(3).unwrap(),
        format!("  log  \"{}… (5,000 characters)\"", "é".repeat(100))
    );
}
