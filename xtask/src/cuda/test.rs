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
const SUITES: [(&str, &[&str]); 5] = [
    ("backend and tensors", &["--test", "cuda"]),
    ("PyTorch's samples of operations", &["--test", "ops_fixtures"]),
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
struct Example {
    name: &'static str,
    arguments: &'static [&'static str],
    /// Its option for where results go, a file where this has an ending.
    out: &'static str,
    /// Marks of the lines whose numbers must be those of a run on the CPU, but for 1 %. None: it compares by itself.
    same: &'static [&'static str],
}

const EXAMPLES: [Example; 8] = [
    Example { name: "gpu_acceptance", arguments: &["--quick"], out: "report.md", same: &[] },
    Example {
        name: "fashion_mnist",
        arguments: &["--epochs", "1", "--limit", "160"],
        out: "",
        same: &["best weights"],
    },
    Example {
        name: "char_gpt",
        // A short text, of which the tenth that is held out is soon read.
        arguments: &[
            "--data",
            "LICENSE-MIT",
            "--steps",
            "6",
            "--batch-size",
            "2",
            "--context",
            "16",
            "--width",
            "32",
            "--length",
            "20",
        ],
        out: "gpt.safetensors",
        same: &["held out, "],
    },
    Example {
        name: "cifar10",
        arguments: &["--epochs", "1", "--limit", "64"],
        out: "curves.png",
        same: &["loss"],
    },
    // The linear model; dropout, in the last one, has other numbers on a device.
    Example { name: "digits", arguments: &["--epochs", "1", "--folds", "2"], out: "", same: &["linear  "] },
    Example { name: "train_template", arguments: &["--epochs", "1"], out: "", same: &[] },
    Example { name: "spiral", arguments: &["--steps", "20"], out: "spiral.png", same: &["told apart"] },
    Example {
        name: "regression_mlp",
        arguments: &["--epochs", "10"],
        out: "curves.png",
        same: &["Loss", "mean"],
    },
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
    let mut build = with_cuda("build", &[]);
    for example in &EXAMPLES {
        build.args(["--example", example.name]);
    }
    run(&mut build, "examples")?;
    for example in &EXAMPLES {
        println!("=== example {}", example.name);
        let results = |device: &str| -> Result<Vec<f64>> {
            let folder = out.join(example.name).join(device);
            std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            let mut command = Command::new(target().join("debug/examples").join(example.name));
            command.current_dir(root()).args(example.arguments).args(["--device", device]);
            command.arg("--out").arg(folder.join(example.out)).env("LD_LIBRARY_PATH", driver);
            let result = command.output().map_err(|e| format!("{}: {e}", example.name))?;
            let [said, errors] = [&result.stdout, &result.stderr].map(|text| String::from_utf8_lossy(text));
            match result.status.success() {
                true => Ok(numbers(&said, example.same)),
                false => Err(format!("{} on {device}: {}\n{said}{errors}", example.name, result.status)),
            }
        };
        let there = results("cuda")?;
        if example.same.is_empty() {
            continue;
        }
        let here = results("cpu")?;
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 0.01 * a.abs().max(b.abs());
        if here.is_empty() || here.len() != there.len() || !here.iter().zip(&there).all(near) {
            return Err(format!("{}: {there:?} on the device, {here:?} on the CPU", example.name));
        }
        println!("{} numbers as on the CPU", here.len());
    }
    Ok(())
}

/// The numbers of all lines with one of these marks. Seconds are nobody's result.
fn numbers(text: &str, marks: &[&str]) -> Vec<f64> {
    let marked = text.lines().filter(|line| marks.iter().any(|mark| line.contains(mark)));
    let words = marked.flat_map(|line| line.split([' ', ',', ':', ';', '/', '[', ']']).collect::<Vec<_>>());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let timed = |i: usize| words.get(i + 1).is_some_and(|unit| unit.starts_with("s"));
    (0..words.len()).filter(|&i| !timed(i)).filter_map(|i| words[i].parse().ok()).collect()
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
