//! Every way that a matrix product can take.

use crate::both::*;
use crate::operand::{Numbers, Operand};
use crate::support::{asked, device};
use taper_kernels::{Activation, Backend, DType, Error, Gemm, Layout, Result};

/// Operands a, b, out and bias.
fn run(o: &mut [Operand], be: &dyn Backend, accumulate: bool, bias: bool, activation: Activation) -> Result {
    let [a, b, out, add] = o else { panic!("four operands") };
    let bias = bias.then(|| add.view());
    be.gemm(Gemm { a: a.view(), b: b.view(), out: out.view_mut(), accumulate, bias, activation })
}

#[test]
fn any_strides_and_sizes() {
    let mut rng = Numbers(1);
    let sizes =
        [[1, 1, 1], [3, 5, 7], [1, 70, 65], [6, 40, 33], [70, 3, 40], [67, 71, 37], [2, 3, 0], [64, 64, 64]];
    for dtype in asked(DType::ALL).into_iter().filter(|&d| d != DType::Bool) {
        for (i, [m, n, k]) in sizes.into_iter().enumerate() {
            let batch: &[usize] = [&[][..], &[3], &[2, 3]][i % 3];
            let shape = |r: usize, c: usize| [batch, &[r, c]].concat();
            let operands = [
                Operand::random(&mut rng, &shape(m, k), dtype, true),
                Operand::random(&mut rng, &shape(k, n), dtype, true),
                Operand::random(&mut rng, &shape(m, n), dtype, false),
                Operand::random(&mut rng, &shape(m, n), dtype, true),
            ];
            let (accumulate, bias) = (i % 3 == 1, i % 2 == 0);
            let activation = [Activation::None, Activation::Relu][i / 2 % 2];
            let activation = if dtype.is_float() { activation } else { Activation::None };
            both(&operands, near(dtype, 8.0 + k as f64), |be, o| run(o, be, accumulate, bias, activation));
        }
    }
}

/// A dense factor, its last two dimensions swapped in memory where `turned`.
fn factor(rng: &mut Numbers, rows: usize, cols: usize, turned: bool, dtype: DType) -> Operand {
    let (r, c) = if turned { (cols, rows) } else { (rows, cols) };
    let mut o = Operand::dense(&[r, c], dtype, || rng.value());
    if turned {
        o.layout = o.layout.transpose(0, 1);
    }
    o
}

/// Factors that are loaded by vectors, in tiles of both sizes, whole and with k split.
#[test]
fn every_tile() {
    let mut rng = Numbers(2);
    let sizes =
        [[132, 68, 48], [132, 67, 40], [1284, 1288, 16], [64, 68, 2048], [130, 67, 40], [1281, 1287, 9]];
    for dtype in asked(FLOATS) {
        for [m, n, k] in sizes {
            if m > 1000 && dtype != DType::F32 && (dtype != DType::F16 || k < 16) {
                continue;
            }
            for (turn_a, turn_b) in [(false, false), (false, true), (true, false), (true, true)] {
                let operands = [
                    factor(&mut rng, m, k, turn_a, dtype),
                    factor(&mut rng, k, n, turn_b, dtype),
                    Operand::dense(&[m, n], dtype, || 0.5),
                    Operand::random(&mut rng, &[m, n], dtype, true),
                ];
                // GELU goes number by number.
                let activation = match (turn_a, turn_b) {
                    (true, false) if m < 1000 => Activation::Gelu,
                    (true, false) => Activation::Relu,
                    _ => Activation::None,
                };
                both(&operands, near(dtype, 8.0 + k as f64), |be, o| run(o, be, turn_b, turn_a, activation));
            }
        }
    }
}

#[test]
fn few_rows_and_few_columns() {
    let mut rng = Numbers(3);
    for dtype in asked(FLOATS) {
        for [m, n, k] in [[1, 300, 100], [5, 300, 100], [8, 33, 40], [300, 7, 64], [100, 1, 333]] {
            for turn in [false, true] {
                let operands = [
                    factor(&mut rng, m, k, false, dtype),
                    factor(&mut rng, k, n, turn, dtype),
                    factor(&mut rng, m, n, false, dtype),
                    factor(&mut rng, m, n, false, dtype),
                ];
                both(&operands, near(dtype, 8.0 + k as f64), |be, o| {
                    run(o, be, turn, true, Activation::Relu)
                });
            }
        }
    }
}

#[test]
fn few_rows_of_integers() {
    let mut rng = Numbers(6);
    for dtype in asked([DType::U8, DType::I32, DType::I64]) {
        for [m, n, k] in [[5, 300, 100], [8, 33, 40], [1, 64, 300]] {
            let operands = [
                factor(&mut rng, m, k, false, dtype),
                factor(&mut rng, k, n, false, dtype),
                factor(&mut rng, m, n, false, dtype),
                factor(&mut rng, m, n, false, dtype),
            ];
            both(&operands, near(dtype, 1.0), |be, o| run(o, be, false, false, Activation::None));
        }
    }
}

#[test]
fn activations() {
    let mut rng = Numbers(4);
    use Activation::*;
    for dtype in asked(FLOATS) {
        for activation in [Relu, Gelu, GeluTanh, Silu, Sigmoid, Tanh] {
            // Also where results are put together from split sums.
            for k in [20, 1500] {
                let operands = [
                    factor(&mut rng, 20, k, false, dtype),
                    factor(&mut rng, k, 36, false, dtype),
                    Operand::dense(&[20, 36], dtype, || 0.0),
                    factor(&mut rng, 20, 36, false, dtype),
                ];
                both(&operands, near(dtype, 64.0 + k as f64), |be, o| run(o, be, false, true, activation));
            }
        }
    }
}

#[test]
fn a_batch_of_one_right_factor_is_one_product() {
    let mut rng = Numbers(5);
    let mut weight = Operand::dense(&[24, 40], DType::F32, || rng.value());
    weight.layout = Layout::new(&[3usize, 5, 24, 40][..], &[0isize, 0, 40, 1][..], 0);
    let mut bias = Operand::dense(&[40], DType::F32, || rng.value());
    bias.layout = Layout::new(&[3usize, 5, 7, 40][..], &[0isize, 0, 0, 1][..], 0);
    let operands = [
        Operand::dense(&[3, 5, 7, 24], DType::F32, || rng.value()),
        weight,
        Operand::dense(&[3, 5, 7, 40], DType::F32, || 0.0),
        bias,
    ];
    both(&operands, near(DType::F32, 32.0), |be, o| run(o, be, false, true, Activation::Relu));
}

#[test]
fn many_batch_dimensions() {
    let mut rng = Numbers(6);
    let batch = [2usize, 2, 3, 2, 2, 3];
    let shape = |r: usize, c: usize| [&batch[..], &[r, c]].concat();
    // Every second dimension is one entry for all, so that nothing collapses.
    let mut a = Operand::dense(&shape(3, 4), DType::F32, || rng.value());
    let steps: Vec<isize> = a
        .layout
        .strides()
        .iter()
        .enumerate()
        .map(|(d, &s)| if d % 2 == 0 && d < 6 { 0 } else { s })
        .collect();
    a.layout = Layout::new(&shape(3, 4)[..], &steps[..], 0);
    let operands = [
        a,
        Operand::dense(&shape(4, 5), DType::F32, || rng.value()),
        Operand::dense(&shape(3, 5), DType::F32, || 0.0),
        Operand::random(&mut rng, &shape(3, 5), DType::F32, true),
    ];
    both(&operands, near(DType::F32, 16.0), |be, o| run(o, be, false, true, Activation::None));
}

#[test]
fn bool_has_no_kernel() {
    let Some(be) = device() else { return };
    let ones = Operand::dense(&[2, 2], DType::Bool, || 1.0);
    let mut o: Vec<_> = (0..4).map(|_| upload(&ones, be)).collect();
    let error = run(&mut o, be, false, false, Activation::None).unwrap_err();
    assert!(matches!(error, Error::Unsupported { op: "matmul", dtype: DType::Bool, .. }), "{error}");
}
