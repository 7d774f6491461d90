//! Inputs, plain tables as oracles, and the checks that every operation gets.

use taper_tensor::autograd::{GradcheckOptions, gradcheck, gradgradcheck};
use taper_tensor::{DType, Tensor};

/// Elements by index: what the loops of the tests read and make.
#[derive(Clone)]
pub struct Table {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

/// A table of a shape, element by element.
pub fn table(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Table {
    let data = indices(shape).iter().map(|i| f(i)).collect();
    Table { shape: shape.to_vec(), data }
}

/// All indices of a shape in row-major order.
pub fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for &n in shape {
        all = all.iter().flat_map(|i| (0..n).map(move |k| [&i[..], &[k]].concat())).collect();
    }
    all
}

impl Table {
    pub fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.shape.len());
        self.data[index.iter().zip(&self.shape).fold(0, |flat, (&i, &n)| {
            assert!(i < n);
            flat * n + i
        })]
    }

    pub fn tensor(&self) -> Tensor {
        Tensor::from_slice(&self.data, &self.shape)
    }
}

/// Small whole numbers, all different, that every dtype but bool holds exactly; zero is one of them.
pub fn sample(shape: &[usize], seed: usize) -> Tensor {
    let n: usize = shape.iter().product();
    assert!(n <= 101);
    let data: Vec<f64> = (0..n).map(|i| ((i * 37 + seed * 11) % 101) as f64).collect();
    Tensor::from_slice(&data, shape)
}

/// The same elements in other strides: row-major, column-major, backwards, with gaps.
pub fn layouts(x: &Tensor) -> [Tensor; 4] {
    let all: Vec<isize> = (0..x.ndim() as isize).collect();
    let reversed: Vec<isize> = all.iter().rev().copied().collect();
    let gaps = Tensor::stack(&[x, &x.ones_like()], -1).select(-1, 0);
    [
        x.clone(),
        x.permute(&reversed[..]).contiguous().permute(&reversed[..]),
        x.flip(&all[..]).contiguous().flip(&all[..]),
        gaps,
    ]
}

#[track_caller]
pub fn assert_same(got: &Tensor, expected: &Tensor) {
    assert_eq!((got.shape(), got.dtype()), (expected.shape(), expected.dtype()));
    assert_eq!(got.to_vec::<f64>(), expected.to_vec::<f64>(), "shape {:?}", got.shape());
}

/// First and second derivatives in all inputs, against finite differences.
#[track_caller]
pub fn check_grads(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Vec<Tensor>) {
    let inputs: Vec<Tensor> = inputs.iter().map(|x| x.detach().requires_grad_(true)).collect();
    let options = GradcheckOptions { atol: 1e-5, ..Default::default() };
    gradcheck(&f, &inputs, options).unwrap();
    gradgradcheck(&f, &inputs, options).unwrap();
}

/// An operation that only moves elements: against a loop in every dtype and layout, and its derivatives.
#[track_caller]
pub fn check(shapes: &[&[usize]], f: impl Fn(&[Tensor]) -> Tensor, naive: impl Fn(&[Table]) -> Table) {
    let inputs: Vec<Tensor> = shapes.iter().enumerate().map(|(i, s)| sample(s, i + 1)).collect();
    let tables: Vec<Table> =
        inputs.iter().map(|x| Table { shape: x.shape().to_vec(), data: x.to_vec() }).collect();
    let expected = naive(&tables).tensor();
    for dtype in DType::ALL {
        let inputs: Vec<Tensor> = inputs.iter().map(|x| x.to_dtype(dtype)).collect();
        let forms: Vec<[Tensor; 4]> = inputs.iter().map(layouts).collect();
        for form in 0..4 {
            let x: Vec<Tensor> = forms.iter().map(|f| f[form].clone()).collect();
            assert_same(&f(&x), &expected.to_dtype(dtype));
            // Inputs are values: nothing writes to them.
            x.iter().zip(&inputs).for_each(|(x, input)| assert_same(x, input));
        }
    }
    for form in [0, 3] {
        // Scaled, so that values and steps are of a size.
        let x: Vec<Tensor> = inputs.iter().map(|x| layouts(&(x * 0.01))[form].clone()).collect();
        check_grads(&x, |x| vec![f(x)]);
    }
}

/// The message of a panic.
#[track_caller]
pub fn panics(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let error = std::panic::catch_unwind(f).expect_err("it should panic");
    match error.downcast::<String>() {
        Ok(message) => *message,
        Err(other) => other.downcast::<&str>().expect("a message").to_string(),
    }
}
