//! Random numbers against PyTorch's, draw by draw.
//!
//! `fixtures/rng-vectors.json` holds, per seed and name, what one call after `manual_seed` gave;
//! `fixtures/draws.py` makes the others.

use crate::operand::*;
use serde_json::Value;
use taper_kernels::random::{Generator, Philox};
use taper_kernels::{Backend, DType, Error, Layout, RandomOp, cpu::Cpu};

fn draw(op: RandomOp, g: &mut Generator, dtype: DType, n: usize) -> Vec<f64> {
    let mut out = Operand::dense(&[n], dtype, || 7.0);
    Cpu.random(op, g, out.view_mut()).unwrap();
    out.values()
}

fn numbers(v: &Value) -> Vec<f64> {
    match v {
        Value::Array(a) => a.iter().flat_map(numbers).collect(),
        Value::Number(n) => vec![n.as_f64().unwrap()],
        _ => panic!("{v}"),
    }
}
const RAND: RandomOp = RandomOp::Uniform { lo: 0.0, hi: 1.0 };
const RANDN: RandomOp = RandomOp::Normal { mean: 0.0, std: 1.0 };

/// Every entry that a single op covers, computed here.
fn ours(name: &str, g: &mut Generator) -> Option<Vec<f64>> {
    use DType::*;
    let some = |op, g: &mut Generator, dtype, n| Some(draw(op, g, dtype, n));
    let int = |lo, hi| RandomOp::Int { lo, hi };
    let normal = |mean, std| RandomOp::Normal { mean, std };
    let uniform = |lo, hi| RandomOp::Uniform { lo, hi };
    match name {
        "u32_via_randint_2p28m1" => some(int(0, (1 << 28) - 1), g, I64, 8),
        "randint_2p28(u64)" => some(int(0, 1 << 28), g, I64, 8),
        "randint_0_10" => some(int(0, 10), g, I64, 20),
        "randint_m5_100" => some(int(-5, 100), g, I64, 20),
        "rand_f32_20" => some(RAND, g, F32, 20),
        "rand_f64_10" => some(RAND, g, F64, 10),
        "uniform_f32_m0.3_0.7_20" => some(uniform(-0.3, 0.7), g, F32, 20),
        "uniform_f64_m0.3_0.7_10" => some(uniform(-0.3, 0.7), g, F64, 10),
        "normal_f32_0.5_2.3_33" => some(normal(0.5, 2.3), g, F32, 33),
        "normal_f32_0.5_2.3_7" => some(normal(0.5, 2.3), g, F32, 7),
        "randn_f16_20" => some(RANDN, g, F16, 20),
        "randn_bf16_20" => some(RANDN, g, BF16, 20),
        "bernoulli_p0.3_40" => some(RandomOp::Bernoulli { p: 0.3 }, g, F32, 40),
        "dropout_p0.2_ones_40" => {
            let mask = draw(RandomOp::Bernoulli { p: 0.8 }, g, F32, 40);
            Some(mask.iter().map(|m| (*m as f32 / 0.8) as f64).collect())
        }
        "bernoulli_tensor_f32_0.3_40" => {
            some(RandomOp::BernoulliEach { p: &[0.3; 40], dtype: F32 }, g, F32, 40)
        }
        "Embedding_5_4" => some(RANDN, g, F32, 20),
        "xavier_uniform_5_6" => {
            let a = 3f64.sqrt() * (2.0f64 / 11.0).sqrt();
            some(uniform(-a, a), g, F32, 30)
        }
        "kaiming_normal_5_6_relu" => some(normal(0.0, 2f64.sqrt() / 6f64.sqrt()), g, F32, 30),
        "Linear_3_4(w,b)" => Some(linear(g, 4, 3)),
        "Conv2d_2_3_k3(w,b)" => Some(linear(g, 3, 18)),
        "random_i64" => Some((0..4).map(|_| g.random_i64() as f64).collect()),
        "random_split_7_3" => Some(g.randperm(10).iter().map(|&v| v as f64).collect()),
        "cache_randn1_rand1_randn1_randn20_randn1" => {
            let last = |op, g: &mut Generator, n| *draw(op, g, F32, n).last().unwrap();
            let calls = [(RANDN, 1), (RAND, 1), (RANDN, 1), (RANDN, 20), (RANDN, 1)];
            Some(calls.map(|(op, n)| last(op, g, n)).to_vec())
        }
        "DataLoader10_shuffle_2epochs_then_randint1000" => {
            let mut all = vec![];
            for _ in 0..2 {
                g.random_i64();
                let order = Generator::new(g.random_i64() as u64).randperm(10);
                all.extend(order.iter().map(|&v| v as f64));
            }
            all.extend([draw(int(0, 1000), g, I64, 1)[0]; 10]);
            Some(all)
        }
        _ => {
            let (kind, n) = name.rsplit_once('_')?;
            let n = n.parse().ok()?;
            match kind {
                "randn_f32" => some(RANDN, g, F32, n),
                "randn_f64" => some(RANDN, g, F64, n),
                "randperm" => some(RandomOp::Permutation, g, I64, n),
                _ => None,
            }
        }
    }
}

fn linear(g: &mut Generator, out: usize, fan_in: usize) -> Vec<f64> {
    let root = (fan_in as f64).sqrt();
    let w = 3f64.sqrt() * ((2.0 / (1.0 + 5f64.sqrt().powi(2))).sqrt() / root);
    [(w, out * fan_in), (1.0 / root, out)]
        .iter()
        .flat_map(|&(b, n)| draw(RandomOp::Uniform { lo: -b, hi: b }, g, DType::F32, n))
        .collect()
}

#[test]
fn numbers_are_pytorchs() {
    crate::at_every_level(numbers_of_the_vectors);
}

fn numbers_of_the_vectors() {
    let file: Value = serde_json::from_str(include_str!("../fixtures/rng-vectors.json")).unwrap();
    for seed in if cfg!(miri) { vec![1u64] } else { vec![42, 1] } {
        let (mut seen, mut left_out) = (0, vec![]);
        for (name, want) in file[seed.to_string()].as_object().unwrap() {
            // The longer ones are the same code again.
            if cfg!(miri) && numbers(want).len() > 17 {
                continue;
            }
            let Some(got) = ours(name, &mut Generator::new(seed)) else {
                left_out.push(name.as_str());
                continue;
            };
            seen += 1;
            let want = numbers(want);
            // f64 normals come from the platform's functions (and Miri's are inexact on purpose).
            if cfg!(target_env = "gnu") && !cfg!(miri) || !name.contains("randn") {
                assert_eq!(got, want, "{name}, seed {seed}");
            } else {
                assert_eq!(got.len(), want.len());
                let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 4e-16_f64.max(1e-7 * b.abs());
                assert!(got.iter().zip(&want).all(near), "{name}, seed {seed}: {got:?} {want:?}");
            }
        }
        if cfg!(miri) {
            return;
        }
        assert_eq!(
            left_out,
            [
                "exponential_f32_1.5_10",
                "exponential_f64_1.5_10",
                "multinomial_norepl_4",
                "multinomial_repl_12",
                "trunc_normal_std0.7_m1_1_40"
            ],
            "entries without an op"
        );
        assert!(seen > 35, "{seen}");
    }
}

fn dtype(name: &Value) -> DType {
    *DType::ALL.iter().find(|d| d.name() == name).unwrap()
}

/// A layout over memory that is filled with something else.
fn strided(row: &Value, dtype: DType) -> Operand {
    let list = |key: &str| -> Vec<isize> { numbers(&row[key]).iter().map(|&v| v as isize).collect() };
    let shape: Vec<usize> = list("shape").iter().map(|&n| n as usize).collect();
    let layout =
        Layout::new(shape.as_slice(), list("strides").as_slice(), numbers(&row["offset"])[0] as usize);
    let mut base = Operand::dense(&[layout.span().end + 2], dtype, || 7.0);
    base.layout = layout;
    base
}

#[test]
fn order_and_dtypes_are_pytorchs() {
    crate::at_every_level(order_and_dtypes);
}

fn order_and_dtypes() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("../fixtures/draws.json")).unwrap();
    for row in rows.iter().step_by(if cfg!(miri) { 7 } else { 1 }) {
        let dtype = dtype(&row["dtype"]);
        let (a, b) = (row["a"].as_f64().unwrap(), row["b"].as_f64().unwrap());
        let op = match row["op"].as_str().unwrap() {
            "uniform" => RandomOp::Uniform { lo: a, hi: b },
            "normal" => RandomOp::Normal { mean: a, std: b },
            "int" => RandomOp::Int { lo: a as i64, hi: b as i64 },
            _ => RandomOp::Bernoulli { p: a },
        };
        let mut x = strided(row, dtype);
        let outside = |x: &Operand| {
            let mut x = x.clone();
            indices(x.layout.shape()).for_each(|i| x.set(&i, 0.0));
            x.bytes().to_vec()
        };
        let before = outside(&x);
        let g = &mut Generator::new(11);
        Cpu.random(op, g, x.view_mut()).unwrap();
        let (got, want) = (x.values(), numbers(&row["values"]));
        let what = format!("{op:?} {dtype} {:?}", x.layout);
        let exact = cfg!(target_env = "gnu") && !cfg!(miri) || row["op"] != "normal";
        if exact {
            assert_eq!(got, want, "{what}");
        } else {
            let tolerance = epsilon(dtype).max(1e-15) * 4.0;
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() <= tolerance), "{what}");
        }
        assert_eq!(g.u32() & 0x7FF_FFFF, row["after"].as_u64().unwrap() as u32, "{what}");
        assert_eq!(outside(&x), before, "{what}");
    }
}

/// Longer than every block and chunk of the code, at each instruction set and on one or three threads.
#[test]
fn long_draws_have_the_same_bits_everywhere() {
    let n = if cfg!(miri) { 37 } else { 5003 };
    let each: Vec<f64> = (0..n).map(|i| i as f64 / n as f64).collect();
    let ops = [
        RandomOp::Uniform { lo: -0.3, hi: 0.7 },
        RandomOp::Normal { mean: 0.5, std: 2.0 },
        RandomOp::Int { lo: -3, hi: 50 },
        RandomOp::Int { lo: -3, hi: 1 << 40 },
        RandomOp::Bernoulli { p: 0.3 },
        RandomOp::BernoulliEach { p: &each, dtype: DType::F32 },
        RandomOp::Permutation,
    ];
    let draws = || {
        let (mut all, g) = (Vec::new(), &mut Generator::new(17));
        for op in ops {
            for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
                let mut out = Operand::dense(&[n], dtype, || 7.0);
                Cpu.random(op, g, out.view_mut()).unwrap();
                all.extend_from_slice(out.bytes());
            }
        }
        all
    };
    let first = std::sync::Mutex::new(None);
    crate::at_every_level(|| {
        for threads in [1, 3] {
            let found = on_threads(threads, draws);
            let mut first = first.lock().unwrap();
            assert!(first.get_or_insert_with(|| found.clone()) == &found, "on {threads} threads");
        }
    });
}

#[test]
fn bernoulli_with_a_probability_each_follows_memory() {
    let p: Vec<f64> = (0..48).map(|i| i as f64 / 48.0).collect();
    for of_p in [DType::F32, DType::F64] {
        let mut x = Operand::dense(&[8, 6], DType::I64, || 0.0);
        x.layout = x.layout.transpose(0, 1);
        let op = RandomOp::BernoulliEach { p: &p, dtype: of_p };
        Cpu.random(op, &mut Generator::new(3), x.view_mut()).unwrap();
        let g = &mut Generator::new(3);
        for (column, row) in indices(&[8, 6]).map(|i| (i[0], i[1])) {
            let p = p[row * 8 + column];
            let hit = if of_p == DType::F64 { g.unit_f64() < p } else { g.unit_f32() < p as f32 };
            assert_eq!(x.get(&[row, column]), hit as u8 as f64, "{row} {column}");
        }
    }
}

#[test]
fn backward_steps_count_as_a_fresh_tensor() {
    for op in [RAND, RANDN, RandomOp::Permutation] {
        let want = draw(op, &mut Generator::new(5), DType::F32, 24);
        let mut x = Operand::dense(&[4, 6], DType::F32, || 0.0);
        x.layout = x.layout.slice(1, 5, 6, -1);
        Cpu.random(op, &mut Generator::new(5), x.view_mut()).unwrap();
        assert_eq!(x.values(), want, "{op:?}");
    }
}

#[test]
fn nothing_is_drawn_for_nothing() {
    let g = &mut Generator::new(5);
    for op in [RAND, RANDN, RandomOp::Permutation, RandomOp::Bernoulli { p: 0.5 }] {
        draw(op, g, DType::F32, 0);
    }
    assert_eq!(*g, Generator::new(5));
    let mut ints = Operand::dense(&[3], DType::I64, || 0.0);
    let error = Cpu.random(RANDN, g, ints.view_mut()).unwrap_err();
    assert!(matches!(error, Error::Unsupported { op: "normal", dtype: DType::I64, .. }));
    assert_eq!(*g, Generator::new(5));
}

#[test]
fn state_is_pytorchs() {
    // torch.manual_seed(-5); torch.rand(1001); torch.randn(1); torch.get_rng_state()
    let theirs = include_bytes!("../fixtures/generator.state");
    let mut g = Generator::new(-5i64 as u64);
    draw(RAND, &mut g, DType::F32, 1001);
    let first = g.normal();
    if !cfg!(miri) {
        assert_eq!(g.state(), theirs);
    }
    let mut h = Generator::default();
    assert_eq!(h.initial_seed(), 67280421310721);
    h.set_state(theirs).unwrap();
    assert_eq!(h.state(), theirs);
    assert_eq!(h.initial_seed(), -5i64 as u64);
    assert_ne!(first, h.normal());
    // The next three normals and two uniforms.
    h.set_state(theirs).unwrap();
    let next = draw(RANDN, &mut h, DType::F32, 3);
    let want = [0.18340496718883514, -0.9032768607139587, -0.494088739156723];
    assert!(next.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{next:?}");
    assert_eq!(draw(RAND, &mut h, DType::F32, 2), [0.9138737320899963, 0.6992068886756897]);
}

#[test]
fn state_of_the_devices_stream() {
    // Beside the CPU's 5056 bytes only where it is not at its start.
    let mut g = Generator::new(7);
    assert_eq!(g.device_stream(), Philox { seed: 7, offset: 0 });
    let start = g.state();
    g.set_device_stream(Philox { seed: 7, offset: 12 });
    let state = g.state();
    assert_eq!((start.len(), state.len(), &state[..5056]), (5056, 5072, &start[..]));
    assert_eq!(state[5056..], [7, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0]);
    let mut h = Generator::default();
    h.set_state(&state).unwrap();
    assert_eq!(h, g);
    h.set_state(&start).unwrap();
    assert_eq!(h.device_stream(), Philox { seed: 7, offset: 0 });
    h.set_state(&state).unwrap();
    h.manual_seed(8);
    assert_eq!(h.device_stream(), Philox { seed: 8, offset: 0 });
    let odd = [&state[..5064], &[3, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert!(h.set_state(&odd).unwrap_err().to_string().contains("an offset of 3"));
}

#[test]
fn state_at_the_edges() {
    let header = |g: &Generator| {
        let s = g.state();
        (i32::from_le_bytes(s[8..12].try_into().unwrap()), u64::from_le_bytes(s[16..24].try_into().unwrap()))
    };
    // As PyTorch has them: left, next.
    let g = &mut Generator::new(1);
    assert_eq!(header(g), (1, 0));
    let fresh = g.state();
    g.u32();
    assert_eq!(header(g), (624, 1));
    draw(RAND, g, DType::F32, 623);
    assert_eq!(header(g), (1, 624));
    for state in [fresh, g.state()] {
        let mut h = Generator::default();
        h.set_state(&state).unwrap();
        assert_eq!(h.state(), state);
        let mut again = h.clone();
        assert_eq!(h.u64(), again.u64());
    }
    assert_eq!(Generator::new(1 << 32).u32(), Generator::new(0).u32());
}

#[test]
fn broken_states_are_refused() {
    let good = {
        let mut g = Generator::new(9);
        g.normal();
        g.state()
    };
    let mut g = Generator::new(4);
    let mut refuse = |state: &[u8], part: &str| {
        let error = g.set_state(state).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(g, Generator::new(4));
    };
    refuse(&[], "0 bytes instead of 5056");
    refuse(&good[..5055], "5055 bytes");
    refuse(&[0; 5056], "seeded is 0");
    let with = |at: usize, byte: u8| {
        let mut s = good.clone();
        s[at] = byte;
        s
    };
    refuse(&with(8, 77), "589 words left");
    refuse(&with(17, 9), "used of 624");
    refuse(&with(24 + 8 * 5 + 6, 1), "word 5 has more than 32 bits");
    refuse(&with(5040, 3), "normal flag is 3");
}

#[test]
fn seeds_from_entropy_differ() {
    assert_ne!(Generator::from_entropy().initial_seed(), Generator::from_entropy().initial_seed());
}
