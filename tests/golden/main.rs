//! The same training as PyTorch's: seeded programs give the numbers that it gave
//! (`tests/fixtures/make/{golden,networks}.py`).

use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};

mod networks;
mod tutorials;

/// The seed is global, and tests run side by side.
fn seeded() -> MutexGuard<'static, ()> {
    static SEED: Mutex<()> = Mutex::new(());
    SEED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a fixture has of one program.
fn fixture(name: &str, program: &str) -> Value {
    let path = format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the fixture");
    serde_json::from_str::<Value>(&text).expect("JSON")[program].take()
}

fn numbers(v: &Value) -> Vec<f64> {
    v.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// Each number is as close to PyTorch's as the relative bound says.
#[track_caller]
fn near(found: &[f64], expected: &[f64], relative: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= relative * b.abs(), "{what} {i}: {a}, PyTorch has {b}");
    }
}
