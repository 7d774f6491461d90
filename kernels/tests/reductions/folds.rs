//! All reductions against loops over the elements.

use crate::common::{assert_near, assert_untouched, output, rounded, shape};
use crate::operand::{COMPARED, Numbers, Operand, cases, epsilon, fixed_level, indices, on_threads};
use proptest::prelude::*;
use taper_kernels::{Backend, DType, ReduceOp, cpu::Cpu};

/// The result and by how much it may be off.
fn reference(op: ReduceOp, v: &[f64], dtype: DType) -> (f64, f64) {
    let eps = epsilon(dtype);
    let rounding = epsilon(dtype.compute()) * v.len() as f64;
    let sum: f64 = v.iter().sum();
    let size: f64 = v.iter().map(|v| v.abs()).sum();
    let best = |up: bool| {
        let mut at = 0;
        for (i, &x) in v.iter().enumerate() {
            let beats = if up { x > v[at] } else { x < v[at] };
            if beats || (x.is_nan() && !v[at].is_nan()) {
                at = i;
            }
        }
        at
    };
    match op {
        ReduceOp::Sum => (sum, size * rounding + sum.abs() * eps),
        ReduceOp::Mean => {
            let n = v.len() as f64;
            (sum / n, (size * rounding + sum.abs() * 2.0 * eps) / n)
        }
        ReduceOp::Deviations => {
            let mean = sum / v.len() as f64;
            let squares: f64 = v.iter().map(|x| (x - mean).powi(2)).sum();
            let most: f64 = v.iter().map(|x| x * x).sum();
            (squares, most * f64::EPSILON * (v.len() + 2) as f64)
        }
        ReduceOp::Prod if dtype.is_float() => {
            let p: f64 = v.iter().product();
            let (shown, tiny) = rounded(p, dtype);
            (shown, p.abs() * (rounding + 2.0 * eps) + tiny)
        }
        ReduceOp::Prod => (v.iter().fold(1i64, |a, &x| a.wrapping_mul(x as i64)) as f64, 0.0),
        ReduceOp::Max => (v[best(true)], 0.0),
        ReduceOp::Min => (v[best(false)], 0.0),
        ReduceOp::ArgMax => (best(true) as f64, 0.0),
        ReduceOp::ArgMin => (best(false) as f64, 0.0),
        ReduceOp::Any => (v.iter().any(|&x| x != 0.0) as u8 as f64, 0.0),
        ReduceOp::All => (v.iter().all(|&x| x != 0.0) as u8 as f64, 0.0),
    }
}

/// Every reduction of the CPU.
fn every() -> impl Iterator<Item = ReduceOp> {
    ReduceOp::ALL.into_iter().chain([ReduceOp::Deviations])
}

fn of_floats(op: ReduceOp) -> bool {
    matches!(op, ReduceOp::Mean | ReduceOp::Deviations)
}

/// Values that fold to each output, row-major in both.
fn groups(x: &Operand, axes: &[usize]) -> Vec<Vec<f64>> {
    let size = |folded: bool| -> Vec<usize> {
        let keep = |d| axes.contains(&d) == folded;
        x.layout.shape().iter().enumerate().map(|(d, &n)| if keep(d) { n } else { 1 }).collect()
    };
    let inner: Vec<Vec<usize>> = indices(&size(true)).collect();
    indices(&size(false))
        .map(|o| {
            inner.iter().map(|i| x.get(&o.iter().zip(i).map(|(a, b)| a + b).collect::<Vec<_>>())).collect()
        })
        .collect()
}

fn check(rng: &mut Numbers, op: ReduceOp, x: &Operand, axes: &[usize]) {
    let to: Vec<usize> =
        x.layout.shape().iter().enumerate().map(|(d, &n)| if axes.contains(&d) { 1 } else { n }).collect();
    let mut out = output(rng, &to, op.output(x.dtype));
    let before = out.clone();
    Cpu.reduce(op, x.view(), axes, out.view_mut()).unwrap();
    assert_untouched(&before, &out);
    if !COMPARED {
        return;
    }
    for (v, got) in groups(x, axes).iter().zip(out.values()) {
        let (want, off) = reference(op, v, x.dtype);
        assert_near(got, want, off, (op, x.dtype, &x.layout, axes));
    }
}

fn poison(rng: &mut Numbers, x: &mut Operand) {
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0];
    for i in indices(x.layout.shape()).collect::<Vec<_>>() {
        if rng.chance(9) {
            x.set(&i, special[rng.below(4)]);
        }
    }
}

proptest! {
    #![proptest_config(cases(120))]
    #[test]
    fn reductions_equal_loops(seed: u64) {
        let _level = fixed_level();
        let mut rng = Numbers(seed);
        let dims = rng.below(5);
        let shape = shape(&mut rng, dims);
        let axes: Vec<usize> = (0..dims).filter(|_| rng.chance(2)).collect();
        let folded: usize = axes.iter().map(|&d| shape[d]).product();
        for dtype in DType::ALL {
            let mut x = Operand::random(&mut rng, &shape, dtype, true);
            if dtype == DType::Bool {
                let ones: Vec<_> = indices(&shape).collect();
                ones.iter().for_each(|i| x.set(i, rng.chance(2) as u8 as f64));
            }
            for (i, op) in every().enumerate() {
                if cfg!(miri) && !(i + dtype as usize).is_multiple_of(3) {
                    continue;
                }
                let comparing = matches!(op, ReduceOp::Max | ReduceOp::Min | ReduceOp::ArgMax | ReduceOp::ArgMin);
                if (comparing && folded == 0) || (of_floats(op) && !dtype.is_float()) {
                    continue;
                }
                check(&mut rng, op, &x, &axes);
            }
            if dtype.is_float() && folded > 0 {
                poison(&mut rng, &mut x);
                for op in &ReduceOp::ALL[3..] {
                    check(&mut rng, *op, &x, &axes);
                }
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "needs large shapes to split")]
fn long_reductions_are_right_at_any_thread_count() {
    let _level = fixed_level();
    let mut rng = Numbers(5);
    for (shape, axes) in [
        (vec![200_001], vec![0]),
        (vec![70_000, 3], vec![0]),
        (vec![70_000, 2], vec![0, 1]),
        (vec![2, 70_000], vec![1]),
        (vec![300, 400], vec![0]),
        (vec![300, 400], vec![1]),
        (vec![60, 50, 40], vec![0, 2]),
    ] {
        for dtype in [DType::I32, DType::BF16, DType::F32, DType::F64] {
            let mut x = Operand::random(&mut rng, &shape, dtype, false);
            if dtype == DType::F32 {
                // A late NaN, in the last piece alone.
                x.set(&shape.iter().map(|n| n - 1).collect::<Vec<_>>(), f64::NAN);
            }
            let values = groups(&x, &axes);
            for op in every() {
                if of_floats(op) && !dtype.is_float() {
                    continue;
                }
                let to: Vec<usize> =
                    shape.iter().enumerate().map(|(d, &n)| if axes.contains(&d) { 1 } else { n }).collect();
                let run = || {
                    let mut out = Operand::dense(&to, op.output(dtype), || 7.0);
                    Cpu.reduce(op, x.view(), &axes, out.view_mut()).unwrap();
                    out
                };
                let one = on_threads(1, run);
                for (v, got) in values.iter().zip(one.values()) {
                    let (want, off) = reference(op, v, dtype);
                    if op != ReduceOp::Prod {
                        assert_near(got, want, off, (op, dtype, &shape, &axes));
                    }
                }
                for threads in [2, 3] {
                    assert_eq!(
                        on_threads(threads, run).bytes(),
                        one.bytes(),
                        "{op:?} {dtype} {shape:?} {axes:?}"
                    );
                }
            }
        }
    }
}
