//! Reading `tests/fixtures/*.json`, and comparing with it.

use serde_json::Value;
use taper_tensor::{DType, Device, Key, State, Tensor};

pub fn read(name: &str) -> Value {
    let path = format!("{}/../tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

pub fn list(v: &Value) -> &[Value] {
    v.as_array().unwrap_or_else(|| panic!("not a list: {v}"))
}

pub fn text(v: &Value) -> &str {
    v.as_str().unwrap_or_else(|| panic!("not a text: {v}"))
}

pub fn number(v: &Value) -> f64 {
    match v {
        Value::String(s) => s.parse().unwrap_or_else(|_| panic!("not a number: {s}")),
        v => v.as_f64().unwrap_or_else(|| panic!("not a number: {v}")),
    }
}

pub fn numbers(v: &Value) -> Vec<f64> {
    list(v).iter().map(number).collect()
}

pub fn is_tensor(v: &Value) -> bool {
    v.get("dtype").is_some()
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
    let shape: Vec<usize> = list(&v["shape"]).iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let dtype = match text(&v["dtype"]) {
        "f64" => DType::F64,
        "f32" => DType::F32,
        other => panic!("a tensor of {other}"),
    };
    Tensor::from_vec(numbers(&v["data"]), shape).to_dtype(dtype).to_device(device())
}

/// How far numbers may be from the fixture's.
#[derive(Clone, Copy)]
pub struct Tolerance {
    /// Share of the value, for f64.
    pub f64_relative: f64,
    /// Distance in units of the last place, for f32.
    pub f32_ulps: u32,
}

fn ulps(a: f32, b: f32) -> u32 {
    let place = |v: f32| {
        let bits = v.to_bits() as i32;
        if bits < 0 { i32::MIN - bits } else { bits }
    };
    place(a).abs_diff(place(b))
}

/// Fails where a tensor is not the fixture's; gives the number of f32 elements that differ at all.
#[track_caller]
pub fn check_tensor(what: &str, found: &Tensor, expected: &Value, t: Tolerance) -> usize {
    let expected = tensor(expected);
    assert_eq!((found.dtype(), found.shape()), (expected.dtype(), expected.shape()), "{what}");
    let pairs = found.to_vec::<f64>().into_iter().zip(expected.to_vec::<f64>());
    let mut differ = 0;
    for (i, (a, b)) in pairs.enumerate() {
        let near = match found.dtype() {
            DType::F32 => ulps(a as f32, b as f32) <= t.f32_ulps,
            _ => (a - b).abs() <= t.f64_relative * b.abs().max(1e-3),
        };
        assert!(near, "{what}: element {i} is {a:?}, PyTorch has {b:?}");
        differ += usize::from(found.dtype() == DType::F32 && a != b);
    }
    differ
}

/// Fails where a state is not the fixture's: the same keys in the same order but for `left_out`, the same
/// types (`0` and `0.0` are one), the same numbers.
#[track_caller]
pub fn check_state(what: &str, found: &State, expected: &Value, left_out: &[&str], t: Tolerance) {
    match (found, expected) {
        (State::Tensor(found), e) if is_tensor(e) => {
            check_tensor(what, found, e, t);
        }
        (State::Map(found), Value::Object(e)) => {
            let name = |k: &Key| match k {
                Key::Str(s) => s.clone(),
                Key::Int(i) => i.to_string(),
            };
            let mut keys: Vec<String> = found.keys().map(name).collect();
            let mut expected_keys: Vec<&str> =
                e.keys().map(String::as_str).filter(|k| !left_out.contains(k)).collect();
            keys.sort_unstable();
            expected_keys.sort_unstable();
            assert_eq!(keys, expected_keys, "{what}: keys");
            for (k, v) in found.iter() {
                let k = name(k);
                check_state(&format!("{what}.{k}"), v, &e[&k], left_out, t);
            }
        }
        (State::List(found) | State::Tuple(found), Value::Array(e)) => {
            assert_eq!(found.len(), e.len(), "{what}: length");
            for (i, (found, e)) in found.iter().zip(e).enumerate() {
                check_state(&format!("{what}[{i}]"), found, e, left_out, t);
            }
        }
        (State::Int(i), e) => assert_eq!(*i as f64, number(e), "{what}"),
        (State::Float(f), e) => assert_eq!(*f, number(e), "{what}"),
        (State::Bool(b), e) => assert_eq!(Some(*b), e.as_bool(), "{what}"),
        (State::Str(s), e) => assert_eq!(s, text(e), "{what}"),
        (State::None, Value::Null) => {}
        _ => panic!("{what}: {found:?} is not {expected}"),
    }
}
