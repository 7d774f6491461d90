//! Reductions and running sums.

use crate::support::*;
use taper_kernels::{DType, Layout, ReduceOp, ScanOp};

fn reduced(cuda: &dyn taper_kernels::Backend, rng: &mut Rng, op: ReduceOp, x: &Operand, axes: &[usize]) {
    let shape: Vec<usize> =
        x.layout.shape().iter().enumerate().map(|(d, &n)| if axes.contains(&d) { 1 } else { n }).collect();
    let folded: usize = axes.iter().map(|&d| x.layout.shape()[d]).product();
    let ordered =
        !matches!(op, ReduceOp::Sum | ReduceOp::Prod | ReduceOp::Mean | ReduceOp::Any | ReduceOp::All);
    if (op == ReduceOp::Mean && !x.dtype.is_float()) || (ordered && folded == 0) {
        return;
    }
    let out = Operand::plain(rng, &shape, op.output(x.dtype), false, 1.0);
    let near = match op {
        ReduceOp::Sum | ReduceOp::Mean if x.dtype.is_float() => SUM,
        ReduceOp::Prod if x.dtype.is_float() => Near { ulps: 2.0 * folded as f64 + 2.0, of_largest: 0.0 },
        _ => SAME,
    };
    let what = format!("{op:?} over {axes:?} of {:?}", x.layout);
    compare(&what, cuda, near, &[x], &out, |b, x, out| b.reduce(op, x[0], axes, out));
}

#[test]
fn reductions() {
    let Some(cuda) = device() else { return };
    for (k, op) in ReduceOp::ALL.into_iter().enumerate() {
        for dtype in asked(DType::ALL) {
            for seed in 0..3 {
                let rng = &mut Rng::new(k as u64 * 50 + dtype as u64 * 5 + seed);
                let shape = rng.shape();
                let axes: Vec<usize> = (0..shape.len()).filter(|_| rng.chance(50)).collect();
                let range = if op == ReduceOp::Prod { 1.6 } else { 4.0 };
                let draw = if rng.chance(50) { Operand::random } else { Operand::plain };
                let x = draw(rng, &shape, dtype, true, range);
                reduced(cuda, rng, op, &x, &axes);
            }
        }
    }
}

#[test]
fn large_reductions() {
    let Some(cuda) = device() else { return };
    let cases: [(&[usize], &[usize]); 6] = [
        (&[7, 9000], &[1]),
        (&[9000, 33], &[0]),
        (&[50_000], &[0]),
        (&[300, 3, 40], &[0, 2]),
        (&[3, 70, 5, 64], &[1, 2]),
        (&[2000, 35], &[1]),
    ];
    for (shape, axes) in cases {
        for op in ReduceOp::ALL {
            for dtype in asked([DType::F32, DType::F64, DType::BF16, DType::U8, DType::I64]) {
                let rng = &mut Rng::new(shape.len() as u64 + dtype as u64);
                let layout = Layout::contiguous(shape);
                // Long products of floats stay in range, and their roundings small.
                let near_one = op == ReduceOp::Prod && dtype.is_float();
                if near_one && dtype == DType::BF16 {
                    continue;
                }
                let x = Operand::with(layout, dtype, || match 2.0 * rng.unit() - 1.0 {
                    u if near_one => 1.0 + u / 64.0,
                    u => 100.0 * u,
                });
                reduced(cuda, rng, op, &x, axes);
            }
        }
    }
}

#[test]
fn many_dimensions() {
    let Some(cuda) = device() else { return };
    let rng = &mut Rng::new(1);
    let shape = [2usize; 12];
    let strides: Vec<isize> = (0..12).rev().map(|d| 3isize.pow(d)).collect();
    let x = Operand::with(Layout::new(&shape[..], strides.as_slice(), 0), DType::F32, || rng.unit());
    for axes in [&[0, 2, 4, 6, 8, 10][..], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], &[5]] {
        reduced(cuda, rng, ReduceOp::Sum, &x, axes);
        reduced(cuda, rng, ReduceOp::ArgMax, &x, axes);
    }
}

#[test]
fn scans() {
    let Some(cuda) = device() else { return };
    for op in [ScanOp::Sum, ScanOp::Prod] {
        for dtype in asked(DType::ALL) {
            for seed in 0..6 {
                let rng = &mut Rng::new(seed * 20 + dtype as u64);
                let mut shape = rng.shape();
                if shape.is_empty() {
                    shape.push(3);
                }
                let axis = rng.below(shape.len());
                if seed == 0 {
                    // Long enough for a block per line, and not whole blocks.
                    (shape, _) = (vec![2, 700, 2], 0);
                }
                let axis = if seed == 0 { 1 } else { axis };
                let range = if op == ScanOp::Prod { 1.5 } else { 4.0 };
                let x = Operand::plain(rng, &shape, dtype, true, range);
                let out = if dtype.is_float() { dtype } else { DType::I64 };
                let out = Operand::plain(rng, &shape, out, false, 1.0);
                let near = if !dtype.is_float() {
                    SAME
                } else if op == ScanOp::Sum {
                    SUM
                } else {
                    Near { ulps: 2.0 * shape[axis] as f64, of_largest: 0.0 }
                };
                let what = format!("{op:?} along {axis}");
                compare(&what, cuda, near, &[&x], &out, |b, x, out| b.scan(op, x[0], axis, out));
            }
        }
    }
}
