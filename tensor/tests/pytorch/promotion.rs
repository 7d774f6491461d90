//! The dtype of results.

use crate::call::call;
use crate::fixture::{dtype, fixture};
use serde_json::{Value, json};
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

#[test]
fn functions_give_pytorchs_dtypes() {
    let tables = fixture!("promotion.json");
    let (mut seen, mut wrong) = (0, vec![]);
    for (op, row) in tables["unary"].as_object().expect("a table") {
        for (name, want) in row.as_object().expect("a row") {
            let args = match op.as_str() {
                "cumsum" | "cumprod" | "softmax" | "logsumexp" => json!({"dim": 0}),
                _ => json!({}),
            };
            let got = catch_unwind(AssertUnwindSafe(|| {
                call(op, &[ones(name, 1)], &args).unwrap_or_else(|| unreachable!("no {op}"))[0].dtype()
            }));
            let want: Option<DType> = want.as_str().filter(|w| *w != "error").map(dtype);
            if got.as_ref().ok() != want.as_ref() {
                wrong.push(format!("{op} of {name}: {:?} instead of {want:?}", got.ok()));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 290, "{seen}");
}
