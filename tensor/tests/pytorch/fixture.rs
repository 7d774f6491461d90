//! Fixture files and the tensors in them.

use serde_json::Value;
use taper_tensor::{DType, Tensor};

/// A fixture of the workspace.
macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<serde_json::Value>(include_str!(concat!("../../../tests/fixtures/", $name)))
            .expect("a fixture is JSON")
    };
}
pub(crate) use fixture;

pub fn dtype(name: &str) -> DType {
    match name {
        "f64" => DType::F64,
        "f32" => DType::F32,
        "f16" => DType::F16,
        "bf16" => DType::BF16,
        "i64" => DType::I64,
        "i32" => DType::I32,
        "i16" => DType::I16,
        "i8" => DType::I8,
        "u8" => DType::U8,
        "bool" => DType::Bool,
        _ => panic!("no dtype {name}"),
    }
}

/// A number, or a name of one that JSON has not got.
pub fn number(v: &Value) -> f64 {
    match v {
        Value::String(s) => s.parse().expect("nan, inf or -inf"),
        Value::Bool(b) => *b as u8 as f64,
        v => v.as_f64().expect("a number"),
    }
}

pub fn sizes(v: &Value) -> Vec<usize> {
    v.as_array().expect("sizes").iter().map(|n| n.as_u64().expect("a size") as usize).collect()
}

/// One integer or a list of them.
pub fn dims(v: &Value) -> Vec<isize> {
    match v {
        Value::Array(a) => a.iter().flat_map(dims).collect(),
        v => vec![v.as_i64().expect("a dimension") as isize],
    }
}

pub fn tensor(v: &Value) -> Tensor {
    let (shape, dtype) = (sizes(&v["shape"]), dtype(v["dtype"].as_str().expect("a dtype")));
    let data = v["data"].as_array().expect("elements");
    if dtype == DType::I64 {
        return Tensor::from_vec(data.iter().map(|x| x.as_i64().expect("an integer")).collect(), shape);
    }
    Tensor::from_vec(data.iter().map(number).collect(), shape).to_dtype(dtype)
}

/// Units in the last place that results of a dtype may differ by, as a relative tolerance.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-12,
        DType::F32 => 2e-6,
        DType::F16 => 1e-3,
        DType::BF16 => 8e-3,
        _ => 0.0,
    }
}

/// What differs between a result and what PyTorch gave, if anything.
pub fn difference(got: &Tensor, want: &Tensor, exact: bool) -> Option<String> {
    if (got.shape(), got.dtype()) != (want.shape(), want.dtype()) {
        return Some(format!(
            "{} {:?} instead of {} {:?}",
            got.dtype(),
            got.shape(),
            want.dtype(),
            want.shape()
        ));
    }
    let tolerance = if exact { 0.0 } else { tolerance(want.dtype()) };
    let (a, b) = (got.to_vec::<f64>(), want.to_vec::<f64>());
    // What cancels out leaves the rounding of what was there before.
    let size = b.iter().filter(|b| b.is_finite()).fold(0.0, |m: f64, b| m.max(b.abs())).min(10.0);
    let floor = if want.dtype() == DType::F64 { 1e-3 } else { 0.3 } * size;
    let near = |a: f64, b: f64| {
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(floor)
    };
    let same = a.iter().zip(&b).all(|(a, b)| near(*a, *b)) && (want.dtype() != DType::I64 || got.equal(want));
    (!same).then(|| format!("{a:?} instead of {b:?}"))
}
