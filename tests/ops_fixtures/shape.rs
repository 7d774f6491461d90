//! Creation, views, joining and splitting, casts.

use crate::case::Case;
use taper::{DType, PadMode, Scalar, Tensor};

pub fn run(c: &Case) -> Option<Vec<Tensor>> {
    creation(c).or_else(|| view(c)).map(|y| vec![y]).or_else(|| split(c))
}

fn creation(c: &Case) -> Option<Tensor> {
    let float = || c.dtype().unwrap_or(DType::F32);
    let fill = || c.scalar("fill_value").expect("a value");
    Some(match c.op() {
        "zeros" => Tensor::zeros_with(c.sizes("size"), float()),
        "ones" => Tensor::ones_with(c.sizes("size"), float()),
        "full" => match c.dtype() {
            Some(d) => Tensor::full_with(c.sizes("size"), fill(), d),
            None => Tensor::full(c.sizes("size"), fill()),
        },
        "eye" => {
            let n = c.size("n")?;
            Tensor::eye_with(n, c.size("m").unwrap_or(n), float())
        }
        "arange" => {
            let start = c.scalar("start").unwrap_or(Scalar::Int(0));
            let (end, step) = (c.scalar("end")?, c.scalar("step").unwrap_or(Scalar::Int(1)));
            match c.dtype() {
                Some(d) => Tensor::arange_with(start, end, step, d),
                None => Tensor::arange(start, end, step),
            }
        }
        "linspace" => Tensor::linspace_with(c.float("start")?, c.float("end")?, c.size("steps")?, float()),
        "logspace" => {
            let base = c.float("base").unwrap_or(10.0);
            Tensor::logspace_with(c.float("start")?, c.float("end")?, c.size("steps")?, base, float())
        }
        "zeros_like" => c.x(0).zeros_like(),
        "ones_like" => c.x(0).ones_like(),
        "full_like" => c.x(0).full_like(fill()),
        "to" => c.x(0).to_dtype(c.dtype()?),
        _ => return None,
    })
}

fn view(c: &Case) -> Option<Tensor> {
    let x = c.inputs.first()?;
    let (dim, dims) = (c.int("dim"), c.ints("dims"));
    let diagonal = c.int("diagonal").unwrap_or(0);
    Some(match c.op() {
        "reshape" => x.reshape(c.ints("shape")),
        // A column-major tensor has no view of another shape.
        "view" if x.is_contiguous() => x.view(c.ints("shape")),
        "view" => x.reshape(c.ints("shape")),
        "flatten" => x.flatten(c.int("start_dim").unwrap_or(0), c.int("end_dim").unwrap_or(-1)),
        "unflatten" => x.unflatten(dim?, c.ints("sizes")),
        "squeeze" if c.arg("dim").is_none() => x.squeeze_all(),
        "squeeze" => x.squeeze(c.ints("dim")),
        "unsqueeze" => x.unsqueeze(dim?),
        "transpose" => x.transpose(c.int("dim0")?, c.int("dim1")?),
        "permute" => x.permute(dims),
        "t" => x.t(),
        "expand" => x.expand(c.ints("size")),
        "broadcast_to" => x.broadcast_to(c.sizes("size")),
        "narrow" => x.narrow(dim?, c.int("start")?, c.size("length")?),
        "select" => x.select(dim?, c.int("index")?),
        "flip" => x.flip(dims),
        "movedim" => x.movedim(c.int("source")?, c.int("destination")?),
        "roll" => x.roll(c.int("shifts")?, dims),
        "diagonal" => x.diagonal(c.int("offset").unwrap_or(0), 0, 1),
        "tril" => x.tril(diagonal),
        "triu" => x.triu(diagonal),
        "diag" => x.diag(diagonal),
        "cat" => Tensor::cat(&c.inputs, dim?),
        "stack" => Tensor::stack(&c.inputs, dim?),
        "repeat" => x.repeat(c.sizes("repeats")),
        "repeat_interleave" => x.repeat_interleave(c.size("repeats")?, dim),
        "pad" => {
            let mode = match c.text("mode") {
                None => PadMode::from(c.float("value").unwrap_or(0.0)),
                Some("reflect") => PadMode::Reflect,
                Some("replicate") => PadMode::Replicate,
                Some(mode) => panic!("no mode {mode}"),
            };
            x.pad(c.ints("pad"), mode)
        }
        _ => return None,
    })
}

fn split(c: &Case) -> Option<Vec<Tensor>> {
    let dim = c.int("dim");
    Some(match c.op() {
        "split" if c.arg("split_size")?.is_array() => c.x(0).split_with_sizes(c.sizes("split_size"), dim?),
        "split" => c.x(0).split(c.size("split_size")?, dim?),
        "chunk" => c.x(0).chunk(c.size("chunks")?, dim?),
        _ => return None,
    })
}
