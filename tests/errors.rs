//! What a user reads when something is wrong: the message, and that it points at the user's own line.
//!
//! A line of these tests that ends in a panic must be the line the panic reports.

use insta::assert_snapshot;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use taper::io;
use taper::nn::sequential;
use taper::prelude::*;

thread_local! {
    /// File and line of the last panic of this thread, while one is waited for.
    static PLACE: RefCell<Option<(String, u32)>> = const { RefCell::new(None) };
}

/// The message of the panic that `f` ends in, on this line of this file.
fn message_of(line: u32, f: impl FnOnce()) -> String {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let waiting = PLACE.with_borrow_mut(|place| {
                let waiting = place.is_some();
                if let (true, Some(l)) = (waiting, info.location()) {
                    *place = Some((l.file().to_string(), l.line()));
                }
                waiting
            });
            if !waiting {
                default(info);
            }
        }));
    });
    PLACE.set(Some(Default::default()));
    let result = catch_unwind(AssertUnwindSafe(f));
    let (file, found) = PLACE.take().expect("set above");
    let payload = result.expect_err("no panic");
    let message = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string()))
        .expect("a text");
    assert_eq!((file.as_str(), found), (file!(), line), "the panic {message:?} is not at the user's line");
    message
}

/// The message of the panic that an expression ends in; the macro and the misuse stand in one line.
macro_rules! misuse {
    ($e:expr) => {
        message_of(line!(), || {
            let _ = $e;
        })
    };
}

#[test]
fn matmul_of_shapes_that_do_not_meet() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([2, 3]));
    let message = misuse!(a.matmul(&b));
    assert_snapshot!(message, @"");
    let c = Tensor::zeros([5, 4]);
    let message = misuse!(a.matmul(&c));
    assert_snapshot!(message, @"");
    let (d, e) = (Tensor::zeros([7, 2, 3]), Tensor::zeros([4, 3, 2]));
    let message = misuse!(d.matmul(&e));
    assert_snapshot!(message, @"");
    let wide = Tensor::zeros_with([3, 2], DType::F64);
    let message = misuse!(a.matmul(&wide));
    assert_snapshot!(message, @"");
    assert_eq!(a.try_matmul(&b).unwrap_err().to_string(), misuse!(a.matmul(&b)));
}

/// Where `Net::forward` calls its second layer.
const SECOND_LAYER: u32 = line!() + 11;

#[derive(Module)]
struct Net {
    hidden: nn::Linear,
    out: nn::Linear,
}

impl Forward for Net {
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.hidden.forward(x).relu();
        self.out.forward(&y)
    }
}

#[test]
fn an_input_a_layer_does_not_take() {
    let layer = nn::Linear::new(784, 10);
    let images = Tensor::zeros([8, 28, 28]);
    let message = misuse!(layer.forward(&images));
    assert_snapshot!(message, @"");
    let wide = Tensor::zeros_with([8, 784], DType::F64);
    let message = misuse!(layer.forward(&wide));
    assert_snapshot!(message, @"");
    let net = sequential![nn::Linear::new(784, 32), nn::ReLU::new(), nn::Linear::new(64, 10)];
    let flat = images.flatten(1, 2);
    let message = misuse!(net.forward(&flat));
    assert_snapshot!(message, @"");
}

/// In a module of the user's own, the line is the one in its `forward` that calls the layer.
#[test]
fn a_layer_inside_a_model() {
    let net = Net { hidden: nn::Linear::new(4, 8), out: nn::Linear::new(9, 2) };
    let x = Tensor::zeros([3, 4]);
    let message = message_of(SECOND_LAYER, || drop(net.forward(&x)));
    assert_snapshot!(message, @"");
}

#[test]
fn targets_of_cross_entropy() {
    let scores = Tensor::zeros([4, 3]);
    let floats = Tensor::zeros(4);
    let message = misuse!(F::cross_entropy(&scores, &floats));
    assert_snapshot!(message, @"");
    let column = Tensor::zeros_with([4, 1], DType::I64);
    let message = misuse!(F::cross_entropy(&scores, &column));
    assert_snapshot!(message, @"");
    let outside = tensor([0, 2, 3, 1]);
    let message = misuse!(F::cross_entropy(&scores, &outside));
    assert_snapshot!(message, @"");
    let negative = tensor([0, -1, 2, 1]);
    let message = misuse!(nn::CrossEntropyLoss::new().forward(&scores, &negative));
    assert_snapshot!(message, @"");
}

#[test]
fn backward_twice() {
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    let first_use = line!() + 1;
    let loss = (&x * &x).sum();
    loss.backward();
    let message = misuse!(loss.backward());
    let message = message.replace(&format!("{}:{first_use}", file!()), "[line of the op]");
    assert_snapshot!(message, @"");
}

#[test]
fn backward_from_what_has_no_gradient() {
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    let y = &x * 2.0;
    let message = misuse!(y.backward());
    assert_snapshot!(message, @"");
    let z = no_grad(|| (&x * 2.0).sum());
    let message = misuse!(z.backward());
    assert_snapshot!(message, @"");
    let whole = tensor([1, 2]);
    let message = misuse!(whole.requires_grad_(true));
    assert_snapshot!(message, @"");
}

#[test]
fn writing_into_a_leaf() {
    let mut x = tensor([1.0, 2.0]).requires_grad_(true);
    let message = misuse!(x.add_(1.0));
    assert_snapshot!(message, @"");
    let message = misuse!(x.set(0, 5.0));
    assert_snapshot!(message, @"");
}

#[test]
fn results_that_do_not_fit_in_place() {
    let (mut x, wide) = (Tensor::zeros([3]), Tensor::zeros([2, 3]));
    let message = misuse!(x.add_(&wide));
    assert_snapshot!(message, @"");
    let mut whole = tensor([1, 2]);
    let message = misuse!(whole.add_(0.5));
    assert_snapshot!(message, @"");
}

#[test]
fn shapes_that_do_not_broadcast() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 3]));
    let message = misuse!(&a + &b);
    assert_snapshot!(message, @"");
    let message = misuse!(a.maximum(&b));
    assert_snapshot!(message, @"");
    let message = misuse!(a.reshape([4, 2]));
    assert_snapshot!(message, @"");
    let message = misuse!(Tensor::cat(&[&a, &Tensor::zeros([2, 2])], 0));
    assert_snapshot!(message, @"");
}

#[test]
fn indices_out_of_range() {
    let x = Tensor::zeros([2, 3]);
    let message = misuse!(x.index(2));
    assert_snapshot!(message, @"");
    let message = misuse!(x.select(1, -4));
    assert_snapshot!(message, @"");
    let message = misuse!(x.sum_dim(2, false));
    assert_snapshot!(message, @"");
    let far = tensor([0, 5]);
    let message = misuse!(x.index_select(0, &far));
    assert_snapshot!(message, @"");
    let message = misuse!(x.index((0, 1, 2)));
    assert_snapshot!(message, @"");
    let message = misuse!(x.item());
    assert_snapshot!(message, @"");
}

#[test]
fn state_dicts_that_do_not_fit() {
    let net = Net { hidden: nn::Linear::new(4, 8), out: nn::Linear::new(8, 2) };
    let before = net.state_dict();
    let mut dict = net.state_dict();
    dict.remove("hidden.bias");
    dict.insert("hidden.weight", Tensor::ones([8, 5]));
    dict.insert("out.weight", Tensor::ones([2, 8]));
    dict.insert("head.weight", Tensor::ones([2]));
    dict.insert("head.bias", Tensor::ones([2]));
    let error = net.load_state_dict(&dict, true).unwrap_err();
    assert_snapshot!(error, @"");
    let error = net.load_state_dict(&dict, false).unwrap_err();
    assert_snapshot!(error, @"");
    assert!(net.state_dict().iter().zip(before.iter()).all(|(a, b)| a.0 == b.0 && a.1.equal(b.1)));
    dict.insert("hidden.weight", Tensor::ones([8, 4]));
    let report = net.load_state_dict(&dict, false).unwrap();
    assert_eq!(report.missing, ["hidden.bias"]);
    assert_eq!(report.unexpected, ["head.weight", "head.bias"]);
}

#[test]
fn files_that_are_missing_damaged_or_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let text = |e: io::Error| e.to_string().replace(dir.path().to_str().unwrap(), "[dir]");
    let path = dir.path().join("weights.safetensors");
    assert_snapshot!(text(io::load(&path).unwrap_err()), @"");
    let dict: StateDict = [("weight".to_string(), Tensor::ones([2, 3]))].into_iter().collect();
    io::save(&dict, &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    assert_snapshot!(text(io::load(&path).unwrap_err()), @"");
    std::fs::write(&path, &whole[..5]).unwrap();
    assert_snapshot!(text(io::load(&path).unwrap_err()), @"");
    assert_snapshot!(text(io::load(dir.path().join("weights.ckpt")).unwrap_err()), @"");
    assert_snapshot!(text(io::save(&dict, dir.path().join("weights")).unwrap_err()), @"");
    let nowhere = dir.path().join("no/such/folder.safetensors");
    assert_snapshot!(text(io::save(&dict, nowhere).unwrap_err()), @"");
}
