//! An ordinary cudarc program. It runs in a process of its own that finds the emulated driver on
//! its library path, as a user's program would.

use cudarc::driver::{CudaContext, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

pub const PTX: &str = "
.version 7.0
.target sm_75
.address_size 64
.visible .entry axpy(.param .u64 y, .param .u64 x, .param .f32 a, .param .u32 n) {
.reg .pred %p1; .reg .b32 %r<6>; .reg .f32 %f<5>; .reg .b64 %rd<6>;
ld.param.u64 %rd1, [y]; ld.param.u64 %rd2, [x]; ld.param.f32 %f1, [a]; ld.param.u32 %r1, [n];
mov.u32 %r3, %tid.x; mov.u32 %r4, %ctaid.x; mov.u32 %r5, %ntid.x; mad.lo.u32 %r3, %r4, %r5, %r3;
setp.ge.u32 %p1, %r3, %r1; @%p1 ret;
mul.wide.u32 %rd3, %r3, 4; add.s64 %rd4, %rd1, %rd3; add.s64 %rd5, %rd2, %rd3;
ld.global.f32 %f2, [%rd5]; ld.global.f32 %f3, [%rd4]; fma.rn.f32 %f4, %f1, %f2, %f3;
st.global.f32 [%rd4], %f4; ret; }
";

/// The library that cargo built beside this test: `cargo test` leaves it in one folder, `cargo build` in the
/// other, and the newer one is meant.
fn library() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let deps = exe.parent().unwrap();
    let built = |folder: &Path| {
        let path = folder.join("libptx_emulator.so");
        Some((std::fs::metadata(&path).ok()?.modified().ok()?, path))
    };
    let newest = [deps.parent().unwrap(), deps].into_iter().filter_map(built).max();
    newest.expect("cargo builds the cdylib with its tests").1
}

/// Runs one of the ignored tests below in its own process, with the emulator as its driver.
pub fn emulated(test: &str, variables: &[(&str, &str)]) -> (bool, String) {
    // Tests run side by side, some with the same program.
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("ptx-emulator-{}-{run}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["libcuda.so", "libcuda.so.1"] {
        std::os::unix::fs::symlink(library(), folder.join(name)).unwrap();
    }
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", test])
        .env("LD_LIBRARY_PATH", &folder)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let _ = std::fs::remove_dir_all(&folder);
    (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

#[test]
fn cudarc_runs_on_the_emulator() {
    let counts = std::env::temp_dir().join(format!("ptx-emulator-{}.json", std::process::id()));
    let _ = std::fs::remove_file(&counts);
    let (ok, text) = emulated("program::inner_axpy", &[("PTX_EMULATOR_COUNTS", counts.to_str().unwrap())]);
    assert!(ok, "{text}");
    let json = std::fs::read_to_string(&counts).unwrap();
    let _ = std::fs::remove_file(&counts);
    let first = json.lines().next().unwrap();
    assert!(first.contains("\"kernel\":\"axpy\"") && first.contains("\"fma_f32\":32"), "{json}");
    // 1000 floats: 125 sectors for each array.
    assert!(first.contains("\"global_loads\":{\"requests\":64,\"sectors\":250,\"bytes\":8000}"), "{json}");
    assert!(json.lines().last().unwrap().starts_with("{\"api\":{\"launches\":1,"), "{json}");
    for (name, value) in
        [("PTX_EMULATOR_CHECK", "1"), ("PTX_EMULATOR_SHUFFLE", "5"), ("PTX_EMULATOR_DEVICE", "sm_75")]
    {
        let (ok, text) = emulated("program::inner_axpy", &[(name, value)]);
        assert!(ok, "{name}: {text}");
        assert!(!text.contains("leak"), "{text}");
    }
}

#[test]
fn cudarc_sees_failures() {
    let (ok, text) = emulated("program::inner_out_of_bounds", &[]);
    assert!(ok, "{text}");
    assert!(text.contains("ptx-emulator: out of bounds: read of 4 bytes"), "{text}");
    let (ok, text) = emulated("program::inner_leak", &[("PTX_EMULATOR_CHECK", "1")]);
    assert!(ok, "{text}");
    assert!(text.contains("leak: 400 bytes at"), "{text}");
}

#[test]
fn memory_is_as_large_as_it_is_asked_to_be() {
    let (ok, text) = emulated("program::inner_full", &[("PTX_EMULATOR_MEMORY", "64K")]);
    assert!(ok, "{text}");
    let (ok, text) = emulated(
        "program::inner_axpy",
        &[
            ("PTX_EMULATOR_MEMORY", "much"),
            ("PTX_EMULATOR_DEVICE", "sm_99"),
            ("PTX_EMULATOR_MULTIPROCESSORS", "0"),
        ],
    );
    assert!(text.contains("PTX_EMULATOR_MULTIPROCESSORS=0 is not understood"), "{text}");
    assert!(ok && text.contains("PTX_EMULATOR_MEMORY=much is not understood"), "{text}");
    assert!(text.contains("PTX_EMULATOR_DEVICE=sm_99 is not understood"), "{text}");
}

#[test]
fn a_mutated_kernel_is_noticed() {
    let line = PTX.lines().position(|l| l.starts_with("st.global")).unwrap() + 1;
    let (ok, text) = emulated("program::inner_axpy", &[("PTX_EMULATOR_MUTATE", &format!("axpy:{line}"))]);
    assert!(!ok && text.contains("the mutated instruction of axpy was reached"), "{text}");
    // Another kernel's mutation changes nothing here.
    let (ok, text) = emulated("program::inner_axpy", &[("PTX_EMULATOR_MUTATE", "other:3")]);
    assert!(ok && !text.contains("was reached"), "{text}");
    let (ok, text) = emulated("program::inner_axpy", &[("PTX_EMULATOR_MUTATE", "axpy:1")]);
    assert!(!ok && text.contains("no instruction of this kernel"), "{text}");
}

#[test]
#[ignore = "runs in the process that `memory_is_as_large_as_it_is_asked_to_be` starts"]
fn inner_full() {
    let context = CudaContext::new(0).unwrap();
    let stream = context.default_stream();
    assert_eq!(context.total_mem().unwrap(), 65536);
    let x = stream.alloc_zeros::<u8>(40 << 10).unwrap();
    let e = stream.alloc_zeros::<u8>(40 << 10).unwrap_err();
    assert_eq!(e.0, cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY);
    assert_eq!(context.mem_get_info().unwrap(), (24 << 10, 64 << 10));
    drop(x);
    assert!(stream.alloc_zeros::<u8>(64 << 10).is_ok());
}

#[test]
#[ignore = "runs in the process that `cudarc_runs_on_the_emulator` starts"]
fn inner_axpy() {
    assert!(unsafe { cudarc::driver::sys::is_culib_present() });
    let context = CudaContext::new(0).unwrap();
    assert!(context.name().unwrap().starts_with("PTX emulator"));
    let stream = context.new_stream().unwrap();
    let module = context.load_module(Ptx::from_src(PTX)).unwrap();
    let axpy = module.load_function("axpy").unwrap();
    let host: Vec<f32> = (0..1000).map(|k| k as f32).collect();
    let x = stream.clone_htod(&host).unwrap();
    let mut y = stream.alloc_zeros::<f32>(1000).unwrap();
    let n = 1000u32;
    let config = LaunchConfig { grid_dim: (8, 1, 1), block_dim: (128, 1, 1), shared_mem_bytes: 0 };
    unsafe { stream.launch_builder(&axpy).arg(&mut y).arg(&x).arg(&2.5f32).arg(&n).launch(config) }.unwrap();
    let out = stream.clone_dtoh(&y).unwrap();
    assert!(out.iter().zip(&host).all(|(o, h)| *o == 2.5 * h));
    stream.synchronize().unwrap();
}

#[test]
#[ignore = "runs in the process that `cudarc_sees_failures` starts"]
fn inner_out_of_bounds() {
    let context = CudaContext::new(0).unwrap();
    let stream = context.default_stream();
    let module = context.load_module(Ptx::from_src(PTX)).unwrap();
    let axpy = module.load_function("axpy").unwrap();
    let x = stream.alloc_zeros::<f32>(100).unwrap();
    let mut y = stream.alloc_zeros::<f32>(1000).unwrap();
    let config = LaunchConfig { grid_dim: (8, 1, 1), block_dim: (128, 1, 1), shared_mem_bytes: 0 };
    let n = 1000u32;
    unsafe { stream.launch_builder(&axpy).arg(&mut y).arg(&x).arg(&1f32).arg(&n).launch(config) }.unwrap();
    let e = stream.synchronize().unwrap_err();
    assert_eq!(e.0, cudarc::driver::sys::CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
}

#[test]
#[ignore = "runs in the process that `cudarc_sees_failures` starts"]
fn inner_leak() {
    let context = CudaContext::new(0).unwrap();
    let stream = context.default_stream();
    let x = stream.alloc_zeros::<f32>(100).unwrap();
    let _ = x.leak();
}
