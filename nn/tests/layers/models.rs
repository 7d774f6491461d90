//! Modules as parts of models: names, modes, tied weights, freezing, loading.

use taper_nn::functional as F;
use taper_nn::*;
use taper_tensor::autograd::no_grad;
use taper_tensor::{DType, StateDict, Tensor, tensor};

#[derive(Module)]
struct Net {
    scale: Parameter,
    conv: Conv2d,
    norm: BatchNorm2d,
    blocks: Vec<Block<Linear>>,
    extra: Option<Dropout>,
    width: usize,
}

#[derive(Module)]
#[module(extra_repr = |b: &Block<_>| format!("times={}", b.times))]
struct Block<L> {
    #[module(rename = "inner")]
    layer: L,
    #[module(skip)]
    times: i32,
}

fn net() -> Net {
    let block = || Block { layer: Linear::new(2, 2), times: 2 };
    Net {
        scale: Parameter::new(tensor([1.0])),
        conv: Conv2d::builder(1, 2, 1).bias(false).build(),
        norm: BatchNorm2d::new(2),
        blocks: vec![block(), block()],
        extra: Some(Dropout::new(0.1)),
        width: 3,
    }
}

#[test]
fn names_in_pytorchs_order() {
    let net = net();
    let keys: Vec<String> = net.state_dict().keys().cloned().collect();
    let expected = [
        "scale",
        "conv.weight",
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
        "blocks.0.inner.weight",
        "blocks.0.inner.bias",
        "blocks.1.inner.weight",
        "blocks.1.inner.bias",
    ];
    assert_eq!(keys, expected);
    assert_eq!(net.num_parameters(), 1 + 2 + 4 + 2 * 6);
    assert_eq!(net.norm.num_batches_tracked().unwrap().value().dtype(), DType::I64);
    assert!(net.to_string().contains("(0-1): 2 x Block(\n      times=2\n      (inner): Linear("), "{net}");
    assert_eq!(net.width, 3);
}

#[test]
fn modes_reach_everything() {
    let net = net();
    let x = Tensor::from_vec((0..8).map(|i| i as f32).collect(), [2, 1, 2, 2]);
    net.norm.forward(&net.conv.forward(&x));
    let mean = net.norm.running_mean().unwrap().value();
    assert!(!mean.equal(&Tensor::zeros(2)), "training moves the statistics");
    net.eval();
    net.norm.forward(&net.conv.forward(&x));
    assert!(net.norm.running_mean().unwrap().value().equal(&mean), "evaluation does not");
    let drop = net.extra.as_ref().unwrap();
    assert!(drop.forward(&x).equal(&x));
    net.train(true);
    net.norm.forward(&net.conv.forward(&x));
    assert_eq!(net.norm.num_batches_tracked().unwrap().value().item(), 2.0);
}

#[test]
fn tied_weights_are_one_parameter() {
    #[derive(Module)]
    struct Tied {
        a: Linear,
        b: Linear,
    }
    let mut net = Tied { a: Linear::new(2, 2), b: Linear::new(2, 2) };
    net.b.weight = net.a.weight.clone();
    assert_eq!(net.parameters().len(), 3);
    assert_eq!(net.state_dict().len(), 4);
    let x = tensor([[1.0, 2.0]]);
    (net.a.forward(&x).sum() + net.b.forward(&x).sum()).backward();
    assert_eq!(net.a.weight.grad().unwrap().to_vec::<f32>(), [2.0, 4.0, 2.0, 4.0]);
    net.a.weight.update(|w| {
        w.zero_();
    });
    assert_eq!(net.b.weight.value().sum().item(), 0.0);
}

#[test]
fn frozen_parameters_get_no_gradient() {
    let net = sequential![Linear::new(2, 3), Linear::new(3, 1)];
    net[0].requires_grad_(false);
    net.forward(&tensor([[1.0, 2.0]])).sum().backward();
    let has: Vec<bool> = net.parameters().iter().map(|p| p.grad().is_some()).collect();
    assert_eq!(has, [false, false, true, true]);
    net.zero_grad();
    assert!(net.parameters().iter().all(|p| p.grad().is_none()));
}

#[test]
fn loading_reports_everything() {
    let (net, other) = (
        sequential![Linear::new(2, 3), Linear::new(3, 1)],
        sequential![Linear::new(2, 3), Linear::new(3, 1)],
    );
    assert_eq!(net.load_state_dict(&other.state_dict(), true).unwrap(), LoadReport::default());
    assert!(net.state_dict().iter().all(|(k, v)| v.equal(other.state_dict().get(k.as_str()).unwrap())));

    let mut dict = StateDict::new();
    dict.insert("0.weight", Tensor::zeros([3, 2]));
    dict.insert("0.bias", Tensor::zeros([4]));
    dict.insert("extra", Tensor::zeros(()));
    let before = net.state_dict();
    let error = net.load_state_dict(&dict, true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "error(s) in loading state_dict for Sequential:\n    missing key(s): \"1.weight\", \"1.bias\"\n    \
         unexpected key(s): \"extra\"\n    size mismatch for \"0.bias\": [4] in the state dict, [3] in the module"
    );
    assert!(
        net.state_dict().iter().all(|(k, v)| v.equal(before.get(k.as_str()).unwrap())),
        "nothing was loaded"
    );

    let mut dict = StateDict::new();
    dict.insert("0.weight", Tensor::zeros_with([3, 2], DType::F64));
    dict.insert("extra", Tensor::zeros(()));
    let report = net.load_state_dict(&dict, false).unwrap();
    assert_eq!((report.missing.len(), report.unexpected), (3, vec!["extra".to_string()]));
    assert_eq!(net.parameters()[0].value().abs().sum().item(), 0.0);
    assert_eq!(net.parameters()[0].dtype(), DType::F32);
}

#[test]
fn a_model_learns() {
    let net = sequential![Linear::new(2, 8), Tanh::new(), Linear::new(8, 2)];
    let x = tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let y = tensor([0, 1, 1, 0]);
    let loss = || F::cross_entropy(&net.forward(&x), &y);
    for _ in 0..500 {
        net.zero_grad();
        loss().backward();
        for p in net.parameters() {
            let grad = p.grad().unwrap();
            p.update(|t| {
                t.sub_(grad * 0.5);
            });
        }
    }
    assert!(no_grad(loss).item() < 0.1, "{}", loss().item());
}

#[test]
fn boxed_layers_and_lists() {
    let boxed: Vec<Box<dyn Forward>> = vec![Box::new(Linear::new(2, 2)), Box::new(ReLU::new())];
    let list = ModuleList::new(boxed);
    let keys: Vec<String> = list.state_dict().keys().cloned().collect();
    assert_eq!(keys, ["0.weight", "0.bias"]);
    let y = list.iter().fold(Tensor::ones([1, 2]), |x, layer| layer.forward(&x));
    assert_eq!(y.shape(), [1, 2]);
    assert!(list.get(1).is_some() && list.get(2).is_none() && list.len() == 2);
}
