use crate::common::*;
use taper_tensor::autograd::{BackwardOptions, no_grad};
use taper_tensor::{DType, Tensor, tensor};

#[test]
fn gradients_accumulate_in_leaves() {
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    for times in 1..=2 {
        (&x * &x).sum().backward();
        assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0 * times as f32, 4.0 * times as f32]);
    }
    x.zero_grad();
    assert!(x.grad().is_none());
    x.set_grad(Some(Tensor::ones([2])));
    (&x * 1.0).sum().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [2.0, 2.0]);
    assert!(panic_of(|| x.set_grad(Some(Tensor::ones([3])))).contains("a gradient of float32[3]"));
}

#[test]
fn gradients_have_the_inputs_shape_and_dtype() {
    let x = Tensor::ones([3, 1]).requires_grad_(true);
    let half = Tensor::ones_with([4], DType::F16).requires_grad_(true);
    (&x * &half + tensor(2.0)).sum().backward();
    assert_eq!((x.grad().unwrap().shape(), x.grad().unwrap().dtype()), (&[3, 1][..], DType::F32));
    assert_eq!((half.grad().unwrap().shape(), half.grad().unwrap().dtype()), (&[4][..], DType::F16));
    assert_eq!(
        (x.grad().unwrap().to_vec::<f32>(), half.grad().unwrap().to_vec::<f32>()),
        (vec![4.0; 3], vec![3.0; 4])
    );
}

#[test]
fn what_is_recorded() {
    let x = tensor([1.0]).requires_grad_(true);
    assert!(x.is_leaf() && x.requires_grad());
    let y = &x * 2.0;
    assert!(!y.is_leaf() && y.grad_fn() == Some("mul"));
    assert!(!y.detach().requires_grad() && !no_grad(|| &x * 2.0).requires_grad());
    assert!(!x.gt(0.0).requires_grad() && !x.to_dtype(DType::I64).requires_grad());
    assert!(panic_of(|| tensor([1]).requires_grad_(true)).contains("only floating-point tensors"));
    assert!(panic_of(|| y.clone().requires_grad_(false)).contains("only leaves"));
    y.retain_grad();
    y.sum().backward();
    assert_eq!(y.grad().unwrap().item(), 1.0);
}

#[test]
fn backward_needs_a_scalar_or_a_seed() {
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    let y = &x * 3.0;
    assert!(panic_of(|| y.backward()).contains("scalar") || panic_of(|| y.backward()).contains("element"));
    y.backward_with(Some(&tensor([1.0, 10.0])), BackwardOptions::default());
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [3.0, 30.0]);
}

#[test]
fn hooks_see_and_replace_gradients() {
    let x = tensor([1.0]).requires_grad_(true);
    let y = &x * 2.0;
    let _hook = y.register_hook(|g| Some(g * 10.0));
    y.sum().backward();
    assert_eq!(x.grad().unwrap().item(), 20.0);
}

#[test]
fn third_derivatives_and_threads() {
    let x = Tensor::full_with((), 0.7, DType::F64).requires_grad_(true);
    let mut y = x.sin();
    for _ in 0..3 {
        y = taper_tensor::autograd::grad(&[y], std::slice::from_ref(&x), None, false, true, false)
            .remove(0)
            .unwrap();
    }
    assert!((y.item() + 0.7f64.cos()).abs() < 1e-14);
    let z = std::thread::spawn(move || x.exp()).join().unwrap();
    assert!((z.item() - 0.7f64.exp()).abs() < 1e-14);
}

#[test]
fn panics_name_the_users_line() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let old = std::panic::take_hook();
    let sink = seen.clone();
    // Other tests panic meanwhile, in their threads.
    let here = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() != here {
            return;
        }
        *sink.lock().unwrap() = info.location().map(|l| l.file().to_string()).unwrap_or_default();
    }));
    let calls: Vec<fn()> = vec![
        || drop(Tensor::zeros([2]) + Tensor::zeros([3])),
        || drop(Tensor::zeros([2, 3]).matmul(Tensor::zeros([2, 3]))),
        || drop(Tensor::zeros([2]).sum_dim(4, false)),
        || drop(Tensor::zeros([2]).reshape([3])),
        || drop(Tensor::zeros([1, 1, 2, 2]).max_pool2d(3)),
        || drop(Tensor::zeros([2]).softmax(3)),
        || drop(Tensor::einsum("i", &[])),
        || drop(Tensor::zeros([0]).max()),
        || drop(Tensor::zeros([2, 2]).layer_norm(3, None, None, 1e-5)),
        || drop(Tensor::randint(3, 1, 2)),
    ];
    let mut wrong = vec![];
    for (i, call) in calls.into_iter().enumerate() {
        let _ = std::panic::catch_unwind(call);
        let file = seen.lock().unwrap().clone();
        if !file.ends_with("core.rs") || !file.contains("tests") {
            wrong.push(format!("call {i}: {file}"));
        }
    }
    std::panic::set_hook(old);
    assert!(wrong.is_empty(), "{wrong:?}");
}
