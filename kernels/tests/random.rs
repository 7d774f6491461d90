//! Random numbers against PyTorch's, draw by draw.
//!
//! `fixtures/rng-vectors.json` holds, per seed and name, what one call after `manual_seed` gave.

use serde_json::Value;
use taper_kernels::random::{Generator, fill};
use taper_kernels::{Buffer, DType, Element, Layout, RandomOp, Storage, ViewMut};

fn draw_layout(op: RandomOp, g: &mut Generator, dtype: DType, layout: &Layout) -> Vec<f64> {
    let mut storage = Storage::Cpu(Buffer::zeroed(layout.span().end * dtype.size()));
    fill(op, g, ViewMut::new(&mut storage, dtype, layout)).unwrap();
    taper_kernels::dispatch_dtype!(dtype, T => {
        let data = storage.as_cpu().unwrap().as_slice::<T>();
        let mut out = vec![];
        taper_kernels::cpu::walk::Walk::new([&layout.collapse()]).runs(0..layout.numel(), |_, _| ());
        each_index(layout.shape(), |i| out.push(data[layout.position(i)].to_f64()));
        out
    })
}

fn each_index(shape: &[usize], mut f: impl FnMut(&[usize])) {
    let n: usize = shape.iter().product();
    for flat in 0..n {
        let mut rest = flat;
        let mut index = vec![0; shape.len()];
        for d in (0..shape.len()).rev() {
            index[d] = rest % shape[d];
            rest /= shape[d];
        }
        f(&index);
    }
}

fn draw(op: RandomOp, g: &mut Generator, dtype: DType, n: usize) -> Vec<f64> {
    draw_layout(op, g, dtype, &Layout::contiguous(&[n]))
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
    let file: Value = serde_json::from_str(include_str!("fixtures/rng-vectors.json")).unwrap();
    for seed in [42u64, 1] {
        let (mut seen, mut left_out) = (0, vec![]);
        for (name, want) in file[seed.to_string()].as_object().unwrap() {
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
