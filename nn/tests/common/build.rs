//! Layers and losses from PyTorch's names and arguments.

use crate::fixture::{number, shape, tensor, text};
use serde_json::{Map, Value};
use std::cell::RefCell;
use taper_nn::*;
use taper_tensor::{Padding, Tensor};

/// Positional and keyword arguments; each must be asked for.
pub struct Args<'a> {
    args: &'a [Value],
    kwargs: &'a Map<String, Value>,
    used: RefCell<Vec<String>>,
}

impl<'a> Args<'a> {
    pub fn new(args: &'a [Value], kwargs: &'a Value) -> Self {
        Args { args, kwargs: kwargs.as_object().unwrap(), used: RefCell::default() }
    }
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.used.borrow_mut().push(name.into());
        self.kwargs.get(name)
    }
    fn set<B, T>(&self, builder: B, name: &str, read: impl Fn(&Value) -> T, set: impl Fn(B, T) -> B) -> B {
        match self.get(name) {
            Some(v) => set(builder, read(v)),
            None => builder,
        }
    }
    fn size(&self, i: usize) -> usize {
        self.args[i].as_u64().unwrap() as usize
    }
    pub fn check(&self) {
        let used = self.used.borrow();
        for name in self.kwargs.keys() {
            assert!(used.contains(name), "argument {name} was not used");
        }
    }
}

fn size(v: &Value) -> usize {
    v.as_u64().unwrap() as usize
}
fn int(v: &Value) -> i64 {
    v.as_i64().unwrap()
}
fn dim(v: &Value) -> isize {
    int(v) as isize
}
fn flag(v: &Value) -> bool {
    v.as_bool().unwrap()
}
fn pair(v: &Value) -> [usize; 2] {
    match v {
        Value::Array(_) => shape(v).try_into().unwrap(),
        v => [size(v); 2],
    }
}
fn padding(v: &Value) -> Padding {
    match v {
        Value::String(s) if s == "same" => Padding::Same,
        Value::String(s) if s == "valid" => 0.into(),
        v => pair(v).into(),
    }
}
fn option(v: &Value) -> Option<f64> {
    if v.is_null() { None } else { Some(number(v)) }
}

pub enum Layer {
    Plain(Box<dyn Forward>),
    Attention(MultiheadAttention),
    Encoder(Box<TransformerEncoderLayer>),
    Rnn(RNN),
    Lstm(LSTM),
    Gru(GRU),
}

impl Layer {
    pub fn module(&self) -> &dyn Module {
        match self {
            Layer::Plain(l) => l,
            Layer::Attention(l) => l,
            Layer::Encoder(l) => &**l,
            Layer::Rnn(l) => l,
            Layer::Lstm(l) => l,
            Layer::Gru(l) => l,
        }
    }
}

macro_rules! set {
    ($a:ident, $b:expr $(, $name:ident: $read:expr)*) => {{
        let b = $b;
        $(let b = $a.set(b, stringify!($name), $read, |b, v| b.$name(v));)*
        b.build()
    }};
}
macro_rules! plain {
    ($a:ident, $b:expr $(, $name:ident: $read:expr)*) => {
        Layer::Plain(Box::new(set!($a, $b $(, $name: $read)*)))
    };
}

pub fn layer(name: &str, a: &Args) -> Layer {
    let made = match name {
        "Linear" => plain!(a, Linear::builder(a.size(0), a.size(1)), bias: flag),
        "Embedding" => plain!(a, Embedding::builder(a.size(0), a.size(1)), padding_idx: dim),
        "Flatten" => plain!(a, Flatten::builder(), start_dim: dim, end_dim: dim),
        "Identity" => plain!(a, Identity::builder()),
        "Dropout" => plain!(a, Dropout::builder(number(a.get("p").unwrap()))),
        "Dropout1d" => plain!(a, Dropout1d::builder(number(a.get("p").unwrap()))),
        "Dropout2d" => plain!(a, Dropout2d::builder(number(a.get("p").unwrap()))),
        "Dropout3d" => plain!(a, Dropout3d::builder(number(a.get("p").unwrap()))),
        "AlphaDropout" => plain!(a, AlphaDropout::builder(number(a.get("p").unwrap()))),
        "FeatureAlphaDropout" => plain!(a, FeatureAlphaDropout::builder(number(a.get("p").unwrap()))),
        "Conv1d" => {
            plain!(a, Conv1d::builder(a.size(0), a.size(1), a.size(2)), stride: size, padding: padding,
            dilation: size, groups: size, bias: flag)
        }
        "Conv2d" => {
            plain!(a, Conv2d::builder(a.size(0), a.size(1), pair(&a.args[2])), stride: pair, padding: padding,
            dilation: pair, groups: size, bias: flag)
        }
        "ConvTranspose1d" => {
            plain!(a, ConvTranspose1d::builder(a.size(0), a.size(1), a.size(2)), stride: size, padding: size,
            output_padding: size, dilation: size, groups: size, bias: flag)
        }
        "ConvTranspose2d" => {
            plain!(a, ConvTranspose2d::builder(a.size(0), a.size(1), pair(&a.args[2])), stride: pair, padding: pair,
            output_padding: pair, dilation: pair, groups: size, bias: flag)
        }
        "RNN" => Layer::Rnn(set!(a, RNN::builder(a.size(0), a.size(1)), num_layers: size, bias: flag,
        batch_first: flag, dropout: number, bidirectional: flag, nonlinearity: |v| match text(v) {
            "relu" => RNNNonlinearity::Relu,
            _ => RNNNonlinearity::Tanh,
        })),
        "LSTM" => Layer::Lstm(set!(a, LSTM::builder(a.size(0), a.size(1)), num_layers: size, bias: flag,
            batch_first: flag, dropout: number, bidirectional: flag)),
        "GRU" => Layer::Gru(set!(a, GRU::builder(a.size(0), a.size(1)), num_layers: size, bias: flag,
            batch_first: flag, dropout: number, bidirectional: flag)),
        "BatchNorm1d" => {
            plain!(a, BatchNorm1d::builder(a.size(0)), eps: number, momentum: option, affine: flag,
            track_running_stats: flag)
        }
        "BatchNorm2d" => {
            plain!(a, BatchNorm2d::builder(a.size(0)), eps: number, momentum: option, affine: flag,
            track_running_stats: flag)
        }
        "LayerNorm" => {
            let sizes = if a.args[0].is_array() { shape(&a.args[0]) } else { vec![a.size(0)] };
            plain!(a, LayerNorm::builder(sizes), eps: number, elementwise_affine: flag, bias: flag)
        }
        "MaxPool2d" => {
            plain!(a, MaxPool2d::builder(pair(&a.args[0])), stride: pair, padding: pair, dilation: pair,
            ceil_mode: flag)
        }
        "AvgPool2d" => {
            plain!(a, AvgPool2d::builder(pair(&a.args[0])), stride: pair, padding: pair, ceil_mode: flag,
            count_include_pad: flag, divisor_override: size)
        }
        "AdaptiveAvgPool2d" => match &a.args[0] {
            Value::Array(v) => {
                let [h, w] = [0, 1].map(|i| v[i].as_u64().map(|n| n as usize));
                plain!(a, AdaptiveAvgPool2d::builder((h, w)))
            }
            v => plain!(a, AdaptiveAvgPool2d::builder(size(v))),
        },
        "ReLU" => plain!(a, ReLU::builder()),
        "ReLU6" => plain!(a, ReLU6::builder()),
        "LeakyReLU" => plain!(a, LeakyReLU::builder(), negative_slope: number),
        "ELU" => plain!(a, ELU::builder(), alpha: number),
        "SELU" => plain!(a, SELU::builder()),
        "CELU" => plain!(a, CELU::builder(), alpha: number),
        "GELU" => plain!(a, GELU::builder(), approximate: |v| match text(v) {
            "tanh" => Approximate::Tanh,
            _ => Approximate::None,
        }),
        "SiLU" => plain!(a, SiLU::builder()),
        "Mish" => plain!(a, Mish::builder()),
        "Sigmoid" => plain!(a, Sigmoid::builder()),
        "LogSigmoid" => plain!(a, LogSigmoid::builder()),
        "Tanh" => plain!(a, Tanh::builder()),
        "Tanhshrink" => plain!(a, Tanhshrink::builder()),
        "Softsign" => plain!(a, Softsign::builder()),
        "Softplus" => plain!(a, Softplus::builder(), beta: number, threshold: number),
        "Hardtanh" => plain!(a, Hardtanh::builder(), min_val: number, max_val: number),
        "Hardsigmoid" => plain!(a, Hardsigmoid::builder()),
        "Hardswish" => plain!(a, Hardswish::builder()),
        "PReLU" => {
            let n = a.args.first().map_or(1, size);
            plain!(a, PReLU::builder().num_parameters(n), init: number)
        }
        "Softmax" => plain!(a, Softmax::builder(dim(a.get("dim").unwrap()))),
        "LogSoftmax" => plain!(a, LogSoftmax::builder(dim(a.get("dim").unwrap()))),
        "MultiheadAttention" => Layer::Attention(
            set!(a, MultiheadAttention::builder(a.size(0), a.size(1)), bias: flag, batch_first: flag, dropout: number),
        ),
        "TransformerEncoderLayer" => Layer::Encoder(Box::new(set!(a,
            TransformerEncoderLayer::builder(a.size(0), a.size(1)).dim_feedforward(a.size(2)),
            dropout: number, activation: |v| match text(v) {
                "relu" => TransformerActivation::Relu,
                "gelu" => TransformerActivation::Gelu,
                other => panic!("unknown activation {other}"),
            }, norm_first: flag, batch_first: flag))),
        other => panic!("no layer {other}"),
    };
    a.check();
    made
}

type LossFn = Box<dyn Fn(&Tensor, &Tensor) -> Tensor>;

/// A loss by name; `a` holds numbers and tensors alike.
pub fn loss(name: &str, a: &Args, reduction: &str) -> LossFn {
    let r = match reduction {
        "mean" => Reduction::Mean,
        "sum" => Reduction::Sum,
        "none" => Reduction::None,
        "batchmean" if name == "KLDivLoss" => Reduction::Mean,
        other => panic!("unknown reduction {other}"),
    };
    macro_rules! loss {
        ($b:expr $(, $name:ident: $read:expr)*) => {{
            let loss = set!(a, $b $(, $name: $read)*);
            Box::new(move |x: &Tensor, y: &Tensor| loss.forward(x, y)) as LossFn
        }};
    }
    let made = match name {
        "MSELoss" => loss!(MSELoss::builder().reduction(r)),
        "L1Loss" => loss!(L1Loss::builder().reduction(r)),
        "SmoothL1Loss" => loss!(SmoothL1Loss::builder().reduction(r), beta: number),
        "HuberLoss" => loss!(HuberLoss::builder().reduction(r), delta: number),
        "CrossEntropyLoss" => {
            loss!(CrossEntropyLoss::builder().reduction(r), weight: tensor, ignore_index: int,
            label_smoothing: number)
        }
        "NLLLoss" => loss!(NLLLoss::builder().reduction(r), weight: tensor, ignore_index: int),
        "BCELoss" => loss!(BCELoss::builder().reduction(r), weight: tensor),
        "BCEWithLogitsLoss" => {
            loss!(BCEWithLogitsLoss::builder().reduction(r), weight: tensor, pos_weight: tensor)
        }
        "KLDivLoss" => {
            let r = match reduction {
                "mean" => KLReduction::Mean,
                "sum" => KLReduction::Sum,
                "none" => KLReduction::None,
                _ => KLReduction::BatchMean,
            };
            loss!(KLDivLoss::builder().reduction(r), log_target: flag)
        }
        other => panic!("no loss {other}"),
    };
    a.check();
    made
}
