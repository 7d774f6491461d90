//! Reductions, scans, order.

use crate::case::Case;
use taper::Tensor;

pub fn run(c: &Case) -> Option<Vec<Tensor>> {
    let pair = |(a, b): (Tensor, Tensor)| vec![a, b];
    let (dims, keepdim) = (c.ints("dim"), c.flag("keepdim"));
    let all = c.arg("dim").is_none();
    let last = dims.first().copied().unwrap_or(-1);
    let x = c.inputs.first()?;
    Some(match c.op() {
        "sum" => vec![match c.dtype() {
            Some(dtype) => x.sum_dtype(dims, keepdim, dtype),
            None => x.sum_dim(dims, keepdim),
        }],
        "mean" => vec![match c.dtype() {
            Some(dtype) => x.mean_dtype(dims, keepdim, dtype),
            None => x.mean_dim(dims, keepdim),
        }],
        "prod" if all => vec![x.prod()],
        "prod" => vec![x.prod_dim(last, keepdim)],
        "var" => vec![x.var_dim(dims, c.float("correction").unwrap_or(1.0), keepdim)],
        "std" => vec![x.std_dim(dims, c.float("correction").unwrap_or(1.0), keepdim)],
        "norm" => vec![x.norm_dim(c.float("p").unwrap_or(2.0), dims, keepdim)],
        "logsumexp" => vec![x.logsumexp(dims, keepdim)],
        "max" if all => vec![x.max()],
        "max" => pair(x.max_dim(last, keepdim)),
        "min" if all => vec![x.min()],
        "min" => pair(x.min_dim(last, keepdim)),
        "amax" => vec![x.amax(dims, keepdim)],
        "amin" => vec![x.amin(dims, keepdim)],
        "argmax" => vec![x.argmax(c.int("dim"), keepdim)],
        "argmin" => vec![x.argmin(c.int("dim"), keepdim)],
        "any" => vec![x.any_dim(dims, keepdim)],
        "all" => vec![x.all_dim(dims, keepdim)],
        "cumsum" => vec![x.cumsum(last)],
        "cumprod" => vec![x.cumprod(last)],
        "softmax" => vec![x.softmax(last)],
        "log_softmax" => vec![x.log_softmax(last)],
        "sort" => pair(x.sort(last, c.flag("descending"))),
        "argsort" => vec![x.argsort(last, c.flag("descending"))],
        "median" if all => vec![x.median()],
        "median" => pair(x.median_dim(last, keepdim)),
        "nanmedian" => pair(x.nanmedian_dim(last, keepdim)),
        "kthvalue" => pair(x.kthvalue(c.size("k").expect("k"), last, keepdim)),
        "topk" => {
            let largest = c.arg("largest").is_none() || c.flag("largest");
            pair(x.topk(c.size("k").expect("k"), last, largest))
        }
        "unique" => {
            let u = x.unique_all();
            vec![u.values, u.inverse, u.counts]
        }
        _ => return None,
    })
}
