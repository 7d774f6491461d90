use crate::common::*;
use taper_tensor::{DType, Tensor};

fn composed(x: &Tensor, dims: &[isize], eps: f64) -> Tensor {
    let centred = x - x.mean_dim(dims, true);
    let var = (&centred * &centred).mean_dim(dims, true);
    centred / (var + eps).sqrt()
}

#[test]
fn layer_norm_is_its_composition() {
    for (shape, normalized) in [(&[4, 5][..], &[5][..]), (&[2, 3, 4], &[3, 4]), (&[6], &[6]), (&[0, 3], &[3])]
    {
        let inputs = [randn(shape, 1), randn(normalized, 2), randn(normalized, 3)];
        let dims: Vec<isize> = (1..=normalized.len() as isize).map(|d| -d).collect();
        let plain = |x: &[Tensor]| composed(&x[0], &dims, 1e-5) * &x[1] + &x[2];
        let fused = |x: &[Tensor]| x[0].layer_norm(normalized, Some(&x[1]), Some(&x[2]), 1e-5);
        assert_near(&fused(&inputs), &plain(&inputs), 1e-12);
        check_dtypes(&inputs, fused);
        check_grads(&inputs, fused);
        check_grads(&inputs[..1], |x| x[0].layer_norm(normalized, None, None, 1e-5));
        check_grads(&inputs[..2], |x| x[0].layer_norm(normalized, Some(&x[1]), None, 0.1));
    }
}

#[test]
fn batch_norm_is_its_composition() {
    for shape in [&[4, 3][..], &[3, 2, 4], &[2, 3, 2, 3]] {
        let c = shape[1];
        let inputs = [randn(shape, 1), randn(&[c], 2), randn(&[c], 3)];
        let dims: Vec<isize> = (0..shape.len() as isize).filter(|&d| d != 1).collect();
        let channel: Vec<isize> = (0..shape.len()).map(|d| if d == 1 { -1 } else { 1 }).collect();
        let plain = |x: &[Tensor]| {
            composed(&x[0], &dims, 1e-3) * x[1].reshape(&channel[..]) + x[2].reshape(&channel[..])
        };
        let fused = |x: &[Tensor]| x[0].batch_norm_train(Some(&x[1]), Some(&x[2]), 1e-3).0;
        assert_near(&fused(&inputs), &plain(&inputs), 1e-12);
        check_dtypes(&inputs, fused);
        check_grads(&inputs, fused);
        check_grads(&inputs[..1], |x| x[0].batch_norm_train(None, None, 1e-3).0);
        let (_, mean, var) = inputs[0].batch_norm_train(None, None, 1e-3);
        assert_near(&mean, &inputs[0].mean_dim(&dims[..], false), 1e-14);
        assert_near(&var, &inputs[0].var_dim(&dims[..], 0.0, false), 1e-13);
        assert!(!mean.requires_grad());

        let (mean, var) = (randn(&[c], 4), uniform(0.5, 2.0, &[c], 5));
        let eval = |x: &[Tensor]| x[0].batch_norm_eval(&mean, &var, Some(&x[1]), Some(&x[2]), 1e-3);
        let unit = (&inputs[0] - mean.reshape(&channel[..])) / (&var + 1e-3).sqrt().reshape(&channel[..]);
        let plain = unit * inputs[1].reshape(&channel[..]) + inputs[2].reshape(&channel[..]);
        assert_near(&eval(&inputs), &plain, 1e-12);
        check_grads(&inputs, eval);
        check_grads(&inputs[..1], |x| x[0].batch_norm_eval(&mean, &var, None, None, 1e-3));
    }
}

#[test]
fn group_norm_is_its_composition() {
    let inputs = [randn(&[2, 4, 3], 1), randn(&[4], 2), randn(&[4], 3)];
    let plain = |x: &[Tensor]| {
        let y = composed(&x[0].reshape([2, 2, 6]), &[2], 1e-5).reshape([2, 4, 3]);
        y * x[1].reshape([1, 4, 1]) + x[2].reshape([1, 4, 1])
    };
    let fused = |x: &[Tensor]| x[0].group_norm(2, Some(&x[1]), Some(&x[2]), 1e-5);
    assert_near(&fused(&inputs), &plain(&inputs), 1e-12);
    check_grads(&inputs, fused);
}

#[test]
fn half_precision_takes_single_precision_weights() {
    let x = randn(&[4, 8], 1).to_dtype(DType::F16).requires_grad_(true);
    let (w, b) = (Tensor::ones([8]).requires_grad_(true), Tensor::zeros([8]).requires_grad_(true));
    let y = x.layer_norm(8, Some(&w), Some(&b), 1e-5);
    assert_eq!(y.dtype(), DType::F16);
    (&y * &y).sum().backward();
    assert_eq!([&x, &w, &b].map(|t| t.grad().unwrap().dtype()), [DType::F16, DType::F32, DType::F32]);
}

#[test]
fn errors() {
    let x = Tensor::zeros([2, 3]);
    assert!(
        panic_of(|| x.layer_norm(4, None, None, 1e-5)).contains("does not end in the normalized shape [4]")
    );
    let w = Tensor::ones([2]);
    assert!(
        panic_of(|| x.layer_norm(3, Some(&w), None, 1e-5))
            .contains("expected a weight of shape [3], got [2]")
    );
    assert!(
        panic_of(|| x.narrow(0, 0, 1).batch_norm_train(None, None, 1e-5))
            .contains("more than one value per channel")
    );
    assert!(panic_of(|| Tensor::arange(0, 4, 1).layer_norm(4, None, None, 1e-5)).contains("got int64"));
}
