//! Every case of layers.json and losses.json.

use crate::build::{Args, Layer, layer, loss};
use crate::fixture::{assert_close, assert_within, device, dtype, each, list, load, tensor, text};
use serde_json::Value;
use taper_nn::{AttentionOptions, Forward, Module};
use taper_tensor::{StateDict, Tensor};

fn call(module: &Layer, inputs: &[Tensor], call: &Value) -> Vec<Tensor> {
    let call = call.as_object().unwrap();
    let mut options = AttentionOptions::default();
    for (name, value) in call {
        let given = value.get("input").map(|i| inputs[i.as_u64().unwrap() as usize].clone());
        options = match (name.as_str(), given) {
            ("attn_mask" | "src_mask", Some(t)) => options.attn_mask(t),
            ("key_padding_mask" | "src_key_padding_mask", Some(t)) => options.key_padding_mask(t),
            ("is_causal", None) => options.is_causal(value.as_bool().unwrap()),
            ("need_weights", None) => options.need_weights(value.as_bool().unwrap()),
            ("average_attn_weights", None) => options.average_attn_weights(value.as_bool().unwrap()),
            (other, _) => panic!("unknown argument {other}"),
        };
    }
    match module {
        Layer::Plain(l) => {
            assert!(call.is_empty());
            vec![l.forward(&inputs[0])]
        }
        Layer::Attention(l) => {
            let (y, weights) = l.forward_with(&inputs[0], &inputs[1], &inputs[2], &options);
            [Some(y), weights].into_iter().flatten().collect()
        }
        Layer::Encoder(l) => vec![l.forward_with(&inputs[0], &options)],
        Layer::Rnn(l) => <[Tensor; 2]>::from(l.forward_with(&inputs[0], inputs.get(1))).into(),
        Layer::Gru(l) => <[Tensor; 2]>::from(l.forward_with(&inputs[0], inputs.get(1))).into(),
        Layer::Lstm(l) => {
            let (y, (h, c)) = l.forward_with(&inputs[0], inputs.get(1).zip(inputs.get(2)));
            vec![y, h, c]
        }
    }
}

fn assert_state(what: &str, module: &dyn Module, expected: &Value) {
    let state = module.state_dict();
    let keys: Vec<&str> = list(expected).iter().map(|e| text(&e[0])).collect();
    assert_eq!(state.keys().map(String::as_str).collect::<Vec<_>>(), keys, "{what}: keys");
    for e in list(expected) {
        assert_close(&format!("{what} {}", e[0]), state.get(text(&e[0])).unwrap(), &e[1]);
    }
}

/// How close gradients in f64 must be. PyTorch rounds a constant of some kernels (1/6, 1/alpha, 1e-12) to f32
/// whatever the dtype; here they are exact.
fn gradient_tolerance(name: &Value) -> f64 {
    if ["Hardsigmoid", "CELU", "BCELoss"].contains(&text(name)) { 1e-7 } else { 1e-10 }
}

fn layer_case(case: &Value) {
    let module = layer(text(&case["layer"]), &Args::new(list(&case["args"]), &case["kwargs"]));
    let m = module.module();
    // Arguments of the fixture that are lists print as lists there, and `padding="valid"` as such; the last linear
    // layer of attention has a class of its own.
    let plain = |text: &str| {
        text.replace('[', "(").replace(']', ")").replace(", padding=valid", "").replace("(1, 1))", "1)")
    };
    let expected = text(&case["text"]).replace("NonDynamicallyQuantizableLinear", "Linear");
    assert_eq!(plain(&taper_nn::repr(m)), plain(&expected), "as text");
    m.to_dtype(dtype(&case["dtype"]));
    m.to_device(device());
    let mut state = StateDict::new();
    for e in list(&case["state"]) {
        state.insert(text(&e[0]), tensor(&e[1]));
    }
    m.load_state_dict(&state, true).unwrap();
    m.train(true);
    for x in list(&case["warmup"]) {
        call(&module, &[tensor(x)], &serde_json::json!({}));
    }
    m.train(case["train"].as_bool().unwrap());

    let grads = case.get("input_grads").map(list);
    let wants = |i: usize| grads.is_some_and(|g| !g[i].is_null());
    let inputs: Vec<Tensor> =
        list(&case["inputs"]).iter().enumerate().map(|(i, x)| tensor(x).requires_grad_(wants(i))).collect();
    let outputs = call(&module, &inputs, &case["call"]);
    assert_eq!(outputs.len(), list(&case["outputs"]).len(), "number of outputs");
    for (i, (y, expected)) in outputs.iter().zip(list(&case["outputs"])).enumerate() {
        assert_close(&format!("output {i}"), &y.detach(), expected);
    }
    if let Some(grads) = grads {
        let seeds = outputs.iter().zip(list(&case["cotangents"])).filter(|(_, c)| !c.is_null());
        let total = seeds.map(|(y, c)| (y * tensor(c)).sum()).reduce(|a, b| a + b).unwrap();
        total.backward();
        for (i, x) in inputs.iter().enumerate().filter(|(i, _)| wants(*i)) {
            let grad = x.grad().unwrap_or_else(|| panic!("input {i} has no gradient"));
            assert_within(
                gradient_tolerance(&case["layer"]),
                &format!("gradient of input {i}"),
                &grad,
                &grads[i],
            );
        }
        let expected = list(&case["param_grads"]);
        let parameters = m.named_parameters();
        assert_eq!(parameters.len(), expected.len(), "number of parameters");
        for ((name, p), e) in parameters.iter().zip(expected) {
            assert_eq!(name, text(&e[0]));
            let grad = p.grad().unwrap_or_else(|| panic!("{name} has no gradient"));
            assert_close(&format!("gradient of {name}"), &grad, &e[1]);
        }
    }
    assert_state("state after", m, case.get("state_after").unwrap_or(&case["state"]));
}

#[test]
fn layers() {
    let file = load("layers.json");
    each(
        list(&file["cases"]),
        |c| format!("{}{}{} {} {}", c["layer"], c["args"], c["kwargs"], c["call"], c["dtype"]),
        layer_case,
    );
}

fn loss_case(case: &Value) {
    let mut kwargs = case["kwargs"].as_object().unwrap().clone();
    kwargs.extend(case["tensors"].as_object().unwrap().clone());
    let kwargs = Value::Object(kwargs);
    for result in list(&case["reductions"]) {
        let reduction = text(&result["reduction"]);
        let loss = loss(text(&case["loss"]), &Args::new(&[], &kwargs), reduction);
        let wants_target = !result["target_grad"].is_null();
        let x = tensor(&case["input"]).requires_grad_(true);
        let y = tensor(&case["target"]).requires_grad_(wants_target);
        let out = loss(&x, &y);
        assert_close(&format!("{reduction}: value"), &out.detach(), &result["output"]);
        (&out * tensor(&result["cotangent"])).sum().backward();
        let tolerance = gradient_tolerance(&case["loss"]);
        assert_within(
            tolerance,
            &format!("{reduction}: gradient"),
            &x.grad().unwrap(),
            &result["input_grad"],
        );
        if wants_target {
            assert_close(
                &format!("{reduction}: target's gradient"),
                &y.grad().unwrap(),
                &result["target_grad"],
            );
        }
    }
}

#[test]
fn losses() {
    let file = load("losses.json");
    each(
        list(&file["cases"]),
        |c| {
            format!(
                "{} {} {} {} {}",
                c["loss"], c["kwargs"], c["input"]["shape"], c["target"]["shape"], c["dtype"]
            )
        },
        loss_case,
    );
}
