//! What programs read.

use crate::{Place, run, weights};
use serde_json::{Value, json};
use taper_tensor::{DType, tensor};

#[test]
fn a_tree() {
    let place = Place::new().with("run.safetensors", &run());
    let report = place.run(&["inspect", "--json", "--stats", "run.safetensors"]);
    let file: Value = serde_json::from_str(report.ok()).unwrap();
    assert_eq!(
        file["tensors"][1],
        json!({
            "key": "model.body.weight", "dtype": "float32", "shape": [2, 3], "strides": [3, 1], "offset": 0,
            "elements": 6, "bytes": 24, "storage": 1, "shares": null, "device": "cpu",
            "stats": {"min": -2.0, "max": "Infinity", "mean": "Infinity", "std": "NaN", "nan": 1, "inf": 1},
        })
    );
    let value = |key: &str| {
        let mut found = file["values"].as_array().unwrap().iter().filter(|v| v["key"] == key);
        found.next().map(|v| v["value"].clone())
    };
    assert_eq!(value("optimizer.param_groups.0.lr"), Some(json!(0.001)));
    assert_eq!(value("optimizer.param_groups.0.betas"), Some(json!([0.9, 0.999])));
    assert_eq!(value("optimizer.param_groups.0.params"), Some(json!((0..20).collect::<Vec<_>>())));
    assert_eq!(value("best"), Some(json!("Infinity")));
    assert_eq!(value("note"), Some(json!("first\ttry")));
    assert_eq!(value("parent"), Some(Value::Null));
    assert_eq!(value("tags"), Some(json!([])));
    assert_eq!(value("other"), None);
    assert_eq!(file["totals"], json!({"tensors": 4, "elements": 31, "bytes": 128, "storage_bytes": 128}));
    assert_eq!((&file["format"], &file["metadata"]), (&json!("safetensors"), &json!([])));
    assert_eq!(file["bytes"], json!(std::fs::metadata(place.path("run.safetensors")).unwrap().len()));
}

#[test]
fn one_line_for_each_file() {
    let place = Place::new().fixture("python.safetensors").with("w.npz", &weights());
    let report = place.run(&["inspect", "--json", "python.safetensors", "w.npz"]);
    let files: Vec<Value> = report.ok().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(files.iter().map(|f| &f["file"]).collect::<Vec<_>>(), ["python.safetensors", "w.npz"]);
    assert_eq!(files[0]["metadata"], json!([{"key": "format", "value": "pt"}]));
    assert_eq!(files[1]["tensors"][0].get("stats"), None);
}

#[test]
fn differences() {
    let (a, mut b) = (weights(), weights());
    b.insert("embed.weight", a.get("embed.weight").unwrap() + 0.5);
    b.insert("body.steps", tensor(1));
    b.insert("head.weight", a.get("head.weight").unwrap().to_dtype(DType::F16));
    b.remove("body.weight");
    b.insert("new", tensor([true]));
    let place = Place::new().with("a.safetensors", &a).with("b.safetensors", &b);
    let run = place.run(&["diff", "--json", "a.safetensors", "b.safetensors"]);
    assert_eq!((run.code(), run.err()), (1, ""));
    let report: Value = serde_json::from_str(run.out()).unwrap();
    let leaf = |dtype: &str, shape: &[usize]| json!({"dtype": dtype, "shape": shape});
    assert_eq!(
        report,
        json!({
            "a": "a.safetensors", "b": "b.safetensors", "equal": false, "same": 0,
            "only_in_a": [{"key": "body.weight", "dtype": "float32", "shape": [2, 3]}],
            "only_in_b": [{"key": "new", "dtype": "bool", "shape": [1]}],
            "different": [
                {"key": "embed.weight", "what": "elements", "a": leaf("float32", &[4, 3]), "b": leaf("float32", &[4, 3]),
                 "count": 12, "of": 12, "max_abs": 0.5, "max_abs_at": [0, 0], "max_rel": 1.0,
                 "max_ulp": 0x3f000000, "nan": 0},
                {"key": "body.steps", "what": "elements", "a": leaf("int64", &[]), "b": leaf("int64", &[]),
                 "count": 1, "of": 1, "max_abs": 1233.0, "max_abs_at": [], "max_rel": 1233.0 / 1234.0,
                 "max_ulp": null, "nan": 0},
                {"key": "head.weight", "what": "dtype", "a": leaf("float32", &[4, 3]), "b": leaf("float16", &[4, 3])},
            ],
        })
    );
    let same = place.run(&["diff", "--json", "a.safetensors", "a.safetensors"]);
    let report: Value = serde_json::from_str(same.ok()).unwrap();
    assert_eq!((&report["equal"], &report["same"]), (&json!(true), &json!(4)));
}
