//! Differences, and their absence.

use crate::{Place, run, weights};
use insta::assert_snapshot;
use taper_tensor::{DType, State, StateDict, Tensor, tensor};

fn named<const N: usize>(tensors: [(&str, Tensor); N]) -> StateDict {
    tensors.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}

#[test]
fn equal_files_of_all_formats() {
    let place = Place::new();
    let names = ["w.safetensors", "w.npz", "w.pt"];
    let place = names.into_iter().fold(place, |place, name| place.with(name, &weights()));
    for a in names {
        for b in names {
            assert_eq!(place.run(&["diff", a, b]).ok(), "equal: 4 tensors\n");
        }
    }
    assert_eq!(place.run(&["diff", "--quiet", "w.npz", "w.pt"]).ok(), "");
}

#[test]
fn everything_that_can_differ() {
    let a = State::map([
        (
            "model",
            named([
                ("same", tensor([1.0])),
                ("gone", tensor([1.0, 2.0])),
                ("cast", tensor([1.0])),
                ("grown", Tensor::zeros([2, 3])),
                ("moved", tensor([[1.0, 2.0], [3.0, 4.0]])),
                ("broken", tensor([1.0, 2.0, f32::NAN])),
                ("count", tensor([1, 2])),
            ])
            .into(),
        ),
        ("epoch", 3.into()),
        ("lr", 0.1.into()),
        ("name", "first".into()),
        ("betas", State::Tuple(vec![0.9.into(), 0.99.into()])),
        ("tensor or not", tensor([1.0]).into()),
    ]);
    let b = State::map([
        ("epoch", 4.into()),
        ("lr", 0.1.into()),
        ("name", "second\x1b[2J".into()),
        ("betas", State::List(vec![0.9.into(), 0.999.into()])),
        ("tensor or not", State::None),
        ("new", true.into()),
        (
            "model",
            named([
                ("same", tensor([1.0])),
                ("cast", tensor([1.0]).to_dtype(DType::BF16)),
                ("grown", Tensor::zeros([3, 3])),
                ("moved", tensor([[1.0, 2.0], [3.0000002, 5.0]])),
                ("broken", tensor([1.0, f32::NAN, f32::NAN])),
                ("count", tensor([1, -2])),
                ("came", tensor([true])),
            ])
            .into(),
        ),
    ]);
    let place = Place::new().with("a.safetensors", &a).with("b.safetensors", &b);
    let run = place.run(&["diff", "a.safetensors", "b.safetensors"]);
    assert_eq!((run.code(), run.err()), (1, ""));
    assert_snapshot!(run.out(), @r#"
    --- a.safetensors
    +++ b.safetensors
    - model.gone     float32 [2]
    + new            True
    + model.came     bool [1]
    ! model.cast     dtype float32 -> bfloat16
    ! model.grown    shape [2, 3] -> [3, 3]
    ! model.moved    2 of 4 elements differ, by at most 1 at [1, 1], relative 0.2, 2,097,152 ulp
    ! model.broken   1 of 3 elements differ, 1 NaN on one side
    ! model.count    1 of 2 elements differ, by at most 4 at [1], relative 2
    ! epoch          3 -> 4
    ! name           "first" -> "second\u{1b}[2J"
    ! betas.1        0.99 -> 0.999
    ! tensor or not  float32 [1] -> None
    9 different, 1 only in A, 2 only in B; equal: 1 tensor and 1 value
    "#);
    let quiet = place.run(&["diff", "-q", "a.safetensors", "b.safetensors"]);
    assert_eq!((quiet.code(), quiet.out(), quiet.err()), (1, "", ""));
    let some = place.run(&["diff", "--keys", "model.c*", "a.safetensors", "b.safetensors"]);
    assert_snapshot!(some.out(), @r#"
    --- a.safetensors
    +++ b.safetensors
    + model.came   bool [1]
    ! model.cast   dtype float32 -> bfloat16
    ! model.count  1 of 2 elements differ, by at most 4 at [1], relative 2
    2 different, 0 only in A, 1 only in B; equal: 0 tensors
    "#);
}

#[test]
fn tolerances() {
    let a = named([("x", tensor([1.0, -2.0, 0.0, f32::NAN, f32::INFINITY]))]);
    let b = named([("x", tensor([1.000001, -2.0, 1e-9, f32::NAN, f32::INFINITY]))]);
    let place = Place::new().with("a.npz", &a).with("b.npz", &b);
    let code = |args: &[&str]| place.run(&[&["diff", "a.npz", "b.npz"], args].concat()).code();
    assert_eq!(code(&[]), 1);
    assert_eq!(code(&["--rtol", "1e-5"]), 1);
    assert_eq!(code(&["--atol", "1e-8"]), 1);
    assert_eq!(code(&["--rtol", "1e-5", "--atol", "1e-8"]), 0);
    assert_eq!(code(&["--atol", "1e-5"]), 0);
}

#[test]
fn minus_zero_is_other_bits() {
    let place = Place::new().with("a.npy", &tensor([0.0])).with("b.npy", &tensor([-0.0]));
    let run = place.run(&["diff", "a.npy", "b.npy"]);
    assert_eq!(run.code(), 1);
    assert_snapshot!(run.out(), @r#"
    --- a.npy
    +++ b.npy
    ! tensor  1 of 1 elements differ, as 0 and -0
    1 different, 0 only in A, 0 only in B; equal: 0 tensors
    "#);
    place.run(&["diff", "a.npy", "b.npy", "--atol", "1e-300"]).ok();
}

#[test]
fn numbers_of_two_dtypes() {
    let place = Place::new().with("a.safetensors", &weights());
    place.run(&["convert", "a.safetensors", "half.safetensors", "--dtype", "bf16"]).ok();
    assert_eq!(place.run(&["diff", "a.safetensors", "half.safetensors"]).code(), 1);
    // Every number here has few digits.
    place.run(&["diff", "a.safetensors", "half.safetensors", "--ignore-dtype"]).ok();
}

#[test]
fn the_same_tree_by_other_programs() {
    // A program that knows nothing of trees keeps the dotted names.
    let flat: StateDict = weights().into_iter().map(|(k, v)| (format!("model.{k}"), v)).collect();
    let place = Place::new().with("flat.npz", &flat).with("run.safetensors", &run());
    place.run(&["diff", "--keys", "model.*", "flat.npz", "run.safetensors"]).ok();
}
