//! What draws are like in the large, whatever their bits: moments, quantiles, counts. Seeds are fixed, and
//! bounds are five standard errors wide.

use taper_tensor::{DType, Generator, Tensor};

const N: usize = 200_000;

/// Mean and variance.
fn moments(x: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    (mean, x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64)
}

/// Checks the mean and the variance against a distribution's, whose fourth central moment is `fourth`.
#[track_caller]
fn check_moments(x: &Tensor, mean: f64, variance: f64, fourth: f64, what: &str) {
    let x = x.to_vec::<f64>();
    let n = x.len() as f64;
    let (m, v) = moments(&x);
    assert!((m - mean).abs() < 5.0 * (variance / n).sqrt(), "{what}: mean {m} instead of {mean}");
    let error = ((fourth - variance * variance) / n).sqrt();
    assert!((v - variance).abs() < 5.0 * error, "{what}: variance {v} instead of {variance}");
}

/// Chi-square of counts that should be equal: with `k` cells its mean is k − 1, its deviation √(2k − 2).
#[track_caller]
fn check_equal(counts: &[usize], what: &str) {
    let total: usize = counts.iter().sum();
    let each = total as f64 / counts.len() as f64;
    let chi: f64 = counts.iter().map(|&c| (c as f64 - each).powi(2) / each).sum();
    let free = counts.len() as f64 - 1.0;
    assert!((chi - free).abs() < 5.0 * (2.0 * free).sqrt(), "{what}: chi-square {chi} of {free} freedoms");
}

/// Checks the distribution function: the counts between its hundredths.
#[track_caller]
fn check_distribution(x: &Tensor, below: impl Fn(f64) -> f64, what: &str) {
    let mut counts = [0; 100];
    x.to_vec::<f64>().iter().for_each(|v| counts[((below(*v) * 100.0) as usize).min(99)] += 1);
    check_equal(&counts, what);
}

fn filled(dtype: DType, seed: u64, f: impl Fn(&mut Tensor, &mut Generator)) -> Tensor {
    let mut x = Tensor::empty_with([N], dtype);
    f(&mut x, &mut Generator::new(seed));
    x
}

/// Φ, by the series of the error function; good to 1e-7 within ±6.
fn phi(z: f64) -> f64 {
    (1.0 + Tensor::full_with((), z / 2f64.sqrt(), DType::F64).erf().item()) / 2.0
}

#[test]
fn uniform_numbers() {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        let x = filled(dtype, 3, |x, g| drop(x.uniform_with_(-1.0, 3.0, Some(g)).clone()));
        assert!(x.ge(-1.0).logical_and(x.lt(3.0)).all().item() == 1.0, "{dtype}");
        // bf16's steps near 3 are coarse, and its values pulled down from 3 sit at −1.
        let fourth = 4f64.powi(4) / 80.0;
        let (mean, slack) = if dtype == DType::BF16 { (0.99, 1.0) } else { (1.0, 0.0) };
        if slack == 0.0 {
            check_moments(&x, mean, 16.0 / 12.0, fourth, "uniform");
        } else {
            let (m, v) = moments(&x.to_vec::<f64>());
            assert!((m - mean).abs() < 0.03 && (v - 16.0 / 12.0).abs() < 0.03, "{m} {v}");
        }
        if dtype.size() >= 4 {
            check_distribution(&x, |v| (v + 1.0) / 4.0, "uniform");
        }
    }
}

#[test]
fn normal_numbers() {
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        let x = filled(dtype, 5, |x, g| drop(x.normal_with_(0.5, 2.0, Some(g)).clone()));
        check_moments(&x, 0.5, 4.0, 3.0 * 16.0, "normal");
    }
    let x = filled(DType::F32, 6, |x, g| drop(x.normal_with_(0.0, 1.0, Some(g)).clone()));
    let z: Vec<f64> = x.slice(0, 0, 20_000, 1).to_vec();
    let mut counts = [0; 50];
    z.iter().for_each(|v| counts[((phi(*v) * 50.0) as usize).min(49)] += 1);
    check_equal(&counts, "normal");
    // Neighbours and those eight apart (the two halves of a pair) have nothing to do with each other.
    for lag in [1, 8] {
        let both: f64 = z.iter().zip(&z[lag..]).map(|(a, b)| a * b).sum::<f64>() / z.len() as f64;
        assert!(both.abs() < 5.0 / (z.len() as f64).sqrt(), "lag {lag}: {both}");
    }
}

#[test]
fn other_distributions() {
    let x = filled(DType::F64, 1, |x, g| drop(x.exponential_with_(2.0, Some(g)).clone()));
    check_moments(&x, 0.5, 0.25, 9.0 / 16.0, "exponential");
    check_distribution(&x, |v| 1.0 - (-2.0 * v).exp(), "exponential");

    let (p, q) = (0.3, 0.7);
    let x = filled(DType::I64, 2, |x, g| drop(x.geometric_with_(p, Some(g)).clone()));
    check_moments(&x, 1.0 / p, q / (p * p), q * (9.0 * q + p * p) / p.powi(4), "geometric");

    let x = filled(DType::F64, 3, |x, g| drop(x.log_normal_with_(0.2, 0.5, Some(g)).clone()));
    check_moments(&((x.ln() - 0.2) / 0.5), 0.0, 1.0, 3.0, "log-normal");

    let x = filled(DType::F64, 4, |x, g| drop(x.cauchy_with_(1.0, 2.0, Some(g)).clone()));
    check_distribution(&x, |v| 0.5 + ((v - 1.0) / 2.0).atan() / std::f64::consts::PI, "Cauchy");

    let x = filled(DType::F32, 5, |x, g| drop(x.bernoulli_with_(0.2, Some(g)).clone()));
    check_moments(&x, 0.2, 0.16, 0.16 * (1.0 - 3.0 * 0.16), "Bernoulli");
}

#[test]
fn whole_numbers() {
    let counts = |x: &Tensor, lo: i64, k: usize| {
        let mut counts = vec![0; k];
        x.to_vec::<i64>().iter().for_each(|v| counts[(v - lo) as usize] += 1);
        counts
    };
    let x = filled(DType::I64, 7, |x, g| drop(x.random_with_(-5, 95, Some(g)).clone()));
    check_equal(&counts(&x, -5, 100), "randint");
    let wide = filled(DType::I64, 8, |x, g| drop(x.random_with_(0, 100 << 40, Some(g)).clone()));
    let high: Vec<i64> = wide.to_vec::<i64>().iter().map(|v| v >> 40).collect();
    check_equal(&counts(&Tensor::from_vec(high, [N]), 0, 100), "wide randint");
    for dtype in [DType::U8, DType::I8, DType::Bool] {
        let k =
            [(DType::U8, 256), (DType::I8, 128), (DType::Bool, 2)].iter().find(|d| d.0 == dtype).unwrap().1;
        let x = filled(dtype, 9, |x, g| drop(x.random_unbounded_with_(Some(g)).clone()));
        check_equal(&counts(&x.to_dtype(DType::I64), 0, k), "random_ without bounds");
    }
    // Every item in every place equally often.
    let (g, n) = (&mut Generator::new(10), 12);
    let mut places = vec![0; n * n];
    for _ in 0..10_000 {
        for (place, item) in g.randperm(n).into_iter().enumerate() {
            places[place * n + item as usize] += 1;
        }
    }
    check_equal(&places, "randperm");
}

#[test]
fn choices_by_weight() {
    let weights = [0.5, 0.0, 1.5, 3.0];
    let (w, g) = (Tensor::from_vec(weights.to_vec(), [4]), &mut Generator::new(11));
    let again = w.multinomial_with(N, true, Some(g)).to_vec::<i64>();
    let mut first = Vec::new();
    for _ in 0..20_000 {
        first.push(w.multinomial_with(2, false, Some(&mut *g)).to_vec::<i64>()[0]);
    }
    for picked in [again, first] {
        let n = picked.len() as f64;
        for (i, weight) in weights.iter().enumerate() {
            let (p, found) = (weight / 5.0, picked.iter().filter(|k| **k == i as i64).count() as f64 / n);
            assert!((found - p).abs() <= 5.0 * (p * (1.0 - p) / n).sqrt(), "{i}: {found} instead of {p}");
        }
    }
}
