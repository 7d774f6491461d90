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

pub fn tensor(v: &Value) -> Tensor {
    let (shape, dtype) = (sizes(&v["shape"]), dtype(v["dtype"].as_str().expect("a dtype")));
    let data = v["data"].as_array().expect("elements");
    if dtype == DType::I64 {
        return Tensor::from_vec(data.iter().map(|x| x.as_i64().expect("an integer")).collect(), shape);
    }
    Tensor::from_vec(data.iter().map(number).collect(), shape).to_dtype(dtype)
}
