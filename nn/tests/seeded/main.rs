//! What draws from the global generator: values and number of draws of every case of init.json. These
//! tests have a process of their own, and one at a time has the generator.

#[path = "../common/build.rs"]
#[allow(dead_code)]
mod build;
#[path = "../common/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use build::{Args, layer};
use fixture::{assert_close, each, list, load, number, shape, tensor, text};
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use taper_nn::init::{self, FanMode, Nonlinearity};
use taper_nn::{Conv2d, Dropout, Embedding, Forward, Linear, Module, Parameter, ReLU, sequential, summary};
use taper_tensor::{Tensor, manual_seed};

static GENERATOR: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

fn assert_bits(what: &str, got: &Tensor, expected: &Value) {
    let expected = tensor(expected);
    assert_eq!(got.shape(), expected.shape(), "{what}: shape");
    let (got, expected) = (got.to_vec::<f32>(), expected.to_vec::<f32>());
    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&got), bits(&expected), "{what}: {got:?} instead of {expected:?}");
}

fn assert_next(case: &Value) {
    assert_eq!(Tensor::rand(1).item(), number(&case["next"]) as f32 as f64, "the next number drawn");
}

#[test]
fn layers_draw_as_in_pytorch() {
    let _alone = alone();
    let file = load("init.json");
    each(
        list(&file["layers"]),
        |c| format!("{}{}{}", c["layer"], c["args"], c["kwargs"]),
        |case| {
            manual_seed(case["seed"].as_i64().unwrap());
            let made = layer(text(&case["layer"]), &Args::new(list(&case["args"]), &case["kwargs"]));
            let state = made.module().state_dict();
            let expected = list(&case["state"]);
            assert_eq!(
                state.keys().collect::<Vec<_>>(),
                expected.iter().map(|e| text(&e[0])).collect::<Vec<_>>()
            );
            for e in expected {
                assert_bits(text(&e[0]), state.get(text(&e[0])).unwrap(), &e[1]);
            }
            assert_next(case);
        },
    );
}

#[test]
fn functions_draw_as_in_pytorch() {
    let _alone = alone();
    let file = load("init.json");
    each(
        list(&file["functions"]),
        |c| format!("{}({})", c["function"], c["kwargs"]),
        |case| {
            let p = Parameter::new(Tensor::full(shape(&case["result"]["shape"]), 9.0));
            let kwargs = case["kwargs"].as_object().unwrap();
            let get = |name: &str, default: f64| kwargs.get(name).map_or(default, number);
            let function = text(&case["function"]);
            let known: &[&str] = match function {
                "uniform_" => &["a", "b"],
                "normal_" => &["mean", "std"],
                "trunc_normal_" => &["mean", "std", "a", "b"],
                "constant_" => &["val"],
                "dirac_" => &["groups"],
                "xavier_uniform_" | "xavier_normal_" | "orthogonal_" => &["gain"],
                "kaiming_uniform_" | "kaiming_normal_" => &["a", "mode", "nonlinearity"],
                "sparse_" => &["sparsity", "std"],
                _ => &[],
            };
            assert!(kwargs.keys().all(|k| known.contains(&k.as_str())), "unknown argument");
            let mode = match kwargs.get("mode").map(text) {
                Some("fan_out") => FanMode::FanOut,
                _ => FanMode::FanIn,
            };
            let after =
                nonlinearity(kwargs.get("nonlinearity").map_or("leaky_relu", text), Some(get("a", 0.0)));
            manual_seed(case["seed"].as_i64().unwrap());
            match function {
                "uniform_" => init::uniform_(&p, get("a", 0.0), get("b", 1.0)),
                "normal_" => init::normal_(&p, get("mean", 0.0), get("std", 1.0)),
                "trunc_normal_" => {
                    init::trunc_normal_(&p, get("mean", 0.0), get("std", 1.0), get("a", -2.0), get("b", 2.0))
                }
                "constant_" => init::constant_(&p, get("val", f64::NAN)),
                "ones_" => init::ones_(&p),
                "zeros_" => init::zeros_(&p),
                "eye_" => init::eye_(&p),
                "dirac_" => init::dirac_(&p, get("groups", 1.0) as usize),
                "xavier_uniform_" => init::xavier_uniform_(&p, get("gain", 1.0)),
                "xavier_normal_" => init::xavier_normal_(&p, get("gain", 1.0)),
                "kaiming_uniform_" => init::kaiming_uniform_(&p, mode, after),
                "kaiming_normal_" => init::kaiming_normal_(&p, mode, after),
                "orthogonal_" => init::orthogonal_(&p, get("gain", 1.0)),
                "sparse_" => init::sparse_(&p, get("sparsity", f64::NAN), get("std", 0.01)),
                other => panic!("no function {other}"),
            }
            // Orthogonal matrices come from another algorithm; all others agree bit for bit.
            match function {
                "orthogonal_" => assert_close("value", &p.value().detach(), &case["result"]),
                _ => assert_bits("value", &p.value().detach(), &case["result"]),
            }
            assert_next(case);
        },
    );
}

/// The entries of `kernels/tests/fixtures/rng-vectors.json` that are layers and initialisations: one
/// constructor or function after `manual_seed(seed)`.
#[test]
fn vectors() {
    let _alone = alone();
    let file = load("../../kernels/tests/fixtures/rng-vectors.json");
    for seed in [42u64, 1] {
        let entries = &file[seed.to_string()];
        let flat = |v: &Value| -> Vec<f32> {
            fn all(v: &Value) -> Vec<f64> {
                v.as_array().map_or_else(|| vec![number(v)], |v| v.iter().flat_map(all).collect())
            }
            all(v).into_iter().map(|v| v as f32).collect()
        };
        let values = |module: &dyn Module| -> Vec<f32> {
            module.parameters().iter().flat_map(|p| p.value().to_vec::<f32>()).collect()
        };
        let filled = |shape: [usize; 2], f: &dyn Fn(&Parameter)| {
            let p = Parameter::new(Tensor::zeros(shape));
            f(&p);
            p.value().to_vec::<f32>()
        };
        let after = Nonlinearity::Relu;
        let draws: [(&str, &dyn Fn() -> Vec<f32>); 6] = [
            ("Linear_3_4(w,b)", &|| values(&Linear::new(3, 4))),
            ("Conv2d_2_3_k3(w,b)", &|| values(&Conv2d::new(2, 3, 3))),
            ("Embedding_5_4", &|| values(&Embedding::new(5, 4))),
            ("xavier_uniform_5_6", &|| filled([5, 6], &|p| init::xavier_uniform_(p, 1.0))),
            ("kaiming_normal_5_6_relu", &|| {
                filled([5, 6], &|p| init::kaiming_normal_(p, FanMode::FanIn, after))
            }),
            ("trunc_normal_std0.7_m1_1_40", &|| {
                filled([1, 40], &|p| init::trunc_normal_(p, 0.0, 0.7, -1.0, 1.0))
            }),
        ];
        for (name, draw) in draws {
            manual_seed(seed);
            assert_eq!(draw(), flat(&entries[name]), "{name}, seed {seed}");
        }
    }
}

fn nonlinearity(name: &str, slope: Option<f64>) -> Nonlinearity {
    match name {
        "linear" => Nonlinearity::Linear,
        "conv2d" => Nonlinearity::Conv,
        "sigmoid" => Nonlinearity::Sigmoid,
        "tanh" => Nonlinearity::Tanh,
        "relu" => Nonlinearity::Relu,
        "leaky_relu" => Nonlinearity::LeakyRelu(slope.unwrap_or(0.01)),
        "selu" => Nonlinearity::Selu,
        other => panic!("no nonlinearity {other}"),
    }
}

#[test]
fn gains() {
    let file = load("init.json");
    each(
        list(&file["gains"]),
        |c| c["nonlinearity"].to_string(),
        |case| {
            let gain =
                init::calculate_gain(nonlinearity(text(&case["nonlinearity"]), case["param"].as_f64()));
            assert_eq!(gain, number(&case["gain"]));
        },
    );
}

#[test]
fn a_summary_draws_nothing() {
    let _alone = alone();
    manual_seed(7);
    let net = sequential![Linear::new(4, 4), Dropout::new(0.5), ReLU::new()];
    manual_seed(7);
    summary(&net, [2, 4]);
    let after = Tensor::rand(3).to_vec::<f32>();
    manual_seed(7);
    assert_eq!(after, Tensor::rand(3).to_vec::<f32>());
}

#[test]
fn dropout_draws_while_training_only() {
    let _alone = alone();
    let (layer, x) = (Dropout::new(0.5), Tensor::ones(1000));
    manual_seed(1);
    let y = layer.forward(&x);
    let kept = y.to_vec::<f32>().iter().filter(|v| **v == 2.0).count();
    assert_eq!(y.eq(0.0).sum().item() as usize, 1000 - kept);
    assert!((400..600).contains(&kept), "{kept} of 1000 kept");
    layer.eval();
    manual_seed(1);
    assert!(layer.forward(&x).equal(&x));
    let next = Tensor::rand(1).item();
    manual_seed(1);
    assert_eq!(next, Tensor::rand(1).item());
}
