//! Fill, arange, copies, casts.

use crate::support::*;
use taper_kernels::{DType, Layout, Scalar};

#[test]
fn fill_and_arange() {
    let Some(cuda) = device() else { return };
    for dtype in asked(DType::ALL) {
        for seed in 0..6 {
            let rng = &mut Rng::new(seed * 10 + dtype as u64);
            let shape = rng.shape();
            let out = Operand::random(rng, &shape, dtype, false, 3.0);
            for value in [Scalar::Float(1.7), Scalar::Int(-3), Scalar::Bool(true)] {
                compare("fill", cuda, SAME, &[], &out, |b, _, out| b.fill(out, value));
            }
            for (start, step) in
                [(Scalar::Int(3), Scalar::Int(-2)), (Scalar::Float(-0.5), Scalar::Float(0.3))]
            {
                compare("arange", cuda, SAME, &[], &out, |b, _, out| b.arange(out, start, step));
            }
        }
    }
}

#[test]
fn casts() {
    let Some(cuda) = device() else { return };
    for from in DType::ALL {
        for to in DType::ALL {
            for (seed, range) in [2.0, 300.0, 1e6, 1e20].into_iter().enumerate() {
                let rng = &mut Rng::new((from as u64 * 10 + to as u64) * 4 + seed as u64);
                let shape = rng.shape();
                let x = Operand::random(rng, &shape, from, true, range);
                let out = Operand::random(rng, &shape, to, false, 3.0);
                compare("copy", cuda, SAME, &[&x], &out, |b, x, out| b.copy(x[0], out));
            }
        }
    }
}

#[test]
fn transpositions() {
    let Some(cuda) = device() else { return };
    for dtype in asked([DType::I8, DType::BF16, DType::F32, DType::I64]) {
        let shape = [3, 45, 2, 70];
        let base = Layout::contiguous(&[2, 70, 3, 45]).permute(&[2, 3, 0, 1]);
        let mut k = 0.0;
        let mut next = || {
            k += 1.0;
            k % 120.0
        };
        let x = Operand::with(base, dtype, &mut next);
        let out = Operand::with(Layout::contiguous(&shape), dtype, || 0.0);
        compare("transposition", cuda, SAME, &[&x], &out, |b, x, out| b.copy(x[0], out));
    }
}

#[test]
fn nine_dimensions() {
    let Some(cuda) = device() else { return };
    let rng = &mut Rng::new(3);
    // Every other element of each dimension, so that none merge.
    let shape = [3, 2, 3, 2, 2, 3, 2, 2, 2, 2];
    let mut strides = vec![];
    let mut step = 1isize;
    for &n in shape.iter().rev() {
        strides.insert(0, step);
        step *= n as isize + 1;
    }
    let x = Operand::with(Layout::new(&shape[..], strides.as_slice(), 0), DType::F32, || rng.unit());
    let out = Operand::with(Layout::contiguous(&shape), DType::F32, || 0.0);
    compare("ten dimensions", cuda, SAME, &[&x], &out, |b, x, out| b.copy(x[0], out));
    compare(
        "ten dimensions, cast",
        cuda,
        SAME,
        &[&x],
        &Operand { dtype: DType::BF16, ..out },
        |b, x, out| b.copy(x[0], out),
    );
}
