//! NVIDIA's assembler, which judges our PTX. It is fetched as a wheel, never part of a build.

use super::{Result, scratch};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that budgets are kept with.
const NEWEST: (&str, &str) = ("nvidia-cuda-nvcc-cu12", "12.9.86");
/// It knows PTX up to 7.8 only, so what it takes, old drivers take.
const OLDEST: (&str, &str) = ("nvidia-cuda-nvcc-cu11", "11.8.89");

/// An assembler, which says the same of the same PTX: answers are kept under the build's outputs.
pub struct Tool {
    program: PathBuf,
    version: String,
    answers: PathBuf,
}

impl Tool {
    fn new(program: PathBuf) -> Result<Tool> {
        let out = Command::new(&program).arg("--version").output();
        let out = out.map_err(|e| format!("{}: {e}", program.display()))?;
        let version = String::from_utf8_lossy(&out.stdout).into_owned();
        Ok(Tool { program, version, answers: scratch("ptxas-answers")? })
    }

    /// Assembles a PTX file, or remembers what it gave.
    pub fn assemble(&self, ptx: &Path, arch: &str) -> Result<Vec<Usage>> {
        let text = std::fs::read(ptx).map_err(|e| format!("{}: {e}", ptx.display()))?;
        let mut hasher = DefaultHasher::new();
        (&self.version, arch, &text).hash(&mut hasher);
        let kept = self.answers.join(format!("{:016x}-{}", hasher.finish(), text.len()));
        if let Ok(answer) = std::fs::read_to_string(&kept) {
            return Ok(parse(&answer));
        }
        let mut c = Command::new(&self.program);
        c.args(["-v", &format!("-arch={arch}"), "-o", "/dev/null"]).arg(ptx);
        let out = c.output().map_err(|e| format!("{}: {e}", self.program.display()))?;
        let answer = String::from_utf8_lossy(&out.stderr);
        if out.status.success() {
            // Renamed when whole, so that an interrupted run leaves no half of one; only speed is lost without it.
            let part = kept.with_extension("part");
            let _ = std::fs::write(&part, answer.as_bytes()).and_then(|()| std::fs::rename(&part, &kept));
            Ok(parse(&answer))
        } else {
            let faults = answer.lines().filter(|l| l.contains("error") || l.contains("fatal"));
            Err(faults.take(3).collect::<Vec<_>>().join("; "))
        }
    }
}

/// `$TAPER_PTXAS`, or the pinned version.
pub fn newest() -> Result<Tool> {
    match std::env::var_os("TAPER_PTXAS") {
        Some(path) if Path::new(&path).is_file() => Tool::new(path.into()),
        Some(path) => Err(format!("TAPER_PTXAS: no file {}", Path::new(&path).display())),
        None => Tool::new(fetched(NEWEST)?),
    }
}

/// The version that judges compatibility.
pub fn oldest() -> Result<Tool> {
    Tool::new(fetched(OLDEST)?)
}

fn fetched((package, version): (&str, &str)) -> Result<PathBuf> {
    let dir = scratch(&format!("{package}-{version}"))?;
    let tool = dir.join("nvidia/cuda_nvcc/bin/ptxas");
    if tool.is_file() {
        return Ok(tool);
    }
    eprintln!("fetching {package} {version} (about 40 MB) into {}", dir.display());
    let hint = format!(
        "no ptxas: {package}=={version} could not be fetched (offline?); TAPER_PTXAS may name another"
    );
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--upgrade", "--target"]).arg(&dir);
    let out =
        pip.arg(format!("{package}=={version}")).output().map_err(|e| format!("{hint}: python3: {e}"))?;
    if !out.status.success() {
        return Err(format!("{hint}:\n{}", String::from_utf8_lossy(&out.stderr).trim_end()));
    }
    if tool.is_file() { Ok(tool) } else { Err(format!("{hint}: the wheel has no {}", tool.display())) }
}

/// What a kernel uses.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Usage {
    pub kernel: String,
    pub registers: u32,
    pub stack: u32,
    pub spills: u32,
    pub shared: u32,
}

/// Reads what `ptxas -v` says.
fn parse(text: &str) -> Vec<Usage> {
    let mut all: Vec<Usage> = Vec::new();
    let before = |line: &str, unit: &str| -> u32 {
        let end = line.find(unit).unwrap_or(0);
        line[..end]
            .trim_end()
            .rsplit(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0)
    };
    for line in text.lines() {
        if let Some(rest) = line.split("Compiling entry function '").nth(1) {
            let kernel = rest.split('\'').next().unwrap_or(rest).to_owned();
            all.push(Usage { kernel, ..Usage::default() });
        }
        let Some(last) = all.last_mut() else { continue };
        if line.contains("bytes stack frame") {
            last.stack = before(line, " bytes stack frame");
            last.spills = before(line, " bytes spill stores") + before(line, " bytes spill loads");
        }
        if line.contains(" registers") {
            last.registers = before(line, " registers");
            last.shared = before(line, " bytes smem");
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_report() {
        let text = "\
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'add_f32' for 'sm_90'
ptxas info    : Function properties for add_f32
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 18 registers, used 0 barriers
ptxas info    : Compile time = 11.016 ms
ptxas info    : Compiling entry function 'gemm' for 'sm_90'
ptxas info    : Function properties for gemm
    32 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 32 bytes cumulative stack size, 16896 bytes smem, 400 bytes cmem[0]
";
        let usage = |kernel: &str, registers, stack, spills, shared| Usage {
            kernel: kernel.into(),
            registers,
            stack,
            spills,
            shared,
        };
        assert_eq!(parse(text), [usage("add_f32", 18, 0, 0, 0), usage("gemm", 255, 32, 20, 16896)]);
    }
}
