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
fn ranges_are_read_alone() {
    let Some(b) = device() else { return };
    let _device = alone();
    let memory = b.upload(&(0..200).collect::<Vec<u8>>()).unwrap();
    let before = cuda::counts(0).unwrap();
    assert_eq!(b.download_range(&memory, 17..21).unwrap(), [17, 18, 19, 20]);
    assert_eq!(b.download_range(&memory, 200..200).unwrap(), []);
    assert_eq!((cuda::counts(0).unwrap() - before).downloaded_bytes, 4);
}

/// Threads that index beside each other, one of them wrongly: each fault is told, once, by its own name, whoever reads
/// first. (A word that a kernel had, but that was read before the launch, would be nobody's.)
#[test]
fn faults_of_several_threads() {
    let Some(b) = device() else { return };
    let _device = alone();
    b.synchronize().unwrap();
    let rounds = 40;
    let told = std::sync::atomic::AtomicUsize::new(0);
    let divide = |divisor: f64| {
        let x = Operand::of(&[3], DType::I32, &[6.0, 4.0, divisor]);
        let memory = x.upload(b);
        let mut out = b.alloc(12).unwrap();
        let x = View::new(&memory, DType::I32, &x.layout);
        let out = ViewMut::new(&mut out, DType::I32, x.layout);
        b.binary(BinaryOp::FloorDiv, Src::Scalar(Scalar::Int(12)), x.into(), out)
    };
    let tell = |result: taper_kernels::Result| match result {
        Ok(()) => {}
        Err(Error::Late { op: "floor_divide", .. }) => {
            told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        Err(e) => panic!("{e}"),
    };
    std::thread::scope(|s| {
        s.spawn(|| {
            for _ in 0..rounds {
                tell(divide(0.0));
                // Told before the next, or both would be one.
                while told.load(std::sync::atomic::Ordering::Relaxed) == 0 {
                    tell(b.synchronize());
                }
                told.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            }
        });
        for _ in 0..2 {
            s.spawn(|| {
                for _ in 0..rounds {
                    tell(divide(2.0));
                    tell(b.synchronize());
                }
            });
        }
    });
    b.synchronize().unwrap();
    assert_eq!(told.into_inner(), 0);
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
