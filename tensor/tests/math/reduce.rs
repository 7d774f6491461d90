use crate::common::*;
use taper_tensor::{DType, Tensor, tensor};

/// Reduces over `dims` (from the front, ascending) by a function of the elements.
fn naive(x: &Tensor, dims: &[usize], f: impl Fn(&[f64]) -> f64) -> Tensor {
    let (shape, data) = (x.shape().to_vec(), x.to_vec::<f64>());
    let kept: Vec<usize> = (0..shape.len()).filter(|d| !dims.contains(d)).collect();
    let out: Vec<usize> = kept.iter().map(|&d| shape[d]).collect();
    let inner: Vec<usize> = dims.iter().map(|&d| shape[d]).collect();
    table(&out, |i| {
        let values: Vec<f64> = indices(&inner)
            .iter()
            .map(|j| {
                let mut index = vec![0; shape.len()];
                kept.iter().zip(i).for_each(|(&d, &k)| index[d] = k);
                dims.iter().zip(j).for_each(|(&d, &k)| index[d] = k);
                at(&data, &shape, &index)
            })
            .collect();
        f(&values)
    })
}

const CASES: [(&[usize], &[usize]); 7] = [
    (&[2, 3, 4], &[0]),
    (&[2, 3, 4], &[1]),
    (&[2, 3, 4], &[2]),
    (&[2, 3, 4], &[0, 2]),
    (&[2, 3, 4], &[0, 1, 2]),
    (&[7], &[0]),
    (&[0, 3], &[1]),
];

#[track_caller]
fn check(f: impl Fn(&Tensor, &[isize], bool) -> Tensor, of: impl Fn(&[f64]) -> f64) {
    for (shape, dims) in CASES {
        let x = randn(shape, 1);
        let signed: Vec<isize> = dims.iter().map(|&d| d as isize - shape.len() as isize).collect();
        let y = f(&x, &signed, false);
        assert_near(&y, &naive(&x, dims, &of), 1e-12);
        let kept: Vec<usize> =
            (0..shape.len()).map(|d| if dims.contains(&d) { 1 } else { shape[d] }).collect();
        assert!(f(&x, &signed, true).equal(&y.reshape(&kept[..])));
        check_dtypes(&[x.clone()], |x| f(&x[0], &signed, true));
        check_grads(&[x], |x| f(&x[0], &signed, false));
    }
    check_grads(&[randn(&[], 2)], |x| f(&x[0], &[0], false));
}

#[test]
fn sums_and_means() {
    check(|x, d, k| x.sum_dim(d, k), |v| v.iter().sum());
    check(|x, d, k| x.mean_dim(d, k), |v| v.iter().sum::<f64>() / v.len() as f64);
}

#[test]
fn extremes() {
    check(|x, d, k| x.amax(d, k), |v| v.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    check(|x, d, k| x.amin(d, k), |v| v.iter().copied().fold(f64::INFINITY, f64::min));
    for dim in [0, 1, -1] {
        check_grads(&[randn(&[2, 3, 4], 1)], |x| x[0].max_dim(dim, false).0);
        check_grads(&[randn(&[2, 3, 4], 1)], |x| x[0].min_dim(dim, true).0);
    }
    check_grads(&[randn(&[2, 3], 1)], |x| x[0].max() * x[0].min());
    let x = tensor([[1, 5, 5], [7, 0, 2]]);
    let (values, at) = x.max_dim(1, false);
    assert_eq!((values.to_vec::<i64>(), at.to_vec::<i64>()), (vec![5, 7], vec![1, 0]));
    let (values, at) = x.min_dim(0, true);
    assert_eq!((values.shape(), at.to_vec::<i64>()), (&[1, 3][..], vec![0, 1, 1]));
    assert_eq!((x.argmax(None, false).item(), x.argmax(None, true).shape()), (3.0, &[1, 1][..]));
    assert_eq!(x.argmin(-1, false).to_vec::<i64>(), [0, 1]);
    for dtype in [DType::I8, DType::U8, DType::I32, DType::F16, DType::BF16] {
        assert_eq!((x.to_dtype(dtype).max().item(), x.to_dtype(dtype).max().dtype()), (7.0, dtype));
    }
    assert_eq!(x.gt(4).max().dtype(), DType::Bool);
}

#[test]
fn equal_extremes_share_the_gradient() {
    let grad = |f: fn(&Tensor) -> Tensor| {
        let x = tensor([3.0, 1.0, 3.0]).requires_grad_(true);
        f(&x).backward();
        x.grad().unwrap().to_vec::<f32>()
    };
    assert_eq!(grad(|x| x.max()), [0.5, 0.0, 0.5]);
    assert_eq!(grad(|x| x.amax(0, false)), [0.5, 0.0, 0.5]);
    assert_eq!(grad(|x| x.max_dim(0, false).0), [1.0, 0.0, 0.0]);
    let x = tensor([1.0, f64::NAN]).requires_grad_(true);
    assert!(x.max().item().is_nan());
    x.max().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0, 1.0]);
}

#[test]
fn nothing_has_no_extreme() {
    let x = Tensor::zeros([2, 0]);
    for f in [Tensor::max, Tensor::min, |x: &Tensor| x.amax(1, false), |x: &Tensor| x.argmax(None, false)] {
        assert!(panic_of(|| f(&x)).contains("there is no extreme among no elements: shape [2, 0]"));
    }
    assert_eq!(x.amax(0, false).shape(), [0]);
    assert!(panic_of(|| x.max_dim(-1, false)).starts_with("max: there is no extreme"));
}

#[test]
fn products() {
    for (shape, dim) in [(&[2, 3, 4][..], 1), (&[5], 0), (&[3, 1], 1), (&[2, 7], -1)] {
        let x = randn(shape, 1);
        let d = (dim + if dim < 0 { shape.len() as isize } else { 0 }) as usize;
        assert_near(&x.prod_dim(dim, false), &naive(&x, &[d], |v| v.iter().product()), 1e-13);
        check_dtypes(&[x.clone()], |x| x[0].prod_dim(dim, true));
        check_grads(&[x], |x| x[0].prod_dim(dim, false));
    }
    check_grads(&[randn(&[2, 3], 1)], |x| x[0].prod());
    assert_eq!(Tensor::zeros([0]).prod().item(), 1.0);
    assert_eq!(tensor([true, true]).prod().to_vec::<i64>(), [1]);
    // Zeros: the derivatives are products of the others, not quotients.
    for zeros in [vec![1.5, 0.0, 2.0], vec![0.0, 0.0, 2.0, 1.5, -1.0], vec![0.0]] {
        let n = zeros.len();
        check_grads(&[Tensor::from_vec(zeros.clone(), [n])], |x| x[0].prod());
        let two = Tensor::stack(&[Tensor::from_vec(zeros, [n]), randn(&[n], 3)], 0);
        check_grads(&[two.clone()], |x| x[0].prod_dim(1, false));
        check_grads(&[two.t()], |x| x[0].prod_dim(0, true));
    }
}

#[test]
fn moments() {
    let var = |v: &[f64], c: f64| {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        v.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (v.len() as f64 - c)
    };
    for c in [0.0, 1.0] {
        check(|x, d, k| if x.ndim() == 0 { x.sum() } else { x.var_dim(d, c, k) }, |v| var(v, c));
        check(|x, d, k| if x.ndim() == 0 { x.sum() } else { x.std_dim(d, c, k) }, |v| var(v, c).sqrt());
    }
    assert!(tensor([1.0]).var().item().is_nan());
    // Far from zero nothing is lost.
    let far = (randn(&[1000], 1) + 1e4).to_dtype(DType::F32);
    assert_near(&far.var(), &far.to_dtype(DType::F64).var(), 1e-5);
    let (v, m) = far.var_mean_dim(0, 1.0, true);
    assert!(v.equal(&far.var_dim(0, 1.0, true)) && m.equal(&far.mean_dim(0, true)));
    // A constant has a gradient of zero.
    let x = Tensor::full([3], 2.0).requires_grad_(true);
    x.std().backward();
    assert_eq!(x.grad().unwrap().to_vec::<f32>(), [0.0; 3]);
}

#[test]
fn norms() {
    for p in [2.0, 1.0, 3.0, 2.5, 1.5, 0.5] {
        check(
            |x, d, k| x.norm_dim(p, d, k),
            |v| v.iter().map(|x| x.abs().powf(p)).sum::<f64>().powf(1.0 / p),
        );
    }
    check(|x, d, k| x.norm_dim(f64::INFINITY, d, k), |v| v.iter().fold(0.0, |a, x| a.max(x.abs())));
    check(
        |x, d, k| x.norm_dim(f64::NEG_INFINITY, d, k),
        |v| v.iter().fold(f64::INFINITY, |a, x| a.min(x.abs())),
    );
    check(|x, d, k| x.norm_dim(0.0, d, k), |v| v.len() as f64);
    for p in [2.0, 3.0, 1.0, 1.5] {
        let x = Tensor::zeros_with([3], DType::F64).requires_grad_(true);
        x.norm_dim(p, [], false).backward();
        assert_eq!(x.grad().unwrap().to_vec::<f64>(), [0.0; 3], "p = {p}");
    }
    assert_eq!(tensor([3.0, 4.0]).norm().item(), 5.0);
}

#[test]
fn log_of_sums_of_exponentials() {
    check(|x, d, k| x.logsumexp(d, k), |v| v.iter().map(|x| x.exp()).sum::<f64>().ln());
    let x = tensor([[1000.0, 1000.0], [f64::NEG_INFINITY, f64::NEG_INFINITY], [f64::INFINITY, 1.0]]);
    let y = x.to_dtype(DType::F64).logsumexp(1, false).to_vec::<f64>();
    assert_eq!(y, [1000.0 + 2f64.ln(), f64::NEG_INFINITY, f64::INFINITY]);
    assert_eq!(Tensor::zeros([0]).logsumexp([], false).item(), f64::NEG_INFINITY);
}

#[test]
fn truth_and_counts() {
    let x = tensor([[0.0, 2.0], [0.0, f64::NAN]]);
    assert_eq!(x.any_dim(0, false).to_vec::<bool>(), [false, true]);
    assert_eq!(x.all_dim(0, true).to_vec::<bool>(), [false, true]);
    assert!(x.any().item_as::<bool>() && !x.all().item_as::<bool>());
    assert!(Tensor::zeros([0]).all().item_as::<bool>() && !Tensor::zeros([0]).any().item_as::<bool>());
    assert_eq!(x.count_nonzero([]).to_vec::<i64>(), [2]);
    assert_eq!(x.count_nonzero(1).to_vec::<i64>(), [1, 1]);
    assert_eq!(x.gt(1.0).sum().dtype(), DType::I64);
}

#[test]
fn errors() {
    let x = Tensor::zeros([2, 3]);
    assert!(panic_of(|| x.sum_dim(2, false)).contains("sum: dimension 2 is out of range for 2 dimensions"));
    assert!(panic_of(|| x.sum_dim([0, -2], false)).contains("a dimension appears twice in [0, -2]"));
    let ints = Tensor::arange(0, 3, 1);
    for message in [panic_of(|| ints.mean()), panic_of(|| ints.var()), panic_of(|| ints.norm())] {
        assert!(message.contains("expected a floating-point tensor, got int64"), "{message}");
    }
}
