//! The CUDA backend's tests, on the emulator of this repository.

use super::mutants::lines_are_named;
use super::suite::{cargo, emulator};
use super::{Result, lines, root, scratch, target};
use std::path::Path;
use std::process::Command;

/// How the emulator runs the tests' kernels.
const MODES: [(&str, &[(&str, &str)]); 3] = [
    ("plain", &[]),
    // Memory is freed at once, so that uses after that are seen.
    ("check", &[("PTX_EMULATOR_CHECK", "1"), ("TAPER_CUDA_CACHE", "0")]),
    ("shuffle", &[("PTX_EMULATOR_SHUFFLE", "20261122")]),
];

/// What is tested: packages' own suites; the op table's row-by-row comparison; fixtures of PyTorch on the device.
const SUITES: [(&str, &[&str]); 4] = [
    ("backend and tensors", &["--test", "cuda"]),
    ("op table", &["--test", "op_table", "cuda"]),
    ("layers and losses beside PyTorch", &["--test", "layers", "pytorch::"]),
    ("optimizers beside PyTorch", &["--test", "pytorch"]),
];

/// Packages of the suites, with the features they need. Always all of them, so that everything is built once.
const PACKAGES: [&str; 4] = ["taper-kernels", "taper-nn", "taper-optim", "taper"];

fn run(command: &mut Command, what: &str) -> Result {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{what}: {status}")),
        Err(e) => Err(format!("{what}: {e}")),
    }
}

/// What a user of a device would run.
const EXAMPLES: [(&str, &[&str]); 2] = [
    ("gpu_acceptance", &["--quick"]),
    ("fashion_mnist", &["--device", "cuda", "--epochs", "1", "--limit", "160"]),
];

/// `cargo test` or `build` for the CUDA suites' packages. Their kernels for the CPU are compiled quickly: the
/// emulator takes the time.
fn with_cuda(what: &str, arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args([what, "--quiet", "--config", "profile.dev.package.taper-kernels.opt-level=1"]);
    for package in PACKAGES {
        command.args(["-p", package]);
    }
    let features: Vec<String> = PACKAGES.iter().map(|p| format!("{p}/cuda")).collect();
    command.args(["--features", &features.join(",")]).args(arguments);
    command
}

fn suites(mode: &str, variables: &[(&str, &str)], driver: &Path) -> Result {
    let report = scratch("cuda-test")?.join(format!("{mode}.txt"));
    let _ = std::fs::remove_file(&report);
    let mut failed = Vec::new();
    for (name, arguments) in SUITES {
        println!("=== {mode}: {name}");
        let mut command = with_cuda("test", arguments);
        command
            .env("LD_LIBRARY_PATH", driver)
            .env("TAPER_CUDA_REQUIRED", "1")
            .env("TAPER_TEST_DEVICE", "cuda")
            .env("PTX_EMULATOR_REPORT", &report)
            .env("PTX_EMULATOR_LINES", lines())
            .env("PTX_EMULATOR_DEVICES", "2")
            .envs(variables.iter().copied());
        if let Err(e) = run(&mut command, name) {
            failed.push(format!("{mode}: {e}"));
        }
    }
    let said = std::fs::read_to_string(&report).unwrap_or_default();
    if !said.trim().is_empty() {
        let lines: Vec<&str> = said.lines().take(40).collect();
        failed.push(format!("{mode}: the emulator reports\n{}", lines.join("\n")));
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

fn examples(driver: &Path) -> Result {
    let out = scratch("cuda-test")?;
    for (name, arguments) in EXAMPLES {
        println!("=== example {name}");
        run(&mut with_cuda("build", &["--example", name]), name)?;
        let mut command = Command::new(target().join("debug/examples").join(name));
        command.current_dir(root()).args(arguments).arg("--out").arg(out.join(name));
        run(command.env("LD_LIBRARY_PATH", driver), name)?;
    }
    Ok(())
}

/// Builds the emulator and runs the suites on it in the modes named, or in all; in plain mode the examples, too,
/// in check mode a kernel without its barrier.
pub fn test(modes: &[&str]) -> Result {
    if let Some(unknown) = modes.iter().find(|m| !MODES.iter().any(|(name, _)| name == *m)) {
        return Err(format!("no mode {unknown}: there are plain, check and shuffle"));
    }
    let driver = emulator()?;
    let mut failed = Vec::new();
    for (mode, variables) in MODES {
        if modes.is_empty() || modes.contains(&mode) {
            failed.extend(suites(mode, variables, &driver).err());
            match mode {
                "plain" => failed.extend(examples(&driver).err()),
                "check" => {
                    println!("=== check: lines that the report of a wrong kernel names");
                    failed.extend(lines_are_named().err());
                }
                _ => {}
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}
