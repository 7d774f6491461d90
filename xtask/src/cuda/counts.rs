//! Golden counts: what a fixed list of calls costs, as the emulator counts it.
//!
//! `kernels/tests/cuda/counts.rs` has the list. A change of `kernels/cuda/counts.json` shows in a review
//! that a kernel became better or worse; none of the numbers is a time.

use super::suite::Suite;
use super::{Result, scratch, sources};
use serde_json::{Map, Value, json};

/// Bytes that lanes asked for over bytes of the sectors that moved, at least, where kernels only stream.
const USED: f64 = 0.9;
/// Passes over shared memory over those without bank conflicts, at most, in products.
const PASSES: f64 = 1.15;

/// One case of the list and its launches.
struct Case {
    name: String,
    goal: String,
    launches: Vec<Value>,
}

/// The cases in a file of the emulator: a line for each case, then one for each launch.
fn parse(text: &str) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).map_err(|e| format!("{line}: {e}"))?;
        let text = |key: &str| value[key].as_str().unwrap_or("").to_owned();
        if value.get("case").is_some() {
            cases.push(Case { name: text("case"), goal: text("goal"), launches: Vec::new() });
        } else if value.get("kernel").is_some()
            && let Some(case) = cases.last_mut()
        {
            case.launches.push(value);
        }
    }
    // The last one is the end's mark.
    cases.retain(|c| !c.name.is_empty());
    Ok(cases)
}

fn run() -> Result<Vec<Case>> {
    let suite = Suite::build()?;
    let path = scratch("cuda-counts")?.join("counts.json");
    let _ = std::fs::remove_file(&path);
    let file = path.display().to_string();
    let out = suite.run("counts::fixed_list", &[("PTX_EMULATOR_COUNTS", &file)])?;
    if !out.passed {
        return Err(format!("the list of calls failed:\n{}", out.text));
    }
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let cases = parse(&text)?;
    if cases.is_empty() || cases.iter().any(|c| c.launches.is_empty()) {
        return Err("a call of the list launched nothing".into());
    }
    Ok(cases)
}

fn number(launch: &Value, path: &[&str]) -> f64 {
    path.iter().fold(launch, |v, key| &v[*key]).as_f64().unwrap_or(0.0)
}

impl Case {
    fn sum(&self, path: &[&str]) -> f64 {
        self.launches.iter().map(|l| number(l, path)).sum()
    }

    /// Bytes asked for over bytes moved, or `None` where nothing moves.
    fn used(&self) -> Option<f64> {
        let both = |key| self.sum(&["global_loads", key]) + self.sum(&["global_stores", key]);
        let moved = both("sectors") * 32.0;
        (moved > 0.0).then(|| both("bytes") / moved)
    }

    /// Passes over shared memory over the ideal, or `None` where it is not used.
    fn passes(&self) -> Option<f64> {
        let ideal = self.sum(&["shared", "ideal"]);
        (ideal > 0.0).then(|| self.sum(&["shared", "wavefronts"]) / ideal)
    }

    /// What it does not reach, in words.
    fn missed(&self) -> Option<String> {
        match self.goal.as_str() {
            "streaming" if self.used().is_some_and(|u| u < USED) => {
                Some(format!("below {USED} bytes used per byte"))
            }
            "product" if self.passes().is_some_and(|p| p > PASSES) => {
                Some(format!("above {PASSES} passes of ideal"))
            }
            _ => None,
        }
    }

    fn row(&self) -> String {
        let ratio = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.3}"));
        let instructions = self.sum(&["warp_instructions"]);
        let fma = self.sum(&["classes", "fma_f32"]) / instructions;
        let kernels: Vec<&str> = self.launches.iter().filter_map(|l| l["kernel"].as_str()).collect();
        format!(
            "{:<32}{:>10}{:>8}{:>8}{:>7.0}%  {}{}",
            self.name,
            instructions,
            ratio(self.used()),
            ratio(self.passes()),
            100.0 * fma,
            kernels.join(" "),
            self.missed().map_or(String::new(), |m| format!("  !!! {m}"))
        )
    }
}

/// The committed form: each case's launches, in the list's order.
fn golden(cases: &[Case]) -> String {
    let lines: Vec<String> = cases
        .iter()
        .map(|c| {
            let launches: Vec<String> = c.launches.iter().map(|l| format!("    {l}")).collect();
            format!("  {}: [\n{}\n  ]", json!(c.name), launches.join(",\n"))
        })
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// What differs from the committed counts, in words.
fn differences(old: &Map<String, Value>, cases: &[Case]) -> Vec<String> {
    let mut out = Vec::new();
    for case in cases {
        let new = Value::Array(case.launches.clone());
        match old.get(&case.name) {
            None => out.push(format!("{}: new", case.name)),
            Some(before) if *before != new => {
                let before = Case {
                    name: case.name.clone(),
                    goal: case.goal.clone(),
                    launches: before.as_array().cloned().unwrap_or_default(),
                };
                out.push(format!("- {}\n+ {}", before.row(), case.row()));
            }
            Some(_) => {}
        }
    }
    let gone = old.keys().filter(|k| !cases.iter().any(|c| c.name == **k));
    out.extend(gone.map(|k| format!("{k}: gone")));
    out
}

/// Runs the list, prints a table, compares with the committed counts or writes them anew.
pub fn counts(update: bool) -> Result {
    let cases = run()?;
    println!(
        "{:<32}{:>10}{:>8}{:>8}{:>8}  kernels",
        "warp instructions, ratios", "", "used", "passes", "FMA"
    );
    cases.iter().for_each(|c| println!("{}", c.row()));
    let missed = cases.iter().filter(|c| c.missed().is_some()).count();
    println!("{} cases, {missed} of them short of their goal", cases.len());
    let path = sources().join("counts.json");
    if update {
        return std::fs::write(&path, golden(&cases)).map_err(|e| format!("{}: {e}", path.display()));
    }
    let old = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let old: Map<String, Value> =
        serde_json::from_str(&old).map_err(|e| format!("{}: {e}", path.display()))?;
    let differ = differences(&old, &cases);
    if differ.is_empty() {
        return Ok(());
    }
    Err(format!(
        "counts differ from kernels/cuda/counts.json (cargo xtask cuda counts --update writes them):\n{}",
        differ.join("\n")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAUNCH: &str = "{\"kernel\":\"add_f32\",\"warp_instructions\":100,\"classes\":{\"fma_f32\":50},\
        \"global_loads\":{\"requests\":2,\"sectors\":8,\"bytes\":256},\
        \"global_stores\":{\"requests\":1,\"sectors\":8,\"bytes\":128},\"shared\":{\"wavefronts\":6,\"ideal\":5}}";

    fn cases(goal: &str) -> Vec<Case> {
        let text = format!(
            "{LAUNCH}\n{{\"case\":\"a\",\"goal\":\"{goal}\"}}\n{LAUNCH}\n{LAUNCH}\n{{\"api\":{{}}}}\n\
             {{\"case\":\"\",\"goal\":\"\"}}\n{LAUNCH}\n"
        );
        parse(&text).unwrap()
    }

    #[test]
    fn launches_belong_to_the_case_before_them() {
        let all = cases("streaming");
        assert_eq!((all.len(), all[0].launches.len()), (1, 2));
        assert_eq!(all[0].used(), Some(0.75));
        assert_eq!(all[0].passes(), Some(1.2));
        assert!(all[0].missed().unwrap().starts_with("below 0.9"));
        assert!(cases("product")[0].missed().unwrap().starts_with("above 1.15"));
        assert_eq!(cases("")[0].missed(), None);
        assert!(all[0].row().contains("0.750   1.200     50%  add_f32 add_f32  !!! below"));
        assert!(parse("nothing").is_err());
    }

    #[test]
    fn differences_are_named() {
        let mut all = cases("");
        let old: Map<String, Value> = serde_json::from_str(&golden(&all)).unwrap();
        assert!(differences(&old, &all).is_empty());
        all[0].launches[1]["warp_instructions"] = json!(101);
        let e = differences(&old, &all);
        assert!(e[0].starts_with("- a") && e[0].contains("200") && e[0].contains("201"), "{e:?}");
        all[0].name = "b".into();
        assert_eq!(differences(&old, &all), ["b: new", "a: gone"]);
    }
}
