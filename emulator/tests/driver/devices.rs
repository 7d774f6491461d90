//! Several devices: cudarc in a process of its own with `PTX_EMULATOR_DEVICES=2`.

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
