//! Files: what goes in comes out, damage is an error, and saving is all or nothing.

mod damage;
mod disk;
mod fuzzed;
mod killed;
mod numpy;
mod pt_write;
mod round_trip;
mod saving;
mod synced;
mod tree;

use std::path::Path;
use taper_tensor::{StateDict, Tensor};

/// Fails where two dicts differ in a name, dtype, shape or bit; order is free.
#[track_caller]
fn assert_same(a: &StateDict, b: &StateDict) {
    let names = |d: &StateDict| {
        let mut names: Vec<String> = d.keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names(a), names(b));
    let whole = |t: &Tensor| (t.dtype(), t.shape().to_vec(), t.to_bytes());
    for (name, t) in a.iter() {
        assert_eq!(whole(t), whole(b.get(name.as_str()).unwrap()), "{name}");
    }
}

/// How many cases a property is tried with: `PROPTEST_CASES`, or else a few.
fn cases(few: u32) -> proptest::test_runner::Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(few);
    proptest::test_runner::Config { failure_persistence: None, cases, ..Default::default() }
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn dict<const N: usize>(entries: [(&str, Tensor); N]) -> StateDict {
    entries.into_iter().map(|(k, t)| (k.to_string(), t)).collect()
}
