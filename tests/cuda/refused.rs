//! What a user reads where there is no device, no driver, an old one, or not enough memory: in programs of their own,
//! with other libraries in the driver's place.

use crate::device;
use std::path::Path;
use std::process::Command;
use taper::prelude::*;

/// A driver's library that answers a few questions: its version, and whether it can start.
const STUB: &str = r#"
#[no_mangle] pub unsafe extern "C" fn cuDriverGetVersion(v: *mut i32) -> u32 { *v = VERSION; 0 }
#[no_mangle] pub unsafe extern "C" fn cuInit(_: u32) -> u32 { 100 }
#[no_mangle] pub unsafe extern "C" fn cuGetErrorName(_: u32, s: *mut *const u8) -> u32 {
    *s = b"CUDA_ERROR_NO_DEVICE\0".as_ptr(); 0
}
#[no_mangle] pub unsafe extern "C" fn cuGetErrorString(_: u32, s: *mut *const u8) -> u32 {
    *s = b"no CUDA-capable device is detected\0".as_ptr(); 0
}
"#;

/// Runs [`child`] with other variables; what it printed. It must not die.
fn run(task: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "refused::child", "--ignored", "--nocapture"]).env("TAPER_CHILD", task);
    // What an emulator says of them is no failure of the suite.
    let out = command.env_remove("PTX_EMULATOR_REPORT").envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{task}: {text}{}", String::from_utf8_lossy(&out.stderr));
    text
}

#[test]
#[ignore = "what the other tests run"]
fn child() {
    match std::env::var("TAPER_CHILD").as_deref() {
        Ok("open") => {
            println!("count {}, else {}", Device::cuda_count(), Device::cuda_if_available());
            match Device::cuda(0) {
                Ok(device) => println!("there: {}", device.name().unwrap()),
                Err(e) => println!("says: {e}"),
            }
            println!(
                "says: {}",
                Tensor::ones(2)
                    .try_to_device(Device::Cuda(0))
                    .map_or_else(|e| e.to_string(), |_| "moved".into())
            );
        }
        Ok("memory") => memory(),
        Ok("hang") => hang(),
        _ => {}
    }
}

/// 16 MiB at a time until there is no more; what is freed can be used again.
fn memory() {
    let cuda = Device::cuda(0).unwrap();
    let mut held = Vec::new();
    let error = loop {
        match Tensor::ones([1 << 22]).try_to_device(cuda) {
            Ok(x) => held.push(x),
            Err(e) => break e,
        }
    };
    println!("held {}", held.len());
    println!("says: {error}");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| &held[0] + 1.0));
    println!("says: {}", panic.unwrap_err().downcast::<String>().unwrap());
    held.truncate(1);
    println!("and goes on: {}", (&held[0] + 1.0).mean().item());
    // What is kept for reuse in other sizes is given back first.
    drop(held);
    let large = Tensor::zeros_with([10 << 20], cuda);
    println!("and goes on: {}", large.sum().item());
}

/// A kernel that the device stops: all calls after it fail, none of them dies.
fn hang() {
    let cuda = Device::cuda(0).unwrap();
    let x = Tensor::ones([100]).to_device(cuda);
    let say = |f: &dyn Fn() -> Tensor| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f().to_vec::<f32>()));
        println!("says: {}", panic.unwrap_err().downcast::<String>().unwrap());
    };
    say(&|| &x + 1.0);
    say(&|| Tensor::ones([5]).to_device(cuda));
    println!(
        "says: {}",
        Tensor::zeros([5]).try_to_device(cuda).map_or_else(|e| e.to_string(), |_| "moved".into())
    );
}

fn stub(folder: &Path, version: u32) {
    let source = folder.join("stub.rs");
    std::fs::write(&source, format!("const VERSION: i32 = {version};{STUB}")).unwrap();
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let mut command = Command::new(compiler);
    command
        .args(["--edition=2021", "--crate-type=cdylib", "-o"])
        .arg(folder.join("libcuda.so.1"))
        .arg(&source);
    assert!(command.status().unwrap().success());
    std::fs::copy(folder.join("libcuda.so.1"), folder.join("libcuda.so")).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn drivers_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let text = run("open", &[("LD_LIBRARY_PATH", path)]);
    if !text.contains("there: ") {
        assert!(text.contains("count 0, else cpu"), "{text}");
        assert!(
            text.contains("device cuda:0 is not available: no CUDA driver was found (libcuda.so.1"),
            "{text}"
        );
        assert!(text.contains("says: to_device: device cuda:0 is not available: no CUDA driver"), "{text}");
    }
    for (version, why) in [
        (10_020, "its driver is too old: it knows CUDA 10.2, and 11.2 is needed"),
        (12_040, "no CUDA-capable device is detected (CUDA_ERROR_NO_DEVICE)"),
    ] {
        stub(folder.path(), version);
        let text = run("open", &[("LD_LIBRARY_PATH", path)]);
        assert!(text.contains("count 0, else cpu") && text.contains(why), "{text}");
    }
}

#[test]
fn devices_that_are_not_there() {
    let Some(_) = device() else { return };
    let there = Device::cuda_count();
    for index in [there, 7, 1000] {
        if index >= there {
            let why = Device::cuda(index).unwrap_err().to_string();
            assert!(why.starts_with(&format!("device cuda:{index} is not available: ")), "{why}");
        }
    }
    let panic = std::panic::catch_unwind(|| Tensor::ones_with([2], Device::Cuda(63)));
    let text = panic.unwrap_err().downcast::<String>().unwrap();
    assert!(text.contains("cuda:63 is not available: the driver sees"), "{text}");
}

/// On the emulator, whose memory and patience can be made small.
#[test]
fn little_memory_and_kernels_that_hang() {
    let Some(device) = device() else { return };
    if !device.name().unwrap().contains("emulator") {
        return;
    }
    let text = run("memory", &[("PTX_EMULATOR_MEMORY", "100M"), ("TAPER_CUDA_CACHE", "1")]);
    let says = "out of memory on cuda:0: 16777216 bytes asked for, ";
    assert_eq!(text.matches(says).count(), 2, "{text}");
    assert!(text.contains("and goes on: 2\n") && text.contains("and goes on: 0\n"), "{text}");
    let text = run("hang", &[("PTX_EMULATOR_LIMIT", "5")]);
    assert_eq!(text.matches("says: ").count(), 3, "{text}");
    assert!(text.contains("cuda:0 failed while "), "{text}");
    print!("{text}");
}
