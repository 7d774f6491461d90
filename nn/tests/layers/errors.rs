//! Messages of common mistakes, and the line they blame.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use taper_nn::functional as F;
use taper_nn::*;
use taper_tensor::{DType, Tensor, tensor};

/// Message and file of the panic of `f`.
fn panic_of(f: impl FnOnce()) -> (String, String) {
    static HOOK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = HOOK.lock().unwrap_or_else(|e| e.into_inner());
    let (place, me) = (Arc::new(Mutex::new(String::new())), std::thread::current().id());
    let seen = place.clone();
    let old = Arc::new(std::panic::take_hook());
    let other = old.clone();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == me {
            *seen.lock().unwrap() = info.location().unwrap().file().to_string();
        } else {
            other(info);
        }
    }));
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    std::panic::set_hook(Box::new(move |info| old(info)));
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or(panic.downcast_ref::<&str>().map(|s| s.to_string())).expect("a message");
    let place = place.lock().unwrap().clone();
    (message, place)
}

#[track_caller]
fn refused(f: impl FnOnce(), message: &str) {
    let (got, place) = panic_of(f);
    assert_eq!(got, message);
    assert!(place.ends_with("errors.rs"), "the panic blames {place}");
}

#[test]
fn a_linear_that_does_not_fit() {
    let layer = Linear::new(4, 2);
    let expected = "Linear(in_features=4, out_features=2, bias=True): expected an input [..., 4] of float32, got shape \
                    [3, 5] of float32 (the weight has shape [2, 4])";
    refused(|| drop(layer.forward(&Tensor::ones([3, 5]))), expected);
    let model = sequential![Linear::new(5, 5), ReLU::new(), layer];
    refused(|| drop(model.forward(&Tensor::ones([3, 5]))), &format!("Sequential, layer 2: {expected}"));
}

#[test]
fn recurrent_inputs_that_do_not_fit() {
    let layer = LSTM::builder(3, 4).batch_first(true).build();
    refused(
        || drop(layer.forward(&Tensor::ones([2, 5, 4]))),
        "LSTM(3, 4, batch_first=True): expected an input [batch, length, features] (or without batch) of 3 features of \
         float32, got shape [2, 5, 4] of float32",
    );
    refused(
        || drop(layer.forward(&Tensor::ones([2, 0, 3]))),
        "LSTM(3, 4, batch_first=True): expected at least one step, got shape [2, 0, 3]",
    );
    let state = Tensor::ones([1, 3, 4]);
    refused(
        || drop(layer.forward_with(&Tensor::ones([2, 5, 3]), Some((&state, &state)))),
        "LSTM(3, 4, batch_first=True): expected an initial state of shape [1, 2, 4] for an input of shape [2, 5, 3], \
         got [1, 3, 4]",
    );
}

#[test]
fn inputs_that_do_not_fit() {
    refused(
        || drop(Conv2d::new(3, 8, 3).forward(&Tensor::ones([2, 1, 28, 28]))),
        "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)): expected an input [batch, 3, height, width] (or without batch) \
         of float32, got shape [2, 1, 28, 28] of float32 (the weight has shape [8, 3, 3, 3])",
    );
    refused(
        || drop(Embedding::new(5, 3).forward(&Tensor::ones([2]))),
        "Embedding(5, 3): expected positions (int64), got float32 of shape [2]",
    );
    refused(
        || drop(LayerNorm::new(4).forward(&Tensor::ones([2, 3]))),
        "LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True): expected a floating-point input whose shape ends \
         in [4], got float32 of shape [2, 3]",
    );
    refused(
        || drop(BatchNorm2d::new(3).forward(&Tensor::ones([2, 3]))),
        "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True): expected a \
         floating-point input [batch, channels, height, width] with 3 channels, got float32 of shape [2, 3]",
    );
}

#[test]
fn targets_that_do_not_fit() {
    let scores = Tensor::ones([2, 3]);
    refused(
        || drop(F::cross_entropy(&scores, &tensor([0.0, 1.0]))),
        "cross_entropy: for an input of shape [2, 3] the targets must be class indices (int64) of shape [2], or \
         probabilities (float32) of shape [2, 3]; got float32 of shape [2]",
    );
    refused(
        || drop(F::cross_entropy(&scores, &tensor([0, 7]))),
        "cross_entropy: class index 7 at position 1 of the targets is out of range for 3 classes (0..=2)",
    );
    refused(
        || drop(NLLLoss::new().forward(&Tensor::ones([1, 2, 2]), &tensor([[0, -1]]))),
        "nll_loss: class index -1 at position [0, 1] of the targets is out of range for 2 classes (0..=1)",
    );
    refused(
        || drop(MSELoss::new().forward(&Tensor::ones([2, 1]), &Tensor::ones([2]))),
        "mse_loss: the input has shape [2, 1] and the target [2]; they must be equal (expand one of them if that is meant)",
    );
    refused(
        || drop(F::mse_loss(&Tensor::ones([2]), &Tensor::ones_with([2], DType::I64))),
        "mse_loss: expected floating-point input and target, got float32 and int64; convert the target with to_dtype",
    );
}
