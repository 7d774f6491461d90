//! Gather and scatter against loops over indices.

use crate::operand::*;
use proptest::prelude::*;
use taper_kernels::cpu::Cpu;
use taper_kernels::{
    Backend, Buffer, DType, Error, GatherOp, Layout, Scalar, ScatterOp, Src, Storage, View, bf16, f16,
};

/// Indices below `size`, with repeats.
fn index(rng: &mut Numbers, shape: &[usize], size: usize) -> Operand {
    let mut index = Operand::random(rng, shape, DType::I64, true);
    for i in indices(shape) {
        index.set(&i, rng.below(size) as f64);
    }
    index
}

fn shape(rng: &mut Numbers) -> Vec<usize> {
    let most = if cfg!(miri) { 3 } else { 7 };
    (0..1 + rng.below(4)).map(|_| 1 + rng.below(most)).collect()
}

/// `i` with another entry in dimension `dim`.
fn at(i: &[usize], dim: usize, k: f64) -> Vec<usize> {
    let mut i = i.to_vec();
    i[dim] = k as usize;
    i
}

/// Addition as the dtype does it.
fn sum(dtype: DType, a: f64, b: f64) -> f64 {
    match dtype {
        DType::Bool => (a + b > 0.0) as u8 as f64,
        DType::F16 => f16::from_f64(a + b).to_f64(),
        DType::BF16 => bf16::from_f64(a + b).to_f64(),
        DType::F32 => (a as f32 + b as f32) as f64,
        // Many additions to one element leave the range of a byte, and wrap.
        DType::I8 => (a + b) as i64 as i8 as f64,
        DType::U8 => (a + b) as i64 as u8 as f64,
        _ => a + b,
    }
}

fn truth(x: &mut Operand) {
    if x.dtype == DType::Bool {
        for i in indices(x.layout.shape()) {
            x.set(&i, (x.get(&i) as u8 % 2) as f64);
        }
    }
}

fn any_dtype() -> impl Strategy<Value = DType> {
    prop::sample::select(DType::ALL.to_vec())
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn gather_and_select(seed: u64, dtype in any_dtype(), whole: bool) {
        let rng = &mut Numbers(seed);
        let shape_x = shape(rng);
        let dim = rng.below(shape_x.len());
        let mut shape_out = shape_x.clone();
        shape_out[dim] = rng.below(9);
        let x = Operand::random(rng, &shape_x, dtype, true);
        let mut out = Operand::random(rng, &shape_out, dtype, false);
        let ix = if whole {
            index(rng, &[shape_out[dim]], shape_x[dim])
        } else {
            index(rng, &shape_out, shape_x[dim])
        };
        let mut want = out.clone();
        for i in indices(&shape_out) {
            let k = ix.get(if whole { &i[dim..=dim] } else { &i });
            want.set(&i, x.get(&at(&i, dim, k)));
        }
        let op = if whole {
            GatherOp::Select { x: x.view(), index: ix.view(), dim }
        } else {
            GatherOp::Gather { x: x.view(), index: ix.view(), dim }
        };
        Cpu.gather(op, out.view_mut()).unwrap();
        prop_assert!(out.bytes() == want.bytes(), "{op:?}");
    }

    #[test]
    fn scatter(seed: u64, dtype in any_dtype(), add: bool, whole: bool, scalar: bool) {
        let scalar = scalar && !add && !whole;
        let rng = &mut Numbers(seed);
        let shape_out = shape(rng);
        let dim = rng.below(shape_out.len());
        let mut shape_src = shape_out.clone();
        shape_src[dim] = rng.below(12);
        let mut out = Operand::random(rng, &shape_out, dtype, false);
        let mut src = Operand::random(rng, &shape_src, dtype, true);
        truth(&mut out);
        truth(&mut src);
        let ix = if whole {
            index(rng, &[shape_src[dim]], shape_out[dim])
        } else {
            index(rng, &shape_src, shape_out[dim])
        };
        let mut want = out.clone();
        for i in indices(&shape_src) {
            let to = at(&i, dim, ix.get(if whole { &i[dim..=dim] } else { &i }));
            let v = if scalar { 1.0 } else { src.get(&i) };
            want.set(&to, if add { sum(dtype, want.get(&to), v) } else { v });
        }
        let (index, view) = (ix.view(), src.view());
        let op = match (add, whole) {
            (false, false) if scalar => ScatterOp::Scatter { index, src: Src::Scalar(Scalar::Float(1.0)), dim },
            (false, false) => ScatterOp::Scatter { index, src: view.into(), dim },
            (true, false) => ScatterOp::ScatterAdd { index, src: view, dim },
            (true, true) => ScatterOp::IndexAdd { index, src: view, dim },
            (false, true) => ScatterOp::IndexCopy { index, src: view, dim },
        };
        Cpu.scatter(op, out.view_mut()).unwrap();
        prop_assert!(out.bytes() == want.bytes(), "{op:?}");
    }

    #[test]
    fn nonzero(seed: u64, dtype in any_dtype()) {
        let rng = &mut Numbers(seed);
        let shape = if rng.chance(8) { vec![] } else { shape(rng) };
        let mut x = Operand::random(rng, &shape, dtype, true);
        for i in indices(&shape) {
            if rng.chance(2) {
                x.set(&i, if rng.chance(2) { 0.0 } else { -0.0 });
            }
        }
        truth(&mut x);
        let (found, count) = Cpu.nonzero(x.view()).unwrap();
        let want: Vec<i64> = indices(&shape)
            .filter(|i| x.get(i) != 0.0)
            .flat_map(|i| i.into_iter().map(|v| v as i64))
            .collect();
        prop_assert_eq!(found.as_cpu().unwrap().as_slice::<i64>(), &want[..]);
        prop_assert_eq!(count, indices(&shape).filter(|i| x.get(i) != 0.0).count());
    }
}

#[test]
fn nan_is_not_zero() {
    let mut v = [f64::NAN, 0.0, -0.0, 2.0].into_iter();
    let x = Operand::dense(&[4], DType::F16, || v.next().unwrap());
    assert_eq!(Cpu.nonzero(x.view()).unwrap().0.as_cpu().unwrap().as_slice::<i64>(), [0, 3]);
}

#[test]
fn a_bad_index_writes_nothing() {
    let x = Operand::dense(&[3, 4], DType::F32, || 1.0);
    for bad in [-1i64, 3, i64::MAX, i64::MIN] {
        let mut all = [0, 2, bad, 1, 7, 0].into_iter();
        let mut storage = Storage::Cpu(Buffer::zeroed(48));
        storage.as_cpu_mut().unwrap().as_mut_slice::<i64>().fill_with(|| all.next().unwrap());
        let flat = Layout::contiguous(&[6]);
        let grid = Layout::contiguous(&[3, 2]).transpose(0, 1);
        let mut out = Operand::dense(&[6, 4], DType::F32, || 5.0);
        let before = out.clone();
        let index = View::new(&storage, DType::I64, &flat);
        let error = Cpu.gather(GatherOp::Select { x: x.view(), index, dim: 0 }, out.view_mut()).unwrap_err();
        assert_eq!(error, Error::IndexOutOfBounds { index: bad, dim: 0, size: 3, at: 2 });
        assert_eq!(out.bytes(), before.bytes());

        let src = Operand::dense(&[2, 3], DType::F32, || 1.0);
        let index = View::new(&storage, DType::I64, &grid);
        let mut out = Operand::dense(&[3, 3], DType::F32, || 5.0);
        let before = out.clone();
        let op = ScatterOp::ScatterAdd { index, src: src.view(), dim: 0 };
        let error = Cpu.scatter(op, out.view_mut()).unwrap_err();
        // Row-major over the transposed index: 0, bad, 7 | 2, 1, 0.
        assert_eq!(error, Error::IndexOutOfBounds { index: bad, dim: 0, size: 3, at: 1 });
        assert_eq!(out.bytes(), before.bytes());
    }
}

#[test]
fn many_rows_on_threads() {
    let (rows, n, width) = if cfg!(miri) { (3, 9, 17) } else { (500, 20_000, 67) };
    let rng = &mut Numbers(3);
    let table = Operand::dense(&[rows, width], DType::F32, || rng.value());
    let ids = index(rng, &[n], rows);
    let mut results = [1, 2, 5].map(|threads| {
        on_threads(threads, || {
            let mut picked = Operand::dense(&[n, width], DType::F32, || 0.0);
            let op = GatherOp::Select { x: table.view(), index: ids.view(), dim: 0 };
            Cpu.gather(op, picked.view_mut()).unwrap();
            let mut grads = Operand::dense(&[rows, width], DType::F32, || 0.5);
            let op = ScatterOp::IndexAdd { index: ids.view(), src: picked.view(), dim: 0 };
            Cpu.scatter(op, grads.view_mut()).unwrap();
            let (nonzero, count) = Cpu.nonzero(picked.view()).unwrap();
            let nonzero = nonzero.as_cpu().unwrap().bytes().to_vec();
            (picked.bytes().to_vec(), grads.bytes().to_vec(), nonzero, count)
        })
    });
    assert!(results[0] == results[1] && results[1] == results[2]);
    assert!(results[0].3 > n);
    // And the sum is that of a plain loop.
    let mut want = vec![0.5f32; rows * width];
    let values: Vec<f32> = table.values().iter().map(|&v| v as f32).collect();
    for r in ids.values() {
        for j in 0..width {
            want[r as usize * width + j] += values[r as usize * width + j];
        }
    }
    let want: Vec<u8> = want.iter().flat_map(|v| v.to_ne_bytes()).collect();
    assert!(std::mem::take(&mut results[0].1) == want);
}
