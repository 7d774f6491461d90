//! Edges of the functions of one tensor; the op table has their values and derivatives.

use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

#[test]
fn kinks_have_pytorchs_slopes() {
    let slope = |f: fn(&Tensor) -> Tensor, at: f64| {
        let x = Tensor::full_with((), at, DType::F64).requires_grad_(true);
        f(&x).backward();
        x.grad().unwrap().item()
    };
    assert_eq!(slope(|x| x.relu(), 0.0), 0.0);
    assert_eq!(slope(|x| x.abs(), 0.0), 0.0);
    assert_eq!(slope(|x| x.sign(), 0.0), 0.0);
    assert_eq!(slope(|x| x.clamp(0.0, 1.0), 0.0), 0.0);
    assert_eq!(slope(|x| x.clamp(0.0, 1.0), 0.5), 1.0);
    assert_eq!(slope(|x| x.clamp(0.0, 1.0), 1.0), 0.0);
    assert_eq!(slope(|x| x.clamp(0.0, None), -1.0), 0.0);
    assert_eq!(slope(|x| x.leaky_relu(0.1), 0.0), 0.1);
    assert_eq!(slope(|x| x.sqrt(), 0.0), f64::INFINITY);
    assert_eq!(slope(|x| x.pow(2.0), 0.0), 0.0);
    assert_eq!(slope(|x| x.pow(0.0), 0.0), 0.0);
}

#[test]
fn integers_and_tests() {
    let x = tensor([-2, 0, 3]);
    assert_eq!(
        (x.exp().dtype(), x.abs().dtype(), x.relu().to_vec::<i64>()),
        (DType::F32, DType::I64, vec![0, 0, 3])
    );
    assert_eq!(x.clamp(-1.0, 2.0).to_vec::<i64>(), [-1, 0, 2]);
    assert_eq!(x.clamp(0.5, None).dtype(), DType::F32);
    assert!(panic_of(|| x.clamp(None, None)).contains("clamp: at least one of min and max"));
    let y = tensor([f64::NAN, f64::INFINITY, 1.0]);
    assert_eq!(y.isnan().to_vec::<bool>(), [true, false, false]);
    assert_eq!(y.isinf().to_vec::<bool>(), [false, true, false]);
    assert_eq!(y.isfinite().to_vec::<bool>(), [false, false, true]);
}
