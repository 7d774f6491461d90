//! Inputs, odd layouts, and the checks that every operation gets.

use taper_tensor::{DType, Generator, GradcheckOptions, Tensor, gradcheck, gradgradcheck};

pub const FLOATS: [DType; 4] = [DType::F64, DType::F32, DType::F16, DType::BF16];

/// Normal f64 numbers, the same each time.
pub fn randn(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn_with(shape, DType::F64, Some(&mut Generator::new(seed)))
}

/// Uniform f64 numbers of `[lo, hi)`.
pub fn uniform(lo: f64, hi: f64, shape: &[usize], seed: u64) -> Tensor {
    Tensor::uniform_with(lo, hi, shape, DType::F64, Some(&mut Generator::new(seed)))
}

/// The same elements in other strides: row-major, column-major, backwards, with gaps.
pub fn layouts(x: &Tensor) -> [Tensor; 4] {
    let all: Vec<isize> = (0..x.ndim() as isize).collect();
    let reversed: Vec<isize> = all.iter().rev().copied().collect();
    let gaps = Tensor::stack(&[x, &x.zeros_like()], -1).select(-1, 0);
    [
        x.clone(),
        x.permute(&reversed[..]).contiguous().permute(&reversed[..]),
        x.flip(&all[..]).contiguous().flip(&all[..]),
        gaps,
    ]
}

/// First and second derivatives in all inputs, against finite differences.
#[track_caller]
pub fn check_grads(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) {
    let inputs: Vec<Tensor> = inputs.iter().map(|x| x.detach().requires_grad_(true)).collect();
    let f = |x: &[Tensor]| vec![f(x)];
    gradcheck(f, &inputs, GradcheckOptions::default()).unwrap();
    gradgradcheck(f, &inputs, GradcheckOptions { atol: 1e-5, rtol: 1e-5, ..Default::default() }).unwrap();
}

/// Relative error that rounding of a dtype explains after a few operations.
pub fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-12,
        DType::F32 => 1e-5,
        DType::F16 => 5e-3,
        DType::BF16 => 4e-2,
        _ => 0.0,
    }
}

#[track_caller]
pub fn assert_near(got: &Tensor, want: &Tensor, tolerance: f64) {
    assert_eq!(got.shape(), want.shape());
    let (a, b) = (got.to_vec::<f64>(), want.to_vec::<f64>());
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        let near = a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(1.0);
        assert!(near, "element {i}: {a} instead of {b}");
    }
}

/// `f` gives the same for all dtypes (of inputs rounded to them) and layouts as in f64, row-major.
#[track_caller]
pub fn check_dtypes(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) {
    for dtype in FLOATS {
        let rounded: Vec<Tensor> = inputs.iter().map(|x| x.to_dtype(dtype)).collect();
        let exact: Vec<Tensor> = rounded.iter().map(|x| x.to_dtype(DType::F64)).collect();
        let want = f(&exact);
        for which in 0..4 {
            let strided: Vec<Tensor> = rounded.iter().map(|x| layouts(x)[which].clone()).collect();
            let got = f(&strided);
            assert_eq!(got.dtype(), dtype);
            assert_near(&got, &want, tolerance(dtype));
        }
    }
}

/// The message of a panic, and that it names a line of the caller's file.
#[track_caller]
pub fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        Ok(_) => panic!("should have panicked"),
        Err(e) => match e.downcast_ref::<String>() {
            Some(s) => s.clone(),
            None => e.downcast_ref::<&str>().copied().unwrap_or_default().to_string(),
        },
    }
}

/// Element `index` of row-major data.
pub fn at(data: &[f64], shape: &[usize], index: &[usize]) -> f64 {
    data[index.iter().zip(shape).fold(0, |flat, (i, n)| flat * n + i)]
}

/// All indices of a shape in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &n in shape {
        all = all.iter().flat_map(|i| (0..n).map(move |k| [&i[..], &[k]].concat())).collect();
    }
    all
}

/// A tensor from a function of the index.
pub fn table(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Tensor {
    Tensor::from_vec(indices(shape).iter().map(|i| f(i)).collect::<Vec<f64>>(), shape)
}
