//! Do the tests notice when a kernel lacks one synchronisation?
//!
//! Each barrier, fence and wait is deleted from the committed PTX, one at a time (the emulator does
//! it when the module is loaded), and each mask of a warp-wide instruction loses its last lane. Then
//! the backend's tests that launch the kernel run in check mode until one fails. What survives is
//! explained in `kernels/cuda/mutants.toml`, or is an error.
//!
//! Kernels of one source differ by their dtype alone, so one module of each source and dtype class
//! is taken (see [`chosen`]).

use super::manifest::{Manifest, Module};
use super::suite::Suite;
use super::{Result, in_parallel, scratch, sources};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Instructions that order something, with what is done to them.
const TARGETS: [(&str, bool); 11] = [
    ("bar.sync", false),
    ("bar.warp.sync", false),
    ("barrier.sync", false),
    ("membar.", false),
    ("fence.", false),
    ("cp.async.wait", false),
    ("cp.async.commit", false),
    ("shfl.sync", true),
    ("vote.sync", true),
    ("match.", true),
    ("redux.sync", true),
];

/// The dtypes to take of a source, the first that it has: sizes of 4 bytes are the common case.
const DTYPES: [&str; 4] = ["f32", "i32", "i64", "i8"];

/// One change of one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mutant {
    kernel: String,
    /// The instruction with its number among its like in the kernel: `bar.sync 2`.
    name: String,
    line: usize,
    mask: bool,
    /// Of its module: tests with this dtype come first.
    dtype: String,
}

impl Mutant {
    fn place(&self) -> String {
        format!("{} {}", self.kernel, self.name)
    }

    fn variable(&self) -> String {
        format!("{}:{}{}", self.kernel, self.line, if self.mask { ":mask" } else { "" })
    }
}

/// The mutants of a PTX text, in its order.
fn mutants(ptx: &str, dtype: &str) -> Vec<Mutant> {
    let mut out: Vec<Mutant> = Vec::new();
    let mut kernel = None;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (k, line) in ptx.lines().enumerate() {
        if let Some(rest) = line.strip_prefix(".visible .entry ") {
            kernel = Some(rest.trim_end_matches(['(', ')']).to_owned());
            seen.clear();
        }
        let Some(kernel) = &kernel else { continue };
        let mut words = line.split_whitespace();
        let opcode = match words.next() {
            Some(word) if word.starts_with('@') => words.next(),
            word => word,
        };
        let opcode = opcode.unwrap_or("").trim_end_matches(';');
        let Some((_, mask)) = TARGETS.iter().find(|(name, _)| opcode.starts_with(name)) else { continue };
        let number = seen.entry(opcode.to_owned()).or_insert(0);
        *number += 1;
        let name = format!("{opcode} {number}");
        out.push(Mutant { kernel: kernel.clone(), name, line: k + 1, mask: *mask, dtype: dtype.into() });
    }
    out
}

/// The modules whose kernels are changed: of each source (and set of macros) one dtype of those it
/// is compiled for.
fn chosen(manifest: &Manifest) -> Vec<&Module> {
    let mut groups: BTreeMap<(&str, &str, &[String]), Vec<&Module>> = BTreeMap::new();
    for m in &manifest.modules {
        groups.entry((&m.arch, &m.source, &m.defines)).or_default().push(m);
    }
    let rank = |m: &&Module| {
        let dtype = m.dtype.as_deref().unwrap_or("");
        DTYPES.iter().position(|d| *d == dtype).unwrap_or(DTYPES.len())
    };
    groups.into_values().filter_map(|group| group.into_iter().min_by_key(rank)).collect()
}

/// What `mutants.toml` says of those that survive.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Explained {
    #[serde(default)]
    survivor: Vec<Survivor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Survivor {
    /// Why no test can notice.
    why: String,
    /// As [`Mutant::place`].
    places: Vec<String>,
}

/// Multiprocessors that the device says it has: those of its profile, and one, for which small
/// problems are large and get the kernels of large ones.
const DEVICES: [&str; 2] = ["", "1"];

/// A test, the device it runs on (of [`DEVICES`]) and how long it took.
type Case = (Duration, String, &'static str);

/// The tests that launch a kernel, quickest first, by the kernel's name.
type Cases = BTreeMap<String, Vec<Case>>;

fn cases(suite: &Suite) -> Result<Cases> {
    // Golden counts compare nothing.
    let tests: Vec<String> = suite.tests()?.into_iter().filter(|t| !t.starts_with("counts::")).collect();
    let folder = scratch("cuda-mutants")?;
    let tests: Vec<(&String, &'static str)> =
        DEVICES.iter().flat_map(|&device| tests.iter().map(move |test| (test, device))).collect();
    let runs = in_parallel(&tests, |(test, device)| -> Result<(Duration, Vec<String>)> {
        let counts = folder.join(format!("{}{device}.json", test.replace(':', "_")));
        let _ = std::fs::remove_file(&counts);
        let start = Instant::now();
        let path = counts.display().to_string();
        let variables = [
            ("PTX_EMULATOR_CHECK", "1"),
            ("PTX_EMULATOR_COUNTS", &*path),
            ("PTX_EMULATOR_MULTIPROCESSORS", device),
        ];
        let out = suite.run(test, &variables)?;
        if !out.passed {
            return Err(format!("{test} fails without any mutation: {}", complaint(&out.text)));
        }
        let text = std::fs::read_to_string(&counts).unwrap_or_default();
        let mut kernels: Vec<String> = text
            .lines()
            .filter_map(|l| l.strip_prefix("{\"kernel\":\"")?.split('"').next().map(str::to_owned))
            .collect();
        kernels.sort();
        kernels.dedup();
        Ok((start.elapsed(), kernels))
    });
    let mut out = Cases::new();
    for ((test, device), run) in tests.into_iter().zip(runs) {
        match run {
            Ok((time, kernels)) => {
                for kernel in kernels {
                    out.entry(kernel).or_default().push((time, test.clone(), device));
                }
            }
            // It would seem to notice everything.
            Err(e) => eprintln!("!!! NOT USED: {e}"),
        }
    }
    out.values_mut().for_each(|list| list.sort());
    Ok(out)
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// By that test, in that way.
    Caught(String, String),
    Survived,
    /// The tests that launch the kernel do not come to the instruction.
    NotReached,
    /// No test launches the kernel.
    NotRun,
}

/// The first line of what the emulator or the test said.
fn complaint(text: &str) -> String {
    let said = |l: &&str| l.starts_with("ptx-emulator: ") && !l.contains("mutated instruction");
    let line = text.lines().find(said).or_else(|| text.lines().find(|l| l.contains("panicked")));
    line.unwrap_or("it failed").trim_start_matches("ptx-emulator: ").chars().take(120).collect()
}

fn fate(suite: &Suite, cases: &Cases, mutant: &Mutant) -> Result<Fate> {
    let Some(tests) = cases.get(&mutant.kernel) else { return Ok(Fate::NotRun) };
    let variable = mutant.variable();
    let mut reached = false;
    // First with the kernel's dtype alone, which is quicker and mostly enough; then in other orders of warps
    // and lanes.
    let passes = [(mutant.dtype.as_str(), ""), ("", ""), ("", "1"), ("", "2")];
    for (dtype, seed) in passes.into_iter().skip(usize::from(mutant.dtype.is_empty())) {
        for (_, test, device) in tests {
            let mut variables = vec![
                ("PTX_EMULATOR_CHECK", "1"),
                ("PTX_EMULATOR_MUTATE", variable.as_str()),
                ("PTX_EMULATOR_LIMIT", "50000000"),
                ("PTX_EMULATOR_MULTIPROCESSORS", *device),
            ];
            if !dtype.is_empty() {
                variables.push(("TAPER_TEST_DTYPES", dtype));
            }
            if !seed.is_empty() {
                variables.push(("PTX_EMULATOR_SHUFFLE", seed));
            }
            let out = suite.run(test, &variables)?;
            reached |= out.text.contains("the mutated instruction of");
            if !out.passed {
                return Ok(Fate::Caught(test.clone(), complaint(&out.text)));
            }
        }
        if !reached && dtype.is_empty() {
            return Ok(Fate::NotReached);
        }
    }
    Ok(Fate::Survived)
}

/// A barrier without which there is a race, its module, and a test that sees it, for [`lines_are_named`].
const WRONG: (&str, &str, &str) = ("softmax_f32 bar.sync 2", "sm_75/softmax_f32.ptx", "rows::softmax");

/// The lines of sources that a report names: `kernels/cuda/softmax.cu:31`.
fn named(report: &str) -> Vec<(&str, usize)> {
    let words = report.split(|c: char| c.is_whitespace() || "()".contains(c));
    words
        .filter_map(|w| w.strip_prefix("kernels/cuda/")?.split_once(':'))
        .filter_map(|(f, n)| Some((f, n.parse().ok()?)))
        .collect()
}

/// Deletes a kernel's barrier: the report of the race must name both lines of the source, which are ones
/// that touch shared memory.
pub fn lines_are_named() -> Result {
    let (place, file, test) = WRONG;
    let read = |path: &std::path::Path| {
        std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let ptx = read(&sources().join("ptx").join(file))?;
    let mutant = mutants(&ptx, "f32").into_iter().find(|m| m.place() == place);
    let mutant = mutant.ok_or_else(|| format!("{file} has no {place}"))?.variable();
    let out = Suite::build()?.run(test, &[("PTX_EMULATOR_CHECK", "1"), ("PTX_EMULATOR_MUTATE", &mutant)])?;
    let lines = named(&out.text);
    for &(file, line) in &lines {
        let source = read(&sources().join(file))?;
        let text = source.lines().nth(line - 1).unwrap_or("").trim();
        println!("kernels/cuda/{file}:{line}: {text}");
        if !text.contains("scratch") {
            return Err(format!("a report names {file}:{line}, which does not touch shared memory: {text}"));
        }
    }
    if out.passed || lines.len() < 2 {
        return Err(format!("without {place}: the report does not name two lines:\n{}", out.text));
    }
    Ok(())
}

/// Changes every kernel whose name contains `filter`, and compares with what is explained.
pub fn mutants_of(filter: &str) -> Result {
    let manifest = Manifest::load()?;
    let path = sources().join("mutants.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let explained: Explained = toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut all = Vec::new();
    let modules = chosen(&manifest);
    for module in &modules {
        let path = module.ptx_path();
        let ptx = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let dtype = module.dtype.as_deref().unwrap_or("");
        all.extend(mutants(&ptx, dtype).into_iter().filter(|m| m.kernel.contains(filter)));
    }
    // What can hide comes first.
    all.sort_by_key(|m| m.mask);
    let suite = Suite::build()?;
    let cases = cases(&suite)?;
    println!(
        "{} mutants of {} modules; {} kernels are launched by tests",
        all.len(),
        modules.len(),
        cases.len()
    );
    let fates = in_parallel(&all, |mutant| {
        let fate = fate(&suite, &cases, mutant);
        match &fate {
            Ok(Fate::Caught(test, how)) => {
                println!("caught      {}: {test}: {how}", mutant.place())
            }
            Ok(other) => println!("{other:<11?} {} (line {})", mutant.place(), mutant.line),
            Err(e) => println!("{e}"),
        }
        fate
    });
    let fates = fates.into_iter().collect::<Result<Vec<Fate>>>()?;
    report(&all, &fates, &explained, filter)
}

fn report(all: &[Mutant], fates: &[Fate], explained: &Explained, filter: &str) -> Result {
    let number = |f: fn(&Fate) -> bool| fates.iter().filter(|x| f(x)).count();
    let caught = number(|f| matches!(f, Fate::Caught(..)));
    let survived = number(|f| *f == Fate::Survived);
    let of = |barriers: bool| {
        let those = || all.iter().zip(fates).filter(move |(m, _)| m.mask != barriers);
        (those().filter(|(_, f)| matches!(f, Fate::Caught(..))).count(), those().count())
    };
    println!(
        "{} mutants: {caught} caught, {survived} survived, {} not reached, {} of kernels that no test launches",
        all.len(),
        number(|f| *f == Fate::NotReached),
        number(|f| *f == Fate::NotRun)
    );
    let (barriers, masks) = (of(true), of(false));
    println!("deleted: {} of {} caught; masks: {} of {}", barriers.0, barriers.1, masks.0, masks.1);
    let mut wrong = Vec::new();
    let why = |m: &Mutant| explained.survivor.iter().find(|s| s.places.contains(&m.place())).map(|s| &s.why);
    for (m, f) in all.iter().zip(fates) {
        match (f, why(m)) {
            (Fate::Caught(..), None) => {}
            (Fate::Caught(..), Some(_)) => {
                wrong.push(format!("{}: explained in mutants.toml, but caught", m.place()))
            }
            (_, Some(why)) => println!("{}: {why}", m.place()),
            (f, None) => wrong.push(format!("{} (line {}): {f:?}", m.place(), m.line)),
        }
    }
    let explained = explained.survivor.iter().flat_map(|s| &s.places);
    let asked = |place: &&String| place.split(' ').next().is_some_and(|kernel| kernel.contains(filter));
    for place in explained.filter(asked) {
        if !all.iter().any(|m| m.place() == *place) {
            wrong.push(format!("mutants.toml: there is no {place}"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("not caught and not explained in mutants.toml, or the reverse:\n{}", wrong.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutants_are_found_and_named() {
        let ptx = ".visible .entry a_f32(\n\t.param .u64 p\n)\n{\n\tbar.sync \t0;\n\t@%p1 bar.sync 0;\n\
                   \tbar.warp.sync -1;\n\tshfl.sync.bfly.b32 \t%r1|%p1, %r2, 1, 31, -1;\n}\n\
                   .visible .entry b_f32()\n{\n\tcp.async.wait_all;\n\tbar.sync 0;\n\tbra $L;\n}\n";
        let mutant = |kernel: &str, name: &str, line, mask| Mutant {
            kernel: kernel.into(),
            name: name.into(),
            line,
            mask,
            dtype: "f32".into(),
        };
        let all = mutants(ptx, "f32");
        assert_eq!(
            all,
            [
                mutant("a_f32", "bar.sync 1", 5, false),
                mutant("a_f32", "bar.sync 2", 6, false),
                mutant("a_f32", "bar.warp.sync 1", 7, false),
                mutant("a_f32", "shfl.sync.bfly.b32 1", 8, true),
                mutant("b_f32", "cp.async.wait_all 1", 12, false),
                mutant("b_f32", "bar.sync 1", 13, false),
            ]
        );
        assert_eq!(all[3].variable(), "a_f32:8:mask");
        let caught = Fate::Caught("t".into(), "race".into());
        let fates = [caught.clone(), Fate::Survived, caught.clone(), caught.clone(), caught.clone(), caught];
        let text = "[[survivor]]\nwhy = 'the second is spare'\nplaces = ['a_f32 bar.sync 2']\n";
        let explained: Explained = toml::from_str(text).unwrap();
        assert!(report(&all, &fates, &explained, "").is_ok());
        let e = report(&all, &fates, &Explained::default(), "").unwrap_err();
        assert!(e.contains("a_f32 bar.sync 2 (line 6): Survived"), "{e}");
        let other: Explained = toml::from_str(&text.replace("sync 2", "sync 9")).unwrap();
        assert!(report(&all, &fates, &other, "").unwrap_err().contains("there is no a_f32 bar.sync 9"));
        let other: Explained =
            toml::from_str(&text.replace("a_f32", "b_f32").replace("sync 2", "sync 1")).unwrap();
        assert!(report(&all, &fates, &other, "").unwrap_err().contains("but caught"));
    }

    #[test]
    fn lines_are_found_in_reports() {
        let report = "race: at PTX line 7 (kernels/cuda/include/team.cuh:12)\n  at kernels/cuda/a.cu:3\n";
        assert_eq!(named(report), [("include/team.cuh", 12), ("a.cu", 3)]);
        assert!(named("at an unknown line: kernels/cuda/lines.txt: no such file").is_empty());
    }

    #[test]
    fn every_source_is_changed_once() {
        let manifest = Manifest::load().unwrap();
        let modules = chosen(&manifest);
        let sources: std::collections::BTreeSet<&str> = manifest.modules.iter().map(|m| &*m.source).collect();
        assert!(sources.iter().all(|s| modules.iter().any(|m| m.source == *s)));
        assert!(modules.len() < manifest.modules.len() / 2);
    }
}
