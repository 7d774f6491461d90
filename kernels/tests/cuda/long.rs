//! Operands that are longer than a launch: what is cut, and what pieces are put together. The limit is made small, so
//! that no test needs gigabytes.

use crate::both::upload;
use crate::operand::{self, Numbers};
use crate::support::*;
use taper_kernels::{
    Backend, BinaryOp, DType, Layout, RandomOp, ReduceOp, Scalar, View, ViewMut, cpu::Cpu, cuda,
    random::Generator,
};

/// While it lives, launches have at most so many elements.
struct Short(#[allow(dead_code, reason = "held for its drop")] Hold);

impl Short {
    fn new(limit: usize) -> Short {
        let alone = alone();
        cuda::set_launch_limit(limit);
        Short(alone)
    }
}
impl Drop for Short {
    fn drop(&mut self) {
        cuda::set_launch_limit(1 << 30);
    }
}

#[test]
fn launches_are_cut() {
    let Some(b) = device() else { return };
    let _short = Short::new(64);
    let rng = &mut Rng::new(9);
    for shape in [&[1000][..], &[5, 7, 11], &[3, 130]] {
        let x = Operand::plain(rng, shape, DType::F32, true, 3.0);
        let y = Operand::plain(rng, shape, DType::F32, true, 3.0);
        let out = Operand::plain(rng, shape, DType::F32, false, 3.0);
        compare("cut", b, SAME, &[&x, &y], &out, |b, x, out| {
            b.binary(BinaryOp::Mul, x[0].into(), x[1].into(), out)
        });
        compare("cut copy", b, SAME, &[&x], &out, |b, x, out| b.copy(x[0], out));
        let out = Operand::plain(rng, shape, DType::I32, false, 3.0);
        compare("cut arange", b, SAME, &[], &out, |b, _, out| b.arange(out, Scalar::Int(5), Scalar::Int(3)));
    }
}

/// Pieces of one element, of whole rows and of parts of them; several outputs; steps of all kinds.
#[test]
fn reductions_in_pieces() {
    let Some(b) = device() else { return };
    let _short = Short::new(64);
    let contiguous = |shape: &[usize]| Layout::contiguous(shape);
    let layouts = [
        (contiguous(&[65]), vec![0]),
        (contiguous(&[3000]), vec![0]),
        (contiguous(&[3, 500]), vec![1]),
        (contiguous(&[500, 3]), vec![0]),
        (contiguous(&[5, 70, 9]), vec![0, 2]),
        (contiguous(&[2, 200, 3]), vec![0, 1, 2]),
        (contiguous(&[40, 60]).transpose(0, 1), vec![1, 0]),
        (contiguous(&[900]).slice(0, 899, 900, -1), vec![0]),
        (contiguous(&[20, 30]).slice(1, 3, 9, 3), vec![0, 1]),
        // What stays takes several launches; pieces do not.
        (contiguous(&[150, 4]), vec![1]),
    ];
    for (layout, axes) in layouts {
        for op in ReduceOp::ALL {
            for dtype in [DType::F32, DType::F64, DType::F16, DType::U8, DType::I64, DType::Bool] {
                if op == ReduceOp::Mean && !dtype.is_float() {
                    continue;
                }
                let rng = &mut Rng::new(layout.numel() as u64 + dtype as u64);
                let near_one = op == ReduceOp::Prod && dtype.is_float();
                let x = Operand::with(layout.clone(), dtype, || match 2.0 * rng.unit() - 1.0 {
                    u if near_one => 1.0 + u / 256.0,
                    // No sum of floats cancels.
                    u if dtype.is_float() => 120.0 + 100.0 * u,
                    u => 100.0 * u,
                });
                let kept = |(d, &n): (usize, &usize)| if axes.contains(&d) { 1 } else { n };
                let shape: Vec<usize> = layout.shape().iter().enumerate().map(kept).collect();
                let out = Operand::plain(rng, &shape, op.output(dtype), false, 1.0);
                let near = match op {
                    ReduceOp::Sum | ReduceOp::Mean if dtype.is_float() => SUM,
                    ReduceOp::Prod if near_one => Near { ulps: 8000.0, of_largest: 0.0 },
                    _ => SAME,
                };
                let what = format!("{op:?} of {dtype} over {axes:?} of {layout:?}");
                compare(&what, b, near, &[&x], &out, |b, x, out| b.reduce(op, x[0], &axes, out));
            }
        }
    }
}

/// Equal numbers in several pieces: the first place counts, and the first NaN before all.
#[test]
fn places_in_pieces() {
    let Some(b) = device() else { return };
    let _short = Short::new(64);
    for at in [&[3usize, 70, 800][..], &[64, 65], &[999], &[128]] {
        for value in [7.0, f64::NAN] {
            let mut x = Operand::with(Layout::contiguous(&[1000]), DType::F32, || 1.0);
            for &i in at {
                x.bytes[4 * i..][..4].copy_from_slice(&(value as f32).to_le_bytes());
            }
            let memory = x.upload(b);
            let mut to = b.alloc(8).unwrap();
            let one = Layout::contiguous(&[1]);
            let x = View::new(&memory, DType::F32, &x.layout);
            b.reduce(ReduceOp::ArgMax, x, &[0], ViewMut::new(&mut to, DType::I64, &one)).unwrap();
            assert_eq!(b.download(&to).unwrap(), (at[0] as i64).to_le_bytes(), "{value} at {at:?}");
        }
    }
}

#[test]
fn nonzero_in_parts() {
    let Some(b) = device() else { return };
    let _short = Short::new(64);
    let mut rng = Numbers(34);
    for shape in [&[1000usize][..], &[7, 11, 13], &[3, 200], &[1, 70, 2], &[2, 2, 2, 2, 2, 2, 2, 2, 2, 2]] {
        let mut x = operand::Operand::random(&mut rng, shape, DType::F32, true);
        for i in operand::indices(shape) {
            if rng.chance(2) {
                x.set(&i, 0.0);
            }
        }
        let (want, n) = Cpu.nonzero(x.view()).unwrap();
        let (got, m) = b.nonzero(upload(&x, b).view()).unwrap();
        assert_eq!(n, m, "{shape:?}");
        assert_eq!(want.as_cpu().unwrap().bytes(), b.download(&got).unwrap(), "{shape:?}");
    }
}

#[test]
fn nonzero_of_many_dimensions() {
    let Some(b) = device() else { return };
    let _device = shared();
    let strides: Vec<isize> = (0..10).rev().map(|d| 3isize.pow(d)).collect();
    let layout = Layout::new(&[2usize; 10][..], strides.as_slice(), 0);
    let rng = &mut Rng::new(3);
    let x = Operand::with(layout, DType::U8, || (rng.unit() < 0.4) as u8 as f64);
    let [host, there] = [&Cpu as &dyn Backend, b].map(|b| {
        let memory = x.upload(b);
        let (found, n) = b.nonzero(View::new(&memory, x.dtype, &x.layout)).unwrap();
        (b.download_range(&found, 0..n * 80).unwrap(), n)
    });
    assert!(host == there && host.1 > 100);
}

/// Keys are drawn by several launches, each from where the last one left the stream.
#[test]
fn permutations_in_pieces() {
    let Some(b) = device() else { return };
    let _short = Short::new(64);
    let layout = Layout::contiguous(&[1000]);
    let mut to = b.alloc(8000).unwrap();
    let g = &mut Generator::new(7);
    b.random(RandomOp::Permutation, g, ViewMut::new(&mut to, DType::I64, &layout)).unwrap();
    let mut got = numbers(DType::I64, &b.download(&to).unwrap());
    assert!(got.iter().enumerate().filter(|(i, v)| **v != *i as f64).count() > 900);
    got.sort_by(f64::total_cmp);
    assert!(got.iter().enumerate().all(|(i, v)| *v == i as f64));
}
