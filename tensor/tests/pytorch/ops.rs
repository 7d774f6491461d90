//! Every case of ops.json: values, and gradients where PyTorch has them.

use crate::call::call;
use crate::fixture::{difference, fixture, tensor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper_tensor::Tensor;
use taper_tensor::autograd::{BackwardOptions, backward_all};

fn list(v: &Value) -> Vec<Value> {
    v.as_array().cloned().unwrap_or_default()
}

/// Runs a case; `None` where taper has no such operation.
fn run(case: &Value) -> Option<Result<(), String>> {
    let with_grad = |x: Tensor| {
        let on = x.dtype().is_float() && case.get("cotangents").is_some();
        x.requires_grad_(on)
    };
    let inputs: Vec<Tensor> = list(&case["inputs"]).iter().map(tensor).map(with_grad).collect();
    let outputs = call(case["op"].as_str().expect("a name"), &inputs, &case["args"])?;
    Some(compare(case, &inputs, &outputs))
}

fn compare(case: &Value, inputs: &[Tensor], outputs: &[Tensor]) -> Result<(), String> {
    let exact = case["exact"] == true;
    let wanted = list(&case["outputs"]);
    if wanted.len() != outputs.len() {
        return Err(format!("{} outputs instead of {}", outputs.len(), wanted.len()));
    }
    for (got, want) in outputs.iter().zip(&wanted) {
        if let Some(d) = difference(got, &tensor(want), exact) {
            return Err(format!("value: {d}"));
        }
    }
    let cotangents = list(&case["cotangents"]);
    let (live, seeds): (Vec<Tensor>, Vec<Option<Tensor>>) = outputs
        .iter()
        .zip(&cotangents)
        .filter(|(_, c)| !c.is_null())
        .map(|(o, c)| (o.clone(), Some(tensor(c))))
        .unzip();
    if live.is_empty() {
        return Ok(());
    }
    backward_all(&live, &seeds, BackwardOptions::default());
    for (x, want) in inputs.iter().zip(list(&case["grads"])).filter(|(_, w)| !w.is_null()) {
        // An input that the output does not depend on has no gradient here and zeros there.
        let got = x.grad().unwrap_or_else(|| x.detach().zeros_like());
        if let Some(d) = difference(&got, &tensor(&want), false) {
            return Err(format!("gradient: {d}"));
        }
    }
    Ok(())
}

#[test]
fn operations_give_pytorchs_values_and_gradients() {
    let cases = fixture!("ops.json");
    let (mut wrong, mut missing, mut right) = (vec![], BTreeMap::<String, usize>::new(), 0);
    for case in cases["cases"].as_array().expect("cases") {
        let name = case["op"].as_str().expect("a name");
        match catch_unwind(AssertUnwindSafe(|| run(case))) {
            Ok(Some(Ok(()))) => right += 1,
            Ok(Some(Err(why))) => {
                wrong.push(format!("{name}{}: {why}\n    {}", case["args"], case["inputs"]))
            }
            Ok(None) => *missing.entry(name.to_string()).or_default() += 1,
            Err(panic) => {
                let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                wrong.push(format!("{name}{}: panics: {why}\n    {}", case["args"], case["inputs"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), wrong.len() + right, wrong.join("\n"));
    // What has another home (losses, attention) or is left out on purpose.
    let left_out: Vec<&str> = missing.keys().map(String::as_str).collect();
    assert_eq!(left_out, ["cross_entropy", "div", "fmod", "round", "scaled_dot_product_attention"]);
    assert!(right > 690, "{right}");
}
