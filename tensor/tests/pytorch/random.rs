//! Random streams. `kernels/tests/fixtures/rng-vectors.json` holds, per seed and name, what one call
//! after `torch.manual_seed(seed)` gave.

use serde_json::Value;
use taper_tensor::{
    DType, Generator, Tensor, get_rng_state, initial_seed, manual_seed, set_rng_state, with_generator,
};

fn numbers(v: &Value) -> Vec<f64> {
    match v {
        Value::Array(a) => a.iter().flat_map(numbers).collect(),
        v => vec![v.as_f64().expect("a number")],
    }
}

/// The draws of an entry from a generator.
fn draw(name: &str, g: &mut Generator) -> Option<Tensor> {
    use DType::*;
    let f32s = |n: usize| Tensor::empty([n]);
    Some(match name {
        "u32_via_randint_2p28m1" => Tensor::randint_with(0, (1 << 28) - 1, 8, I64, Some(g)),
        "randint_2p28(u64)" => Tensor::randint_with(0, 1 << 28, 8, I64, Some(g)),
        "randint_0_10" => Tensor::randint_with(0, 10, 20, I64, Some(g)),
        "randint_m5_100" => Tensor::randint_with(-5, 100, 20, I64, Some(g)),
        "rand_f32_20" => Tensor::rand_with(20, F32, Some(g)),
        "rand_f64_10" => Tensor::rand_with(10, F64, Some(g)),
        "uniform_f32_m0.3_0.7_20" => f32s(20).uniform_with_(-0.3, 0.7, Some(g)).clone(),
        "uniform_f64_m0.3_0.7_10" => Tensor::uniform_with(-0.3, 0.7, 10, F64, Some(g)),
        "normal_f32_0.5_2.3_33" => f32s(33).normal_with_(0.5, 2.3, Some(g)).clone(),
        "normal_f32_0.5_2.3_7" => Tensor::normal_with(0.5, 2.3, 7, F32, Some(g)),
        "bernoulli_p0.3_40" => f32s(40).bernoulli_with_(0.3, Some(g)).clone(),
        "bernoulli_tensor_f32_0.3_40" => Tensor::full([40], 0.3).bernoulli_with(Some(g)),
        "dropout_p0.2_ones_40" => Tensor::ones([40]).dropout_with(0.2, true, Some(g)),
        "exponential_f32_1.5_10" => f32s(10).exponential_with_(1.5, Some(g)).clone(),
        "exponential_f64_1.5_10" => Tensor::empty_with([10], F64).exponential_with_(1.5, Some(g)).clone(),
        "random_i64" => Tensor::empty_with([4], I64).random_unbounded_with_(Some(g)).clone(),
        "cache_randn1_rand1_randn1_randn20_randn1" => {
            let mut last = |normal: bool, n: usize| {
                let x = if normal {
                    Tensor::randn_with(n, F32, Some(&mut *g))
                } else {
                    Tensor::rand_with(n, F32, Some(&mut *g))
                };
                x.select(0, -1)
            };
            let calls = [(true, 1), (false, 1), (true, 1), (true, 20), (true, 1)];
            Tensor::stack(&calls.map(|(normal, n)| last(normal, n)), 0)
        }
        _ => {
            let (kind, n) = name.rsplit_once('_')?;
            let n: usize = n.parse().ok()?;
            match kind {
                "randn_f32" => Tensor::randn_with(n, F32, Some(g)),
                "randn_f64" => Tensor::randn_with(n, F64, Some(g)),
                "randn_f16" => Tensor::randn_with(n, F16, Some(g)),
                "randn_bf16" => Tensor::randn_with(n, BF16, Some(g)),
                "randperm" => Tensor::randperm_with(n, I64, Some(g)),
                _ => return None,
            }
        }
    })
}

#[test]
fn draws_are_pytorchs() {
    let file: Value =
        serde_json::from_str(include_str!("../../../kernels/tests/fixtures/rng-vectors.json")).expect("JSON");
    for seed in [42u64, 1] {
        let mut left_out = Vec::new();
        for (name, want) in file[seed.to_string()].as_object().expect("entries") {
            let Some(got) = draw(name, &mut Generator::new(seed)) else {
                left_out.push(name.as_str());
                continue;
            };
            let (got, want) = (got.to_vec::<f64>(), numbers(want));
            // Normals and logarithms in f64 come from the platform's functions.
            let slack = if cfg!(target_env = "gnu") { 0.0 } else { 1e-6 };
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= slack * b.abs();
            assert!(got.len() == want.len() && got.iter().zip(&want).all(near), "{name}: {got:?} {want:?}");
        }
        // The next test has the first two; nn/tests/seeded and data/tests/order.rs have the others.
        let elsewhere = [
            "multinomial_norepl_4",
            "multinomial_repl_12",
            "Conv2d_2_3_k3(w,b)",
            "DataLoader10_shuffle_2epochs_then_randint1000",
            "Embedding_5_4",
            "Linear_3_4(w,b)",
            "kaiming_normal_5_6_relu",
            "random_split_7_3",
            "trunc_normal_std0.7_m1_1_40",
            "xavier_uniform_5_6",
        ];
        left_out.sort_by_key(|name| elsewhere.iter().position(|e| e == name));
        assert_eq!(left_out, elsewhere);
    }
}

#[test]
fn multinomial_is_pytorchs() {
    let file: Value =
        serde_json::from_str(include_str!("../../../kernels/tests/fixtures/rng-vectors.json")).expect("JSON");
    for seed in [42u64, 1] {
        let entries = &file[seed.to_string()];
        let weights = Tensor::from_vec(vec![0.1f32, 0.0, 3.0, 1.0, 2.0, 0.5], [6]);
        let again = weights.multinomial_with(12, true, Some(&mut Generator::new(seed)));
        assert_eq!(again.to_vec::<f64>(), numbers(&entries["multinomial_repl_12"]));
        let once = weights.multinomial_with(4, false, Some(&mut Generator::new(seed)));
        assert_eq!(once.to_vec::<f64>(), numbers(&entries["multinomial_norepl_4"]));
    }
}

/// All that touches the global generator, in one test: others would draw in between.
#[test]
fn the_global_generator() {
    manual_seed(42);
    let first = Tensor::rand([2, 2]).to_vec::<f32>();
    assert_eq!(first[..2], [0.88226926, 0.91500396]);
    let state = get_rng_state();
    let next = Tensor::randn(3).to_vec::<f32>();
    set_rng_state(&state).expect("a state");
    assert_eq!(Tensor::randn(3).to_vec::<f32>(), next);
    assert!(set_rng_state(&state[1..]).is_err());
    assert_eq!(initial_seed(), 42);
    // Nothing is drawn where dropout does nothing.
    manual_seed(7);
    let x = Tensor::ones([4]);
    assert_eq!(x.dropout(0.5, false).to_vec::<f32>(), [1.0; 4]);
    assert_eq!(x.dropout(0.0, true).to_vec::<f32>(), [1.0; 4]);
    assert_eq!(x.dropout(1.0, true).to_vec::<f32>(), [0.0; 4]);
    let after = Tensor::rand(1).item();
    manual_seed(7);
    assert_eq!(Tensor::rand(1).item(), after);
    // A negative seed is its two's complement.
    manual_seed(-1);
    assert_eq!(initial_seed(), u64::MAX);
    assert_eq!(with_generator(|g| g.initial_seed()), u64::MAX);
}

#[test]
fn drawing_follows_memory() {
    let transposed = || Tensor::zeros([3, 2]).t().contiguous().t();
    // The transposed tensor has other strides, and gets the numbers in the order of its memory.
    let mut x = Tensor::zeros([2, 3]).t();
    assert_eq!(x.strides(), [1, 3]);
    let kept = x.clone();
    x.uniform_with_(0.0, 1.0, Some(&mut Generator::new(5)));
    let expected = Tensor::rand_with([2, 3], DType::F32, Some(&mut Generator::new(5)));
    assert!(x.t().equal(&expected));
    assert_eq!(kept.to_vec::<f32>(), [0.0; 6]);
    drop(transposed());
    let like = kept.rand_like();
    assert_eq!(like.strides(), [1, 3]);
}

#[test]
fn dropout_scales_and_its_gradient_has_the_mask() {
    let x = Tensor::full([1000], 3.0).requires_grad_(true);
    let y = x.dropout_with(0.25, true, Some(&mut Generator::new(3)));
    y.sum().backward();
    let (values, grads) = (y.to_vec::<f32>(), x.grad().expect("a gradient").to_vec::<f32>());
    for (v, g) in values.iter().zip(&grads) {
        assert!(
            *v == 0.0 && *g == 0.0 || (*v - 4.0).abs() < 1e-6 && (*g - 4.0 / 3.0).abs() < 1e-6,
            "{v} {g}"
        );
    }
    let kept = values.iter().filter(|v| **v != 0.0).count();
    assert!((700..800).contains(&kept), "{kept}");
}

#[test]
fn a_draw_that_is_impossible_says_so() {
    let message = |f: fn()| {
        let panic = std::panic::catch_unwind(f).expect_err("should panic");
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    assert!(message(|| drop(Tensor::randint(5, 5, 3))).contains("randint: expected lo < hi, got 5 and 5"));
    assert!(message(|| drop(Tensor::ones(3).dropout(1.5, true))).contains("dropout: expected a probability"));
    assert!(message(|| drop(Tensor::rand_with(3, DType::I64, None))).contains("not implemented for int64"));
    assert!(
        message(|| drop(Tensor::full([2], 1.5).bernoulli())).contains("probabilities from 0 to 1, got 1.5")
    );
    let x = Tensor::ones([3]).multinomial_with(3, false, Some(&mut Generator::new(0)));
    let mut all = x.to_vec::<i64>();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2]);
}
