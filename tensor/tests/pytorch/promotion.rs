//! The dtype of results.

use crate::fixture::{dtype, fixture};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper_tensor::{DType, Operand, Tensor, result_type};

fn rows(table: &Value) -> Vec<[String; 3]> {
    let text = |v: &Value| v.as_str().expect("a name").to_string();
    let row = |r: &Value| std::array::from_fn(|i| text(&r[i]));
    table.as_array().expect("rows").iter().map(row).collect()
}

fn ones(name: &str, rank: usize) -> Tensor {
    Tensor::ones_with(vec![2; rank], dtype(name))
}

fn plain(kind: &str) -> Operand {
    match kind {
        "bool" => true.into(),
        "int" => 3i64.into(),
        _ => 2.5.into(),
    }
}

#[test]
fn dtypes_meet_as_in_pytorch() {
    let tables = fixture!("promotion.json");
    let mut seen = 0;
    let mut check = |what: &str, a: Operand, b: Operand, row: &[String; 3]| {
        assert_eq!(result_type(&a, &b), dtype(&row[2]), "{what} {row:?}");
        seen += 1;
    };
    for row in rows(&tables["pairs"]) {
        check("pairs", ones(&row[0], 1).into(), ones(&row[1], 1).into(), &row);
        assert_eq!(ones(&row[0], 1).mul(ones(&row[1], 1)).dtype(), dtype(&row[2]), "mul {row:?}");
    }
    for row in rows(&tables["rank_zero"]) {
        check("rank_zero", ones(&row[0], 1).into(), ones(&row[1], 0).into(), &row);
    }
    for (table, rank) in [("scalars", 1), ("zero_scalars", 0)] {
        for row in rows(&tables[table]) {
            check(table, ones(&row[0], rank).into(), plain(&row[1]), &row);
            let product = ones(&row[0], rank) * plain(&row[1]);
            assert_eq!(product.dtype(), dtype(&row[2]), "mul {row:?}");
        }
    }
    for row in rows(&tables["true_div"]) {
        assert_eq!((ones(&row[0], 1) / ones(&row[1], 1)).dtype(), dtype(&row[2]), "div {row:?}");
    }
    assert!(seen >= 260, "{seen}");
}

/// `a *= b` is allowed where the result's dtype can be cast to `a`'s.
#[test]
fn in_place_keeps_the_dtype_where_pytorch_does() {
    let tables = fixture!("promotion.json");
    let allowed: Vec<[String; 2]> = tables["can_cast"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|r| std::array::from_fn(|i| r[i].as_str().expect("a name").to_string()))
        .collect();
    let names = ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"];
    for a in names {
        for b in names {
            let result = result_type(&ones(a, 1).into(), &ones(b, 1).into());
            let result = names.iter().find(|n| dtype(n) == result).expect("a dtype has a name");
            let fits = allowed.iter().any(|[from, to]| from == result && to == a);
            let mut x = ones(a, 1);
            let done = catch_unwind(AssertUnwindSafe(|| x.mul_(ones(b, 1)).dtype()));
            assert_eq!(done.ok(), fits.then(|| dtype(a)), "{a} *= {b}");
        }
    }
}

type Function = fn(&Tensor) -> Tensor;

/// The functions of the table, by PyTorch's names.
fn functions() -> Vec<(&'static str, Function)> {
    macro_rules! named {
        ($($name:ident)*) => { vec![$((stringify!($name), Tensor::$name as Function)),*] };
    }
    let mut all = named! {
        abs neg sign exp sqrt sin sigmoid floor round relu sum prod mean var any all logical_not isnan square
        reciprocal erf norm
    };
    let more: [(&str, Function); 7] = [
        ("cumsum", |x| x.cumsum(0)),
        ("cumprod", |x| x.cumprod(0)),
        ("amax", |x| x.amax([], false)),
        ("argmax", |x| x.argmax(None, false)),
        ("softmax", |x| x.softmax(0)),
        ("sort", |x| x.sort(-1, false).0),
        ("logsumexp", |x| x.logsumexp(0, false)),
    ];
    all.extend(more);
    all
}

#[test]
fn functions_give_pytorchs_dtypes() {
    let tables = fixture!("promotion.json");
    let table = tables["unary"].as_object().expect("a table");
    let mut wrong = vec![];
    for (op, f) in functions() {
        for (name, want) in table[op].as_object().expect("a row") {
            let got: Option<DType> = catch_unwind(AssertUnwindSafe(|| f(&ones(name, 1)).dtype())).ok();
            let want = want.as_str().filter(|w| *w != "error").map(dtype);
            if got != want {
                wrong.push(format!("{op} of {name}: {got:?} instead of {want:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(functions().len(), table.len(), "a row has no function");
}
