//! `kernels/cuda`: from sources to the committed PTX, and what is asked of it.

mod compact;
mod compile;
mod counts;
mod lines;
mod manifest;
mod mutants;
mod ptxas;
mod report;
mod suite;
mod test;

pub use counts::counts;
pub use mutants::mutants_of;
pub use test::test;

use compile::Compiled;
use manifest::Manifest;
use std::path::{Path, PathBuf};

/// What a command returns: an error's text is all that its user sees.
pub type Result<T = ()> = std::result::Result<T, String>;

/// The folder of this workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}

/// Where the kernels' sources are.
pub fn sources() -> PathBuf {
    root().join("kernels/cuda")
}

/// The table that names lines of sources in the emulator's reports.
pub fn lines() -> PathBuf {
    sources().join("lines.txt")
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A folder of this tool's own among the build's outputs.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let dir = target().join("xtask").join(name);
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    Ok(dir)
}

/// What a step without its tool is.
#[derive(Clone, Copy, PartialEq)]
pub enum Missing {
    /// Skipped with a warning.
    Warned,
    /// An error, as in CI.
    Refused,
}

/// A step that needs a tool.
pub fn needing<T>(tool: Result<T>, step: &str, missing: Missing) -> Result<Option<T>> {
    match tool {
        Ok(t) => Ok(Some(t)),
        Err(e) if missing == Missing::Refused => Err(format!("{step}: {e}")),
        Err(e) => {
            eprintln!("!!! SKIPPED: {step}: {e}");
            Ok(None)
        }
    }
}

/// `f` of every item, on all processors; results in the items' order.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], f: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(items.len());
    let work = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(item) = items.get(i) else { return done };
            done.push((i, f(item)));
        }
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|s| {
        let handles: Vec<_> = (0..threads).map(|_| s.spawn(work)).collect();
        handles.into_iter().flat_map(|h| h.join().expect("a worker panicked")).collect()
    });
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, r)| r).collect()
}

/// Compiles every module and writes what differs from the committed PTX.
pub fn generate() -> Result {
    let manifest = Manifest::load()?;
    let compiled = compile::all(&manifest)?;
    let mut changed = 0;
    let table = line_table(&compiled);
    let files = compiled.iter().map(|c| (c.module.ptx_path(), c.module.file_name(), &c.ptx));
    for (path, name, text) in files.chain([(lines(), "lines.txt".to_owned(), &table)]) {
        let old = std::fs::read_to_string(&path).ok();
        if old.as_deref() == Some(text) {
            continue;
        }
        changed += 1;
        println!("{} {name}", if old.is_some() { "changed" } else { "new    " });
        write(&path, text)?;
    }
    for path in manifest::strangers(&manifest)? {
        println!("removed {}", path.display());
        std::fs::remove_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        changed += 1;
    }
    println!("{} modules, {changed} files changed", compiled.len());
    Ok(())
}

/// The table of all modules.
fn line_table(compiled: &[Compiled]) -> String {
    compiled.iter().map(|c| c.lines.as_str()).collect()
}

/// Compiles every module into `folder`, with the lines of its source in the PTX itself.
pub fn generate_with_lines(folder: &Path) -> Result {
    let manifest = Manifest::load()?;
    let compiled = compile::all(&manifest)?;
    for Compiled { module, with_lines, .. } in &compiled {
        write(&folder.join(module.file_name()), with_lines)?;
    }
    println!("{} modules with lines in {}", compiled.len(), folder.display());
    Ok(())
}

fn write(path: &Path, ptx: &str) -> Result {
    let dir = path.parent().expect("in a folder");
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    std::fs::write(path, ptx).map_err(|e| format!("{}: {e}", path.display()))
}

/// The PTX is what the sources give; it assembles everywhere within its budgets; functions are exact.
pub fn check(archs: &[&str], missing: Missing) -> Result {
    let manifest = Manifest::load()?;
    let mut wrong = Vec::new();
    if let Some(compiled) = needing(compile::all(&manifest), "PTX against its sources", missing)? {
        for Compiled { module, ptx, .. } in &compiled {
            if std::fs::read_to_string(module.ptx_path()).ok().as_deref() != Some(ptx) {
                wrong.push(format!("{} is not what {} gives", module.file_name(), module.source));
            }
        }
        if std::fs::read_to_string(lines()).ok() != Some(line_table(&compiled)) {
            wrong.push("lines.txt is not what the sources give".into());
        }
        println!("{} modules compiled and compared", compiled.len());
    }
    wrong.extend(manifest::strangers(&manifest)?.iter().map(|p| format!("{}: no such module", p.display())));
    if let Some(tool) = needing(ptxas::newest(), "ptxas", missing)? {
        wrong.extend(report::budgets(&manifest, &tool, archs)?);
    }
    if let Some(tool) = needing(ptxas::oldest(), "ptxas 11.8, which judges the PTX version", missing)? {
        wrong.extend(report::accepted(&manifest, &tool));
    }
    if !wrong.is_empty() {
        return Err(format!("{}\n(cargo xtask cuda gen writes the PTX anew)", wrong.join("\n")));
    }
    math(missing)
}

/// Compiles and runs the host test of the kernels' functions.
pub fn math(missing: Missing) -> Result {
    let step = "the kernels' functions";
    let Some(program) = needing(compile::host_test(), step, missing)? else { return Ok(()) };
    let status = std::process::Command::new(program).status().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err("functions above their bounds".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_ptx_is_complete() {
        let manifest = Manifest::load().unwrap();
        assert!(manifest::strangers(&manifest).unwrap().is_empty());
        for module in &manifest.modules {
            let ptx = std::fs::read_to_string(module.ptx_path()).unwrap();
            assert!(ptx.contains(".version 7.0\n"), "{}", module.file_name());
            assert!(ptx.contains(&format!(".target {}\n", module.arch)), "{}", module.file_name());
            assert!(!ptx.contains(".local"), "{} has a stack frame", module.file_name());
            let kernels = manifest::kernels_of(&ptx);
            assert!(!kernels.is_empty());
            for name in module.budgets.kernels.keys() {
                assert!(kernels.iter().any(|k| k == name), "{} has no kernel {name}", module.file_name());
            }
        }
    }

    #[test]
    fn parallel_keeps_order() {
        assert_eq!(in_parallel(&[3, 1, 2], |x| x * 2), [6, 2, 4]);
        assert!(in_parallel(&[], |x: &i32| *x).is_empty());
    }
}
