use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

const SHAPES: [(&[usize], isize); 6] =
    [(&[2, 3], 1), (&[2, 3], 0), (&[2, 3, 4], 1), (&[2, 3, 4], -1), (&[5], 0), (&[0, 2], 1)];

#[test]
fn equal_their_composition() {
    for (shape, dim) in SHAPES {
        let x = randn(shape, 1);
        let exp = x.exp();
        let softmax = &exp / exp.sum_dim(dim, true);
        assert_near(&x.softmax(dim), &softmax, 1e-14);
        assert_near(&x.log_softmax(dim), &softmax.ln(), 1e-13);
        check_dtypes(&[x.clone()], |x| x[0].softmax(dim));
        check_dtypes(&[x.clone()], |x| x[0].log_softmax(dim));
        check_grads(&[x.clone()], |x| x[0].softmax(dim));
        check_grads(&[x], |x| x[0].log_softmax(dim));
    }
    check_grads(&[randn(&[], 1)], |x| x[0].softmax(0));
    assert_eq!(Tensor::zeros(()).log_softmax(-1).item(), 0.0);
}

#[test]
fn large_numbers_and_infinities() {
    let x = tensor([[1000.0, 0.0], [f64::NEG_INFINITY, 2.0]]);
    assert_eq!(x.softmax(1).to_vec::<f64>(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(x.log_softmax(1).to_vec::<f64>(), [0.0, -1000.0, f64::NEG_INFINITY, 0.0]);
    assert!(tensor([f64::NEG_INFINITY; 2]).softmax(0).isnan().all().item_as::<bool>());
    assert!(
        panic_of(|| Tensor::arange(0, 3, 1).softmax(0))
            .contains("expected a floating-point tensor, got int64")
    );
    assert_eq!(x.to_dtype(DType::F16).softmax(1).dtype(), DType::F16);
}
