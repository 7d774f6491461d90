//! Reductions, scans, sorts and softmax.

use crate::bits::{DTYPES, bits, elements, near, numbers, show, tensor, value};
use crate::{FIXTURE, Report};
use serde_json::Value;
use taper::{DType, Tensor};

type Function = fn(&Tensor, isize) -> Tensor;

/// Selections among equal elements, of which zeros of two signs can be told apart; PyTorch leaves the choice open.
const UNORDERED: [&str; 6] = ["topk", "topk_least", "kthvalue_1", "kthvalue_last", "median", "nanmedian"];

/// A reduction along a dimension, and the units of the last place that it may be off.
fn reduction(name: &str) -> (Function, u64) {
    match name {
        "sum" => (|x, d| x.sum_dim(d, false), 0),
        "mean" => (|x, d| x.mean_dim(d, false), 0),
        "prod" => (|x, d| x.prod_dim(d, false), 2),
        "var" => (|x, d| x.var_dim(d, 1.0, false), 4),
        "std" => (|x, d| x.std_dim(d, 1.0, false), 4),
        "argmax" => (|x, d| x.argmax(d, false), 0),
        "argmin" => (|x, d| x.argmin(d, false), 0),
        "amax" => (|x, d| x.amax(d, false), 0),
        "amin" => (|x, d| x.amin(d, false), 0),
        "max" => (|x, d| x.max_dim(d, false).0, 0),
        "max_at" => (|x, d| x.max_dim(d, false).1, 0),
        "min" => (|x, d| x.min_dim(d, false).0, 0),
        "min_at" => (|x, d| x.min_dim(d, false).1, 0),
        "any" => (|x, d| x.any_dim(d, false), 0),
        "all" => (|x, d| x.all_dim(d, false), 0),
        "count_nonzero" => (|x, d| x.count_nonzero(d), 0),
        "logsumexp" => (|x, d| x.logsumexp(d, false), 4),
        "median" => (|x, d| x.median_dim(d, false).0, 0),
        "median_is_nan" => (|x, d| x.median_dim(d, false).0.isnan(), 0),
        "nanmedian" => (|x, d| x.nanmedian_dim(d, false).0, 0),
        "kthvalue_1" => (|x, d| x.kthvalue(1, d, false).0, 0),
        "kthvalue_last" => (|x, d| x.kthvalue(x.size(d), d, false).0, 0),
        "norm_0" => (|x, d| x.norm_dim(0.0, d, false), 0),
        "norm_half" => (|x, d| x.norm_dim(0.5, d, false), 16),
        "norm_1" => (|x, d| x.norm_dim(1.0, d, false), 2),
        "norm_2" => (|x, d| x.norm_dim(2.0, d, false), 2),
        "norm_3" => (|x, d| x.norm_dim(3.0, d, false), 4),
        "norm_inf" => (|x, d| x.norm_dim(f64::INFINITY, d, false), 0),
        "norm_minus_inf" => (|x, d| x.norm_dim(f64::NEG_INFINITY, d, false), 0),
        other => panic!("no reduction {other}"),
    }
}

/// A function that gives a line for a line.
fn along(name: &str) -> (Function, u64) {
    match name {
        "softmax" => (|x, d| x.softmax(d), 4),
        "log_softmax" => (|x, d| x.log_softmax(d), 4),
        "cumsum" => (|x, d| x.cumsum(d), 4),
        "cumprod" => (|x, d| x.cumprod(d), 4),
        "sort" => (|x, d| x.sort(d, false).0, 0),
        "sort_at" => (|x, d| x.sort(d, false).1, 0),
        "sort_down" => (|x, d| x.sort(d, true).0, 0),
        "sort_down_at" => (|x, d| x.sort(d, true).1, 0),
        "topk" => (|x, d| x.topk(x.size(d), d, true).0, 0),
        "topk_least" => (|x, d| x.topk(x.size(d), d, false).0, 0),
        other => panic!("no function {other}"),
    }
}

pub fn check(report: &mut Report) {
    for line in FIXTURE["reduce"].as_array().expect("a table") {
        let name = line["op"].as_str().expect("a name");
        for (text, dtype) in DTYPES.iter().filter(|(text, _)| line.get(text).is_some()) {
            for (width, want) in line[text].as_object().expect("widths") {
                both_ways(report, name, reduction(name), text, *dtype, width, want);
            }
        }
    }
    for line in FIXTURE["along"].as_array().expect("a table") {
        let name = line["op"].as_str().expect("a name");
        for (text, dtype) in DTYPES.iter().filter(|(text, _)| line.get(text).is_some()) {
            both_ways(report, name, along(name), text, *dtype, "17", &line[text]);
        }
    }
}

/// Along rows, and along the columns of the same lines laid out the other way.
fn both_ways(
    report: &mut Report,
    name: &str,
    (f, ulp): (Function, u64),
    text: &str,
    dtype: DType,
    width: &str,
    want: &Value,
) {
    let n: usize = width.parse().expect("a number");
    let rows = elements(&FIXTURE["rows"][text][width], dtype);
    let x = tensor(&rows, &[rows.len() / n, n], dtype);
    let ulp = if dtype.size() == 2 { ulp.min(1) } else { ulp };
    for columns in [false, true] {
        let y = match columns {
            false => f(&x, 1),
            true => {
                let y = f(&x.t().contiguous(), 0);
                if y.ndim() == 2 { y.t() } else { y }
            }
        };
        let got = bits(&y);
        let want = match y.dtype() {
            DType::Bool => numbers(want, 1),
            DType::I64 => numbers(want, 2),
            d => elements(want, d),
        };
        let each = got.len() / x.size(0);
        let zeros = |i: usize| {
            UNORDERED.contains(&name) && [got[i], want[i]].iter().all(|&b| value(b, y.dtype()) == 0.0)
        };
        // The mean of f64 is a sum first, which overflows.
        let overflows = |i: usize| {
            let row = rows[i / each * n..][..n].iter().map(|&b| value(b, dtype));
            ["var", "std"].contains(&name) && row.sum::<f64>().is_infinite()
        };
        let wrong =
            (0..got.len()).find(|&i| !near(got[i], want[i], y.dtype(), ulp) && !zeros(i) && !overflows(i));
        let message = wrong.map(|i| {
            let row: Vec<String> = rows[i / each * n..][..n].iter().map(|&b| show(b, dtype)).collect();
            let [got, want] = [got[i], want[i]].map(|b| show(b, y.dtype()));
            let layout = if columns { "columns" } else { "rows" };
            format!(
                "{name} of {text} in {layout}, {} of [{}]: {got}, PyTorch's is {want}",
                i % each,
                row.join(", ")
            )
        });
        report.note(got.len(), message);
    }
}
