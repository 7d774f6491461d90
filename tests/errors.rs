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
    assert_snapshot!(message, @"matmul: shapes [2, 3] and [2, 3] cannot be multiplied: the last dimension of the first (3) must equal the second to last dimension of the second (2); the second would fit transposed: b.mt()");
    let c = Tensor::zeros([5, 4]);
    let message = misuse!(a.matmul(&c));
    assert_snapshot!(message, @"matmul: shapes [2, 3] and [5, 4] cannot be multiplied: the last dimension of the first (3) must equal the second to last dimension of the second (5)");
    let (d, e) = (Tensor::zeros([7, 2, 3]), Tensor::zeros([4, 3, 2]));
    let message = misuse!(d.matmul(&e));
    assert_snapshot!(message, @"matmul: shapes [7, 2, 3] and [4, 3, 2] cannot be multiplied: the batch dimensions [7] and [4] do not broadcast");
    let wide = Tensor::zeros_with([3, 2], DType::F64);
    let message = misuse!(a.matmul(&wide));
    assert_snapshot!(message, @"matmul: both factors must have one dtype, got float32 and float64; convert one with to_dtype");
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
    assert_snapshot!(message, @"Linear(in_features=784, out_features=10, bias=True): expected an input [..., 784] of float32, got shape [8, 28, 28] of float32 (the weight has shape [10, 784])");
    let wide = Tensor::zeros_with([8, 784], DType::F64);
    let message = misuse!(layer.forward(&wide));
    assert_snapshot!(message, @"Linear(in_features=784, out_features=10, bias=True): expected an input [..., 784] of float32, got shape [8, 784] of float64 (the weight has shape [10, 784])");
    let net = sequential![nn::Linear::new(784, 32), nn::ReLU::new(), nn::Linear::new(64, 10)];
    let flat = images.flatten(1, 2);
    let message = misuse!(net.forward(&flat));
    assert_snapshot!(message, @"Sequential, layer 2: Linear(in_features=64, out_features=10, bias=True): expected an input [..., 64] of float32, got shape [8, 32] of float32 (the weight has shape [10, 64])");
}

/// In a module of the user's own, the line is the one in its `forward` that calls the layer.
#[test]
fn a_layer_inside_a_model() {
    let net = Net { hidden: nn::Linear::new(4, 8), out: nn::Linear::new(9, 2) };
    let x = Tensor::zeros([3, 4]);
    let message = message_of(SECOND_LAYER, || drop(net.forward(&x)));
    assert_snapshot!(message, @"Linear(in_features=9, out_features=2, bias=True): expected an input [..., 9] of float32, got shape [3, 8] of float32 (the weight has shape [2, 9])");
}

#[test]
fn targets_of_cross_entropy() {
    let scores = Tensor::zeros([4, 3]);
    let floats = Tensor::zeros(4);
    let message = misuse!(F::cross_entropy(&scores, &floats));
    assert_snapshot!(message, @"cross_entropy: for an input of shape [4, 3] the targets must be class indices (int64) of shape [4], or probabilities (float32) of shape [4, 3]; got float32 of shape [4]");
    let column = Tensor::zeros_with([4, 1], DType::I64);
    let message = misuse!(F::cross_entropy(&scores, &column));
    assert_snapshot!(message, @"cross_entropy: for an input of shape [4, 3] the targets must be class indices (int64) of shape [4], or probabilities (float32) of shape [4, 3]; got int64 of shape [4, 1]");
    let outside = tensor([0, 2, 3, 1]);
    let message = misuse!(F::cross_entropy(&scores, &outside));
    assert_snapshot!(message, @"cross_entropy: class index 3 at position 2 of the targets is out of range for 3 classes (0..=2)");
    let negative = tensor([0, -1, 2, 1]);
    let message = misuse!(nn::CrossEntropyLoss::new().forward(&scores, &negative));
    assert_snapshot!(message, @"cross_entropy: class index -1 at position 1 of the targets is out of range for 3 classes (0..=2)");
}

#[test]
fn backward_twice() {
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    let first_use = line!() + 1;
    let loss = (&x * &x).sum();
    loss.backward();
    let message = misuse!(loss.backward());
    let message = message.replace(&format!("{}:{first_use}", file!()), "[line of the op]");
    assert_snapshot!(message, @"backward: trying to go backward through the graph a second time, but what `sum` (at [line of the op]:26) saved was freed by the first; pass retain_graph there if you need to do this");
}

#[test]
fn backward_from_what_has_no_gradient() {
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    let y = &x * 2.0;
    let message = misuse!(y.backward());
    assert_snapshot!(message, @"backward: grad can be implicitly created only for scalar outputs, and this is float32[2]; reduce it (`.sum()`, `.mean()`) or give a seed gradient");
    let z = no_grad(|| (&x * 2.0).sum());
    let message = misuse!(z.backward());
    assert_snapshot!(message, @"backward: the value does not require grad and has no grad_fn; none of its inputs requires grad, or it was computed under no_grad");
    let whole = tensor([1, 2]);
    let message = misuse!(whole.requires_grad_(true));
    assert_snapshot!(message, @"requires_grad_: only floating-point tensors can require gradients, this one is int64");
}

#[test]
fn writing_into_a_leaf() {
    let mut x = tensor([1.0, 2.0]).requires_grad_(true);
    let message = misuse!(x.add_(1.0));
    assert_snapshot!(message, @"add_: a leaf tensor that requires grad cannot be changed in place; wrap the update in no_grad");
    let message = misuse!(x.set(0, 5.0));
    assert_snapshot!(message, @"set: a leaf tensor that requires grad cannot be changed in place; wrap the update in no_grad");
}

#[test]
fn results_that_do_not_fit_in_place() {
    let (mut x, wide) = (Tensor::zeros([3]), Tensor::zeros([2, 3]));
    let message = misuse!(x.add_(&wide));
    assert_snapshot!(message, @"add_: the result of shape [2, 3] does not fit in place into [3]");
    let mut whole = tensor([1, 2]);
    let message = misuse!(whole.add_(0.5));
    assert_snapshot!(message, @"add_: the result is float32 and cannot be stored in place as int64");
}

#[test]
fn shapes_that_do_not_broadcast() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 3]));
    let message = misuse!(&a + &b);
    assert_snapshot!(message, @"add: shapes [2, 3] and [4, 3] do not broadcast: sizes must be equal or 1, counted from the last dimension");
    let message = misuse!(a.maximum(&b));
    assert_snapshot!(message, @"maximum: shapes [2, 3] and [4, 3] do not broadcast: sizes must be equal or 1, counted from the last dimension");
    let message = misuse!(a.reshape([4, 2]));
    assert_snapshot!(message, @"reshape: shape [2, 3] (6 elements) cannot become [4, 2]");
    let message = misuse!(Tensor::cat(&[&a, &Tensor::zeros([2, 2])], 0));
    assert_snapshot!(message, @"cat: shape [2, 2] of tensor 1 does not fit [2, 3]: sizes must be equal but for dimension 0");
}

#[test]
fn indices_out_of_range() {
    let x = Tensor::zeros([2, 3]);
    let message = misuse!(x.index(2));
    assert_snapshot!(message, @"index: index 2 is out of bounds for dimension 0 with size 2 (shape [2, 3])");
    let message = misuse!(x.select(1, -4));
    assert_snapshot!(message, @"select: index -4 is out of bounds for dimension 1 with size 3");
    let message = misuse!(x.sum_dim(2, false));
    assert_snapshot!(message, @"sum: dimension 2 is out of range for 2 dimensions (expected -2..=1)");
    let far = tensor([0, 5]);
    let message = misuse!(x.index_select(0, &far));
    assert_snapshot!(message, @"index_select: index 5 is out of bounds for dimension 0 with size 2 (entry 1 of the index tensor)");
    let message = misuse!(x.index((0, 1, 2)));
    assert_snapshot!(message, @"index: 3 indices for the 2 dimensions of shape [2, 3]");
    let message = misuse!(x.item());
    assert_snapshot!(message, @"item: a tensor with 6 elements (shape [2, 3]) cannot be read as one number");
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
    assert_snapshot!(error, @r#"
    error(s) in loading state_dict for Net:
        missing key(s): "hidden.bias"
        unexpected key(s): "head.weight", "head.bias"
        size mismatch for "hidden.weight": [8, 5] in the state dict, [8, 4] in the module
    "#);
    let error = net.load_state_dict(&dict, false).unwrap_err();
    assert_snapshot!(error, @r#"
    error(s) in loading state_dict for Net:
        size mismatch for "hidden.weight": [8, 5] in the state dict, [8, 4] in the module
    "#);
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
    assert_snapshot!(text(io::load(&path).unwrap_err()), @"[dir]/weights.safetensors: cannot read: No such file or directory (os error 2)");
    let dict: StateDict = [("weight".to_string(), Tensor::ones([2, 3]))].into_iter().collect();
    io::save(&dict, &path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
    assert_snapshot!(text(io::load(&path).unwrap_err()), @r#"[dir]/weights.safetensors: tensor "weight": bytes 0..24 are not within the 20 bytes of data; is the file cut off?"#);
    std::fs::write(&path, &whole[..5]).unwrap();
    assert_snapshot!(text(io::load(&path).unwrap_err()), @"[dir]/weights.safetensors: not a whole safetensors file: 5 bytes are too few");
    assert_snapshot!(text(io::load(dir.path().join("weights.onnx")).unwrap_err()), @"[dir]/weights.onnx: unknown file extension; taper reads and writes .safetensors, .pt (.pth, .bin, .ckpt), .npz and .npy");
    assert_snapshot!(text(io::save(&dict, dir.path().join("weights")).unwrap_err()), @"[dir]/weights: unknown file extension; taper reads and writes .safetensors, .pt (.pth, .bin, .ckpt), .npz and .npy");
    let nowhere = dir.path().join("no/such/folder.safetensors");
    assert_snapshot!(text(io::save(&dict, nowhere).unwrap_err()), @"[dir]/no/such/folder.safetensors: cannot create a file in its folder: No such file or directory (os error 2)");
}

#[cfg(not(feature = "cuda"))]
#[test]
fn cuda_that_is_not_compiled_in() {
    let error = Tensor::ones(2).try_to_device(Device::Cuda(0)).unwrap_err().to_string();
    let why = "device cuda:0 is not available: taper was built without its feature \"cuda\"";
    assert_eq!(error, format!("to_device: {why}"));
    assert_eq!((Device::cuda(0).unwrap_err().to_string().as_str(), Device::cuda_count()), (why, 0));
}
