//! The device itself: memory, errors, faults, counts.

use crate::support::*;
use taper_kernels::{
    Backend, BinaryOp, DType, Device, Error, Layout, Scalar, Src, Storage, UnaryOp, View, ViewMut, cpu::Cpu,
    cuda,
};

#[test]
fn bytes_there_and_back() {
    let Some(b) = device() else { return };
    let _device = shared();
    // Shorter and longer than a staging block, and than all of them.
    for len in [0, 1, 511, 1 << 20, (1 << 20) + 3, (9 << 20) + 77] {
        let bytes: Vec<u8> = (0..len).map(|i| (i * 7 + i / 256) as u8).collect();
        let memory = b.upload(&bytes).unwrap();
        assert_eq!((memory.len(), memory.device()), (len, Device::Cuda(0)));
        assert!(b.download(&memory).unwrap() == bytes, "{len}");
        assert!(b.download(&memory.clone()).unwrap() == bytes, "{len}");
    }
}

#[test]
fn it_says_what_it_is() {
    let Some(_) = device() else { return };
    let p = cuda::properties(0).unwrap();
    assert_eq!(p.name, cuda::device_name(0).unwrap());
    assert!(p.compute_capability >= (7, 5) && p.driver >= (11, 2), "{p:?}");
    assert!(p.multiprocessors > 0 && p.memory_bytes > 1 << 30 && p.cache_bytes > 0, "{p:?}");
}

#[test]
fn memory_is_reused() {
    let Some(b) = device() else { return };
    let _device = shared();
    if std::env::var("TAPER_CUDA_CACHE").is_ok_and(|v| v == "0") {
        return;
    }
    // A size that no other test asks for.
    let size = 37 << 20;
    drop(b.alloc(size).unwrap());
    let before = cuda::counts(0).unwrap();
    let kept = b.alloc(size).unwrap();
    let after = cuda::counts(0).unwrap() - before;
    assert!(after.requests >= 1);
    let (used, _) = cuda::memory(0).unwrap();
    assert!(used >= size);
    drop(kept);
}

#[test]
fn out_of_memory_is_an_error() {
    let Some(b) = device() else { return };
    let _device = shared();
    for bytes in [1usize << 50, usize::MAX] {
        match b.alloc(bytes) {
            Err(Error::OutOfMemory { device, requested, .. }) => {
                assert_eq!((device, requested), (Device::Cuda(0), bytes));
            }
            other => panic!("{other:?}"),
        }
    }
    // The device goes on.
    let x = b.upload(&[1, 2, 3]).unwrap();
    assert_eq!(b.download(&x).unwrap(), [1, 2, 3]);
}

#[test]
fn devices_that_are_not_there() {
    for index in [63, 64, usize::MAX] {
        match Device::cuda(index) {
            Err(e @ Error::DeviceUnavailable { .. }) => assert!(e.to_string().contains("cuda:"), "{e}"),
            other => panic!("{other:?}"),
        }
    }
    if device().is_some() {
        assert_eq!(Device::cuda_if_available(), Device::Cuda(0));
        assert!(Device::cuda_count() >= 1);
        assert!(!Device::Cuda(0).name().unwrap().is_empty());
    }
}

#[test]
fn memory_of_another_device_is_refused() {
    let Some(b) = device() else { return };
    let _device = shared();
    let host = Storage::Cpu(taper_kernels::Buffer::zeroed(16));
    let layout = Layout::contiguous(&[4]);
    let mut out = b.alloc(16).unwrap();
    let x = View::new(&host, DType::F32, &layout);
    let error = b.unary(UnaryOp::Exp, x.into(), ViewMut::new(&mut out, DType::F32, &layout)).unwrap_err();
    assert_eq!(error.to_string(), "expected memory on cuda:0, got some on cpu");
    assert!(matches!(b.download(&host), Err(Error::OtherDevice { .. })));
}

#[test]
fn division_by_zero_is_reported_late() {
    let Some(b) = device() else { return };
    let _device = alone();
    let layout = Layout::contiguous(&[5]);
    let x = Operand::of(&[5], DType::I32, &[1.0, 2.0, 0.0, 4.0, 5.0]);
    let zeros = x.upload(b);
    let mut out = b.alloc(20).unwrap();
    let seven = Src::Scalar(Scalar::Int(7));
    let divide = |x: &Storage, out: &mut Storage| {
        let x = View::new(x, DType::I32, &layout);
        b.binary(BinaryOp::FloorDiv, seven, x.into(), ViewMut::new(out, DType::I32, &layout))
    };
    b.synchronize().unwrap();
    divide(&zeros, &mut out).unwrap();
    match b.download(&out) {
        Err(Error::Late { op: "floor_divide", source, .. }) => {
            assert_eq!(*source, Error::ZeroDivision { op: "floor_divide" });
        }
        other => panic!("{other:?}"),
    }
    // Told once; the device goes on.
    b.synchronize().unwrap();
    assert_eq!(numbers(DType::I32, &b.download(&out).unwrap()), [7.0, 3.0, 0.0, 1.0, 1.0]);
    let ones = Operand::of(&[5], DType::I32, &[1.0; 5]).upload(b);
    divide(&ones, &mut out).unwrap();
    b.synchronize().unwrap();
}

#[test]
fn launches_are_cut() {
    let Some(b) = device() else { return };
    let _device = alone();
    cuda::set_launch_limit(64);
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
    cuda::set_launch_limit(1 << 30);
}

#[test]
fn waits_are_counted_where_results_are_read() {
    let Some(b) = device() else { return };
    let _device = alone();
    let x = Operand::of(&[100], DType::F32, &[1.5; 100]);
    let memory = x.upload(b);
    let mut out = b.alloc(400).unwrap();
    let before = cuda::counts(0).unwrap();
    for _ in 0..10 {
        let view = View::new(&memory, DType::F32, &x.layout);
        b.unary(UnaryOp::Exp, view.into(), ViewMut::new(&mut out, DType::F32, &x.layout)).unwrap();
    }
    let counts = cuda::counts(0).unwrap() - before;
    // Other tests run beside this one.
    assert!(counts.launches >= 10, "{counts:?}");
    let want = {
        let host = x.upload(&Cpu);
        let mut out = Cpu.alloc(400).unwrap();
        let view = View::new(&host, DType::F32, &x.layout);
        Cpu.unary(UnaryOp::Exp, view.into(), ViewMut::new(&mut out, DType::F32, &x.layout)).unwrap();
        Cpu.download(&out).unwrap()
    };
    FUNCTION.check("exp", DType::F32, &want, &b.download(&out).unwrap());
}
