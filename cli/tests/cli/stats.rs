//! `--stats` against sums over all elements in f64.

use crate::Place;
use serde_json::Value;
use taper_tensor::{DType, Generator, StateDict, Tensor, tensor};

fn stats(place: &Place, name: &str, key: &str) -> Value {
    let run = place.run(&["inspect", "--json", "--stats", "--keys", key, name]);
    let file: Value = serde_json::from_str(run.ok()).unwrap();
    file["tensors"][0]["stats"].clone()
}

#[test]
fn every_dtype_in_many_pieces() {
    // Far from 0, where sums of squares would lose the spread.
    let mut generator = Generator::new(3);
    let x = Tensor::rand_with([3, 70_001], DType::F64, Some(&mut generator)) * 20.0 + 100.0;
    let dict: StateDict = DType::ALL
        .into_iter()
        .filter(|&d| d != DType::Bool)
        .map(|d| (format!("<{d}>"), x.to_dtype(d).transpose(0, 1)))
        .collect();
    let place = Place::new().with("x.pt", &dict);
    for (key, t) in dict.iter() {
        let found = stats(&place, "x.pt", key);
        let all: Vec<f64> = t.to_vec();
        let n = all.len() as f64;
        let mean = all.iter().sum::<f64>() / n;
        let std = (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let near = |name: &str, expected: f64| {
            let found = found[name].as_f64().unwrap();
            assert!((found - expected).abs() <= 1e-12 * expected, "{key} {name}: {found} {expected}");
        };
        near("mean", mean);
        near("std", std);
        assert_eq!(found["min"].as_f64(), all.iter().copied().reduce(f64::min), "{key}");
        assert_eq!(found["max"].as_f64(), all.iter().copied().reduce(f64::max), "{key}");
        assert_eq!((&found["nan"], &found["inf"]), (&0.into(), &0.into()));
    }
}

#[test]
fn what_is_not_finite() {
    let (nan, inf) = (f32::NAN, f32::INFINITY);
    let mut holes = Tensor::ones([100_000]);
    holes.set(5, nan).set(40_000, nan).set(99_999, 4.0);
    let dict: StateDict = [
        ("holes", holes),
        ("nan", tensor([nan, nan])),
        ("down", tensor([1.0, -inf, nan])),
        ("both", tensor([-inf, 1.0, inf])),
        ("one", tensor([2.5])),
        ("none", Tensor::zeros([0, 3])),
        ("largest", tensor([i64::MAX, i64::MAX - 2])),
        ("huge", Tensor::from_vec(vec![f64::MAX; 2], [2])),
    ]
    .into_iter()
    .map(|(k, v)| (k.to_string(), v))
    .collect();
    let place = Place::new().with("x.safetensors", &dict);
    let of = |key: &str| {
        let s = stats(&place, "x.safetensors", key);
        ["min", "max", "mean", "std", "nan", "inf"].map(|name| s[name].to_string()).join(" ")
    };
    // numpy's nanmean and nanstd(ddof=1): 1.000030000600012, 0.00948692785025799.
    assert_eq!(of("holes"), "1.0 4.0 1.000030000600012 0.009486927850257992 2 0");
    assert_eq!(of("nan"), "null null null null 2 0");
    assert_eq!(of("down"), r#""-Infinity" 1.0 "-Infinity" "NaN" 1 1"#);
    assert_eq!(of("both"), r#""-Infinity" "Infinity" "NaN" "NaN" 0 2"#);
    assert_eq!(of("one"), "2.5 2.5 2.5 null 0 0");
    assert_eq!(of("none"), "null null null null 0 0");
    assert_eq!(of("largest"), "9223372036854775805 9223372036854775807 9.223372036854776e+18 0.0 0 0");
    assert_eq!(of("huge"), r#"1.7976931348623157e+308 1.7976931348623157e+308 "Infinity" "NaN" 0 0"#);
}
