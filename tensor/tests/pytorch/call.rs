//! PyTorch's calls, by name and keyword arguments, as calls of taper.

use crate::fixture::{dims, dtype, number, sizes};
use serde_json::Value;
use taper_tensor::{ConvOptions, DType, IndexItem, Operand, PadMode, PoolOptions, Scalar, Slice, Tensor};

/// A plain number as Python has it: bool, int or float.
fn scalar(v: &Value) -> Scalar {
    match v {
        Value::Bool(b) => Scalar::Bool(*b),
        Value::Number(n) if n.is_i64() => Scalar::Int(n.as_i64().expect("an integer")),
        v => Scalar::Float(number(v)),
    }
}

struct Args<'a>(&'a Value);
impl Args<'_> {
    fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }
    fn float(&self, key: &str, default: f64) -> f64 {
        self.0.get(key).map_or(default, number)
    }
    fn int(&self, key: &str, default: isize) -> isize {
        self.0.get(key).map_or(default, |v| v.as_i64().expect("an integer") as isize)
    }
    fn flag(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|v| v == true)
    }
    fn dims(&self, key: &str) -> Vec<isize> {
        self.0.get(key).map(dims).unwrap_or_default()
    }
    fn dim(&self) -> Option<isize> {
        self.has("dim").then(|| self.int("dim", 0))
    }
    fn pair(&self, key: &str, default: [usize; 2]) -> [usize; 2] {
        match self.dims(key)[..] {
            [] => default,
            [n] => [n as usize; 2],
            [h, w] => [h as usize, w as usize],
            _ => panic!("{key} is no pair"),
        }
    }
    fn dtype(&self, default: DType) -> DType {
        self.0.get("dtype").map_or(default, |v| dtype(v.as_str().expect("a dtype")))
    }
}

fn index_items(v: &Value, inputs: &[Tensor]) -> Vec<IndexItem> {
    let item = |v: &Value| match v {
        Value::String(s) if s == "..." => IndexItem::Ellipsis,
        Value::String(_) => IndexItem::NewAxis,
        v if v.get("int").is_some() => IndexItem::Int(v["int"].as_i64().expect("an integer") as isize),
        v if v.get("input").is_some() => {
            IndexItem::Tensor(inputs[v["input"].as_u64().expect("a number") as usize].clone())
        }
        v => {
            let at = |i: usize| v["slice"][i].as_i64().map(|n| n as isize);
            IndexItem::Slice(Slice::new(at(0), at(1), at(2).unwrap_or(1)))
        }
    };
    v.as_array().expect("items").iter().map(item).collect()
}

/// The outputs of a call, or `None` for what taper has not got.
pub fn call(op: &str, x: &[Tensor], args: &Value) -> Option<Vec<Tensor>> {
    let a = Args(args);
    if let Some(y) = elementwise(op, x, &a).or_else(|| reduction(op, x, &a)).or_else(|| linear(op, x, &a)) {
        return Some(vec![y]);
    }
    several(op, x, &a).or_else(|| shape(op, x, &a).map(|y| vec![y]))
}

fn elementwise(op: &str, t: &[Tensor], a: &Args) -> Option<Tensor> {
    macro_rules! named {
        (unary: $($u:ident)*; binary: $($b:ident)*) => {
            match (op, t) {
                $((stringify!($u), [x]) if a.0.as_object().is_some_and(|o| o.is_empty()) => return Some(x.$u()),)*
                $((stringify!($b), [x, y]) if a.0.as_object().is_some_and(|o| o.is_empty()) => return Some(x.$b(y)),)*
                _ => {}
            }
        };
    }
    named! {
        unary: neg abs sign square reciprocal sqrt rsqrt exp expm1 log log2 log10 log1p sin cos tan tanh sigmoid
            erf relu silu gelu floor ceil round trunc softplus logsigmoid isnan isinf isfinite logical_not;
        binary: add sub mul div remainder floor_divide pow atan2 maximum minimum eq ne lt le gt ge logical_and
            logical_or logical_xor
    }
    Some(match (op, t) {
        ("gelu", [x]) => x.gelu_tanh(),
        ("add", [x, y]) => x + y * a.float("alpha", 1.0),
        ("sub", [x, y]) => x - y * a.float("alpha", 1.0),
        ("div", [x, y]) if a.0["rounding_mode"] == "floor" => x.floor_divide(y),
        ("pow", [x]) => x.pow(scalar(&a.0["exponent"])),
        ("where", [c, x, y]) => Tensor::where_(c, x, y),
        ("clamp", [x]) => {
            let bound = |key| a.has(key).then(|| a.float(key, 0.0));
            x.clamp(bound("min"), bound("max"))
        }
        ("clamp", [x, lo, hi]) => x.maximum(lo).minimum(hi),
        ("lerp", [x, y]) => x.lerp(y, a.float("weight", 0.0)),
        ("lerp", [x, y, w]) => x.lerp(y, w),
        ("addcmul", [x, y, z]) => x.addcmul(y, z, a.float("value", 1.0)),
        ("addcdiv", [x, y, z]) => x.addcdiv(y, z, a.float("value", 1.0)),
        ("leaky_relu", [x]) => x.leaky_relu(a.float("negative_slope", 0.01)),
        ("elu", [x]) => x.elu(a.float("alpha", 1.0)),
        ("to", [x]) => x.to_dtype(a.dtype(DType::F32)),
        _ => return None,
    })
}

fn reduction(op: &str, t: &[Tensor], a: &Args) -> Option<Tensor> {
    let [x] = t else { return None };
    let (dims, keep) = (a.dims("dim"), a.flag("keepdim"));
    let correction = a.float("correction", 1.0);
    Some(match op {
        "sum" if a.has("dtype") => x.to_dtype(a.dtype(DType::F32)).sum(),
        "mean" if a.has("dtype") => x.to_dtype(a.dtype(DType::F32)).mean(),
        "sum" => x.sum_dim(dims, keep),
        "mean" => x.mean_dim(dims, keep),
        "prod" if a.has("dim") => x.prod_dim(dims[0], keep),
        "prod" => x.prod(),
        "var" => x.var_dim(dims, correction, keep),
        "std" => x.std_dim(dims, correction, keep),
        "norm" => x.norm_dim(a.float("p", 2.0), dims, keep),
        "logsumexp" => x.logsumexp(dims, keep),
        "max" if !a.has("dim") => x.max(),
        "min" if !a.has("dim") => x.min(),
        "amax" => x.amax(dims, keep),
        "amin" => x.amin(dims, keep),
        "argmax" => x.argmax(a.dim(), keep),
        "argmin" => x.argmin(a.dim(), keep),
        "any" => x.any_dim(dims, keep),
        "all" => x.all_dim(dims, keep),
        "cumsum" => x.cumsum(dims[0]),
        "cumprod" => x.cumprod(dims[0]),
        "softmax" => x.softmax(dims[0]),
        "log_softmax" => x.log_softmax(dims[0]),
        "argsort" => x.argsort(a.int("dim", -1), a.flag("descending")),
        _ => return None,
    })
}

fn linear(op: &str, t: &[Tensor], a: &Args) -> Option<Tensor> {
    let convolution = ConvOptions::default()
        .stride(a.pair("stride", [1, 1]))
        .padding(a.pair("padding", [0, 0]))
        .dilation(a.pair("dilation", [1, 1]))
        .groups(a.int("groups", 1) as usize);
    let pooling = || {
        let o = PoolOptions::new(a.pair("kernel_size", [1, 1])).padding(a.pair("padding", [0, 0]));
        o.stride(a.pair("stride", o.kernel))
    };
    let (beta, alpha) = (a.float("beta", 1.0), a.float("alpha", 1.0));
    Some(match (op, t) {
        ("matmul", [x, y]) => x.matmul(y),
        ("mm", [x, y]) => x.mm(y),
        ("mv", [x, y]) => x.mv(y),
        ("bmm", [x, y]) => x.bmm(y),
        ("dot", [x, y]) => x.dot(y),
        ("outer", [x, y]) => x.outer(y),
        ("addmm", [x, y, z]) => x.addmm(y, z, beta, alpha),
        ("baddbmm", [x, y, z]) => x.baddbmm(y, z, beta, alpha),
        ("linear", [x, w, b]) => x.linear(w, Some(b)),
        ("einsum", t) => {
            Tensor::einsum(a.0["equation"].as_str().expect("text"), &t.iter().collect::<Vec<_>>())
        }
        ("conv1d", [x, w, b]) => x.conv1d(w, Some(b), convolution),
        ("conv2d", [x, w, b]) => x.conv2d(w, Some(b), convolution),
        ("conv2d", [x, w]) => x.conv2d(w, None, convolution),
        ("max_pool2d", [x]) => x.max_pool2d(pooling()),
        ("avg_pool2d", [x]) => x.avg_pool2d(pooling()),
        ("adaptive_avg_pool2d", [x]) => x.adaptive_avg_pool2d(a.pair("output_size", [1, 1])),
        ("layer_norm", [x, w, b]) => x.layer_norm(sizes(&a.0["normalized_shape"]), Some(w), Some(b), 1e-5),
        _ => return None,
    })
}

fn several(op: &str, t: &[Tensor], a: &Args) -> Option<Vec<Tensor>> {
    let [x] = t else { return None };
    let default = if matches!(op, "sort" | "topk") { -1 } else { 0 };
    let (dim, keep) = (a.dims("dim").first().copied().unwrap_or(default), a.flag("keepdim"));
    let pair = |(a, b): (Tensor, Tensor)| vec![a, b];
    Some(match op {
        "max" => pair(x.max_dim(dim, keep)),
        "min" => pair(x.min_dim(dim, keep)),
        "sort" => pair(x.sort(dim, a.flag("descending"))),
        "topk" => pair(x.topk(a.int("k", 1) as usize, dim, a.0.get("largest").is_none_or(|v| v == true))),
        "unique" => {
            let u = x.unique_all();
            vec![u.values, u.inverse, u.counts]
        }
        "split" => match a.dims("split_size")[..] {
            [n] => x.split(n as usize, dim),
            ref sizes => x.split_with_sizes(sizes.iter().map(|&n| n as usize).collect::<Vec<_>>(), dim),
        },
        "chunk" => x.chunk(a.int("chunks", 1) as usize, dim),
        _ => return None,
    })
}

fn shape(op: &str, t: &[Tensor], a: &Args) -> Option<Tensor> {
    if t.is_empty() {
        return Some(creation(op, a));
    }
    let (dim, diagonal) = (a.dims("dim").first().copied().unwrap_or(0), a.int("diagonal", 0));
    Some(match (op, t) {
        ("zeros_like", [x]) => x.zeros_like(),
        ("ones_like", [x]) => x.ones_like(),
        ("full_like", [x]) => x.full_like(scalar(&a.0["fill_value"])),
        ("reshape", [x]) => x.reshape(a.dims("shape")),
        ("view", [x]) => x.view(a.dims("shape")),
        ("flatten", [x]) => x.flatten(a.int("start_dim", 0), a.int("end_dim", -1)),
        ("unflatten", [x]) => x.unflatten(dim, a.dims("sizes")),
        ("squeeze", [x]) if a.has("dim") => a.dims("dim").iter().rev().fold(x.clone(), |x, &d| x.squeeze(d)),
        ("squeeze", [x]) => x.squeeze_all(),
        ("unsqueeze", [x]) => x.unsqueeze(dim),
        ("transpose", [x]) => x.transpose(a.int("dim0", 0), a.int("dim1", 0)),
        ("permute", [x]) => x.permute(a.dims("dims")),
        ("t", [x]) => x.t(),
        ("expand", [x]) => x.expand(a.dims("size")),
        ("broadcast_to", [x]) => x.broadcast_to(sizes(&a.0["size"])),
        ("narrow", [x]) => x.narrow(dim, a.int("start", 0), a.int("length", 0) as usize),
        ("select", [x]) => x.select(dim, a.int("index", 0)),
        ("flip", [x]) => x.flip(a.dims("dims")),
        ("movedim", [x]) => x.movedim(a.int("source", 0), a.int("destination", 0)),
        ("roll", [x]) => x.roll(a.dims("shifts"), a.dims("dims")),
        ("diagonal", [x]) => x.diagonal(a.int("offset", 0), 0, 1),
        ("tril", [x]) => x.tril(diagonal),
        ("triu", [x]) => x.triu(diagonal),
        ("diag", [x]) => x.diag(diagonal),
        ("cat", t) => Tensor::cat(t, dim),
        ("stack", t) => Tensor::stack(t, dim),
        ("repeat", [x]) => x.repeat(sizes(&a.0["repeats"])),
        ("repeat_interleave", [x]) => x.repeat_interleave(a.int("repeats", 1) as usize, a.dim()),
        ("pad", [x]) => {
            let mode = match a.0.get("mode").and_then(Value::as_str) {
                Some("reflect") => PadMode::Reflect,
                Some("replicate") => PadMode::Replicate,
                _ => a.float("value", 0.0).into(),
            };
            x.pad(a.dims("pad"), mode)
        }
        ("index", t) => t[0].index(index_items(&a.0["index"], t)),
        ("index_put", t) => {
            let mut x = &t[0] + 0i64;
            x.set(index_items(&a.0["index"], t), &t[1]);
            x
        }
        ("gather", [x, i]) => x.gather(dim, i),
        ("take_along_dim", [x, i]) => x.take_along_dim(i, a.dim()),
        ("scatter", [x, i]) => x.scatter(dim, i, scalar(&a.0["value"])),
        ("scatter", [x, i, s]) => x.scatter(dim, i, s),
        ("scatter_add", [x, i, s]) => x.scatter_add(dim, i, s),
        ("index_select", [x, i]) => x.index_select(dim, i),
        ("index_add", [x, i, s]) => x.index_add(dim, i, &(s * a.float("alpha", 1.0))),
        ("nonzero", [x]) => x.nonzero(),
        ("one_hot", [x]) => x.one_hot(a.has("num_classes").then(|| a.int("num_classes", 0) as usize)),
        ("masked_fill", [x, m]) => x.masked_fill(m, Operand::Scalar(scalar(&a.0["value"]))),
        ("masked_fill", [x, m, v]) => x.masked_fill(m, v),
        ("masked_select", [x, m]) => x.masked_select(m),
        ("embedding", [i, w]) => Tensor::embedding(i, w, None),
        _ => return None,
    })
}

fn creation(op: &str, a: &Args) -> Tensor {
    let size = || sizes(&a.0["size"]);
    let (start, end) = (a.float("start", 0.0), a.float("end", 0.0));
    let steps = a.int("steps", 0) as usize;
    match op {
        "zeros" => Tensor::zeros_with(size(), a.dtype(DType::F32)),
        "ones" => Tensor::ones_with(size(), a.dtype(DType::F32)),
        "full" if a.has("dtype") => {
            Tensor::full_with(size(), scalar(&a.0["fill_value"]), a.dtype(DType::F32))
        }
        "full" => Tensor::full(size(), scalar(&a.0["fill_value"])),
        "eye" => {
            let n = a.int("n", 0) as usize;
            Tensor::eye_with(n, a.int("m", n as isize) as usize, a.dtype(DType::F32))
        }
        "arange" => {
            let bound = |key, default| a.0.get(key).map_or(Scalar::Int(default), scalar);
            let (start, end, step) = (bound("start", 0), bound("end", 0), bound("step", 1));
            match a.has("dtype") {
                true => Tensor::arange_with(start, end, step, a.dtype(DType::F32)),
                false => Tensor::arange(start, end, step),
            }
        }
        "linspace" => Tensor::linspace_with(start, end, steps, a.dtype(DType::F32)),
        "logspace" => Tensor::logspace_with(start, end, steps, a.float("base", 10.0), a.dtype(DType::F32)),
        _ => panic!("no constructor {op}"),
    }
}
