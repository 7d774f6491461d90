//! `kernels.toml`: which modules there are, and their budgets.

use super::{Result, sources};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    module: Vec<Entry>,
}

/// A source, compiled once for each dtype.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    source: String,
    #[serde(default = "sm_75")]
    arch: String,
    /// None: the source has no dtype, and the module is named as it stands.
    #[serde(default)]
    dtypes: Vec<String>,
    /// Further macros of the source.
    #[serde(default)]
    defines: Vec<String>,
    registers: u32,
    #[serde(default)]
    shared: u32,
    #[serde(default)]
    kernel: BTreeMap<String, KernelBudget>,
}

fn sm_75() -> String {
    "sm_75".into()
}

#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct KernelBudget {
    registers: Option<u32>,
    shared: Option<u32>,
}

/// The most that a kernel may use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Budget {
    pub registers: u32,
    pub shared: u32,
}

/// Of a module's kernels.
pub struct Budgets {
    common: Budget,
    /// Kernels with budgets of their own.
    pub kernels: BTreeMap<String, Budget>,
}

impl Budgets {
    /// A budget for all, and those of their own.
    pub fn new(common: Budget, kernels: BTreeMap<String, Budget>) -> Budgets {
        Budgets { common, kernels }
    }
    /// The budget of a kernel.
    pub fn of(&self, kernel: &str) -> Budget {
        self.kernels.get(kernel).copied().unwrap_or(self.common)
    }
}

/// One PTX file.
pub struct Module {
    pub name: String,
    pub source: String,
    pub arch: String,
    pub dtype: Option<String>,
    pub defines: Vec<String>,
    pub budgets: Budgets,
}

impl Module {
    /// Its path below `ptx/`.
    pub fn file_name(&self) -> String {
        format!("{}/{}.ptx", self.arch, self.name)
    }
    /// Where it is committed.
    pub fn ptx_path(&self) -> PathBuf {
        sources().join("ptx").join(self.file_name())
    }
}

/// All modules.
pub struct Manifest {
    pub modules: Vec<Module>,
}

impl Manifest {
    /// Reads `kernels/cuda/kernels.toml`.
    pub fn load() -> Result<Manifest> {
        let path = sources().join("kernels.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Manifest::parse(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn parse(text: &str) -> Result<Manifest> {
        let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
        let mut modules: Vec<Module> = Vec::new();
        for entry in &file.module {
            let common = Budget { registers: entry.registers, shared: entry.shared };
            let dtypes: Vec<Option<&String>> =
                if entry.dtypes.is_empty() { vec![None] } else { entry.dtypes.iter().map(Some).collect() };
            for dtype in dtypes {
                let suffixed = |name: &str| dtype.map_or(name.to_owned(), |d| format!("{name}_{d}"));
                let kernels = entry.kernel.iter().map(|(name, b)| {
                    let budget = Budget {
                        registers: b.registers.unwrap_or(common.registers),
                        shared: b.shared.unwrap_or(common.shared),
                    };
                    (suffixed(name), budget)
                });
                let module = Module {
                    name: suffixed(&entry.name),
                    source: entry.source.clone(),
                    arch: entry.arch.clone(),
                    dtype: dtype.cloned(),
                    defines: entry.defines.clone(),
                    budgets: Budgets::new(common, kernels.collect()),
                };
                if modules.iter().any(|m| m.file_name() == module.file_name()) {
                    return Err(format!("two modules {}", module.file_name()));
                }
                modules.push(module);
            }
        }
        Ok(Manifest { modules })
    }
}

/// PTX files that are there and belong to no module.
pub fn strangers(manifest: &Manifest) -> Result<Vec<PathBuf>> {
    let known: Vec<PathBuf> = manifest.modules.iter().map(Module::ptx_path).collect();
    let mut found = Vec::new();
    let mut folders = vec![sources().join("ptx")];
    while let Some(dir) = folders.pop() {
        let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        for entry in entries {
            let path = entry.map_err(|e| format!("{}: {e}", dir.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if !known.contains(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
/// The names of a PTX file's kernels.
pub fn kernels_of(ptx: &str) -> Vec<String> {
    let names = ptx.lines().filter_map(|l| l.strip_prefix(".visible .entry "));
    names.map(|n| n.trim_end_matches(['(', ')']).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtypes_multiply_modules_and_budgets() {
        let text = "[[module]]\nname = 'a'\nsource = 'a.cu'\ndtypes = ['f32', 'f64']\nregisters = 32\n\
                    [module.kernel.add]\nregisters = 40\n[[module]]\nname = 'b'\nsource = 'b.cu'\narch = 'sm_80'\n\
                    registers = 64\nshared = 1024\n";
        let m = Manifest::parse(text).unwrap().modules;
        let files: Vec<String> = m.iter().map(Module::file_name).collect();
        assert_eq!(files, ["sm_75/a_f32.ptx", "sm_75/a_f64.ptx", "sm_80/b.ptx"]);
        assert_eq!(m[1].budgets.of("add_f64"), Budget { registers: 40, shared: 0 });
        assert_eq!(m[1].budgets.of("sub_f64").registers, 32);
        assert_eq!(m[2].budgets.of("x"), Budget { registers: 64, shared: 1024 });
        assert!(Manifest::parse(&text.replace("'f64'", "'f32'")).is_err(), "twice the same module");
        assert!(Manifest::parse(&text.replace("shared", "memory")).is_err(), "unknown key");
    }

    #[test]
    fn kernels_by_name() {
        let ptx =
            "\t// .globl\tadd_f32\n.visible .entry add_f32(\n\t.param .u64 p\n)\n.visible .entry go()\n";
        assert_eq!(kernels_of(ptx), ["add_f32", "go"]);
    }
}
