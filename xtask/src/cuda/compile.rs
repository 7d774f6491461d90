//! clang: kernels to PTX, and their functions for the host.

use super::compact::compact;
use super::lines::split;
use super::manifest::{Manifest, Module};
use super::{Result, in_parallel, scratch, sources};
use std::path::PathBuf;
use std::process::Command;

/// The compiler that the committed PTX comes from; another version's differs.
const VERSION: &str = "19.1.7";

/// Options for PTX. No contraction: a kernel says itself where it fuses. `.version 7.0` is what any
/// driver since CUDA 11.0 loads.
const DEVICE: &[&str] = &[
    "-x",
    "cuda",
    "--cuda-device-only",
    "-nocudainc",
    "-nocudalib",
    "-Xclang",
    "-target-feature",
    "-Xclang",
    "+ptx70",
    "-O3",
    "-gline-directives-only",
    // Names of files as seen from the repository.
    "-fdebug-compilation-dir=kernels/cuda",
    "-S",
    "-o",
    "-",
];
/// A source has functions for every dtype it is compiled for, and each module uses some.
const COMMON: &[&str] = &[
    "-std=c++17",
    "-ffp-contract=off",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-function",
    "-Wno-unneeded-internal-declaration",
];

/// A module, compiled.
pub struct Compiled<'a> {
    pub module: &'a Module,
    /// Its PTX, as it is committed.
    pub ptx: String,
    /// The lines of its source: a section of `lines.txt`.
    pub lines: String,
    /// The PTX with those lines in it, as NVIDIA's tools read them.
    pub with_lines: String,
}

fn clang(name: &str) -> Result<()> {
    let hint = format!("{name} {VERSION} is needed: apt-get install clang-19");
    let out = Command::new(name).arg("--version").output().map_err(|e| format!("{e}; {hint}"))?;
    let text = String::from_utf8_lossy(&out.stdout);
    if text.contains(&format!("version {VERSION}")) {
        Ok(())
    } else {
        Err(format!("{name} is another version ({}); {hint}", text.lines().next().unwrap_or("?")))
    }
}

fn run(command: &mut Command, what: &str) -> Result<String> {
    let out = command.output().map_err(|e| format!("{what}: {e}"))?;
    if out.status.success() {
        String::from_utf8(out.stdout).map_err(|_| format!("{what}: not text"))
    } else {
        Err(format!("{what}:\n{}", String::from_utf8_lossy(&out.stderr)))
    }
}

/// Compiles every module. Lines of sources change no instruction.
pub fn all<'m>(manifest: &'m Manifest) -> Result<Vec<Compiled<'m>>> {
    clang("clang-19")?;
    let one = |module: &Module| {
        let mut c = Command::new("clang-19");
        // From there, so that no path depends on where the repository lies.
        c.current_dir(sources()).args(DEVICE).args(COMMON).arg(format!("--cuda-gpu-arch={}", module.arch));
        c.args(module.dtype.as_ref().map(|d| format!("-DDTYPE={d}")))
            .args(module.defines.iter().map(|d| format!("-D{d}")));
        c.arg(&module.source);
        run(&mut c, &format!("{} for {}", module.source, module.name)).map(|ptx| compact(&ptx))
    };
    let compiled = |(module, ptx): (&'m Module, Result<String>)| {
        let with_lines = ptx?;
        let (ptx, lines) = split(&with_lines, &module.name);
        Ok(Compiled { module, ptx, lines, with_lines })
    };
    manifest.modules.iter().zip(in_parallel(&manifest.modules, one)).map(compiled).collect()
}

/// Builds `tests/math.cpp`; returns the program.
pub fn host_test() -> Result<PathBuf> {
    clang("clang++-19")?;
    let program = scratch("cuda-math")?.join("math");
    let mut c = Command::new("clang++-19");
    c.current_dir(sources()).args(COMMON).args(["-O2", "tests/math.cpp", "-lm", "-o"]).arg(&program);
    if cfg!(target_arch = "x86_64") {
        // Fused multiply-adds as instructions.
        c.arg("-march=x86-64-v3");
    }
    run(&mut c, "tests/math.cpp").map(|_| program)
}
