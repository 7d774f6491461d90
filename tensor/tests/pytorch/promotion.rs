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

/// The dtype that a function gives, as the tables write it; refusals are panics.
fn outcome(f: impl FnOnce() -> Tensor) -> char {
    const ORDER: [&str; 10] = ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"];
    let result = catch_unwind(AssertUnwindSafe(|| f().dtype()));
    let position = |d| ORDER.iter().position(|n| dtype(n) == d).expect("a dtype has a name");
    result.map_or('x', |d| char::from_digit(position(d) as u32, 10).expect("one digit"))
}

/// What is allowed here and refused there, or the other way: subtraction where one side alone is bool, running
/// sums as bool; a power of bool by a number (see `docs/decisions.md`).
fn more_than_pytorch(what: &str, a: &str, b: &str) -> bool {
    match what {
        "sub, tensor" | "sub, zero" | "sub_" => (a == "bool") != (b == "bool"),
        "sub, bool" => a != "bool",
        "sub, int" | "sub, float" | "pow, bool" => a == "bool",
        "cumsum, dtype" | "cumprod, dtype" => b == "bool",
        _ => false,
    }
}

/// Compares a table's cells with what `f` gives for the positions of two dtypes.
fn compare_cells(
    what: &str,
    table: &Value,
    wrong: &mut Vec<String>,
    f: impl Fn(&str, &str) -> char,
) -> usize {
    let names = ["f64", "f32", "f16", "bf16", "i64", "i32", "i16", "i8", "u8", "bool"];
    let cells = table.as_str().expect("cells");
    for (i, want) in cells.chars().enumerate() {
        let (a, b) = if cells.len() == 10 { (names[i], "") } else { (names[i / 10], names[i % 10]) };
        let got = f(a, b);
        if got != want && !more_than_pytorch(what, a, b) {
            wrong.push(format!("{what} of {a} and {b}: {got} instead of {want}"));
        }
    }
    cells.len()
}

fn binary(op: &str, a: Tensor, b: Operand) -> Tensor {
    macro_rules! method {
        ($($name:ident)*) => { match op { $(stringify!($name) => return a.$name(b),)* _ => {} } };
    }
    method! {
        add sub mul div floor_divide trunc_divide remainder fmod pow maximum minimum atan2 bitwise_and bitwise_or
        bitwise_xor bitwise_left_shift bitwise_right_shift eq lt logical_and logical_xor
    }
    let pair = |b| match b {
        Operand::Tensor(b) => [a.clone(), b.broadcast_to([2])],
        Operand::Scalar(_) => panic!("tensors only"),
    };
    match op {
        "where" => Tensor::where_(&taper_tensor::tensor([true, false]), &a, b),
        "cat" => Tensor::cat(&pair(b), 0),
        "stack" => Tensor::stack(&pair(b), 0),
        other => panic!("no function {other}"),
    }
}

fn in_place(op: &str, mut a: Tensor, b: &Tensor) -> Tensor {
    match op {
        "add" => a.add_(b),
        "sub" => a.sub_(b),
        "mul" => a.mul_(b),
        "div" => a.div_(b),
        "floor_divide" => a.floor_divide_(b),
        "trunc_divide" => a.trunc_divide_(b),
        "remainder" => a.remainder_(b),
        "fmod" => a.fmod_(b),
        "pow" => a.pow_(b),
        "bitwise_and" => a.bitwise_and_(b),
        "bitwise_left_shift" => a.bitwise_left_shift_(b),
        other => panic!("no function {other}"),
    };
    a
}

fn typed(op: &str, a: &Tensor, dtype: DType) -> Tensor {
    match op {
        "sum" => a.sum_dtype([], false, dtype),
        "mean" => a.mean_dtype([], false, dtype),
        "prod" => a.prod_dtype(0, false, dtype),
        "cumsum" => a.cumsum_dtype(0, dtype),
        "cumprod" => a.cumprod_dtype(0, dtype),
        other => panic!("no function {other}"),
    }
}

/// Every function on every pair of dtypes, numbers included, in place and with a dtype asked for: the result's
/// dtype, or a refusal where PyTorch refuses.
#[test]
fn every_pair_of_dtypes() {
    let tables = fixture!("promotion.json");
    let entries = |key: &str| tables[key].as_object().expect("a table").clone();
    let (mut wrong, mut seen) = (vec![], 0);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for (op, kinds) in entries("binary") {
        for (kind, cells) in kinds.as_object().expect("kinds") {
            seen += compare_cells(&format!("{op}, {kind}"), cells, &mut wrong, |a, b| {
                let a = ones(a, 1);
                outcome(|| match kind.as_str() {
                    "tensor" => binary(&op, a, ones(b, 1).into()),
                    "zero" => binary(&op, a, ones(b, 0).into()),
                    number => binary(&op, a, plain(number)),
                })
            });
        }
    }
    for (op, cells) in entries("in_place") {
        let f = |a: &str, b: &str| outcome(|| in_place(&op, ones(a, 1), &ones(b, 1)));
        seen += compare_cells(&format!("{op}_"), &cells, &mut wrong, f);
    }
    for (op, cells) in entries("typed") {
        let f = |a: &str, b: &str| outcome(|| typed(&op, &ones(a, 1), dtype(b)));
        seen += compare_cells(&format!("{op}, dtype"), &cells, &mut wrong, f);
    }
    std::panic::set_hook(hook);
    assert!(wrong.is_empty(), "{} of {seen}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(seen > 6000, "{seen}");
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
