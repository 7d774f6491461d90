//! Layers and losses against finite differences, first and second order.

use taper_nn::functional as F;
use taper_nn::*;
use taper_tensor::{DType, GradcheckOptions, Tensor, gradcheck, gradgradcheck};

/// Fixed numbers without ties, away from kinks.
fn numbers(shape: &[usize], phase: f64) -> Tensor {
    let n: usize = shape.iter().product();
    let data: Vec<f64> = (0..n).map(|i| ((i as f64 * 0.7 + phase).sin() * 1.3) + 0.01 * i as f64).collect();
    Tensor::from_vec(data, shape).requires_grad_(true)
}

#[track_caller]
fn check(what: &str, f: impl Fn(&[Tensor]) -> Tensor, inputs: &[Tensor]) {
    let f = |x: &[Tensor]| vec![f(x)];
    gradcheck(f, inputs, GradcheckOptions::default()).unwrap_or_else(|e| panic!("{what}: {e}"));
    gradgradcheck(f, inputs, GradcheckOptions::default())
        .unwrap_or_else(|e| panic!("{what}, second order: {e}"));
}

/// A layer as a function of its input and its parameters.
#[track_caller]
fn check_layer(layer: &dyn Forward, x: &Tensor) {
    layer.to_dtype(DType::F64);
    check(&layer.to_string(), |x| layer.forward(&x[0]), std::slice::from_ref(x));
    let parameters = layer.named_parameters();
    for (i, (name, p)) in parameters.iter().enumerate() {
        let mut value = numbers(&p.shape(), i as f64);
        value = value.detach();
        p.set_value(value);
        // The gradient of the parameter against differences of the loss.
        layer.zero_grad();
        layer.forward(&x.detach()).sum().backward();
        let grad = p.grad().unwrap().to_vec::<f64>();
        let at = p.value().detach();
        for k in 0..p.numel().min(6) {
            let loss = |step: f64| {
                let mut moved = at.to_vec::<f64>();
                moved[k] += step;
                p.set_value(Tensor::from_vec(moved, at.shape()));
                layer.forward(&x.detach()).sum().item()
            };
            let slope = (loss(1e-5) - loss(-1e-5)) / 2e-5;
            p.set_value(at.clone());
            assert!(
                (slope - grad[k]).abs() < 1e-6 * slope.abs().max(1.0),
                "{layer} {name}: {slope} and {}",
                grad[k]
            );
        }
    }
}

#[test]
fn layers() {
    check_layer(&Linear::new(3, 2), &numbers(&[2, 3], 0.1));
    check_layer(&Conv1d::builder(2, 2, 2).stride(2).padding(1).build(), &numbers(&[1, 2, 5], 0.2));
    check_layer(&Conv2d::builder(2, 2, 2).padding(1).groups(2).build(), &numbers(&[1, 2, 3, 3], 0.3));
    check_layer(
        &ConvTranspose2d::builder(2, 2, 2).stride(2).padding(1).groups(2).build(),
        &numbers(&[1, 2, 3, 3], 0.3),
    );
    check_layer(
        &ConvTranspose1d::builder(2, 3, 3).stride(2).output_padding(1).build(),
        &numbers(&[1, 2, 3], 0.2),
    );
    check_layer(&LayerNorm::new(4), &numbers(&[2, 4], 0.5));
    check_layer(&PReLU::new(), &numbers(&[5], 0.6));
    check_layer(&AvgPool2d::builder(2).divisor_override(3).build(), &numbers(&[1, 1, 4, 4], 0.7));
    check_layer(&AdaptiveAvgPool2d::new((2, 1)), &numbers(&[1, 1, 3, 3], 0.8));
    let encoder = TransformerEncoderLayer::builder(4, 2).dim_feedforward(3).dropout(0.0);
    check_layer(&encoder.activation(TransformerActivation::Gelu).build(), &numbers(&[2, 1, 4], 0.9));
    for layer in [
        &GELU::new() as &dyn Forward,
        &SiLU::new(),
        &Mish::new(),
        &Softplus::new(),
        &LogSigmoid::new(),
        &Tanhshrink::new(),
        &Softsign::new(),
        &Hardswish::new(),
        &ELU::new(),
        &CELU::new(),
        &SELU::new(),
    ] {
        check_layer(layer, &numbers(&[6], 0.35));
    }
    // The running statistics move, the function does not.
    check_layer(&BatchNorm1d::new(2), &numbers(&[4, 2], 0.4));
}

#[test]
fn recurrent() {
    let [x, h, c] = [0.1, 0.2, 0.3].map(|phase| numbers(&[2, 1, 2], phase));
    let inputs = [x, h, c];
    let lstm = LSTM::builder(2, 2).bidirectional(true).build();
    lstm.to_dtype(DType::F64);
    check("LSTM", |t| lstm.forward_with(&t[0], Some((&t[1], &t[2]))).0, &inputs);
    check("the state of an LSTM", |t| lstm.forward_with(&t[0], Some((&t[1], &t[2]))).1.1, &inputs);
    let gru = GRU::builder(2, 2).num_layers(2).build();
    gru.to_dtype(DType::F64);
    check("GRU", |t| gru.forward_with(&t[0], Some(&t[1])).0, &inputs[..2]);
}

#[test]
fn losses() {
    let (x, y) = (numbers(&[3, 2], 0.1), numbers(&[3, 2], 2.0));
    let both = [x.clone(), y.clone()];
    check("mse", |t| F::mse_loss(&t[0], &t[1]), &both);
    check("smooth l1", |t| F::smooth_l1_loss(&t[0], &t[1]), &both);
    check("huber", |t| F::huber_loss(&t[0], &t[1]), &both);
    check("kl", |t| F::kl_div(&t[0], &(&t[1] * &t[1] + 0.1)), &both);
    check("bce", |t| F::binary_cross_entropy(&t[0].sigmoid(), &t[1].sigmoid()), &both);
    check("bce with logits", |t| F::binary_cross_entropy_with_logits(&t[0], &t[1]), &both);
    let classes = Tensor::from_vec(vec![1i64, 0, -100], 3);
    check("cross entropy", |t| F::cross_entropy(&t[0], &classes), std::slice::from_ref(&x));
    let o = CrossEntropyLoss::builder().label_smoothing(0.2).weight(Tensor::from_vec(vec![0.5, 2.0], 2));
    check(
        "cross entropy with options",
        |t| F::cross_entropy_with(&t[0], &classes, &o),
        std::slice::from_ref(&x),
    );
    check("cross entropy of probabilities", |t| F::cross_entropy(&t[0], &t[1]), &both);
}

#[test]
fn attention() {
    let [q, k, v] = [0.1, 0.2, 0.3].map(|phase| numbers(&[1, 3, 2], phase));
    let inputs = [q, k, v];
    let f = |causal| {
        move |t: &[Tensor]| F::scaled_dot_product_attention(&t[0], &t[1], &t[2], None, 0.0, causal, None)
    };
    check("attention", f(false), &inputs);
    check("causal attention", f(true), &inputs);
    // A mask that says the same as `is_causal`.
    let mask = Tensor::ones_with([3, 3], DType::Bool).tril(0);
    let [q, k, v] = &inputs;
    let masked = F::scaled_dot_product_attention(q, k, v, Some(&mask), 0.0, false, None);
    assert!(masked.equal(&f(true)(&inputs)));
    // The first position sees itself alone.
    assert!(masked.select(1, 0).allclose(&v.select(1, 0), 1e-12, 1e-12));
}
