//! Indexing, assignment through an index, gather and scatter, masks.

use crate::case::Case;
use taper::nn::functional as F;
use taper::{Ellipsis, IndexItem, NewAxis, Slice, Tensor};

fn items(c: &Case) -> Vec<IndexItem> {
    let item = |v: &serde_json::Value| {
        if let Some(name) = v.as_str() {
            return if name == "..." { Ellipsis.into() } else { NewAxis.into() };
        }
        let int = |v: &serde_json::Value| v.as_i64().map(|i| i as isize);
        if let Some(slice) = v.get("slice") {
            return Slice::new(int(&slice[0]), int(&slice[1]), int(&slice[2]).unwrap_or(1)).into();
        }
        match (v.get("int").and_then(int), v.get("input").and_then(int)) {
            (Some(i), _) => i.into(),
            (_, Some(k)) => c.x(k as usize).into(),
            _ => panic!("no item of an index: {v}"),
        }
    };
    c.arg("index").expect("an index").as_array().expect("a list").iter().map(item).collect()
}

pub fn run(c: &Case) -> Option<Vec<Tensor>> {
    let x = c.inputs.first()?;
    let dim = || c.int("dim").expect("a dimension");
    Some(vec![match c.op() {
        "index" => x.index(items(c)),
        "index_put" => {
            // In place, and as a function.
            let put = x.index_put(items(c), c.x(1), false);
            let mut y = if x.requires_grad() { x * 1.0 } else { x.clone() };
            y.set(items(c), c.x(1));
            assert_eq!(y.to_vec::<f64>(), put.to_vec::<f64>());
            y
        }
        "gather" => x.gather(dim(), c.x(1)),
        "take_along_dim" => x.take_along_dim(c.x(1), c.int("dim")),
        "scatter" => match c.float("value") {
            Some(value) => x.scatter(dim(), c.x(1), value),
            None => x.scatter(dim(), c.x(1), c.x(2)),
        },
        "scatter_add" => x.scatter_add(dim(), c.x(1), c.x(2)),
        "index_select" => x.index_select(dim(), c.x(1)),
        "index_add" => match c.float("alpha") {
            Some(alpha) => x.index_add(dim(), c.x(1), &(c.x(2) * alpha)),
            None => x.index_add(dim(), c.x(1), c.x(2)),
        },
        "nonzero" => x.nonzero(),
        "one_hot" => x.one_hot(c.size("num_classes")),
        "masked_fill" => match c.scalar("value") {
            Some(value) => x.masked_fill(c.x(1), value),
            None => x.masked_fill(c.x(1), c.x(2)),
        },
        "masked_select" => x.masked_select(c.x(1)),
        "embedding" => Tensor::embedding(x, c.x(1), None),
        "cross_entropy" => F::cross_entropy(x, c.x(1)),
        _ => return None,
    }])
}
