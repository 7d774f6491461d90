//! A sample: its inputs and arguments, and what PyTorch made of them.

use serde_json::Value;
use taper::autograd::BackwardOptions;
use taper::{DType, Device, Scalar, Tensor};

pub struct Case<'a> {
    json: &'a Value,
    /// Inputs; those with gradients are leaves that require grad.
    pub inputs: Vec<Tensor>,
    /// The leaves that `inputs` are views of.
    leaves: Vec<Tensor>,
    /// PyTorch's bits are those of row-major memory, and of its kernels for the CPU.
    exact: bool,
}

pub fn dtype(name: &str) -> DType {
    use DType::*;
    let short = ["bool", "u8", "i8", "i16", "i32", "i64", "f16", "bf16", "f32", "f64"];
    let all = [Bool, U8, I8, I16, I32, I64, F16, BF16, F32, F64];
    all[short.iter().position(|s| *s == name).unwrap_or_else(|| panic!("no dtype {name}"))]
}

fn number(v: &Value) -> f64 {
    match v {
        Value::String(s) => match s.as_str() {
            "nan" => f64::NAN,
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            other => panic!("no number: {other}"),
        },
        Value::Bool(b) => *b as u8 as f64,
        v => v.as_f64().expect("a number"),
    }
}

fn scalar(v: &Value) -> Scalar {
    match v {
        Value::Bool(b) => (*b).into(),
        v => v.as_i64().map_or_else(|| number(v).into(), Scalar::from),
    }
}

fn ints(v: &Value) -> Vec<isize> {
    match v {
        Value::Array(a) => a.iter().map(|v| v.as_i64().expect("an integer") as isize).collect(),
        Value::Null => vec![],
        v => vec![v.as_i64().expect("an integer") as isize],
    }
}

/// Where the samples run: `TAPER_TEST_DEVICE=cuda` runs them on the first CUDA device, as `cargo xtask cuda test` does.
fn device() -> Device {
    match std::env::var("TAPER_TEST_DEVICE").as_deref() {
        Ok("cuda") => Device::cuda(0).unwrap_or_else(|e| panic!("TAPER_TEST_DEVICE: {e}")),
        _ => Device::Cpu,
    }
}

fn tensor(v: &Value) -> Tensor {
    on_cpu(v).to_device(device())
}

/// i64 and f64 hold the numbers of every other dtype.
fn on_cpu(v: &Value) -> Tensor {
    let (data, dtype) = (v["data"].as_array().expect("data"), dtype(v["dtype"].as_str().expect("a dtype")));
    let shape: Vec<usize> = ints(&v["shape"]).iter().map(|&n| n as usize).collect();
    match dtype {
        DType::I64 => Tensor::from_vec(data.iter().map(|v| v.as_i64().expect("an integer")).collect(), shape),
        d => Tensor::from_vec(data.iter().map(number).collect::<Vec<f64>>(), shape).to_dtype(d),
    }
}

fn column_major(x: &Tensor) -> Tensor {
    let dims: Vec<isize> = (0..x.ndim() as isize).rev().collect();
    x.permute(&dims[..]).contiguous().permute(&dims[..])
}

impl<'a> Case<'a> {
    pub fn new(json: &'a Value, transposed: bool) -> Self {
        let tensors = json["inputs"].as_array().expect("inputs").iter().map(tensor);
        let leaves: Vec<Tensor> =
            tensors
                .map(|x| if transposed { column_major(&x) } else { x })
                .map(|x| {
                    if json.get("grads").is_some() && x.dtype().is_float() {
                        x.requires_grad_(true)
                    } else {
                        x
                    }
                })
                .collect();
        // On the CPU alone.
        let exact = !transposed && device() == Device::Cpu;
        Case { json, inputs: leaves.clone(), leaves, exact }
    }

    pub fn op(&self) -> &'a str {
        self.json["op"].as_str().expect("a name")
    }
    /// The i-th input.
    pub fn x(&self, i: usize) -> &Tensor {
        &self.inputs[i]
    }
    /// The i-th input, if there is one.
    pub fn maybe(&self, i: usize) -> Option<&Tensor> {
        self.inputs.get(i)
    }
    pub fn arg(&self, name: &str) -> Option<&'a Value> {
        self.json["args"].get(name)
    }
    pub fn has_no_args(&self) -> bool {
        self.json["args"].as_object().is_none_or(|a| a.is_empty())
    }
    pub fn scalar(&self, name: &str) -> Option<Scalar> {
        self.arg(name).map(scalar)
    }
    pub fn float(&self, name: &str) -> Option<f64> {
        self.arg(name).map(number)
    }
    /// A number; a list is not one.
    pub fn int(&self, name: &str) -> Option<isize> {
        self.arg(name).and_then(Value::as_i64).map(|v| v as isize)
    }
    pub fn size(&self, name: &str) -> Option<usize> {
        self.int(name).map(|n| n as usize)
    }
    /// One number, a list, or nothing.
    pub fn ints(&self, name: &str) -> Vec<isize> {
        self.arg(name).map_or(vec![], ints)
    }
    pub fn sizes(&self, name: &str) -> Vec<usize> {
        self.ints(name).into_iter().map(|n| n as usize).collect()
    }
    /// One number for both, or two.
    pub fn pair(&self, name: &str) -> Option<[usize; 2]> {
        let sizes = self.sizes(name);
        Some([*sizes.first()?, *sizes.last()?])
    }
    pub fn flag(&self, name: &str) -> bool {
        self.arg(name).is_some_and(|v| v.as_bool().expect("a flag"))
    }
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.arg(name).map(|v| v.as_str().expect("a text"))
    }
    pub fn dtype(&self) -> Option<DType> {
        self.text("dtype").map(dtype)
    }

    /// Values, then gradients from PyTorch's cotangents.
    pub fn compare(&self, outputs: &[Tensor]) {
        let exact = self.exact && self.json.get("exact").is_some();
        let list = |name: &str| self.json[name].as_array().cloned().unwrap_or_default();
        // Deviations from a mean are as exact as the mean, which sums of another order round otherwise.
        let scale = match self.op() {
            "std" | "var" if device() != Device::Cpu => self.inputs[0].detach().abs().max().item().max(1.0),
            _ => 1.0,
        };
        let expected = list("outputs");
        assert_eq!(outputs.len(), expected.len(), "number of outputs");
        for (i, (got, want)) in outputs.iter().zip(&expected).enumerate() {
            same(&format!("output {i}"), got, &tensor(want), exact, scale);
        }
        let live = outputs.iter().zip(list("cotangents"));
        let live: Vec<(Tensor, Tensor)> =
            live.filter(|(_, c)| !c.is_null()).map(|(o, c)| (o.clone(), tensor(&c))).collect();
        // One backward for all outputs.
        let total = live.iter().map(|(o, c)| (o * c).to_dtype(DType::F64).sum()).reduce(|a, b| a + b);
        if let Some(total) = total {
            total.backward_with(None, BackwardOptions::default());
        }
        for (i, (leaf, want)) in self.leaves.iter().zip(list("grads")).enumerate() {
            match (want.is_null(), leaf.grad()) {
                (true, None) => {}
                (true, Some(got)) => assert!(!got.any().item_as::<bool>(), "gradient {i} should be none"),
                (false, None) => panic!("gradient {i} is missing"),
                (false, Some(got)) => same(&format!("gradient {i}"), &got, &tensor(&want), exact, scale),
            }
        }
    }
}

/// Bits, or closeness as the dtype allows to numbers of a size.
fn same(what: &str, got: &Tensor, want: &Tensor, exact: bool, scale: f64) {
    assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()), "{what}");
    let tolerance = match want.dtype() {
        _ if exact => 0.0,
        DType::F64 => 1e-12,
        DType::F32 => 2e-6,
        DType::F16 => 2e-3,
        DType::BF16 => 1.6e-2,
        _ => 0.0,
    };
    for (at, (a, b)) in got.to_vec::<f64>().into_iter().zip(want.to_vec::<f64>()).enumerate() {
        let close = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(scale);
        assert!(close, "{what}: element {at} is {a:e}, PyTorch's is {b:e}");
    }
}
