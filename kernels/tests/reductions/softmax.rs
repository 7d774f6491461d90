//! Softmax against formulas in f64.

use crate::common::{FLOATS, assert_near, assert_untouched, lines, output, shape};
use crate::operand::{Numbers, Operand, cases, epsilon, fixed_level, on_threads};
use proptest::prelude::*;
use taper_kernels::{Backend, DType, SoftmaxOp, cpu::Cpu};

fn forward(x: &[f64], log: bool) -> Vec<f64> {
    let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = x.iter().map(|v| (v - top).exp()).sum();
    x.iter().map(|v| if log { v - top - total.ln() } else { (v - top).exp() / total }).collect()
}

fn gradient(y: &[f64], g: &[f64], log: bool) -> Vec<f64> {
    let total: f64 = y.iter().zip(g).map(|(y, g)| if log { *g } else { y * g }).sum();
    y.iter().zip(g).map(|(y, g)| if log { g - y.exp() * total } else { y * (g - total) }).collect()
}

proptest! {
    #![proptest_config(cases(120))]
    #[test]
    fn softmax_equals_its_formula(seed: u64) {
        let _level = fixed_level();
        let mut rng = Numbers(seed);
        let dims = 1 + rng.below(4);
        let shape = shape(&mut rng, dims);
        let axis = rng.below(dims);
        for dtype in FLOATS {
            for log in [false, true] {
                let (eps, fine) = (epsilon(dtype), epsilon(dtype.compute()));
                let x = Operand::random(&mut rng, &shape, dtype, true);
                let mut y = output(&mut rng, &shape, dtype);
                let before = y.clone();
                Cpu.softmax(SoftmaxOp::Forward { x: x.view() }, log, axis, y.view_mut()).unwrap();
                assert_untouched(&before, &y);
                for (x, got) in lines(&x, axis).iter().zip(lines(&y, axis)) {
                    for (want, got) in forward(x, log).into_iter().zip(got) {
                        let off = eps * want.abs() + fine * 8.0 * want.abs().max(if log { 5.0 } else { 0.0 });
                        assert_near(got, want, off + 1e-7 * eps.sqrt(), (dtype, log, &shape, axis));
                    }
                }
                let g = Operand::random(&mut rng, &shape, dtype, true);
                let mut dx = output(&mut rng, &shape, dtype);
                let before = dx.clone();
                Cpu.softmax(SoftmaxOp::Grad { y: y.view(), g: g.view() }, log, axis, dx.view_mut()).unwrap();
                assert_untouched(&before, &dx);
                for ((y, g), got) in lines(&y, axis).iter().zip(lines(&g, axis)).zip(lines(&dx, axis)) {
                    let size: f64 = 2.0 + g.iter().map(|g| g.abs()).sum::<f64>();
                    for (want, got) in gradient(y, &g, log).into_iter().zip(got) {
                        let off = eps * want.abs() + fine * 8.0 * size;
                        assert_near(got, want, off + 1e-7 * eps.sqrt(), (dtype, log, &shape, axis));
                    }
                }
            }
        }
    }
}

/// As PyTorch 2.15 gives them.
#[test]
#[cfg_attr(miri, ignore = "about values")]
fn infinities_and_nan() {
    const I: f64 = f64::INFINITY;
    let nan = f64::NAN;
    let rows = [[-I, -I, -I], [1.0, I, 2.0], [nan, 1.0, 2.0], [-I, 1.0, 2.0]];
    let probabilities = [[nan; 3], [nan; 3], [nan; 3], [0.0, 0.2689414213699951, 0.7310585786300049]];
    let logs = [[nan; 3], [nan; 3], [nan; 3], [-I, -1.3132616875182228, -0.31326168751822286]];
    for dtype in FLOATS {
        for axis in [0, 1] {
            let x = {
                let mut it = rows.iter().flatten().copied().collect::<Vec<_>>().into_iter();
                Operand::dense(&[4, 3], dtype, || it.next().unwrap())
            };
            // Along axis 0 the same rows stand as columns.
            let x = if axis == 1 { x } else { Operand { layout: x.layout.transpose(0, 1), ..x }.to_dense() };
            for (log, want) in [(false, probabilities), (true, logs)] {
                let mut y = Operand::dense(x.layout.shape(), dtype, || 9.0);
                Cpu.softmax(SoftmaxOp::Forward { x: x.view() }, log, axis, y.view_mut()).unwrap();
                for (got, want) in lines(&y, axis).iter().zip(want) {
                    got.iter()
                        .zip(want)
                        .for_each(|(g, w)| assert_near(*g, w, epsilon(dtype) * 2.0, (dtype, log)));
                }
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "large")]
fn same_bits_at_any_thread_count() {
    let _level = fixed_level();
    let mut rng = Numbers(4);
    for axis in [0, 1] {
        for dtype in [DType::F32, DType::F16] {
            let x = Operand::dense(&[500, 700], dtype, || rng.value());
            let run = || {
                let mut y = Operand::dense(&[500, 700], dtype, || 0.0);
                Cpu.softmax(SoftmaxOp::Forward { x: x.view() }, false, axis, y.view_mut()).unwrap();
                let mut dx = y.clone();
                Cpu.softmax(SoftmaxOp::Grad { y: y.view(), g: x.view() }, false, axis, dx.view_mut())
                    .unwrap();
                [y.bytes(), dx.bytes()].concat()
            };
            let one = on_threads(1, run);
            assert!(on_threads(2, run) == one && on_threads(3, run) == one);
        }
    }
}
