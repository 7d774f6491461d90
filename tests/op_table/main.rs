//! The op table: every operation of `Tensor` has a row, and every row is asked for its value, odd
//! strides, gradient, second gradient, every dtype, several thread counts and every instruction set.
//!
//! `PROPTEST_CASES` sets the number of draws per row and check.

mod array;
mod case;
mod checks;
#[cfg(feature = "cuda")]
mod cuda;
mod rows;

use case::{Draw, Size};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::RwLock;
use taper::kernels::cpu::simd::{SimdLevel, available_levels, set_simd_level, simd_level};

/// Held for reading by all that compute; for writing while the instruction set is changed.
static LEVEL: RwLock<()> = RwLock::new(());

macro_rules! check_rows {
    ($($name:ident $cases:literal;)*) => { $(
        #[test]
        fn $name() {
            let _level = LEVEL.read().unwrap_or_else(|e| e.into_inner());
            checks::for_every_row(rows::all(), $cases, stringify!($name), checks::$name);
        }
    )* };
}
check_rows! {
    value 32;
    strides 32;
    gradient 12;
    second_gradient 6;
    dtypes 12;
    threads 1;
}

#[test]
fn simd_levels() {
    let _level = LEVEL.write().unwrap_or_else(|e| e.into_inner());
    let best = simd_level();
    for level in available_levels().into_iter().skip(1) {
        checks::for_every_row(rows::all(), 4, "simd_levels", |row, seed| {
            set_simd_level(SimdLevel::Scalar);
            let plain = checks::plain_value(row, seed);
            set_simd_level(level);
            let fast = checks::plain_value(row, seed);
            let scale = plain.to_vec::<f64>().iter().fold(1.0f64, |m, v| m.max(v.abs()));
            let near = |a: f64, b: f64| {
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-6 * row.loose * scale
            };
            let far = plain.to_vec::<f64>().into_iter().zip(fast.to_vec()).any(|(a, b)| !near(a, b));
            if far { Err(format!("{level:?} gives {fast:?}, scalar code {plain:?}")) } else { Ok(()) }
        });
    }
    set_simd_level(best);
}

/// Every public method of the operations' files is called by some row.
#[test]
fn every_operation_has_a_row() {
    let ops = Path::new(env!("CARGO_MANIFEST_DIR")).join("tensor/src/ops");
    let mut public = BTreeSet::new();
    read_methods(&ops, &mut public);
    assert!(public.len() > 150, "the scan of {} found only {public:?}", ops.display());
    let text = rows::SOURCES.concat();
    let called = |name: &str| {
        let words = |start: &str, end: &str| text.contains(&format!("{start}{name}{end}"));
        words(".", "(")
            || words("::", "(")
            || words(" ", "(")
            || words("            ", " ")
            || words(" ", " ")
    };
    let missing: Vec<&String> = public.iter().filter(|n| !called(n)).collect();
    assert!(missing.is_empty(), "operations without a row in tests/op_table/rows: {missing:?}");
}

/// Names of methods that make or change a tensor, macros' tables included. `try_` twins are the same
/// operation.
fn read_methods(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the operations' folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            read_methods(&path, names);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file");
        for line in text.lines() {
            let line = line.trim();
            let ident =
                |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
            if let Some(rest) = line.strip_prefix("pub fn ") {
                let makes =
                    ["-> Tensor", "(Tensor", "Vec<Tensor>", "-> &mut Self"].iter().any(|r| line.contains(r));
                if makes && !rest.starts_with("try_") {
                    names.insert(ident(rest));
                }
            } else if line.contains("=> UnaryOp::") || line.contains(" try_") && line.contains("=>") {
                names.insert(ident(line));
            }
        }
    }
    names.retain(|n| !n.is_empty());
}

#[test]
fn draws_follow_from_their_seed() {
    let one = Draw::new(5, Size::Small).any(&[4]).array;
    assert_eq!(one, Draw::new(5, Size::Small).any(&[4]).array);
    assert_ne!(one, Draw::new(6, Size::Small).any(&[4]).array);
}
