//! Relations and selection.

use super::elementwise::scalar_bytes;
use super::lane::Lane;
use super::map::map;
use crate::{backend::*, *};

type Kernel = unsafe fn(CompareOp, *const u8, *const u8, *mut u8, usize);

pub fn compare(op: CompareOp, a: Src, b: Src, out: ViewMut) -> Result {
    let dtype = match (a, b) {
        (Src::View(v), _) | (_, Src::View(v)) => v.dtype,
        _ => out.dtype,
    };
    let block = dtype.compute();
    let lane = Lane::compute(dtype);
    let kernel: Kernel = dispatch_dtype!(block, T => run::<T>);
    map::<2, 3>(
        out,
        Lane::raw(1),
        [a, b],
        [lane, lane],
        |s| scalar_bytes(block, s),
        0.3,
        &|[a, b], out, n| {
            // SAFETY: `map` gives kernels `n` elements of the block's dtype.
            unsafe { kernel(op, a, b, out, n) }
        },
    );
    Ok(())
}

/// # Safety
/// `n` elements can be read at `a` and `b`, and `n` bytes written at `out`.
unsafe fn run<T: Element>(op: CompareOp, a: *const u8, b: *const u8, out: *mut u8, n: usize) {
    let (a, b) = (a.cast::<T>(), b.cast::<T>());
    let zero = T::default();
    macro_rules! each {
        ($x:ident, $y:ident => $e:expr) => {
            for i in 0..n {
                // SAFETY: as promised by the caller.
                unsafe {
                    let ($x, $y) = (*a.add(i), *b.add(i));
                    *out.add(i) = $e as u8;
                }
            }
        };
    }
    match op {
        CompareOp::Eq => each!(x, y => x == y),
        CompareOp::Ne => each!(x, y => x != y),
        CompareOp::Lt => each!(x, y => x < y),
        CompareOp::Le => each!(x, y => x <= y),
        CompareOp::Gt => each!(x, y => x > y),
        CompareOp::Ge => each!(x, y => x >= y),
        CompareOp::And => each!(x, y => (x != zero) & (y != zero)),
        CompareOp::Or => each!(x, y => (x != zero) | (y != zero)),
        CompareOp::Xor => each!(x, y => (x != zero) ^ (y != zero)),
    }
}

pub fn select(cond: View, a: Src, b: Src, out: ViewMut) -> Result {
    let dtype = out.dtype;
    let lane = Lane::raw(dtype.size());
    let kernel: unsafe fn(*const u8, *const u8, *const u8, *mut u8, usize) = match dtype.size() {
        1 => choose::<u8>,
        2 => choose::<i16>,
        4 => choose::<i32>,
        _ => choose::<i64>,
    };
    let lanes = [Lane::raw(1), lane, lane];
    map::<3, 4>(
        out,
        lane,
        [cond.into(), a, b],
        lanes,
        |s| scalar_bytes(dtype, s),
        0.4,
        &|[c, a, b], out, n| {
            // SAFETY: `map` gives kernels `n` elements of each operand's size.
            unsafe { kernel(c, a, b, out, n) }
        },
    );
    Ok(())
}

/// # Safety
/// `n` elements can be read at `c`, `a` and `b` and written at `out`; inputs are apart from it or equal.
unsafe fn choose<T: Element>(c: *const u8, a: *const u8, b: *const u8, out: *mut u8, n: usize) {
    let (a, b, out) = (a.cast::<T>(), b.cast::<T>(), out.cast::<T>());
    for i in 0..n {
        // SAFETY: as promised by the caller.
        unsafe {
            // Both are read, so that the choice is no branch.
            let (x, y) = (*a.add(i), *b.add(i));
            *out.add(i) = if *c.add(i) != 0 { x } else { y };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
    use crate::cpu::elementwise::cases;
    use crate::cpu::test_support::{Operand, Rng};
    use CompareOp::*;
    use proptest::prelude::*;

    fn value(rng: &mut Rng) -> Scalar {
        if rng.chance(5) { Scalar::Float(f64::NAN) } else { Scalar::Int(rng.below(5) as i64 - 2) }
    }
    fn truth(rng: &mut Rng) -> Scalar {
        Scalar::Int(rng.below(2) as i64)
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn relations_equal_scalar_code(seed: u64) {
            for dtype in DType::ALL {
                for (i, op) in [Eq, Ne, Lt, Le, Gt, Ge, And, Or, Xor].into_iter().enumerate() {
                    if cfg!(miri) && !(i + dtype as usize).is_multiple_of(5) {
                        continue;
                    }
                    let rng = &mut Rng(seed);
                    let shape = rng.shape();
                    let draw = if dtype == DType::Bool { truth } else { value };
                    let a = Operand::random(rng, &shape, dtype, true, draw);
                    let b = Operand::random(rng, &shape, dtype, true, draw);
                    let mut out = Operand::random(rng, &shape, DType::Bool, false, truth);
                    let scalar = rng.chance(25);
                    let right = if scalar { Src::Scalar(Scalar::Int(1)) } else { b.view().into() };
                    Cpu.compare(op, a.view().into(), right, out.view_mut()).unwrap();
                    for ((x, y), got) in a.floats().into_iter().zip(b.floats()).zip(out.ints()) {
                        let y = if scalar { 1.0 } else { y };
                        let want = match op {
                            Eq => x == y,
                            Ne => x != y,
                            Lt => x < y,
                            Le => x <= y,
                            Gt => x > y,
                            Ge => x >= y,
                            And => x != 0.0 && y != 0.0,
                            Or => x != 0.0 || y != 0.0,
                            Xor => (x != 0.0) != (y != 0.0),
                        };
                        assert_eq!(got, want as i64, "{op:?} of {dtype} {x}, {y}");
                    }
                }
            }
        }

        #[test]
        fn selection_equals_scalar_code(seed: u64) {
            for dtype in DType::ALL {
                let rng = &mut Rng(seed);
                let shape = rng.shape();
                let draw = if dtype == DType::Bool { truth } else { value };
                let c = Operand::random(rng, &shape, DType::Bool, true, truth);
                let a = Operand::random(rng, &shape, dtype, true, draw);
                let mut out = Operand::random(rng, &shape, dtype, false, draw);
                let b = out.clone();
                let scalar = rng.chance(30);
                let left = if scalar { Src::Scalar(Scalar::Int(1)) } else { a.view().into() };
                Cpu.select(c.view(), left, Src::Out, out.view_mut()).unwrap();
                let (mut xs, ys) = (a.bits(), b.bits());
                if scalar {
                    let mut one = out.clone();
                    Cpu.fill(one.view_mut(), Scalar::Int(1)).unwrap();
                    xs = one.bits();
                }
                let bits = out.bits();
                for (i, &c) in c.ints().iter().enumerate() {
                    assert_eq!(bits[i], if c != 0 { xs[i] } else { ys[i] }, "{dtype}");
                }
            }
        }
    }

    #[test]
    fn scalars_of_the_operands_dtype() {
        // 0.1 is compared in f32, where it is another number than in f64.
        let x = Operand::random(&mut Rng(1), &[3], DType::F32, false, |_| Scalar::Float(0.1));
        let mut out = Operand::random(&mut Rng(1), &[3], DType::Bool, false, truth);
        Cpu.compare(Eq, x.view().into(), Src::Scalar(Scalar::Float(0.1)), out.view_mut()).unwrap();
        assert_eq!(out.ints(), [1, 1, 1]);
    }
}
