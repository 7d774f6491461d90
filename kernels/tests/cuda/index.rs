//! Gather, scatter and the positions of what is not zero.

use crate::both::*;
use crate::operand::{Numbers, Operand};
use crate::support::{SAME, alone, asked, device, shared};
use taper_kernels::{Backend, DType, Error, GatherOp, Layout, Scalar, ScatterOp, Src};

/// Indices below `size`, laid out anyhow.
fn index(rng: &mut Numbers, shape: &[usize], size: usize) -> Operand {
    let mut o = Operand::random(rng, shape, DType::I64, false);
    // Also what lies outside the view, which nothing may use.
    for i in crate::operand::indices(shape) {
        o.set(&i, rng.below(size) as f64);
    }
    o
}

#[test]
fn gathers() {
    let mut rng = Numbers(30);
    for dtype in asked(DType::ALL) {
        for dim in 0..3 {
            let mut shape = [4, 5, 6];
            shape[dim] = 9;
            let x = Operand::random(&mut rng, &[4, 5, 6], dtype, true);
            let at = index(&mut rng, &shape, [4, 5, 6][dim]);
            let out = Operand::random(&mut rng, &shape, dtype, false);
            both(&[x.clone(), at, out.clone()], SAME, |be, o| {
                let [x, index, out] = o else { panic!("three") };
                be.gather(GatherOp::Gather { x: x.view(), index: index.view(), dim }, out.view_mut())
            });
            let rows = index(&mut rng, &[9], [4, 5, 6][dim]);
            both(&[x, rows, out], SAME, |be, o| {
                let [x, index, out] = o else { panic!("three") };
                be.gather(GatherOp::Select { x: x.view(), index: index.view(), dim }, out.view_mut())
            });
        }
    }
}

#[test]
fn scatters() {
    let mut rng = Numbers(31);
    for dtype in asked(DType::ALL) {
        for dim in 0..2 {
            let mut shape = [4, 5];
            shape[dim] = 11;
            let out = Operand::random(&mut rng, &[6, 7], dtype, false);
            let size = [6, 7][dim];
            let at = index(&mut rng, &shape, size);
            let src = Operand::random(&mut rng, &shape, dtype, true);
            both(&[at.clone(), src.clone(), out.clone()], SAME, |be, o| {
                let [index, src, out] = o else { panic!("three") };
                be.scatter(
                    ScatterOp::Scatter { index: index.view(), src: src.view().into(), dim },
                    out.view_mut(),
                )
            });
            both(&[at.clone(), src, out.clone()], SAME, |be, o| {
                let [index, src, out] = o else { panic!("three") };
                be.scatter(
                    ScatterOp::ScatterAdd { index: index.view(), src: src.view(), dim },
                    out.view_mut(),
                )
            });
            both(&[at, out], SAME, |be, o| {
                let [index, out] = o else { panic!("two") };
                let src = Src::Scalar(Scalar::Int(1));
                be.scatter(ScatterOp::Scatter { index: index.view(), src, dim }, out.view_mut())
            });
        }
    }
}

/// Rows of an embedding's gradient: few lines, so that threads share them, and many rows.
#[test]
fn rows_are_added_in_order() {
    let mut rng = Numbers(32);
    for dtype in asked([DType::F16, DType::BF16, DType::F32, DType::F64, DType::I64]) {
        for (places, n, width) in [(7, 500, 9), (1, 64, 3), (40, 3, 70)] {
            let at = index(&mut rng, &[n], places);
            let src = Operand::random(&mut rng, &[n, width], dtype, false);
            let out = Operand::random(&mut rng, &[places, width], dtype, false);
            both(&[at.clone(), src.clone(), out.clone()], SAME, |be, o| {
                let [index, src, out] = o else { panic!("three") };
                be.scatter(
                    ScatterOp::IndexAdd { index: index.view(), src: src.view(), dim: 0 },
                    out.view_mut(),
                )
            });
            both(&[at, src, out], SAME, |be, o| {
                let [index, src, out] = o else { panic!("three") };
                be.scatter(
                    ScatterOp::IndexCopy { index: index.view(), src: src.view(), dim: 0 },
                    out.view_mut(),
                )
            });
        }
    }
}

#[test]
fn no_entries() {
    let none = Operand::dense(&[0], DType::I64, || 0.0);
    let (src, out) =
        (Operand::dense(&[0, 3], DType::F32, || 0.0), Operand::dense(&[2, 3], DType::F32, || 1.0));
    both(&[none, src, out], SAME, |be, o| {
        let [index, src, out] = o else { panic!("three") };
        be.gather(GatherOp::Select { x: out.view(), index: index.view(), dim: 0 }, src.view_mut())?;
        be.scatter(ScatterOp::IndexAdd { index: index.view(), src: src.view(), dim: 0 }, out.view_mut())
    });
}

/// The error comes with the next result that the host reads, and says which index it was; later calls work.
#[test]
fn indices_out_of_range_are_reported() {
    let Some(be) = device() else { return };
    let _device = alone();
    let x = upload(&Operand::dense(&[3, 4], DType::F32, || 1.0), be);
    let mut at = Operand::dense(&[2, 5], DType::I64, || 1.0);
    at.layout = Layout::contiguous(&[5, 2]).transpose(0, 1);
    at.set(&[1, 3], 4.0);
    let at = upload(&at, be);
    let mut out = upload(&Operand::dense(&[2, 5], DType::F32, || 0.0), be);
    let mut take = |index: &Operand| {
        be.gather(GatherOp::Gather { x: x.view(), index: index.view(), dim: 1 }, out.view_mut()).unwrap();
        be.download(&out.storage).map(|_| ())
    };
    let error = take(&at).unwrap_err();
    let Error::Late { source, .. } = &error else { panic!("{error}") };
    assert_eq!(**source, Error::IndexOutOfBounds { index: 4, dim: 1, size: 4, at: 8 });
    take(&upload(&Operand::dense(&[2, 5], DType::I64, || 3.0), be)).unwrap();
    // An index that runs backward: entry 2 of what the view shows.
    let mut back = Operand::dense(&[2, 5], DType::I64, || 1.0);
    back.set(&[1, 2], 9.0);
    back.layout = back.layout.slice(0, 1, 2, -1).slice(1, 4, 5, -1);
    let Err(Error::Late { source, .. }) = take(&upload(&back, be)) else { panic!("no error") };
    assert_eq!(*source, Error::IndexOutOfBounds { index: 9, dim: 1, size: 4, at: 2 });
    let error = take(&upload(&Operand::dense(&[2, 5], DType::I64, || -1.0), be)).unwrap_err();
    assert!(error.to_string().contains("index -1 is out of bounds for dimension 1 with size 4"), "{error}");
    let mut out = upload(&Operand::dense(&[3], DType::F32, || 0.0), be);
    let (rows, src) = (Operand::dense(&[2], DType::I64, || 3.0), Operand::dense(&[2], DType::F32, || 1.0));
    let (rows, src) = (upload(&rows, be), upload(&src, be));
    let op = ScatterOp::IndexAdd { index: rows.view(), src: src.view(), dim: 0 };
    be.scatter(op, out.view_mut()).unwrap();
    assert!(be.synchronize().is_err());
    be.synchronize().unwrap();
}

#[test]
fn nonzero() {
    let _device = shared();
    let mut rng = Numbers(33);
    for dtype in asked(DType::ALL) {
        for shape in [&[37, 40][..], &[3000], &[2, 3, 4, 5], &[1], &[], &[0, 3], &[5, 0]] {
            let mut x = Operand::random(&mut rng, shape, dtype, true);
            for i in crate::operand::indices(shape) {
                if rng.chance(2) {
                    x.set(&i, 0.0);
                }
            }
            let Some(be) = device() else { return };
            let (want, n) = taper_kernels::cpu::Cpu.nonzero(x.view()).unwrap();
            let (got, m) = be.nonzero(upload(&x, be).view()).unwrap();
            assert_eq!(n, m, "{dtype} {shape:?}");
            assert_eq!(want.as_cpu().unwrap().bytes(), be.download(&got).unwrap(), "{dtype} {shape:?}");
        }
    }
    // More blocks than the kernel that adds their counts takes at once.
    let x = Operand::dense(&[300, 1001], DType::U8, || if rng.chance(3) { 1.0 } else { 0.0 });
    let Some(be) = device() else { return };
    let (want, n) = taper_kernels::cpu::Cpu.nonzero(x.view()).unwrap();
    let (got, m) = be.nonzero(upload(&x, be).view()).unwrap();
    assert_eq!(n, m);
    assert_eq!(want.as_cpu().unwrap().bytes(), be.download(&got).unwrap());
}
