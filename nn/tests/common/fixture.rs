//! Reading fixtures made by real PyTorch, and comparing with them.

use serde_json::Value;
use std::path::Path;
use taper_tensor::{DType, Device, Tensor};

pub fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

pub fn list(v: &Value) -> &[Value] {
    v.as_array().unwrap_or_else(|| panic!("expected a list, got {v}"))
}

pub fn text(v: &Value) -> &str {
    v.as_str().unwrap_or_else(|| panic!("expected a string, got {v}"))
}

pub fn number(v: &Value) -> f64 {
    match v {
        Value::String(s) => s.parse().unwrap(),
        Value::Bool(b) => *b as u8 as f64,
        v => v.as_f64().unwrap_or_else(|| panic!("expected a number, got {v}")),
    }
}

pub fn dtype(v: &Value) -> DType {
    match text(v) {
        "f64" => DType::F64,
        "f32" => DType::F32,
        "i64" => DType::I64,
        "bool" => DType::Bool,
        other => panic!("unknown dtype {other}"),
    }
}

pub fn shape(v: &Value) -> Vec<usize> {
    list(v).iter().map(|n| n.as_u64().unwrap() as usize).collect()
}

/// Where tensors of the fixtures are made: `TAPER_TEST_DEVICE=cuda` runs these tests on the first CUDA device, as
/// `cargo xtask cuda test` does.
pub fn device() -> Device {
    match std::env::var("TAPER_TEST_DEVICE").as_deref() {
        Ok("cuda") => Device::cuda(0).unwrap_or_else(|e| panic!("TAPER_TEST_DEVICE: {e}")),
        _ => Device::Cpu,
    }
}

pub fn tensor(v: &Value) -> Tensor {
    on_cpu(v).to_device(device())
}

fn on_cpu(v: &Value) -> Tensor {
    let (dtype, shape) = (dtype(&v["dtype"]), shape(&v["shape"]));
    let data = list(&v["data"]);
    match dtype {
        DType::I64 => Tensor::from_vec(data.iter().map(|n| n.as_i64().unwrap()).collect(), shape),
        _ => Tensor::from_vec(data.iter().map(number).collect::<Vec<f64>>(), shape).to_dtype(dtype),
    }
}

/// Shape, dtype and values; f64 to 1e-10, f32 to 1e-5, relative above 1.
#[track_caller]
pub fn assert_close(what: &str, got: &Tensor, expected: &Value) {
    assert_within(1e-10, what, got, expected);
}

/// As [`assert_close`], f64 to another tolerance.
#[track_caller]
pub fn assert_within(tolerance: f64, what: &str, got: &Tensor, expected: &Value) {
    let expected = on_cpu(expected);
    assert_eq!(got.shape(), expected.shape(), "{what}: shape");
    assert_eq!(got.dtype(), expected.dtype(), "{what}: dtype");
    let tolerance = if got.dtype() == DType::F64 { tolerance } else { 1e-5 };
    for (i, (a, b)) in got.to_vec::<f64>().into_iter().zip(expected.to_vec::<f64>()).enumerate() {
        let close = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1.0);
        assert!(close, "{what}: element {i} is {a}, PyTorch's is {b}");
    }
}

/// Runs every case and reports all that fail, by number and name.
pub fn each(
    cases: &[Value],
    name: impl Fn(&Value) -> String,
    run: impl Fn(&Value) + std::panic::RefUnwindSafe,
) {
    assert!(!cases.is_empty(), "no cases");
    let mut failed = Vec::new();
    for (i, case) in cases.iter().enumerate() {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(case)));
        if let Err(panic) = result {
            let message = panic.downcast_ref::<String>().cloned();
            let message = message.or(panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default();
            failed.push(format!("case {i}, {}: {message}", name(case)));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), failed.join("\n"));
}
