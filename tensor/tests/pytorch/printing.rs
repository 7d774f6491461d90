//! Texts of tensors.

use crate::fixture::{dtype, fixture, number, sizes, tensor};
use serde_json::Value;
use taper_tensor::{DType, Tensor};

/// The tensor, made by the function that PyTorch's text names.
fn make(case: &Value) -> Tensor {
    let v = &case["tensor"];
    let x = match v["arange"].as_array() {
        None => tensor(v),
        Some(range) => {
            let (start, step) = (number(&range[0]), number(&range[1]));
            let n: usize = sizes(&v["shape"]).iter().product();
            let data = (0..n).map(|i| start + i as f64 * step).collect();
            Tensor::from_vec(data, sizes(&v["shape"])).to_dtype(dtype(v["dtype"].as_str().expect("a dtype")))
        }
    };
    let leaf = || x.detach().requires_grad_(true);
    match case["grad_fn"].as_str() {
        None => x.requires_grad_(case["requires_grad"] == true),
        Some("AddBackward0") => leaf() + 0.0,
        Some("MulBackward0") => leaf() * 1.0,
        Some("SumBackward0") => leaf().sum(),
        Some("ExpBackward0") => {
            let log = x.to_dtype(DType::F64).ln();
            log.to_dtype(x.dtype()).requires_grad_(true).exp()
        }
        Some("ViewBackward0") => {
            leaf().flatten(0, -1).detach().requires_grad_(true).reshape(sizes(&v["shape"]).as_slice())
        }
        Some(other) => panic!("no way to make {other}"),
    }
}

#[test]
fn tensors_print_as_in_pytorch() {
    let cases = fixture!("printing.json");
    let cases = cases["cases"].as_array().expect("cases");
    let mut wrong = vec![];
    for case in cases {
        let (got, want) = (make(case).to_string(), case["text"].as_str().expect("a text"));
        if got != want {
            wrong.push(format!("got\n{got}\ninstead of\n{want}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 100);
}

#[test]
fn debug_is_display() {
    let x = Tensor::arange(0, 3, 1);
    assert_eq!(format!("{x:?}"), "tensor([0, 1, 2])");
}
