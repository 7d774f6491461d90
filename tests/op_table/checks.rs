//! What is asked of every row.

use crate::array::Array;
use crate::case::{Case, Draw, Input, Kind, Row, Size};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rayon::ThreadPoolBuilder;
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper::autograd::{GradcheckOptions, gradcheck, gradgradcheck};
use taper::{DType, Tensor};

pub type Check = Result<(), String>;

/// Runs a check on `cases` draws of every row and reports all that fail.
pub fn for_every_row(rows: Vec<Row>, cases: u32, what: &str, check: impl Fn(&Row, u64) -> Check) {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(cases);
    let mut failed = vec![];
    for row in &rows {
        let mut runner = TestRunner::new_with_rng(
            Config { cases, failure_persistence: None, ..Config::default() },
            proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
        );
        let result = runner.run(&proptest::num::u64::ANY, |seed| {
            let outcome = catch_unwind(AssertUnwindSafe(|| check(row, seed)));
            let outcome = outcome.unwrap_or_else(|p| {
                let text = p.downcast_ref::<String>().cloned();
                Err(format!(
                    "panicked: {}",
                    text.or(p.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()
                ))
            });
            outcome.map_err(TestCaseError::fail)
        });
        if let Err(e) = result {
            failed.push(format!("{}: {e}", row.name));
        }
    }
    assert!(failed.is_empty(), "{what}: {} of {} rows fail\n{}", failed.len(), rows.len(), failed.join("\n"));
}

fn tensors(inputs: &[Input], dtype: DType) -> Vec<Tensor> {
    inputs.iter().map(|i| i.tensor(dtype)).collect()
}

fn arrays(inputs: &[Input]) -> Vec<Array> {
    inputs.iter().map(|i| i.array.clone()).collect()
}

/// Compares with a tolerance relative to the largest element.
fn compare(got: &Tensor, want: &Array, tolerance: f64) -> Check {
    if got.shape() != want.shape {
        return Err(format!("shape {:?}, expected {:?}", got.shape(), want.shape));
    }
    let scale = want.data.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    for (i, (g, w)) in got.to_vec::<f64>().into_iter().zip(&want.data).enumerate() {
        let same = g == *w || (g.is_nan() && w.is_nan()) || (g - w).abs() <= tolerance * scale;
        if !same {
            return Err(format!(
                "element {i} is {g}, expected {w} (shape {:?}, {})",
                want.shape,
                got.dtype()
            ));
        }
    }
    Ok(())
}

/// The value in f64 against the naive arrays.
pub fn value(row: &Row, seed: u64) -> Check {
    let Case { inputs, run, truth } = (row.draw)(&mut Draw::new(seed, Size::Tiny));
    compare(&run(&tensors(&inputs, DType::F64)), &truth(&arrays(&inputs)), 1e-11 * row.loose)
}

/// The same value for inputs that lie differently in memory: permuted, reversed, with gaps, repeated.
pub fn strides(row: &Row, seed: u64) -> Check {
    let mut draw = Draw::new(seed, Size::Tiny);
    let Case { inputs, run, truth } = (row.draw)(&mut draw);
    let odd: Vec<Tensor> = tensors(&inputs, DType::F64).iter().map(|t| scattered(t, &mut draw)).collect();
    compare(&run(&odd), &truth(&arrays(&inputs)), 1e-11 * row.loose)
}

/// The same elements with other strides and an offset.
pub fn scattered(t: &Tensor, draw: &mut Draw) -> Tensor {
    let n = t.ndim() as isize;
    let mut order: Vec<isize> = (0..n).collect();
    for i in (1..n as usize).rev() {
        order.swap(i, draw.below(i + 1));
    }
    let mut back = vec![0; n as usize];
    order.iter().enumerate().for_each(|(i, &d)| back[d as usize] = i as isize);
    // In memory: permuted, every second of a larger dimension, from behind.
    let mut x = t.permute(order);
    for d in 0..n {
        let step = draw.one_of(&[1isize, -1, 2, -2]);
        x = spread(&x, d, step);
    }
    let x = x.permute(back);
    assert_eq!(x.shape(), t.shape());
    x
}

/// `x` as every `|step|`-th entry of a larger tensor, reversed for a negative step.
fn spread(x: &Tensor, dim: isize, step: isize) -> Tensor {
    let n = x.size(dim);
    let k = step.unsigned_abs();
    let mut shape = x.shape().to_vec();
    shape[dim as usize] = n * k + 1;
    let mut big = Tensor::full_with(&shape, 77i64, x);
    let stored = if step < 0 { x.flip(dim) } else { x.clone() };
    let positions = Tensor::arange(0i64, (n * k) as i64, k as i64);
    let mut index_shape = vec![1usize; x.ndim()];
    index_shape[dim as usize] = n;
    let index = positions.reshape(&index_shape[..]).broadcast_to(x.shape()).to_device(x.device());
    big = big.scatter(dim, &index, stored.contiguous());
    let view = big.slice(dim, 0, (n * k) as isize, k as isize);
    if step < 0 { view.flip(dim) } else { view }
}

fn leaves(inputs: &[Input]) -> Vec<Tensor> {
    inputs.iter().map(|i| i.tensor(DType::F64).requires_grad_(i.kind == Kind::Float)).collect()
}

fn options(seed: u64) -> GradcheckOptions {
    GradcheckOptions { atol: 1e-5, rtol: 1e-5, fast_mode: true, seed, ..GradcheckOptions::default() }
}

/// The gradient against finite differences.
pub fn gradient(row: &Row, seed: u64) -> Check {
    if row.orders < 1 {
        return Ok(());
    }
    let Case { inputs, run, .. } = (row.draw)(&mut Draw::new(seed, Size::Small));
    gradcheck(|x: &[Tensor]| run(x), &leaves(&inputs), options(seed)).map_err(|e| e.to_string())
}

/// The gradient's gradient against finite differences.
pub fn second_gradient(row: &Row, seed: u64) -> Check {
    if row.orders < 2 {
        return Ok(());
    }
    let Case { inputs, run, .. } = (row.draw)(&mut Draw::new(seed, Size::Small));
    let options = GradcheckOptions { atol: 1e-4, rtol: 1e-4, ..options(seed) };
    gradgradcheck(|x: &[Tensor]| run(x), &leaves(&inputs), options).map_err(|e| e.to_string())
}

/// Every dtype the row takes, against the naive arrays on the rounded inputs.
pub fn dtypes(row: &Row, seed: u64) -> Check {
    for (dtype, tolerance) in [(DType::F32, 2e-6), (DType::F16, 4e-3), (DType::BF16, 4e-2)] {
        let Case { mut inputs, run, truth } = (row.draw)(&mut Draw::new(seed, Size::Tiny));
        for i in &mut inputs {
            i.array.data = i.tensor(dtype).to_vec();
        }
        let got = run(&tensors(&inputs, dtype));
        compare(&got, &truth(&arrays(&inputs)), tolerance * row.loose)
            .map_err(|e| format!("{dtype}: {e}"))?;
    }
    if row.ints {
        for dtype in [DType::I64, DType::I32, DType::I16, DType::I8, DType::U8] {
            let Case { inputs, run, truth } =
                (row.draw)(&mut Draw { whole: true, ..Draw::new(seed, Size::Tiny) });
            let got = run(&tensors(&inputs, dtype));
            compare(&got, &truth(&arrays(&inputs)), 0.0).map_err(|e| format!("{dtype}: {e}"))?;
        }
    }
    Ok(())
}

/// Value and gradients in f32, as bits.
fn bits(inputs: &[Input], run: &(dyn Fn(&[Tensor]) -> Tensor + Send + Sync), orders: usize) -> Vec<Vec<u8>> {
    let x: Vec<Tensor> = inputs
        .iter()
        .map(|i| i.tensor(DType::F32).requires_grad_(orders > 0 && i.kind == Kind::Float))
        .collect();
    let y = run(&x);
    let mut all = vec![y.detach().to_bytes()];
    if orders > 0 && y.requires_grad() {
        let seed = Tensor::arange_with(0.0, y.numel() as f64, 1.0, y.dtype()).sin().reshape(y.shape());
        y.backward_with(Some(&seed), Default::default());
        all.extend(x.iter().filter_map(Tensor::grad).map(|g| g.to_bytes()));
    }
    all
}

/// Equal bits with one, two and three threads, on inputs large enough to be split.
pub fn threads(row: &Row, seed: u64) -> Check {
    let Case { inputs, run, .. } = (row.draw)(&mut Draw::new(seed, Size::Large));
    let results: Vec<_> = (1..=3)
        .map(|n| {
            let pool = ThreadPoolBuilder::new().num_threads(n).build().expect("a thread pool");
            pool.install(|| bits(&inputs, &run, row.orders))
        })
        .collect();
    match results.iter().position(|r| *r != results[0]) {
        None => Ok(()),
        Some(i) => Err(format!("{} threads give other bits than one", i + 1)),
    }
}

/// The value in f32, to compare across instruction sets.
pub fn plain_value(row: &Row, seed: u64) -> Tensor {
    let Case { inputs, run, .. } = (row.draw)(&mut Draw::new(seed, Size::Small));
    run(&tensors(&inputs, DType::F32)).detach()
}
