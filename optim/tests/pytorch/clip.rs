//! Clipping beside PyTorch's.

use crate::fixture::{Tolerance, check_tensor, list, number, numbers, read, tensor, text};
use taper_nn::Parameter;
use taper_optim::{clip_grad_norm_, clip_grad_value_};
use taper_tensor::{DType, Tensor};

const NEAR: Tolerance = Tolerance { f64_relative: 1e-14, f32_ulps: 1 };

#[test]
fn clipped_gradients_and_norms_are_pytorchs() {
    let all = read("optim");
    let cases = list(&all["clip"]);
    assert!(cases.len() >= 13, "only {} cases", cases.len());
    for case in cases {
        let what = format!("{} {} {}", case["function"], case["args"], case["kwargs"]);
        let params: Vec<Parameter> = list(&case["gradients"])
            .iter()
            .map(|g| {
                let grad = (!g.is_null()).then(|| tensor(g));
                let p = Parameter::new(grad.as_ref().map_or(Tensor::zeros(2), Tensor::zeros_like));
                p.set_grad(grad);
                p
            })
            .collect();
        let limit = numbers(&case["args"])[0];
        let norm_type = case["kwargs"].get("norm_type").map_or(2.0, number);
        match text(&case["function"]) {
            "clip_grad_norm_" => {
                let dtype = tensor(&case["total_norm"]).dtype();
                let norm = Tensor::full_with((), clip_grad_norm_(&params, limit, norm_type), dtype);
                check_tensor(&format!("{what}: norm"), &norm, &case["total_norm"], NEAR);
            }
            "clip_grad_value_" => clip_grad_value_(&params, limit),
            other => panic!("no function {other}"),
        }
        for (p, expected) in params.iter().zip(list(&case["result"])) {
            match p.grad() {
                Some(g) => _ = check_tensor(&what, &g, expected, NEAR),
                None => assert!(expected.is_null(), "{what}: a gradient is gone"),
            }
        }
    }
}

#[test]
fn a_norm_over_gradients_of_several_dtypes() {
    let p = [Parameter::new(Tensor::zeros(1)), Parameter::new(Tensor::zeros_with(1, DType::F64))];
    p[0].set_grad(Some(Tensor::full(1, 3.0)));
    p[1].set_grad(Some(Tensor::full_with(1, 4.0, DType::F64)));
    assert_eq!(clip_grad_norm_(&p, 1.0, 2.0), 5.0);
    let clipped: Vec<f64> = p.iter().map(|p| p.grad().unwrap().item()).collect();
    assert!((clipped[0] - 0.6).abs() < 1e-6 && (clipped[1] - 0.8).abs() < 1e-6, "{clipped:?}");
    assert_eq!(p[0].grad().unwrap().dtype(), DType::F32);
}

#[test]
fn without_gradients_there_is_nothing_to_clip() {
    let p = [Parameter::new(Tensor::ones(3))];
    assert_eq!(clip_grad_norm_(&p, 1.0, 2.0), 0.0);
    clip_grad_value_(&p, 1.0);
    assert!(p[0].grad().is_none());
}
