//! Initial values of parameters (`torch.nn.init`): PyTorch's formulas, in its order of draws.

use crate::parameter::Parameter;
use taper_tensor::{DType, Tensor};

/// Which side of a weight keeps its variance in Kaiming initialisation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FanMode {
    /// The inputs: the variance of the forward pass is kept.
    #[default]
    FanIn,
    /// The outputs: the variance of the backward pass is kept.
    FanOut,
}

/// What follows a layer, for the recommended gain.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Nonlinearity {
    /// None.
    Linear,
    /// None, after a convolution.
    Conv,
    /// `sigmoid`.
    Sigmoid,
    /// `tanh`.
    Tanh,
    /// `relu`.
    Relu,
    /// `leaky_relu` with this slope (PyTorch's default is 0.01; in the `kaiming` functions 0).
    LeakyRelu(f64),
    /// `selu`.
    Selu,
}

/// The gain recommended for a nonlinearity.
pub fn calculate_gain(nonlinearity: Nonlinearity) -> f64 {
    match nonlinearity {
        Nonlinearity::Linear | Nonlinearity::Conv | Nonlinearity::Sigmoid => 1.0,
        Nonlinearity::Tanh => 5.0 / 3.0,
        Nonlinearity::Relu => 2f64.sqrt(),
        Nonlinearity::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
        Nonlinearity::Selu => 0.75,
    }
}

/// How many inputs and outputs an element of a weight `[out, in, kernel…]` sees.
///
/// # Panics
/// For fewer than two dimensions.
#[track_caller]
pub fn fan_in_and_fan_out(shape: &[usize]) -> (usize, usize) {
    let &[outputs, inputs, ref kernel @ ..] = shape else {
        panic!("fan in and fan out need a weight of at least 2 dimensions, got shape {shape:?}");
    };
    let taps: usize = kernel.iter().product();
    (inputs * taps, outputs * taps)
}

/// Draws uniformly from `[a, b)`.
#[track_caller]
pub fn uniform_(p: &Parameter, a: f64, b: f64) {
    p.update(|t| {
        t.uniform_(a, b);
    });
}

/// Draws normal numbers.
#[track_caller]
pub fn normal_(p: &Parameter, mean: f64, std: f64) {
    p.update(|t| {
        t.normal_(mean, std);
    });
}

/// Sets every element to `value`.
#[track_caller]
pub fn constant_(p: &Parameter, value: f64) {
    p.update(|t| {
        t.fill_(value);
    });
}

/// Sets every element to 1.
pub fn ones_(p: &Parameter) {
    constant_(p, 1.0);
}

/// Sets every element to 0.
pub fn zeros_(p: &Parameter) {
    constant_(p, 0.0);
}

/// The identity matrix.
///
/// # Panics
/// Where the parameter is no matrix.
#[track_caller]
pub fn eye_(p: &Parameter) {
    p.update(|t| {
        let &[n, m] = t.shape() else { panic!("eye_: expected a matrix, got shape {:?}", t.shape()) };
        let eye = Tensor::eye_with(n, m, &*t);
        t.copy_(&eye);
    });
}

/// A convolution's weight that passes its input on: 1 at the middle of the kernel from input channel `i`
/// to output channel `i`, in each group.
///
/// # Panics
/// Where the parameter has not 3 to 5 dimensions, or its output channels do not divide into the groups.
#[track_caller]
pub fn dirac_(p: &Parameter, groups: usize) {
    let shape = p.shape();
    assert!((3..=5).contains(&shape.len()), "dirac_: expected 3 to 5 dimensions, got shape {shape:?}");
    assert!(
        groups > 0 && shape[0].is_multiple_of(groups),
        "dirac_: {} output channels do not divide into {groups} groups",
        shape[0]
    );
    let per_group = shape[0] / groups;
    let taps: usize = shape[2..].iter().product();
    let middle = shape[2..].iter().fold(0, |at, &k| at * k + k / 2);
    let mut data = vec![0f64; shape.iter().product()];
    for g in 0..groups {
        for c in 0..per_group.min(shape[1]) {
            data[((g * per_group + c) * shape[1] + c) * taps + middle] = 1.0;
        }
    }
    p.update(|t| {
        t.copy_(&Tensor::from_vec(data, &shape));
    });
}

/// Xavier (Glorot) initialisation: uniform in `±gain·√(6/(fan_in + fan_out))`.
///
/// # Panics
/// For fewer than two dimensions.
#[track_caller]
pub fn xavier_uniform_(p: &Parameter, gain: f64) {
    let bound = 3f64.sqrt() * xavier_std(p, gain);
    uniform_(p, -bound, bound);
}

/// Xavier (Glorot) initialisation: normal with deviation `gain·√(2/(fan_in + fan_out))`.
///
/// # Panics
/// For fewer than two dimensions.
#[track_caller]
pub fn xavier_normal_(p: &Parameter, gain: f64) {
    normal_(p, 0.0, xavier_std(p, gain));
}

#[track_caller]
fn xavier_std(p: &Parameter, gain: f64) -> f64 {
    let (fan_in, fan_out) = fan_in_and_fan_out(&p.shape());
    gain * (2.0 / (fan_in + fan_out) as f64).sqrt()
}

/// Kaiming (He) initialisation: uniform in `±√3·gain/√fan`. PyTorch's defaults are
/// `FanMode::FanIn, Nonlinearity::LeakyRelu(0.0)`.
///
/// # Panics
/// For fewer than two dimensions.
#[track_caller]
pub fn kaiming_uniform_(p: &Parameter, mode: FanMode, nonlinearity: Nonlinearity) {
    if p.numel() > 0 {
        let bound = 3f64.sqrt() * kaiming_std(p, mode, nonlinearity);
        uniform_(p, -bound, bound);
    }
}

/// Kaiming (He) initialisation: normal with deviation `gain/√fan`.
///
/// # Panics
/// For fewer than two dimensions.
#[track_caller]
pub fn kaiming_normal_(p: &Parameter, mode: FanMode, nonlinearity: Nonlinearity) {
    if p.numel() > 0 {
        normal_(p, 0.0, kaiming_std(p, mode, nonlinearity));
    }
}

#[track_caller]
fn kaiming_std(p: &Parameter, mode: FanMode, nonlinearity: Nonlinearity) -> f64 {
    let (fan_in, fan_out) = fan_in_and_fan_out(&p.shape());
    let fan = if mode == FanMode::FanIn { fan_in } else { fan_out };
    calculate_gain(nonlinearity) / (fan as f64).sqrt()
}

/// Normal numbers within `[a, b]` (PyTorch's defaults: `0.0, 1.0, -2.0, 2.0`).
///
/// Where the interval holds at least 0.3 of the distribution, whole tensors are drawn until each element
/// once fell inside; otherwise uniform numbers are taken with the density's probability.
///
/// # Panics
/// For `a > b`.
#[track_caller]
pub fn trunc_normal_(p: &Parameter, mean: f64, std: f64, a: f64, b: f64) {
    assert!(a <= b, "trunc_normal_: expected a <= b, got {a} and {b}");
    let below = |v: f64| {
        let z = Tensor::full_with((), (v - mean) / std / 2f64.sqrt(), DType::F64);
        (1.0 + z.erf().item()) / 2.0
    };
    p.update(|t| {
        let value = if below(b) - below(a) > 0.3 {
            within(t.normal_(mean, std), mean, std, a, b)
        } else {
            by_density(t.uniform_(a, b), mean, std, a, b)
        };
        t.copy_(&value);
    });
}

fn within(first: &Tensor, mean: f64, std: f64, a: f64, b: f64) -> Tensor {
    let mut value = first.detach();
    loop {
        let outside = value.lt(a).logical_or(value.gt(b));
        if outside.any().item() == 0.0 {
            return value;
        }
        value = Tensor::where_(&outside, value.normal_like(mean, std), &value);
    }
}

fn by_density(first: &Tensor, mean: f64, std: f64, a: f64, b: f64) -> Tensor {
    let peak = -0.5 * ((mean.clamp(a, b) - mean) / std).powi(2);
    let refused = |candidates: &Tensor| {
        let mut density = candidates.clone();
        density.sub_(mean).div_(std).square_().mul_(-0.5).sub_(peak);
        candidates.uniform_like(0.0, 1.0).ln().gt(density)
    };
    let mut value = first.detach();
    let mut pending = refused(&value);
    while pending.any().item() != 0.0 {
        let candidates = value.uniform_like(a, b);
        value = Tensor::where_(&pending, &candidates, &value);
        pending = pending.logical_and(refused(&candidates));
    }
    value
}

/// A (semi-)orthogonal matrix, scaled by `gain`; dimensions after the first count as one.
///
/// # Panics
/// For fewer than two dimensions.
#[track_caller]
pub fn orthogonal_(p: &Parameter, gain: f64) {
    let shape = p.shape();
    assert!(shape.len() >= 2, "orthogonal_: expected at least 2 dimensions, got shape {shape:?}");
    let (rows, columns) = (shape[0], shape[1..].iter().product::<usize>());
    if rows * columns == 0 {
        return;
    }
    p.update(|t| {
        let drawn = Tensor::randn_with([rows, columns], &*t, None).to_vec::<f64>();
        // The vectors to be made orthogonal: columns of a tall matrix, rows of a wide one.
        let (count, length) = (rows.min(columns), rows.max(columns));
        let at = |v: usize, i: usize| if rows < columns { v * columns + i } else { i * columns + v };
        let mut vectors: Vec<Vec<f64>> =
            (0..count).map(|v| (0..length).map(|i| drawn[at(v, i)]).collect()).collect();
        orthonormalise(&mut vectors);
        let mut data = vec![0f64; rows * columns];
        for (v, vector) in vectors.iter().enumerate() {
            for (i, value) in vector.iter().enumerate() {
                data[at(v, i)] = gain * value;
            }
        }
        t.copy_(&Tensor::from_vec(data, &shape));
    });
}

/// Gram–Schmidt, each vector twice, which is as good as Householder's in f64. It gives the factor Q
/// whose R has a positive diagonal: the signs that PyTorch chooses.
fn orthonormalise(vectors: &mut [Vec<f64>]) {
    for v in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(v);
        let vector = &mut rest[0];
        for _ in 0..2 {
            for other in done.iter() {
                let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
            }
        }
        let norm = vector.iter().map(|a| a * a).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|a| *a /= norm);
    }
}

/// Normal numbers of deviation `std` (PyTorch's default: 0.01) where of each column the share `sparsity`
/// is 0.
///
/// # Panics
/// Where the parameter is no matrix.
#[track_caller]
pub fn sparse_(p: &Parameter, sparsity: f64, std: f64) {
    p.update(|t| {
        let &[rows, columns] = t.shape() else {
            panic!("sparse_: expected a matrix, got shape {:?}", t.shape())
        };
        let zeros = (sparsity * rows as f64).ceil() as usize;
        t.normal_(0.0, std);
        let mut keep = vec![1f64; rows * columns];
        for column in 0..columns {
            for row in Tensor::randperm(rows).to_vec::<i64>().into_iter().take(zeros) {
                keep[row as usize * columns + column] = 0.0;
            }
        }
        let keep = Tensor::from_vec(keep, [rows, columns]).to_dtype(t.dtype()).to_device(t.device());
        let zero = keep.eq(0.0);
        t.masked_fill_(&zero, 0.0);
    });
}
