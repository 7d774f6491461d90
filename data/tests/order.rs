//! Orders and costs to the random streams, against real PyTorch (tests/fixtures/data.json).

use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;
use taper_data::{
    DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler, SharedGenerator, SubsetRandomSampler,
    TensorDataset, WeightedRandomSampler, random_split,
};
use taper_tensor::{DType, Tensor, manual_seed};

/// The global stream is one for all tests of this program.
static STREAM: Mutex<()> = Mutex::new(());

fn fixture(theme: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/data.json");
    let mut all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = all[theme].take();
    let cases = cases.as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn numbers(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

fn count(value: &Value) -> Option<usize> {
    value.as_u64().map(|n| n as usize)
}

/// What a stream gives next.
fn tail(own: Option<&SharedGenerator>) -> Vec<i64> {
    let draw = |g: Option<&mut _>| Tensor::randint_with(0, 1 << 20, [3], DType::I64, g).to_vec();
    own.map_or_else(|| draw(None), |own| own.with(|g| draw(Some(g))))
}

/// Seeds the global stream, runs `case` with the generator it asks for, and compares what both streams
/// give afterwards.
fn in_streams(case: &Value, run: impl FnOnce(Option<SharedGenerator>)) {
    let _alone = STREAM.lock().unwrap_or_else(|e| e.into_inner());
    let own = case["generator"].as_u64().map(SharedGenerator::new);
    manual_seed(case["seed"].as_u64().unwrap());
    run(own.clone());
    assert_eq!(tail(None), numbers(&case["next"]), "global stream after {case}");
    if let Some(own) = &own {
        assert_eq!(tail(Some(own)), numbers(&case["next_own"]), "own stream after {case}");
    }
}

#[test]
fn loaders() {
    for case in fixture("loaders") {
        in_streams(&case, |own| {
            let n = case["n"].as_i64().unwrap();
            let flag = |name: &str| case["kwargs"][name].as_bool().unwrap_or(false);
            let mut loader = DataLoader::new(TensorDataset::new(Tensor::arange(0, n, 1)))
                .shuffle(flag("shuffle"))
                .drop_last(flag("drop_last"));
            if let Some(size) = count(&case["kwargs"]["batch_size"]) {
                loader = loader.batch_size(size);
            }
            if let Some(own) = own {
                loader = loader.generator(own);
            }
            assert_eq!(Some(loader.len()), count(&case["len"]), "{case}");
            for epoch in case["epochs"].as_array().unwrap() {
                let expected: Vec<Vec<i64>> = epoch.as_array().unwrap().iter().map(numbers).collect();
                let mut batches = loader.iter();
                let got: Vec<Vec<i64>> = match count(&case["stop"]) {
                    Some(stop) => batches.by_ref().take(stop).map(|b| b.to_vec()).collect(),
                    None => batches.by_ref().map(|b| b.to_vec()).collect(),
                };
                assert_eq!(got, expected, "{case}");
                assert_eq!(batches.len(), loader.len() - got.len());
            }
        });
    }
}

#[test]
fn samplers() {
    for case in fixture("samplers") {
        in_streams(&case, |own| {
            let n = count(&case["n"]).unwrap();
            let kwargs = &case["kwargs"];
            let (samples, replacement) = (count(&kwargs["num_samples"]), kwargs["replacement"].as_bool());
            macro_rules! with_own {
                ($sampler:expr) => {
                    match own {
                        Some(own) => Box::new($sampler.generator(own)) as Box<dyn Sampler>,
                        None => Box::new($sampler),
                    }
                };
            }
            let sampler = match case["sampler"].as_str().unwrap() {
                "sequential" => Box::new(SequentialSampler::new(n)),
                "random" => with_own!(
                    RandomSampler::new(n)
                        .num_samples(samples.unwrap_or(n))
                        .replacement(replacement.unwrap_or(false))
                ),
                "subset" => with_own!(SubsetRandomSampler::new((0..3 * n).step_by(3).collect::<Vec<_>>())),
                "weighted" => {
                    let weights: Vec<f64> =
                        case["weights"].as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).collect();
                    with_own!(
                        WeightedRandomSampler::new(weights, samples.unwrap())
                            .replacement(replacement.unwrap_or(true))
                    )
                }
                other => panic!("unknown sampler {other}"),
            };
            assert_eq!(Some(sampler.len()), count(&case["len"]));
            for order in case["orders"].as_array().unwrap() {
                let got: Vec<i64> = sampler.order().map(|i| i as i64).collect();
                assert_eq!(got, numbers(order), "{case}");
            }
        });
    }
}

#[test]
fn splits() {
    for case in fixture("splits") {
        in_streams(&case, |own| {
            let items: Vec<i64> = (0..case["n"].as_i64().unwrap()).collect();
            let lengths = case["lengths"].as_array().unwrap();
            let size = |i: usize| lengths[i].as_u64().unwrap() as usize;
            let share = |i: usize| lengths[i].as_f64().unwrap();
            let parts = match (lengths.len(), lengths[0].is_u64()) {
                (2, true) => random_split(&items, [size(0), size(1)], own.as_ref()).to_vec(),
                (2, false) => random_split(&items, [share(0), share(1)], own.as_ref()).to_vec(),
                (3, false) => random_split(&items, [share(0), share(1), share(2)], own.as_ref()).to_vec(),
                other => panic!("no such case {other:?}"),
            };
            for (part, expected) in parts.iter().zip(case["parts"].as_array().unwrap()) {
                let got: Vec<i64> = (0..part.len()).map(|i| part.get(i)).collect();
                assert_eq!(got, numbers(expected), "{case}");
            }
        });
    }
}

/// What `kernels/tests/fixtures/rng-vectors.json` has of loaders and splits.
#[test]
fn vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/tests/fixtures/rng-vectors.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for seed in [42u64, 1] {
        let _alone = STREAM.lock().unwrap_or_else(|e| e.into_inner());
        let entries = &file[seed.to_string()];
        manual_seed(seed);
        let loader = DataLoader::new(TensorDataset::new(Tensor::arange(0, 10, 1))).shuffle(true);
        let mut orders: Vec<Vec<i64>> =
            (0..2).map(|_| loader.iter().flat_map(|b| b.to_vec::<i64>()).collect()).collect();
        orders.push(Tensor::randint(0, 1000, 1).to_vec());
        let expected = &entries["DataLoader10_shuffle_2epochs_then_randint1000"];
        // The last is one draw, which the file repeats.
        for (order, expected) in orders.iter().zip(expected.as_array().unwrap()) {
            assert_eq!(order[..], numbers(expected)[..order.len()]);
        }
        manual_seed(seed);
        let items: Vec<i64> = (0..10).collect();
        let parts = random_split(&items, [7, 3], None);
        let order: Vec<i64> = parts.iter().flat_map(|p| (0..p.len()).map(|i| p.get(i))).collect();
        assert_eq!(order, numbers(&entries["random_split_7_3"]));
    }
}
