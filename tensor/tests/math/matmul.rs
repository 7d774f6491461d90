use crate::common::*;
use taper_tensor::{DType, Tensor};

/// The product by its definition, of matrices or batches of one shape.
fn naive(a: &Tensor, b: &Tensor) -> Tensor {
    let (sa, sb) = (a.shape().to_vec(), b.shape().to_vec());
    let (da, db) = (a.to_vec::<f64>(), b.to_vec::<f64>());
    let nb = sa.len() - 2;
    let mut shape = sa.clone();
    shape[nb + 1] = sb[nb + 1];
    table(&shape, |i| {
        (0..sa[nb + 1])
            .map(|k| {
                let ia = [&i[..nb], &[i[nb], k]].concat();
                let ib = [&i[..nb], &[k, i[nb + 1]]].concat();
                at(&da, &sa, &ia) * at(&db, &sb, &ib)
            })
            .sum()
    })
}

/// Operands brought to batches of matrices, as the definition of `matmul` says.
fn reference(a: &Tensor, b: &Tensor) -> Tensor {
    let (row, column) = (a.ndim() == 1, b.ndim() == 1);
    let a = if row { a.unsqueeze(0) } else { a.clone() };
    let b = if column { b.unsqueeze(1) } else { b.clone() };
    let batch =
        taper_tensor::kernels::broadcast_shapes(&a.shape()[..a.ndim() - 2], &b.shape()[..b.ndim() - 2]);
    let batch = batch.expect("batches broadcast");
    let wide = |t: &Tensor| t.broadcast_to([&batch[..], &t.shape()[t.ndim() - 2..]].concat());
    let mut y = naive(&wide(&a), &wide(&b));
    if column {
        y = y.squeeze(-1);
    }
    if row {
        y = y.squeeze(if column { -1 } else { -2 });
    }
    y
}

const SHAPES: [(&[usize], &[usize]); 16] = [
    (&[3], &[3]),
    (&[3], &[3, 4]),
    (&[2, 3], &[3]),
    (&[2, 3], &[3, 4]),
    (&[2, 2, 3], &[3]),
    (&[3], &[2, 3, 2]),
    (&[2, 2, 3], &[3, 4]),
    (&[2, 3], &[2, 3, 2]),
    (&[2, 2, 3], &[2, 3, 2]),
    (&[2, 1, 2, 3], &[3, 3, 2]),
    (&[1, 2, 3], &[2, 3, 1]),
    (&[0, 3], &[3, 2]),
    (&[2, 0], &[0, 3]),
    (&[2, 0, 3], &[3, 2]),
    (&[1, 1], &[1, 1]),
    (&[5, 1, 7], &[7, 6]),
];

#[test]
fn all_ranks_dtypes_and_layouts() {
    for (a, b) in SHAPES {
        let inputs = [randn(a, 1), randn(b, 2)];
        assert_near(&inputs[0].matmul(&inputs[1]), &reference(&inputs[0], &inputs[1]), 1e-13);
        check_dtypes(&inputs, |x| x[0].matmul(&x[1]));
    }
}

#[test]
fn integers_multiply() {
    let a = Tensor::arange(0, 6, 1).reshape([2, 3]);
    for dtype in [DType::I64, DType::I32, DType::U8] {
        let y = a.to_dtype(dtype).matmul(a.t().to_dtype(dtype));
        assert_eq!((y.dtype(), y.to_vec::<i64>()), (dtype, vec![5, 14, 14, 50]));
    }
}

#[test]
fn derivatives() {
    for (a, b) in SHAPES {
        check_grads(&[randn(a, 3), randn(b, 4)], |x| x[0].matmul(&x[1]));
    }
    let t = randn(&[3, 2], 5);
    check_grads(&[t, randn(&[3, 4], 6)], |x| x[0].t().matmul(&x[1]));
}

#[test]
fn the_strict_products() {
    let (a, b, v) = (randn(&[2, 3], 1), randn(&[3, 4], 2), randn(&[3], 3));
    assert!(a.mm(&b).equal(&a.matmul(&b)));
    assert!(a.mv(&v).equal(&a.matmul(&v)));
    assert!(v.dot(&v).equal(&v.matmul(&v)));
    assert!(v.outer(&v).equal(&v.unsqueeze(1).matmul(v.unsqueeze(0))));
    let (a3, b3) = (randn(&[2, 2, 3], 4), randn(&[2, 3, 4], 5));
    assert!(a3.bmm(&b3).equal(&a3.matmul(&b3)));
    check_grads(&[a3, b3], |x| x[0].bmm(&x[1]));
    check_grads(&[v.clone(), randn(&[3], 9)], |x| x[0].dot(&x[1]));
    check_grads(&[v, randn(&[2], 9)], |x| x[0].outer(&x[1]));
}

#[test]
fn linear_is_its_composition() {
    for x in [&[5, 3][..], &[3], &[2, 2, 3], &[0, 3]] {
        let inputs = [randn(x, 1), randn(&[4, 3], 2), randn(&[4], 3)];
        let composed = |x: &[Tensor]| x[0].matmul(x[1].t()) + &x[2];
        assert_near(&inputs[0].linear(&inputs[1], Some(&inputs[2])), &composed(&inputs), 1e-14);
        check_dtypes(&inputs, |x| x[0].linear(&x[1], Some(&x[2])));
        check_grads(&inputs, |x| x[0].linear(&x[1], Some(&x[2])));
        check_grads(&inputs[..2], |x| x[0].linear(&x[1], None));
    }
    // A weight's gradient is laid out as the weight.
    let w = randn(&[4, 3], 2).requires_grad_(true);
    randn(&[5, 3], 1).linear(&w, None).sum().backward();
    assert!(w.grad().unwrap().is_contiguous());
}

#[test]
fn sums_of_products() {
    let inputs = [randn(&[4], 1), randn(&[2, 3], 2), randn(&[3, 4], 3)];
    for (beta, alpha) in [(1.0, 1.0), (0.5, -2.0)] {
        let composed = &inputs[0] * beta + inputs[1].matmul(&inputs[2]) * alpha;
        assert_near(&inputs[0].addmm(&inputs[1], &inputs[2], beta, alpha), &composed, 1e-14);
        check_grads(&inputs, |x| x[0].addmm(&x[1], &x[2], beta, alpha));
    }
    let batches = [randn(&[2, 1, 4], 1), randn(&[2, 2, 3], 2), randn(&[2, 3, 4], 3)];
    check_grads(&batches, |x| x[0].baddbmm(&x[1], &x[2], 1.0, 1.0));
    let nan = Tensor::full_with([4], f64::NAN, DType::F64);
    assert!(nan.addmm(&inputs[1], &inputs[2], 0.0, 1.0).equal(&inputs[1].mm(&inputs[2])));
}

#[test]
fn errors_name_shapes_and_say_what_would_fit() {
    let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 3]));
    assert_eq!(
        panic_of(|| a.matmul(&b)),
        "matmul: shapes [2, 3] and [4, 3] cannot be multiplied: the last dimension of the first (3) must equal \
         the second to last dimension of the second (4); the second would fit transposed: b.mt()"
    );
    assert_eq!(a.try_matmul(&b).unwrap_err().to_string(), panic_of(|| a.matmul(&b)));
    assert!(panic_of(|| a.matmul(Tensor::zeros([4]))).contains("only dimension of the second (4)"));
    assert!(panic_of(|| a.matmul(Tensor::zeros(()))).contains("at least one dimension"));
    assert!(panic_of(|| a.matmul(b.t().to_dtype(DType::F64))).contains("float32 and float64"));
    let (x, y) = (Tensor::zeros([2, 2, 3]), Tensor::zeros([3, 3, 2]));
    assert!(panic_of(|| x.matmul(&y)).contains("batch dimensions [2] and [3] do not broadcast"));
    assert!(panic_of(|| x.mm(&b)).contains("mm: expected a matrix with 2 dimensions, got shape [2, 2, 3]"));
    assert_eq!(
        panic_of(|| Tensor::zeros([8, 784]).linear(Tensor::zeros([10, 128]), None)),
        "linear: the input of shape [8, 784] has 784 features in its last dimension, the weight of shape [10, 128] \
         takes 128 of them (weights are [out, in])"
    );
    assert!(panic_of(|| a.linear(&b, Some(&Tensor::zeros([3])))).contains("a bias of shape [3]"));
}
