//! Texts of tensors.

use crate::fixture::{self, dtype, fixture, number, sizes};
use serde_json::Value;
use taper_tensor::{DType, PrintOptions, Tensor, set_printoptions, tensor};

/// The tensor, made by the function that PyTorch's text names.
fn make(case: &Value) -> Tensor {
    let v = &case["tensor"];
    let x = match v["arange"].as_array() {
        None => fixture::tensor(v),
        Some(range) => {
            let (start, step) = (number(&range[0]), number(&range[1]));
            let n: usize = sizes(&v["shape"]).iter().product();
            let data = (0..n).map(|i| start + i as f64 * step).collect();
            Tensor::from_vec(data, sizes(&v["shape"])).to_dtype(dtype(v["dtype"].as_str().expect("a dtype")))
        }
    };
    let leaf = || x.detach().requires_grad_(true);
    match case["grad_fn"].as_str() {
        None => x.requires_grad_(case["requires_grad"] == true),
        Some("AddBackward0") => leaf() + 0.0,
        Some("MulBackward0") => leaf() * 1.0,
        Some("SumBackward0") => leaf().sum(),
        Some("ExpBackward0") => {
            let log = x.to_dtype(DType::F64).ln();
            log.to_dtype(x.dtype()).requires_grad_(true).exp()
        }
        Some("ViewBackward0") => {
            leaf().flatten(0, -1).detach().requires_grad_(true).reshape(sizes(&v["shape"]).as_slice())
        }
        Some(other) => panic!("no way to make {other}"),
    }
}

/// Functions that are made of others here, or by views of another kind, so that the last node is another.
const OTHER_STRUCTURE: [&str; 2] = ["rsub", "t"];

fn options(given: &Value) -> PrintOptions {
    let mut options = PrintOptions::default();
    for (name, value) in given.as_object().into_iter().flatten() {
        let size = value.as_u64().unwrap_or(0) as usize;
        match name.as_str() {
            "precision" => options.precision = size,
            "threshold" => options.threshold = size,
            "edgeitems" => options.edgeitems = size,
            "linewidth" => options.linewidth = size,
            _ => options.sci_mode = value.as_bool(),
        }
    }
    options
}

/// One test, since options are the process's.
#[test]
fn tensors_print_as_in_pytorch() {
    let file = fixture!("printing.json");
    let cases = ["cases", "options"].map(|key| file[key].as_array().expect("cases").clone()).concat();
    let mut wrong = vec![];
    for case in &cases {
        set_printoptions(options(&case["options"]));
        let (got, want) = (make(case).to_string(), case["text"].as_str().expect("a text"));
        if got != want {
            wrong.push(format!("got\n{got}\ninstead of\n{want}\n"));
        }
    }
    set_printoptions(PrintOptions::default());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 300);
}

#[test]
fn nodes_have_pytorchs_names() {
    let x = tensor([[0.5, 1.5], [0.25, 2.0]]).requires_grad_(true);
    let y = tensor([[1.5, 0.5], [0.75, 3.0]]);
    let at = tensor([[0, 1], [1, 0]]);
    let made = |op: &str| -> Tensor {
        macro_rules! method {
            ($($name:ident($($arg:expr),*))*) => { match op { $(stringify!($name) => return x.$name($($arg),*),)* _ => {} } };
        }
        method! {
            add(&y) sub(&y) mul(&y) div(&y) pow(2.0) neg() abs() exp() log() log2() sqrt() rsqrt() reciprocal()
            square() sin() tanh() sigmoid() relu() sum() mean() prod() var() std() max() min() norm() t() round() floor()
            erf() expm1() maximum(&y) minimum(&y) atan2(&y) fmod(&y) remainder(&y) amax(0, false) logsumexp(0, false)
            softmax(0) log_softmax(0) cumsum(0) cumprod(0) unsqueeze(0) clamp(0.0, 1.0) clamp_tensor(&y, &(&y + 1.0))
            round_decimals(1) trunc_divide(&y) matmul(&y) linear(&y, Some(&y.select(0, 0))) reshape([4]) permute([1, 0])
            transpose(0, 1) flip(0) narrow(0, 0, 1) select(0, 0) index_select(0, &at.select(0, 0)) gather(0, &at)
            scatter(0, &at, &y) masked_fill(&y.gt(1.0), 0.0)
        }
        match op {
            "rsub" => 1.0 - &x,
            "rdiv" => 2.0 / &x,
            "where" => Tensor::where_(&y.gt(1.0), &x, &y),
            "squeeze" => x.narrow(0, 0, 1).squeeze(0),
            "expand" => x.narrow(0, 0, 1).expand([3, 2]),
            "cat" => Tensor::cat(&[&x, &y], 0),
            "stack" => Tensor::stack(&[&x, &y], 0),
            "to" => x.to_dtype(DType::F64),
            "contiguous" => x.t().contiguous(),
            "sort" => x.sort(-1, false).0,
            "topk" => x.topk(1, -1, true).0,
            other => panic!("no function {other}"),
        }
    };
    let file = fixture!("printing.json");
    let mut wrong = vec![];
    for (op, name) in file["grad_fns"].as_object().expect("names") {
        let (text, want) = (made(op).to_string(), format!("grad_fn=<{}>)", name.as_str().expect("a name")));
        if !text.ends_with(&want) && !OTHER_STRUCTURE.contains(&op.as_str()) {
            wrong.push(format!("{op}: {text} should end with {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn debug_is_display() {
    let x = Tensor::arange(0, 3, 1);
    assert_eq!(format!("{x:?}"), "tensor([0, 1, 2])");
}
