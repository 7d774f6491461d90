//! The backend's own tests as a program, and the emulator that it runs on.

use super::{Result, lines, root, target};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// `cargo`, in this workspace.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The folder with the emulated driver, built anew.
pub fn emulator() -> Result<PathBuf> {
    let status = cargo().args(["build", "--quiet", "--release", "-p", "ptx-emulator"]).status();
    if !status.map_err(|e| format!("building the emulator: {e}"))?.success() {
        return Err("the emulator cannot be built".into());
    }
    let program = target().join("release/ptx-emulator");
    let out = Command::new(&program).output().map_err(|e| format!("{}: {e}", program.display()))?;
    let folder = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    if folder.is_empty() { Err("the emulator names no folder".into()) } else { Ok(folder.into()) }
}

/// The test program `kernels/tests/cuda`, built, and the driver for it.
pub struct Suite {
    program: PathBuf,
    driver: PathBuf,
}

/// How a test ended.
pub struct Outcome {
    pub passed: bool,
    /// What it wrote.
    pub text: String,
}

impl Suite {
    /// Builds both. Kernels for the CPU are compiled quickly: the emulator takes the time.
    pub fn build() -> Result<Suite> {
        let driver = emulator()?;
        let out = cargo()
            .args(["test", "--quiet", "--config", "profile.dev.package.taper-kernels.opt-level=1"])
            .args(["-p", "taper-kernels", "--features", "taper-kernels/cuda", "--test", "cuda"])
            .args(["--no-run", "--message-format=json"])
            .output()
            .map_err(|e| format!("building the tests: {e}"))?;
        if !out.status.success() {
            return Err(format!("building the tests:\n{}", String::from_utf8_lossy(&out.stderr)));
        }
        let text = String::from_utf8_lossy(&out.stdout);
        let program = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok()).find_map(|m| {
            let wanted = m["target"]["name"] == "cuda" && m["reason"] == "compiler-artifact";
            wanted.then(|| m["executable"].as_str().map(PathBuf::from)).flatten()
        });
        Ok(Suite { program: program.ok_or("cargo names no test program")?, driver })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        // Tests find their files from their package's folder.
        command.current_dir(root().join("kernels")).env("LD_LIBRARY_PATH", &self.driver);
        // Memory is freed at once, so that uses after that are seen.
        command.env("TAPER_CUDA_REQUIRED", "1").env("TAPER_CUDA_CACHE", "0");
        command.env("PTX_EMULATOR_LINES", lines());
        command
    }

    /// The names of its tests.
    pub fn tests(&self) -> Result<Vec<String>> {
        let out = self.command().args(["--list", "--format", "terse"]).output();
        let out = out.map_err(|e| format!("{}: {e}", self.program.display()))?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        Ok(text.lines().filter_map(|l| l.strip_suffix(": test")).map(str::to_owned).collect())
    }

    /// Runs one test in a process of its own, on one thread.
    pub fn run(&self, test: &str, variables: &[(&str, &str)]) -> Result<Outcome> {
        let out = self
            .command()
            .args(["--exact", "--include-ignored", "--nocapture", "--test-threads", "1", test])
            .env("PTX_EMULATOR_THREADS", "1")
            .envs(variables.iter().copied())
            .output()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        let text = [out.stdout, out.stderr].concat();
        Ok(Outcome { passed: out.status.success(), text: String::from_utf8_lossy(&text).into_owned() })
    }
}
