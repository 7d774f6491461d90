//! Several devices: cudarc in a process of its own with `PTX_EMULATOR_DEVICES=2`.

use crate::api;
use crate::program::{PTX, emulated};
use cudarc::driver::{CudaContext, CudaSlice, CudaStream, LaunchConfig, PushKernelArg, sys::CUresult};
use cudarc::nvrtc::Ptx;
use std::sync::Arc;

#[test]
fn two_devices() {
    let counts = std::env::temp_dir().join(format!("ptx-emulator-devices-{}.json", std::process::id()));
    let _ = std::fs::remove_file(&counts);
    let file = counts.display().to_string();
    let variables = [
        ("PTX_EMULATOR_DEVICES", "2"),
        ("PTX_EMULATOR_CHECK", "1"),
        ("PTX_EMULATOR_MEMORY", "1M"),
        ("PTX_EMULATOR_COUNTS", &file),
    ];
    let (ok, text) = emulated("devices::inner_two", &variables);
    assert!(ok, "{text}");
    assert!(!text.contains("leak"), "{text}");
    // Each device counts for itself: launches, and what was copied to it.
    let json = std::fs::read_to_string(&counts).unwrap();
    let _ = std::fs::remove_file(&counts);
    let api: Vec<&str> = json.lines().filter(|l| l.starts_with("{\"api\"")).collect();
    assert!(api.len() == 2 && api.iter().all(|l| l.contains("\"launches\":1,")), "{json}");

    let (ok, text) = emulated("devices::inner_foreign_memory", &variables[..2]);
    assert!(ok, "{text}");
    assert!(text.contains("this is memory of device 0, not of device 1"), "{text}");
    let (ok, text) = emulated("devices::inner_handles", &variables[..1]);
    assert!(ok, "{text}");
    let (ok, text) = emulated("devices::inner_foreign_memory", &[("PTX_EMULATOR_DEVICES", "9")]);
    assert!(!ok && text.contains("PTX_EMULATOR_DEVICES=9 is not understood"), "{text}");
}

/// `y + 2 x` on the stream's device.
fn axpy(stream: &Arc<CudaStream>, y: &mut CudaSlice<f32>, x: &CudaSlice<f32>) {
    let module = stream.context().load_module(Ptx::from_src(PTX)).unwrap();
    let axpy = module.load_function("axpy").unwrap();
    let n = y.len() as u32;
    let config = LaunchConfig::for_num_elems(n);
    unsafe { stream.launch_builder(&axpy).arg(y).arg(x).arg(&2f32).arg(&n).launch(config) }.unwrap();
}

#[test]
#[ignore = "runs in the process that `two_devices` starts"]
fn inner_two() {
    assert_eq!(CudaContext::device_count().unwrap(), 2);
    assert_eq!(CudaContext::new(2).unwrap_err().0, CUresult::CUDA_ERROR_INVALID_DEVICE);
    let [a, b] = [0, 1].map(|ordinal| CudaContext::new(ordinal).unwrap());
    assert_eq!([a.ordinal(), b.ordinal()], [0, 1]);
    assert_ne!(a.uuid().unwrap().bytes, b.uuid().unwrap().bytes);
    let (s, t) = (a.new_stream().unwrap(), b.new_stream().unwrap());
    let host: Vec<f32> = (0..1000).map(|k| k as f32).collect();
    let x = s.clone_htod(&host).unwrap();
    let mut y = s.alloc_zeros::<f32>(1000).unwrap();
    axpy(&s, &mut y, &x);
    // To the other device, which waits for the first one's work, computes on, and sends back.
    let x1 = t.clone_dtod(&x).unwrap();
    let mut y1 = t.clone_dtod(&y).unwrap();
    axpy(&t, &mut y1, &x1);
    let back = s.clone_dtod(&y1).unwrap();
    let expected = |k: f32| host.iter().map(|v| k * v).collect::<Vec<f32>>();
    assert_eq!(t.clone_dtoh(&y1).unwrap(), expected(4.0));
    assert_eq!(s.clone_dtoh(&y).unwrap(), expected(2.0));
    assert_eq!(s.clone_dtoh(&back).unwrap(), expected(4.0));
    // Each has its own memory.
    let all = t.alloc_zeros::<u8>(1 << 19).unwrap();
    let free = |c: &Arc<CudaContext>| c.mem_get_info().unwrap().0;
    t.synchronize().unwrap();
    s.synchronize().unwrap();
    assert!(free(&b) < 1 << 19 && free(&a) > 1 << 19, "{} {}", free(&a), free(&b));
    assert!(t.alloc_zeros::<u8>(1 << 19).is_err() && s.alloc_zeros::<u8>(1 << 19).is_ok());
    drop(all);
}

#[test]
#[ignore = "runs in the process that `two_devices` starts"]
fn inner_foreign_memory() {
    let [a, b] = [0, 1].map(|ordinal| CudaContext::new(ordinal).unwrap());
    let (s, t) = (a.new_stream().unwrap(), b.new_stream().unwrap());
    let x = s.clone_htod(&[1f32; 100]).unwrap();
    let mut y = t.alloc_zeros::<f32>(100).unwrap();
    s.synchronize().unwrap();
    unsafe {
        // By its address: cudarc itself takes care.
        use cudarc::driver::DevicePtr;
        let (address, _keep) = x.device_ptr(&s);
        let module = b.load_module(Ptx::from_src(PTX)).unwrap();
        let axpy = module.load_function("axpy").unwrap();
        let n = 100u32;
        let config = LaunchConfig::for_num_elems(n);
        t.launch_builder(&axpy).arg(&mut y).arg(&address).arg(&1f32).arg(&n).launch(config).unwrap();
    }
    assert_eq!(t.synchronize().unwrap_err().0, CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    // The other device is well.
    assert_eq!(s.clone_dtoh(&x).unwrap(), [1.0; 100]);
}

/// The driver's own functions: handles and addresses of two devices.
#[test]
#[ignore = "runs in the process that `two_devices` starts"]
fn inner_handles() {
    use ptx_emulator::driver::*;
    use std::ffi::{c_int, c_void};
    let (mut a, mut b, mut n) = (0, 0, 0 as c_int);
    unsafe {
        assert_eq!(cuInit(0), 0);
        assert_eq!((cuDevicePrimaryCtxRetain(&mut a, 0), cuDevicePrimaryCtxRetain(&mut b, 1)), (0, 0));
        assert_eq!(cuDevicePrimaryCtxRetain(&mut a, 2), 101);
        assert_eq!(cuCtxSetCurrent(a), 0);
        let (_, add_a) = api::load("add");
        let (p, s) = (api::alloc(4), api::stream());
        assert_eq!(cuCtxSynchronize(), 0);
        assert_eq!(cuCtxSetCurrent(b), 0);
        assert_eq!((cuCtxGetDevice(&mut n), n), (0, 1));
        let (_, add_b) = api::load("add");
        let (q, t) = (api::alloc(4), api::stream());
        // Neither kernels nor streams nor events of another device are any of this one's.
        assert_eq!(api::add(add_a, q, 4, 1, t), 400);
        assert_eq!(api::add(add_b, q, 4, 1, s), 400);
        let mut event = 0;
        assert_eq!(cuEventCreate(&mut event, 0), 0);
        assert_eq!(cuEventRecord(event, s), 400);
        // Its own default stream, whatever it is called.
        assert_eq!(api::add(add_b, q, 4, 5, 1), 0);
        assert_eq!(api::read(q, 4), [5; 4]);
        // Any stream waits for any event.
        assert_eq!(cuCtxSetCurrent(a), 0);
        let mut first = 0;
        assert_eq!(cuEventCreate(&mut first, 0), 0);
        assert_eq!((api::add(add_a, p, 4, 7, s), cuEventRecord(first, s)), (0, 0));
        assert_eq!(cuCtxSetCurrent(b), 0);
        assert_eq!(cuStreamWaitEvent(t, first, 0), 0);
        assert_eq!(cuMemcpyPeerAsync(q, b, p, a, 16, t), 0);
        assert_eq!(cuStreamSynchronize(t), 0);
        assert_eq!(api::read(q, 4), [7; 4]);
        // Copies by address and by context; the second waits for both devices' streams.
        assert_eq!(api::add(add_b, q, 4, 1, t), 0);
        assert_eq!(cuMemcpyPeer(p, a, q, b, 16), 0);
        assert_eq!((api::read(p, 4), api::read(q, 4)), (vec![8; 4], vec![8; 4]));
        assert_eq!(cuMemcpyPeer(p, b, q, a, 16), 1);
        assert_eq!(cuMemcpyPeer(p, 0x777, q, b, 16), 201);
        assert_eq!(cuMemcpyPeer(p, a, q + 8, b, 16), 1);
        // What is known of an address.
        let of = |address, to: &mut c_int| cuPointerGetAttribute(to as *mut c_int as *mut c_void, 9, address);
        assert_eq!((of(p, &mut n), n), (0, 0));
        assert_eq!((of(q, &mut n), n), (0, 1));
        assert_eq!((cuDeviceCanAccessPeer(&mut n, 0, 1), n), (0, 0));
        assert_eq!(cuCtxEnablePeerAccess(a, 0), 217);
        // A pool's memory is its device's, in any stream.
        let (mut pool, mut r) = (0, 0);
        assert_eq!(cuDeviceGetDefaultMemPool(&mut pool, 0), 0);
        assert_eq!(cuMemAllocFromPoolAsync(&mut r, 16, pool, t), 0);
        assert_eq!(cuStreamSynchronize(t), 0);
        assert_eq!((of(r, &mut n), n), (0, 0));
        // Memory is freed from anywhere; a device that ends leaves the other one alone.
        assert_eq!((cuMemFree_v2(p), cuMemFree_v2(r)), (0, 0));
        assert_eq!(cuDevicePrimaryCtxRelease_v2(0), 0);
        assert_eq!((cuStreamSynchronize(s), cuStreamSynchronize(t)), (400, 0));
        assert_eq!(api::read(q, 4), [8; 4]);
        assert_eq!(cuCtxSetCurrent(a), 201);
    }
}
