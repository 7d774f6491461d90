//! `taper convert`.

use crate::args::Convert;
use crate::budget::Budget;
use crate::fail::{Fail, Result};
use crate::kind::Kind;
use crate::output;
use crate::text::{self, plural};
use crate::tree;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use taper_io::{npy, npz, pt, safetensors};
use taper_tensor::{DType, OrderedMap, State, StateDict, Tensor};

pub fn run(args: &Convert) -> Result<u8> {
    let (from, to) = (&args.from, &args.to);
    let target = Kind::to_write(to)?;
    let source = Kind::to_read(from)?;
    if !args.force && std::fs::symlink_metadata(to).is_ok() {
        return Err(Fail::of(to, "it is there already; --force replaces it"));
    }
    let whole = source.load(from)?;
    let mut state = match &args.select {
        None => whole,
        Some(path) => tree::select(&whole, path).cloned().ok_or_else(|| missing(from, &whole, path))?,
    };
    let summary = Summary::of(&state);
    if target != Kind::Pt || args.dtype.is_some() {
        summary.check_size(from)?;
    }
    if let Some(float) = args.dtype {
        state = Cast { dtype: float.dtype(), done: HashMap::new() }.state(&state);
    }
    match target {
        Kind::Pt => pt::save(&state, to)?,
        Kind::Safetensors => {
            let metadata = metadata(source, from)?;
            let metadata: Vec<(&str, &str)> =
                metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            safetensors::save_with_metadata(&state, &metadata, to)?
        }
        Kind::Npz => npz::save(&named(to, &state)?, to)?,
        Kind::Npy => npy::save(&single(to, &state)?, to)?,
    }
    // A cast keeps equal views one; others of one storage become tensors of their own.
    let kept = if target == Kind::Pt { Summary::of(&state).tied } else { 0 };
    if summary.tied > kept {
        let tied = plural(summary.tied - kept, "tensor");
        output::note(&format!("{}: {tied} of shared memory written in full", to.display()));
    }
    if target != Kind::Safetensors && metadata(source, from)?.iter().any(|entry| *entry != pytorch()) {
        output::note(&format!("{}: the metadata of safetensors is not kept", to.display()));
    }
    let values = match summary.values {
        0 => String::new(),
        n => format!("{}, ", plural(n, "value")),
    };
    let bytes = std::fs::metadata(to).map_or(0, |m| m.len());
    let tensors = plural(summary.tensors, "tensor");
    let line = format!("wrote {}: {tensors}, {values}{}", to.display(), text::size(bytes));
    output::print(&format!("{}\n", text::printable(&line)))?;
    Ok(0)
}

fn missing(from: &Path, whole: &State, path: &str) -> Fail {
    let message = match whole.as_map() {
        Some(map) => {
            let keys = map.keys().map(tree::show);
            format!("has no \"{path}\"; it has {}", some(keys))
        }
        None => format!("has no \"{path}\"; it is not a map"),
    };
    Fail::of(from, message)
}

/// At most eight names, quoted.
fn some(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = if names.len() > 8 { ", …" } else { "" };
    format!("{}{more}", names.take(8).map(|n| text::quoted(&n)).collect::<Vec<_>>().join(", "))
}

/// What is about to be written.
struct Summary {
    tensors: u64,
    values: u64,
    /// Tensors whose memory an earlier one shows, too.
    tied: u64,
    /// The first that is too large to be written in full.
    refused: Option<String>,
}

impl Summary {
    fn of(state: &State) -> Summary {
        let (mut out, mut seen) = (Summary { tensors: 0, values: 0, tied: 0, refused: None }, HashSet::new());
        let mut budget = Budget::new();
        for (key, leaf) in tree::leaves(state) {
            let State::Tensor(t) = leaf else {
                out.values += 1;
                continue;
            };
            out.tensors += 1;
            out.tied += (t.numel() > 0 && !seen.insert(t.untyped_storage().id())) as u64;
            if out.refused.is_none() && !budget.allows(t.untyped_storage().id(), t) {
                out.refused = Some(format!("tensor \"{key}\": {}", Budget::refusal(t)));
            }
        }
        out
    }

    fn check_size(&self, from: &Path) -> Result<()> {
        self.refused.as_ref().map_or(Ok(()), |why| Err(Fail::of(from, why)))
    }
}

/// The texts beside safetensors' tensors.
fn metadata(source: Kind, from: &Path) -> Result<Vec<(String, String)>> {
    if source != Kind::Safetensors {
        return Ok(vec![pytorch()]);
    }
    let file = safetensors::File::open(from)?;
    let kept = file.metadata().iter().filter(|(name, _)| *name != safetensors::TREE);
    Ok(kept.map(|(name, text)| (name.clone(), text.clone())).collect())
}

/// What `transformers` asks for: that the tensors' names and axes are PyTorch's.
fn pytorch() -> (String, String) {
    ("format".into(), "pt".into())
}

/// The tree as named tensors.
fn named(to: &Path, state: &State) -> Result<StateDict> {
    if let State::Tensor(t) = state {
        // numpy's name of an array that was given none.
        return Ok(OrderedMap::from_distinct(vec![("arr_0".to_string(), Tensor::clone(t))]));
    }
    let dict = state.to_state_dict().ok_or_else(|| {
        let odd = match state {
            State::Map(map) => map.iter().find(|(_, v)| v.as_tensor().is_none()),
            _ => None,
        };
        let what = match odd {
            Some((key, value)) => format!("{}, {}", text::quoted(&tree::show(key)), value.kind()),
            None if state.as_map().is_some() => "keys that are numbers".to_string(),
            None => state.kind().to_string(),
        };
        let hint = match tree::state_dicts(state) {
            parts if parts.is_empty() => String::new(),
            parts => format!("; --select takes a part: {}", some(parts.into_iter())),
        };
        Fail::of(to, format!(".npz holds named tensors alone, and cannot hold {what}{hint}; .pt and .safetensors hold any tree"))
    })?;
    dict.iter().try_for_each(|(key, t)| known_to_numpy(to, key, t))?;
    Ok(dict)
}

/// The tree as one tensor.
fn single(to: &Path, state: &State) -> Result<Tensor> {
    let leaves = tree::leaves(state);
    let tensors: Vec<(&String, &Tensor)> =
        leaves.iter().filter_map(|(k, v)| Some((k, v.as_tensor()?))).collect();
    match tensors[..] {
        [(key, t)] => known_to_numpy(to, key, t).map(|()| t.clone()),
        [] => Err(Fail::of(to, ".npy holds one tensor, and there is none")),
        _ => {
            let keys = some(tensors.iter().map(|(k, _)| k.to_string()));
            Err(Fail::of(to, format!(".npy holds one tensor; --select takes one of {keys}")))
        }
    }
}

fn known_to_numpy(to: &Path, key: &str, t: &Tensor) -> Result<()> {
    match t.dtype() {
        DType::BF16 => {
            let message =
                format!("tensor \"{key}\": numpy has no bfloat16; --dtype f32 holds the same numbers");
            Err(Fail::of(to, message))
        }
        _ => Ok(()),
    }
}

/// Casts floating-point tensors; those that were the same elements stay so.
struct Cast {
    dtype: DType,
    done: HashMap<View, Tensor>,
}

/// What makes two tensors the same elements: storage, dtype, shape, strides, offset.
type View = (usize, DType, Vec<usize>, Vec<isize>, usize);

impl Cast {
    fn state(&mut self, state: &State) -> State {
        match state {
            State::Tensor(t) if t.dtype().is_float() => self.tensor(t).into(),
            State::Map(map) => {
                let entries = map.iter().map(|(k, v)| (k.clone(), self.state(v)));
                State::Map(OrderedMap::from_distinct(entries.collect()))
            }
            State::List(items) => State::List(items.iter().map(|s| self.state(s)).collect()),
            State::Tuple(items) => State::Tuple(items.iter().map(|s| self.state(s)).collect()),
            other => other.clone(),
        }
    }

    fn tensor(&mut self, t: &Tensor) -> Tensor {
        let view = (
            t.untyped_storage().id(),
            t.dtype(),
            t.shape().to_vec(),
            t.strides().to_vec(),
            t.storage_offset(),
        );
        self.done.entry(view).or_insert_with(|| t.to_dtype(self.dtype)).clone()
    }
}
