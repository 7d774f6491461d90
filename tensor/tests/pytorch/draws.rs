//! `tests/fixtures/random.json`: draws in place, dropout, long runs, states.

use crate::fixture::{dtype, fixture, number, sizes, tensor};
use serde_json::Value;
use taper_tensor::{DType, Generator, Operand, Tensor};

fn cases(key: &str) -> Vec<Value> {
    let mut file: Value = fixture!("random.json");
    let Value::Array(cases) = file[key].take() else { panic!("no list {key}") };
    assert!(!cases.is_empty());
    cases
}

fn text(v: &Value) -> &str {
    v.as_str().expect("a string")
}

fn seeded(case: &Value) -> Generator {
    Generator::new(case["seed"].as_i64().expect("a seed") as u64)
}

fn steps(v: &Value) -> Vec<isize> {
    v.as_array().expect("steps").iter().map(|s| s.as_i64().expect("a step") as isize).collect()
}

/// Logarithms, sines and the like in f64 are the platform's.
const EXACT: bool = cfg!(target_env = "gnu");

#[track_caller]
fn assert_same(found: &Tensor, expected: &[f64], what: &str) {
    let found = found.to_vec::<f64>();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        let near = a == b || !EXACT && (a - b).abs() <= 1e-6 * b.abs();
        assert!(near, "{what}, element {i}: {a}, PyTorch has {b}");
    }
}

#[track_caller]
fn assert_next(g: &mut Generator, case: &Value, what: &str) {
    assert_eq!(g.unit_f32(), number(&case["next"]) as f32, "{what}: drawn next");
}

fn call(x: &mut Tensor, case: &Value, g: &mut Generator) {
    let args: Vec<f64> = case["args"].as_array().expect("arguments").iter().map(number).collect();
    let g = Some(g);
    match (text(&case["call"]), args[..].as_ref()) {
        ("exponential", &[rate]) => x.exponential_with_(rate, g),
        ("geometric", &[p]) => x.geometric_with_(p, g),
        ("log_normal", &[mean, std]) => x.log_normal_with_(mean, std, g),
        ("cauchy", &[median, sigma]) => x.cauchy_with_(median, sigma, g),
        ("uniform", &[lo, hi]) => x.uniform_with_(lo, hi, g),
        ("normal", &[mean, std]) => x.normal_with_(mean, std, g),
        ("bernoulli", &[p]) => x.bernoulli_with_(p, g),
        ("random", &[lo, hi]) => x.random_with_(lo as i64, hi as i64, g),
        ("random", &[]) => x.random_unbounded_with_(g),
        (other, _) => panic!("no call {other}"),
    };
}

/// A tensor of zeros in this layout, which nothing else sees.
fn laid_out(case: &Value) -> Tensor {
    let (shape, strides) = (sizes(&case["shape"]), steps(&case["strides"]));
    let offset = case["offset"].as_u64().expect("an offset") as usize;
    let reach: isize = shape.iter().zip(&strides).map(|(&n, s)| (n as isize - 1) * s).sum();
    let dtype = dtype(text(&case["dtype"]));
    let base = Tensor::zeros_with([offset + reach as usize + 1], dtype);
    Tensor::try_from_storage(&base.untyped_storage(), dtype, &shape, &strides, offset).expect("a view")
}

#[test]
fn draws_in_place() {
    for case in cases("inplace") {
        let what = format!("{} {} {}", case["call"], case["dtype"], case["strides"]);
        // Once in the tensor's own memory, once where that is somebody else's as well.
        for shared in [false, true] {
            let mut x = laid_out(&case);
            let kept = shared.then(|| x.clone());
            let g = &mut seeded(&case);
            call(&mut x, &case, g);
            if x.dtype() == DType::I64 {
                let expected: Vec<i64> =
                    case["values"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
                assert_eq!(x.to_vec::<i64>(), expected, "{what}");
            } else {
                let expected: Vec<f64> = case["values"].as_array().unwrap().iter().map(number).collect();
                let expected = Tensor::from_vec(expected, [x.numel()]).to_dtype(x.dtype()).to_vec::<f64>();
                assert_same(&x, &expected, &what);
            }
            assert_next(g, &case, &what);
            assert!(kept.is_none_or(|kept| kept.to_vec::<f64>().iter().all(|v| *v == 0.0)));
        }
    }
}

#[test]
fn in_place_draws_do_not_depend_on_who_else_sees_the_memory() {
    // 4 × 6 with gaps, columns first: normals are drawn one by one, in the order of memory.
    let base = || Tensor::zeros([12, 8]).slice(0, None, None, 2).t().slice(0, None, 4, 1);
    for draw in ["normal", "uniform"] {
        let (mut own, mut shared) = (base(), base());
        let keep = shared.clone();
        for x in [&mut own, &mut shared] {
            let g = Some(&mut Generator::new(4));
            let g = g.map(|g| g as &mut Generator);
            if draw == "normal" {
                x.normal_with_(0.0, 1.0, g)
            } else {
                x.uniform_with_(0.0, 1.0, g)
            };
        }
        assert!(own.equal(&shared), "{draw}");
        assert_eq!(keep.abs().sum().item(), 0.0);
    }
    // What is made like it has the order of dimensions, without the gaps.
    assert_eq!(base().shape(), [4, 6]);
    assert_eq!(base().rand_like().strides(), [1, 4]);
}

#[test]
fn normals_of_tensors() {
    for case in cases("normal") {
        let operand = |v: &Value| -> Operand { v.as_f64().map_or_else(|| tensor(v).into(), Operand::from) };
        let (mean, std) = (operand(&case["mean"]), operand(&case["std"]));
        let g = &mut seeded(&case);
        let y = Tensor::normal_each_with(mean, std, Some(g));
        let expected = tensor(&case["result"]);
        let what = format!("normal of {} and {}", case["mean"]["shape"], case["std"]["shape"]);
        assert_eq!((y.shape(), y.dtype()), (expected.shape(), expected.dtype()), "{what}");
        assert_same(&y, &expected.to_vec::<f64>(), &what);
        assert_next(g, &case, &what);
    }
}

#[test]
fn dropouts() {
    for case in cases("dropout") {
        let what = format!("{} {} {}", case["call"], case["p"], case["strides"]);
        let (p, training) = (number(&case["p"]), case["training"].as_bool().expect("a flag"));
        // The same values with PyTorch's steps.
        let given = tensor(&case["x"]);
        let mut x = if steps(&case["strides"]) == given.strides() {
            given
        } else {
            let back: Vec<isize> = (0..given.ndim() as isize).rev().collect();
            given.permute(back.as_slice()).contiguous().permute(back.as_slice())
        };
        if x.numel() > 0 {
            assert_eq!(x.strides(), steps(&case["strides"]), "{what}");
        }
        x.set_requires_grad(true);
        let g = &mut seeded(&case);
        let draw = Some(&mut *g);
        let y = match text(&case["call"]) {
            "dropout" => x.dropout_with(p, training, draw),
            "dropout1d" => x.dropout1d_with(p, training, draw),
            "dropout2d" => x.dropout2d_with(p, training, draw),
            "dropout3d" => x.dropout3d_with(p, training, draw),
            "alpha_dropout" => x.alpha_dropout_with(p, training, draw),
            "feature_alpha_dropout" => x.feature_alpha_dropout_with(p, training, draw),
            other => panic!("no function {other}"),
        };
        let numbers = |v: &Value| tensor(v).to_vec::<f64>();
        assert_same(&y.detach(), &numbers(&case["y"]), &what);
        assert_next(g, &case, &what);
        let n = x.numel() as i64;
        let count = Tensor::arange(1, n + 1, 1).to_dtype(x.dtype()).reshape(x.shape());
        (y * count).sum().backward();
        assert_same(&x.grad().expect("a gradient"), &numbers(&case["grad"]), &format!("{what}: gradient"));
    }
}

#[test]
fn multinomials() {
    for case in cases("multinomial") {
        let (n, again) =
            (case["n"].as_u64().expect("a count"), case["replacement"].as_bool().expect("a flag"));
        let g = &mut seeded(&case);
        let picked = tensor(&case["weights"]).multinomial_with(n as usize, again, Some(g));
        let (expected, what) = (tensor(&case["picked"]), format!("{n} of {}", case["weights"]));
        assert_eq!(picked.shape(), expected.shape(), "{what}");
        assert_eq!(picked.to_vec::<i64>(), expected.to_vec::<i64>(), "{what}");
        assert_next(g, &case, &what);
    }
}

/// The sum of `bits[i]·(i + 1)`.
fn checksum(bits: impl Iterator<Item = i64>) -> u64 {
    bits.enumerate().fold(0u64, |sum, (i, b)| sum.wrapping_add((b as u64).wrapping_mul(i as u64 + 1)))
}

#[test]
fn long_runs() {
    for case in cases("long") {
        let name = text(&case["call"]);
        if !EXACT && !["uniform", "random", "bernoulli", "randperm"].contains(&name) {
            continue;
        }
        let (dtype, g) = (dtype(text(&case["dtype"])), &mut seeded(&case));
        let x = if name == "randperm" {
            Tensor::randperm_with(100_003, dtype, Some(g))
        } else {
            let mut x = Tensor::empty_with([100_003], dtype);
            call(&mut x, &case, g);
            x
        };
        // As PyTorch's views of whole numbers: with the sign.
        let size = dtype.size();
        let found = x.untyped_storage().with_bytes(|bytes| {
            checksum(bytes[..100_003 * size].chunks_exact(size).map(|b| match size {
                8 => i64::from_le_bytes(b.try_into().expect("8 bytes")),
                4 => i32::from_le_bytes(b.try_into().expect("4 bytes")) as i64,
                2 => i16::from_le_bytes(b.try_into().expect("2 bytes")) as i64,
                _ => b[0] as i64,
            }))
        });
        assert_eq!(found.to_string(), text(&case["checksum"]), "{name} {} {dtype}", case["args"]);
    }
}

/// States of PyTorch's generator at several points, the kept normal included: the same bytes here, and
/// the same numbers after going through them.
#[test]
fn states() {
    for case in cases("states") {
        let g = &mut seeded(&case);
        let count = |key: &str| case[key].as_u64().expect("a count") as usize;
        Tensor::rand_with(count("n"), DType::F32, Some(g));
        Tensor::randn_with(count("k"), DType::F32, Some(g));
        let state = g.state();
        assert_eq!(checksum(state.iter().map(|b| *b as i64)).to_string(), text(&case["checksum"]), "{case}");
        let mut h = Generator::default();
        h.set_state(&state).expect("a state");
        let (normals, uniforms) =
            (Tensor::randn_with(3, DType::F32, Some(&mut h)), Tensor::rand_with(2, DType::F32, Some(&mut h)));
        let numbers = |key: &str| case[key].as_array().unwrap().iter().map(|v| number(v) as f32 as f64);
        assert_same(&normals, &numbers("normals").collect::<Vec<_>>(), "normals");
        assert_same(&uniforms, &numbers("uniforms").collect::<Vec<_>>(), "uniforms");
    }
}

#[test]
fn what_is_refused() {
    let message = |f: fn()| {
        let panic = std::panic::catch_unwind(f).expect_err("should panic");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    let expect = |f: fn(), part: &str| {
        let message = message(f);
        assert!(message.contains(part), "{message}");
    };
    expect(|| drop(Tensor::ones(3).geometric_(1.0).clone()), "geometric_: expected a probability between");
    expect(|| drop(Tensor::ones(3).log_normal_(0.0, 0.0).clone()), "log_normal_: expected a standard");
    expect(|| drop(Tensor::arange(0, 3, 1).cauchy_(0.0, 1.0).clone()), "cauchy_: expected a floating-point");
    expect(|| drop(Tensor::normal_each(Tensor::ones(3), -1.0)), "normal: expected standard deviations >= 0");
    expect(
        || drop(Tensor::normal_each(Tensor::ones(3), Tensor::ones(2))),
        "normal: shapes [3] and [2] do not broadcast",
    );
    expect(|| drop(Tensor::ones([2, 2]).dropout3d(0.5, true)), "dropout3d: expected 4 or 5 dimensions");
    expect(|| drop(Tensor::ones([2]).feature_alpha_dropout(0.5, true)), "batch and channels");
}
