//! What people read.

use crate::{Place, run, weights};
use insta::assert_snapshot;
use taper_tensor::{Key, OrderedMap, State, StateDict, Tensor, tensor};

#[test]
fn a_file_by_the_python_library() {
    let place = Place::new().fixture("python.safetensors");
    assert_snapshot!(place.run(&["inspect", "python.safetensors"]).ok(), @"");
}

#[test]
fn a_tree() {
    let place = Place::new().with("run.safetensors", &run());
    assert_snapshot!(place.run(&["inspect", "run.safetensors"]).ok(), @"");
}

#[test]
fn arrays_of_numpy() {
    let place = Place::new().fixture("numpy/all.npz").fixture("numpy/fortran.npy");
    assert_snapshot!(place.run(&["inspect", "all.npz", "fortran.npy"]).ok(), @"");
}

#[test]
fn some_keys() {
    let place = Place::new().with("run.safetensors", &run());
    let keys = |pattern: &str| place.run(&["inspect", "--keys", pattern, "run.safetensors"]).ok().to_string();
    assert_snapshot!(keys("model.*.weight"), @"");
    assert_snapshot!(keys("lr"), @"");
    assert_snapshot!(keys("nothing"), @"");
}

#[test]
fn with_statistics() {
    let place = Place::new().with("weights.safetensors", &weights());
    assert_snapshot!(place.run(&["inspect", "--stats", "weights.safetensors"]).ok(), @"");
}

#[test]
fn nothing_at_all() {
    let place =
        Place::new().with("empty.safetensors", &StateDict::new()).with("empty.npz", &StateDict::new());
    assert_snapshot!(place.run(&["inspect", "empty.safetensors", "empty.npz"]).ok(), @"");
}

#[test]
fn nothing_reaches_the_terminal_as_a_command() {
    let evil = "a\x1b[2J\x1b]0;title\x07\u{9b}31m\u{202e}b\r\n";
    let map: OrderedMap<Key, State> = [
        (Key::from(evil), State::Tensor(Tensor::zeros([2]))),
        (Key::from("text"), State::from(evil)),
        (Key::Int(7), State::Int(1)),
    ]
    .into_iter()
    .collect();
    let place = Place::new().with("evil.safetensors", &State::Map(map));
    let text = place.run(&["inspect", "evil.safetensors"]);
    assert_snapshot!(text.ok(), @"");
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
