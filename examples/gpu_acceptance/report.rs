//! The report: Markdown, for an issue.

use crate::bench::{Timing, Work};
use crate::card::Card;
use crate::check::Check;
use crate::training::{LOSS_LIMIT, SCORE_LIMIT, Training};
use std::fmt::Write;

pub struct Report<'a> {
    pub card: &'a Card,
    pub checks: &'a [Check],
    pub training: &'a Result<Training, String>,
    /// None where they were left out.
    pub timings: Option<&'a [Timing]>,
}

pub fn speed(timing: &Timing, card: &Card) -> (String, String) {
    let Ok(Some(seconds)) = timing.seconds else { return Default::default() };
    let (rate, unit, peak) = match timing.work {
        Work::Doubles(n) => (n / seconds / 1e9, "GFLOP/s", card.peak_doubles),
        Work::Flops(n) => (n / seconds / 1e9, "GFLOP/s", card.peak_flops),
        Work::Bytes(n) => (n / seconds / 1e9, "GB/s", card.peak_bytes),
    };
    let share = peak.map_or(String::new(), |p| format!("{:.0} %", 100.0 * rate * 1e9 / p));
    (format!("{rate:.0} {unit}"), share)
}

fn time(seconds: f64) -> String {
    if seconds < 1e-3 { format!("{:.1} µs", seconds * 1e6) } else { format!("{:.2} ms", seconds * 1e3) }
}

/// One line of a table, whatever the text holds.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

impl Report<'_> {
    pub fn passed(&self) -> bool {
        // A small card has no room for every benchmark.
        let ran = |t: &Timing| t.seconds.as_ref().err().is_none_or(|e| e.contains("out of memory"));
        self.checks.iter().all(Check::passed)
            && self.training.as_ref().is_ok_and(Training::passed)
            && self.timings.is_none_or(|timings| timings.iter().all(ran))
    }

    pub fn markdown(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("a String takes everything");
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let failed = self.checks.iter().filter(|c| !c.passed()).count();
        writeln!(out, "# taper on {}\n", self.card.name)?;
        let trained =
            if self.training.as_ref().is_ok_and(Training::passed) { "agrees" } else { "**does not agree**" };
        let verdict = if self.passed() { "Passed" } else { "Failed" };
        writeln!(
            out,
            "**{verdict}**: {} of {} checks agree with the CPU; training {trained}.\n",
            self.checks.len() - failed,
            self.checks.len()
        )?;
        if self.card.emulated {
            writeln!(
                out,
                "This is an emulated device: no GPU was used, and nothing here says how fast one would be.\n"
            )?;
        }
        writeln!(out, "| | |\n|---|---|")?;
        for (what, value) in &self.card.facts {
            writeln!(out, "| {what} | {value} |")?;
        }
        writeln!(out, "| taper | {} |", env!("CARGO_PKG_VERSION"))?;
        writeln!(out, "| system | {} {} |", std::env::consts::OS, std::env::consts::ARCH)?;
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        writeln!(out, "| arguments | {} |", cell(&arguments.join(" ")))?;
        self.checks(out)?;
        self.training(out)?;
        self.timings(out)
    }

    fn checks(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "\n## Checks\n\nThe same computation, with its gradients, on the CPU and on the device.\n"
        )?;
        writeln!(
            out,
            "| group | checks | agree | largest error, of what is allowed |\n|---|---:|---:|---:|"
        )?;
        for (i, check) in self.checks.iter().enumerate() {
            if self.checks[..i].iter().any(|c| c.group == check.group) {
                continue;
            }
            let group: Vec<&Check> = self.checks.iter().filter(|c| c.group == check.group).collect();
            let errors: Vec<f64> = group.iter().filter_map(|c| c.outcome.as_ref().ok().copied()).collect();
            let worst = 100.0 * errors.iter().fold(0.0, |m: f64, e| m.max(*e));
            writeln!(out, "| {} | {} | {} | {worst:.0} % |", check.group, group.len(), errors.len())?;
        }
        let failed: Vec<&Check> = self.checks.iter().filter(|c| !c.passed()).collect();
        if !failed.is_empty() {
            writeln!(out, "\n### What does not agree\n\n| check | what |\n|---|---|")?;
            for check in failed {
                let why = check.outcome.as_ref().err().map_or("", String::as_str);
                writeln!(out, "| {}: {} | {} |", check.group, check.name, cell(why))?;
            }
        }
        writeln!(
            out,
            "\n<details><summary>All checks</summary>\n\n| check | error, of what is allowed |\n|---|---:|"
        )?;
        for check in self.checks {
            let text = check.outcome.as_ref().map_or("**failed**".into(), |e| format!("{:.1} %", 100.0 * e));
            writeln!(out, "| {}: {} | {text} |", check.group, check.name)?;
        }
        writeln!(out, "\n</details>")
    }

    fn training(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Training\n")?;
        let t = match self.training {
            Ok(t) => t,
            Err(e) => return writeln!(out, "Failed: {e}"),
        };
        writeln!(
            out,
            "A convolutional network on Fashion-MNIST, {} steps of {} pictures, Adam. Losses differ by \
            {:.1e} of the CPU's at the most ({LOSS_LIMIT:.0e} allowed); scores of the trained weights, on the device and \
            from a file on the CPU, by {:.1e} ({SCORE_LIMIT:.0e} allowed).\n",
            t.losses.len(),
            t.batch,
            t.worst(),
            t.through_a_file
        )?;
        if !self.card.emulated {
            writeln!(out, "A step took {}, the loss read as a number in each.\n", time(t.step))?;
        }
        writeln!(out, "| step | loss, CPU | loss, device |\n|---:|---:|---:|")?;
        let every = t.losses.len().div_ceil(10);
        for (i, (right, found)) in
            t.losses.iter().enumerate().filter(|(i, _)| i % every == 0 || i + 1 == t.losses.len())
        {
            writeln!(out, "| {} | {right:.6} | {found:.6} |", i + 1)?;
        }
        Ok(())
    }

    fn timings(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Benchmarks\n")?;
        let Some(timings) = self.timings else {
            return writeln!(out, "Left out (`--no-bench`).");
        };
        if self.card.emulated {
            let failed: Vec<&Timing> = timings.iter().filter(|t| t.seconds.is_err()).collect();
            writeln!(
                out,
                "{} of {} ran, once each and with tiny sizes. An emulator's figures are no times.",
                timings.len() - failed.len(),
                timings.len()
            )?;
            for t in failed {
                writeln!(
                    out,
                    "\n- {} failed: {}",
                    t.name,
                    cell(t.seconds.as_ref().err().map_or("", String::as_str))
                )?;
            }
            return Ok(());
        }
        writeln!(
            out,
            "The median of seven runs, each with one wait for the device at its end; the least work that the \
            definition allows over the time, and its share of the card's peak (of operations in f64 for float64, in f32 for all others; or of memory). \
            Tensor cores are not used.\n"
        )?;
        writeln!(out, "| kernel | time | rate | of the peak |\n|---|---:|---:|---:|")?;
        for t in timings {
            match &t.seconds {
                Ok(seconds) => {
                    let (rate, share) = speed(t, self.card);
                    let time = seconds.map_or(String::new(), time);
                    writeln!(out, "| {} | {time} | {rate} | {share} |", t.name)?;
                }
                Err(e) => writeln!(out, "| {} | failed: {} | | |", t.name, cell(e))?,
            }
        }
        Ok(())
    }
}
