//! Registers, stacks, spills and shared memory against the budgets.

use super::manifest::{Manifest, Module};
use super::ptxas::{Tool, Usage};
use super::{Result, in_parallel};

/// Every architecture that is asked for.
const ARCHS: [&str; 7] = ["75", "80", "86", "89", "90", "100", "120"];
/// What an old `ptxas` must take.
const OLD_ARCH: &str = "sm_80";

fn number(arch: &str) -> u32 {
    arch.trim_start_matches("sm_").parse().unwrap_or(0)
}

/// What is above its budget, in words.
fn faults(module: &Module, arch: &str, usage: &[Usage]) -> Vec<String> {
    let mut wrong = Vec::new();
    for u in usage {
        let budget = module.budgets.of(&u.kernel);
        let mut say = |what: &str, used: u32, most: u32| {
            if used > most {
                wrong.push(format!("{} on sm_{arch}: {used} {what}, budget {most}", u.kernel));
            }
        };
        say("registers", u.registers, budget.registers);
        say("bytes of shared memory", u.shared, budget.shared);
        say("bytes of stack", u.stack, 0);
        say("bytes spilled", u.spills, 0);
    }
    wrong
}

/// Assembles every module for every architecture, prints a table, returns what is wrong.
pub fn budgets(manifest: &Manifest, tool: &Tool, wanted: &[&str]) -> Result<Vec<String>> {
    if let Some(odd) = wanted.iter().find(|w| !ARCHS.contains(w)) {
        return Err(format!("no architecture {odd}; there are {}", ARCHS.join(" ")));
    }
    let archs = if wanted.is_empty() { &ARCHS[..] } else { wanted };
    let header: String = archs.iter().map(|a| format!("{:>8}", format!("sm_{a}"))).collect();
    println!(
        "most registers of a kernel, no stack, no spills:\n{:<24}{:>8}{header}{:>9}",
        "", "kernels", "shared"
    );
    let rows = in_parallel(&manifest.modules, |module| {
        let mut wrong = Vec::new();
        let (mut kernels, mut shared, mut cells) = (0, 0, String::new());
        for arch in archs {
            if number(arch) < number(&module.arch) {
                cells += &format!("{:>8}", "-");
                continue;
            }
            match tool.assemble(&module.ptx_path(), &format!("sm_{arch}")) {
                Ok(usage) => {
                    kernels = usage.len();
                    shared = shared.max(usage.iter().map(|u| u.shared).max().unwrap_or(0));
                    let most = usage.iter().map(|u| u.registers).max().unwrap_or(0);
                    cells += &format!("{most:>8}");
                    wrong.extend(faults(module, arch, &usage));
                }
                Err(e) => {
                    cells += &format!("{:>8}", "FAIL");
                    wrong.push(format!("{} for sm_{arch}: {e}", module.file_name()));
                }
            }
        }
        (format!("{:<24}{kernels:>8}{cells}{shared:>9}", module.name), kernels, wrong)
    });
    let mut wrong = Vec::new();
    let mut total = 0;
    for (row, kernels, faults) in rows {
        println!("{row}");
        total += kernels;
        wrong.extend(faults);
    }
    println!("{total} kernels");
    Ok(wrong)
}

/// What an old assembler refuses.
pub fn accepted(manifest: &Manifest, tool: &Tool) -> Vec<String> {
    let results = in_parallel(&manifest.modules, |m| tool.assemble(&m.ptx_path(), OLD_ARCH).err());
    println!("ptxas 11.8 asked about {} modules", results.len());
    let say = |(m, e): (&Module, Option<String>)| e.map(|e| format!("{} by ptxas 11.8: {e}", m.file_name()));
    manifest.modules.iter().zip(results).filter_map(say).collect()
}

#[cfg(test)]
mod tests {
    use super::super::manifest::{Budget, Budgets};
    use super::*;

    #[test]
    fn faults_are_named() {
        let kernels = [("big".to_owned(), Budget { registers: 128, shared: 100 })].into();
        let common = Budget { registers: 32, shared: 0 };
        let module = Module {
            name: "m".into(),
            source: "m.cu".into(),
            arch: "sm_75".into(),
            dtype: None,
            defines: Vec::new(),
            budgets: Budgets::new(common, kernels),
        };
        let usage = |kernel: &str, registers, spills, shared| Usage {
            kernel: kernel.into(),
            registers,
            stack: 0,
            spills,
            shared,
        };
        let all = [usage("small", 32, 0, 0), usage("big", 128, 0, 100)];
        assert!(faults(&module, "75", &all).is_empty());
        let all = [usage("small", 33, 0, 0), usage("big", 128, 4, 101)];
        assert_eq!(
            faults(&module, "75", &all),
            [
                "small on sm_75: 33 registers, budget 32",
                "big on sm_75: 101 bytes of shared memory, budget 100",
                "big on sm_75: 4 bytes spilled, budget 0",
            ]
        );
    }
}
