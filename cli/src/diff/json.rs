//! The report that programs read. Its shape is promised in `taper diff --help`.

use super::{Difference, Findings, What};
use crate::args::Diff;
use crate::inspect::Value;
use crate::stats::Json;
use serde::Serialize;
use taper_tensor::State;

#[derive(Serialize)]
pub struct Report<'a> {
    a: String,
    b: String,
    equal: bool,
    same: u64,
    only_in_a: Vec<Leaf<'a>>,
    only_in_b: Vec<Leaf<'a>>,
    different: Vec<Different<'a>>,
}

#[derive(Serialize)]
struct Leaf<'a> {
    key: &'a str,
    #[serde(flatten)]
    content: Content<'a>,
}

/// `{"dtype": …, "shape": …}` or `{"value": …}`.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Tensor { dtype: &'static str, shape: &'a [usize] },
    Value { value: Value<'a> },
}

#[derive(Serialize)]
struct Different<'a> {
    key: &'a str,
    what: &'static str,
    a: Content<'a>,
    b: Content<'a>,
    #[serde(flatten)]
    elements: Option<Elements<'a>>,
}

#[derive(Serialize)]
struct Elements<'a> {
    count: u64,
    of: u64,
    max_abs: Json,
    max_abs_at: &'a [usize],
    max_rel: Json,
    max_ulp: Option<u64>,
    nan: u64,
}

impl<'a> Report<'a> {
    pub(super) fn of(args: &Diff, found: &'a Findings) -> Report<'a> {
        Report {
            a: args.a.display().to_string(),
            b: args.b.display().to_string(),
            equal: found.equal(),
            same: found.same_tensors + found.same_values,
            only_in_a: found.only_in_a.iter().map(leaf).collect(),
            only_in_b: found.only_in_b.iter().map(leaf).collect(),
            different: found.different.iter().map(different).collect(),
        }
    }
}

fn leaf<'a>((key, state): &'a (String, &State)) -> Leaf<'a> {
    Leaf { key, content: content(state) }
}

fn content(state: &State) -> Content<'_> {
    match state {
        State::Tensor(t) => Content::Tensor { dtype: t.dtype().name(), shape: t.shape() },
        value => Content::Value { value: Value(value) },
    }
}

fn different<'a>(difference: &'a Difference) -> Different<'a> {
    let (what, elements) = match &difference.what {
        What::Kind => ("kind", None),
        What::DType => ("dtype", None),
        What::Shape => ("shape", None),
        What::Value => ("value", None),
        What::Elements(e) => {
            let elements = Elements {
                count: e.count,
                of: e.of,
                max_abs: Json(e.max_abs),
                max_abs_at: &e.max_abs_at,
                max_rel: Json(e.max_rel),
                max_ulp: e.max_ulp,
                nan: e.nan,
            };
            ("elements", Some(elements))
        }
    };
    let Difference { key, a, b, .. } = difference;
    Different { key, what, a: content(a), b: content(b), elements }
}
