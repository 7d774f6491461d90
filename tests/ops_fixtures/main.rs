//! Every sample of `fixtures/ops.json`, taken from real PyTorch, run through taper: values and gradients,
//! for inputs in row-major and in column-major memory.

mod case;
mod index;
mod linear;
mod losses;
mod math;
mod reduce;
mod shape;

use case::Case;
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper::Tensor;

type Family = fn(&Case) -> Option<Vec<Tensor>>;

/// Each family's operations; `None` for a name that is another's.
const FAMILIES: [Family; 6] = [math::run, reduce::run, shape::run, index::run, linear::run, losses::run];

fn run(case: &Case) -> Vec<Tensor> {
    let mut made = FAMILIES.iter().filter_map(|family| family(case));
    made.next().unwrap_or_else(|| panic!("no operation of this name"))
}

#[test]
fn every_sample() {
    let text = include_str!("../fixtures/ops.json");
    let file: serde_json::Value = serde_json::from_str(text).expect("a JSON file");
    let samples = file["cases"].as_array().expect("a list of cases");
    assert!(samples.len() > 700, "only {} samples", samples.len());
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut failures = vec![];
    for (number, sample) in samples.iter().enumerate() {
        for column_major in [false, true] {
            let check = || {
                let case = Case::new(sample, column_major);
                case.compare(&run(&case));
            };
            if let Err(error) = catch_unwind(AssertUnwindSafe(check)) {
                let message = match error.downcast_ref::<String>() {
                    Some(s) => s.as_str(),
                    None => error.downcast_ref::<&str>().copied().unwrap_or("panicked"),
                };
                let memory = if column_major { ", column-major" } else { "" };
                failures.push(format!("{number} {} {}{memory}: {message}", sample["op"], sample["args"]));
            }
        }
    }
    std::panic::set_hook(hook);
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}
