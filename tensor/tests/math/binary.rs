//! Edges of the functions of two tensors; the op table has their values and derivatives.

use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

#[test]
fn numbers_stand_on_both_sides() {
    let x = tensor([1.0, 2.0]);
    assert_eq!((2.0 - &x).to_vec::<f32>(), [1.0, 0.0]);
    assert_eq!((&x - 2).to_vec::<f32>(), [-1.0, 0.0]);
    assert_eq!((2 * &x).to_vec::<f32>(), [2.0, 4.0]);
    assert_eq!((1.0 / x.clone()).to_vec::<f32>(), [1.0, 0.5]);
    assert_eq!((7.0 % &x).to_vec::<f32>(), [0.0, 1.0]);
    assert_eq!((-x).to_vec::<f32>(), [-1.0, -2.0]);
    for (a, b) in [(1.5, 0.25), (2.0, 3.0)] {
        check_grads(&[uniform(0.5, 1.0, &[3], 1)], |x| a - (&x[0] * b) / a + x[0].pow(b) / (a + &x[0]));
    }
}

#[test]
fn ties_and_zeros() {
    let grads = |f: fn(&Tensor, &Tensor) -> Tensor, a: f64, b: f64| {
        let [x, y] = [a, b].map(|v| Tensor::full_with((), v, DType::F64).requires_grad_(true));
        f(&x, &y).backward();
        (x.grad().unwrap().item(), y.grad().unwrap().item())
    };
    assert_eq!(grads(|x, y| x.maximum(y), 1.0, 1.0), (0.5, 0.5));
    assert_eq!(grads(|x, y| x.minimum(y), 1.0, 2.0), (1.0, 0.0));
    assert_eq!(grads(|x, y| x.pow(y), 0.0, 2.0), (0.0, 0.0));
    assert_eq!(grads(|x, y| x.pow(y), 0.0, 0.0), (0.0, 0.0));
    assert_eq!(grads(|x, y| x.pow(y), 2.0, 0.0), (0.0, 2f64.ln()));
}

#[test]
fn logic() {
    let (a, b) = (tensor([true, true, false]), tensor([true, false, false]));
    assert_eq!((&a & &b).to_vec::<bool>(), [true, false, false]);
    assert_eq!((&a | &b).to_vec::<bool>(), [true, true, false]);
    assert_eq!((&a ^ &b).to_vec::<bool>(), [false, true, false]);
    assert_eq!((!&a).to_vec::<bool>(), [false, false, true]);
    assert_eq!((!tensor([1, -3])).to_vec::<i64>(), [-2, 2]);
    assert!(panic_of(|| !tensor([1.0])).contains("floats have no bits to work on"));
    assert!(panic_of(|| &a - &b).contains("sub: bool tensors have no such operation"));
    assert!(a.equal(&a) && !a.equal(&b) && !a.equal(&a.unsqueeze(0)));
    let x = tensor([1.0, 2.0]);
    assert!(x.allclose(&(&x + 1e-6), 1e-5, 1e-8) && !x.allclose(&(&x + 1e-3), 1e-5, 1e-8));
}

#[test]
fn errors_name_both_shapes() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4]));
    assert_eq!(
        panic_of(|| &a + &b),
        "add: shapes [2, 3] and [4] do not broadcast: sizes must be equal or 1, counted from the last dimension"
    );
    assert!(a.try_mul(&b).is_err());
    assert!(
        panic_of(|| Tensor::where_(&a, &a, &a)).contains("where: the condition must be bool, it is float32")
    );
}
