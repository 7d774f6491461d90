//! What can be asked for.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use taper_tensor::DType;

const EXAMPLES: &str = "\
Formats: PyTorch's .pt .pth (.bin .ckpt), .safetensors, .npz, .npy. Files can run no code here.

Examples:
  taper inspect model.safetensors
  taper inspect --stats --keys 'layer.*.weight' model.pt
  taper inspect --json model.pt | jq '.totals'
  taper convert checkpoint.pt weights.safetensors --select model
  taper diff before.safetensors after.pt --rtol 1e-5

Exit status: 0, 1 where `diff` finds a difference, 2 for any error.";

/// Looks into files of tensors, converts them, tells how two differ.
#[derive(Parser)]
#[command(name = "taper", version, after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    Inspect(Inspect),
    Convert(Convert),
    Diff(Diff),
}

const INSPECT: &str = "\
Columns that say nothing are left out: strides of tensors in row-major order, the device where it is
the CPU, memory where it is the tensor's own. `= other` are the very elements of another tensor,
`shared with other` are elements of its storage, `part of 5,056` is a tensor whose storage has more
bytes. Statistics leave NaN out; std is torch.std (n−1).

Examples:
  taper inspect model.pt
  taper inspect --stats model.safetensors        also min, max, mean, …
  taper inspect --keys 'layer.?.*' model.pt      some of it
  taper inspect --json model.pt | jq -r '.tensors[] | [.key, .dtype] | @tsv'

JSON, one line for each file:
  file, format (pt, safetensors, npz, npy), description, bytes (the file's),
  tensors: [{key, dtype, shape, strides, offset, elements, bytes, storage, shares, device, stats}]
           strides and offset count elements; storage is an index of `storages`;
           shares is the first key with the same storage, or null;
           stats (with --stats): {min, max, mean, std, nan, inf}, null where it cannot be computed
  storages: [bytes], values: [{key, value}], metadata: [{key, value}],
  unsupported: [{key, what}] (of .pt: what taper has nothing for, such as complex numbers),
  totals: {tensors, elements, bytes, storage_bytes}
  Numbers that JSON has not got are the texts \"NaN\", \"Infinity\" and \"-Infinity\".

Exit status: 0; 2 where a file cannot be read (the others are shown).";

/// Lists the tensors and values of files
#[derive(clap::Args)]
#[command(after_help = INSPECT)]
pub struct Inspect {
    /// Files to look into
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Also min, max, mean, std, and how many elements are NaN and infinite
    #[arg(long)]
    pub stats: bool,
    /// Only keys that match: a glob with * and ?, or else a part of the key
    #[arg(long, value_name = "PATTERN")]
    pub keys: Option<String>,
    /// JSON, one line for each file
    #[arg(long)]
    pub json: bool,
}

const CONVERT: &str = "\
Examples:
  taper convert model.pt model.safetensors
  taper convert checkpoint.pt weights.npz --select model_state_dict
  taper convert weights.npz layer.npy --select layer.weight
  taper convert model.safetensors small.safetensors --dtype bf16

The format follows the extension. .pt and .safetensors hold any tree of tensors and values (safetensors
as tensors with dotted names and one metadata entry, which taper reads back), .npz holds named tensors,
.npy one tensor. Tensors that share memory share it in .pt, and are written in full elsewhere.

Exit status: 0; 2 for an error, and then nothing was written.";

/// Writes a file's contents in another format
#[derive(clap::Args)]
#[command(after_help = CONVERT)]
pub struct Convert {
    /// File to read
    #[arg(value_name = "FROM")]
    pub from: PathBuf,
    /// File to write: .pt .pth .safetensors .npz .npy
    #[arg(value_name = "TO")]
    pub to: PathBuf,
    /// Only this part of the tree, such as `model` or `optimizer.state`
    #[arg(long, value_name = "KEY")]
    pub select: Option<String>,
    /// Floating-point tensors in this type
    #[arg(long, value_name = "TYPE")]
    pub dtype: Option<Float>,
    /// Replace a file that is there
    #[arg(short, long)]
    pub force: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Float {
    #[value(alias = "float16", alias = "half")]
    F16,
    #[value(alias = "bfloat16")]
    Bf16,
    #[value(alias = "float32", alias = "float")]
    F32,
    #[value(alias = "float64", alias = "double")]
    F64,
}

impl Float {
    pub fn dtype(self) -> DType {
        match self {
            Float::F16 => DType::F16,
            Float::Bf16 => DType::BF16,
            Float::F32 => DType::F32,
            Float::F64 => DType::F64,
        }
    }
}

const DIFF: &str = "\
Examples:
  taper diff before.pt after.pt
  taper diff model.pt model.safetensors && echo the same
  taper diff a.safetensors b.npz --rtol 1e-5 --atol 1e-8
  taper diff full.pt half.pt --ignore-dtype --rtol 1e-3

By default elements are equal where their bits are; any NaN equals any NaN. With a tolerance, where
|a − b| ≤ atol + rtol·|b|. Relative differences shown are of the larger of the two. Trees are compared
by dotted keys, without the metadata of safetensors.

JSON: a, b, equal, same (keys), only_in_a: [{key, …}], only_in_b: [{key, …}],
  different: [{key, what (kind, dtype, shape, elements, value), a, b, …}], where elements brings
  count, of, max_abs, max_abs_at, max_rel, max_ulp (null for integers), nan

Exit status: 0 where they are equal, 1 where they differ, 2 for an error.";

/// Tells how two files differ
#[derive(clap::Args)]
#[command(after_help = DIFF)]
pub struct Diff {
    /// One file
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The other, of any format
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Relative tolerance
    #[arg(long, default_value_t = 0.0, value_parser = tolerance)]
    pub rtol: f64,
    /// Absolute tolerance
    #[arg(long, default_value_t = 0.0, value_parser = tolerance)]
    pub atol: f64,
    /// Compare numbers alone, of whatever dtype
    #[arg(long)]
    pub ignore_dtype: bool,
    /// Only keys that match: a glob with * and ?, or else a part of the key
    #[arg(long, value_name = "PATTERN")]
    pub keys: Option<String>,
    /// Print nothing
    #[arg(short, long, conflicts_with = "json")]
    pub quiet: bool,
    /// JSON
    #[arg(long)]
    pub json: bool,
}

fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x >= 0.0 && x.is_finite() => Ok(x),
        _ => Err("not a number from 0 up".into()),
    }
}
