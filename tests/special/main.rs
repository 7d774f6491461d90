//! Numbers that arithmetic treats specially, through every elementwise function, reduction, scan, sort and cast,
//! against PyTorch's results (`fixtures/special.json`): exact functions have its bits, the others come as
//! close as their table says, on every instruction set, in the bodies of vector loops and in their tails.

mod bits;
mod casts;
mod elementwise;
mod integers;
mod lines;

use serde_json::Value;
use std::sync::LazyLock;
use taper::kernels::cpu::simd::{available_levels, set_simd_level};

static FIXTURE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/special.json")).expect("a JSON file"));

/// What was compared, and what was found to differ.
#[derive(Default)]
struct Report {
    compared: usize,
    wrong: Vec<String>,
}

impl Report {
    /// Notes the first difference of a case.
    fn note(&mut self, compared: usize, difference: Option<String>) {
        self.compared += compared;
        self.wrong.extend(difference);
    }
}

/// One test, since the instruction set is the process's.
#[test]
fn special_numbers_are_pytorchs_on_every_instruction_set() {
    let mut report = Report::default();
    let hook = std::panic::take_hook();
    // Refusals are expected.
    std::panic::set_hook(Box::new(|_| {}));
    for level in available_levels() {
        set_simd_level(level);
        let seen = report.wrong.len();
        elementwise::check(&mut report);
        lines::check(&mut report);
        casts::check(&mut report);
        integers::check(&mut report);
        for line in &mut report.wrong[seen..] {
            *line = format!("{level:?}: {line}");
        }
    }
    std::panic::set_hook(hook);
    println!("{} results compared", report.compared);
    assert!(report.wrong.is_empty(), "{} cases differ:\n{}", report.wrong.len(), report.wrong.join("\n"));
    assert!(report.compared > 100_000, "{}", report.compared);
}
