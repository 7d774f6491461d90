//! Running sums and products against loops.

use crate::common::{assert_near, assert_untouched, lines, output, rounded, shape};
use crate::operand::{Numbers, Operand, cases, epsilon, fixed_level, on_threads};
use proptest::prelude::*;
use taper_kernels::{Backend, DType, ScanOp, cpu::Cpu};

proptest! {
    #![proptest_config(cases(120))]
    #[test]
    fn scans_equal_loops(seed: u64) {
        let _level = fixed_level();
        let mut rng = Numbers(seed);
        let dims = 1 + rng.below(4);
        let shape = shape(&mut rng, dims);
        let axis = rng.below(dims);
        for dtype in DType::ALL {
            for op in [ScanOp::Sum, ScanOp::Prod] {
                let x = Operand::random(&mut rng, &shape, dtype, true);
                let to = if dtype.is_float() { dtype } else { DType::I64 };
                let mut out = output(&mut rng, &shape, to);
                let before = out.clone();
                Cpu.scan(op, x.view(), axis, out.view_mut()).unwrap();
                assert_untouched(&before, &out);
                for (x, y) in lines(&x, axis).iter().zip(lines(&out, axis)) {
                    let (mut want, mut whole, mut size) = (0.0, 1i64, 0.0);
                    if op == ScanOp::Prod {
                        want = 1.0;
                    }
                    for (&x, y) in x.iter().zip(y) {
                        size += x.abs();
                        match op {
                            ScanOp::Sum => want += x,
                            ScanOp::Prod => (want, whole) = (want * x, whole.wrapping_mul(x as i64)),
                        }
                        if op == ScanOp::Prod && !dtype.is_float() {
                            want = whole as f64;
                        }
                        let off = match op {
                            ScanOp::Sum => size * 70.0 * epsilon(dtype.compute()),
                            ScanOp::Prod => want.abs() * 70.0 * epsilon(dtype.compute()),
                        };
                        let (shown, tiny) = rounded(want, to);
                        assert_near(y, shown, off + 2.0 * want.abs() * epsilon(dtype) + tiny, (op, dtype, &x));
                    }
                }
            }
        }
    }
}

/// Numbers of PyTorch 2.15: f32 is accumulated in f64, f16 in f32.
#[test]
fn accumulates_as_pytorch() {
    let run = |dtype, values: &[f64]| {
        let mut it = values.iter();
        let x = Operand::dense(&[values.len()], dtype, || *it.next().unwrap());
        let mut y = Operand::dense(&[values.len()], dtype, || 0.0);
        Cpu.scan(ScanOp::Sum, x.view(), 0, y.view_mut()).unwrap();
        y.values()
    };
    assert_eq!(
        run(DType::F32, &[1e8, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0]),
        [1e8, 1e8, 1e8, 1e8, 1e8, 1e8 + 8.0, 1e8 + 8.0]
    );
    assert_eq!(run(DType::F16, &[2048.0, 1.0, 1.0, 1.0]), [2048.0, 2048.0, 2050.0, 2052.0]);
}

#[test]
#[cfg_attr(miri, ignore = "large")]
fn same_bits_at_any_thread_count() {
    let _level = fixed_level();
    let mut rng = Numbers(3);
    for (shape, axis) in [([700, 300], 0), ([700, 300], 1), ([3, 60_000], 0)] {
        let x = Operand::random(&mut rng, &shape, DType::F32, false);
        let run = || {
            let mut y = Operand::dense(&shape, DType::F32, || 0.0);
            Cpu.scan(ScanOp::Sum, x.view(), axis, y.view_mut()).unwrap();
            y
        };
        let one = on_threads(1, run);
        assert_eq!(on_threads(2, run).bytes(), one.bytes());
        assert_eq!(on_threads(3, run).bytes(), one.bytes());
    }
}
