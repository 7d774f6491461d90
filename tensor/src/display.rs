//! How tensors print: as PyTorch prints them.

use crate::tensor::Tensor;
use std::fmt;
use std::sync::RwLock;
use taper_kernels::{DType, Device};

/// How tensors print: set with [`set_printoptions`]. The defaults are PyTorch's.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct PrintOptions {
    /// Digits after the point (4).
    pub precision: usize,
    /// More elements than this are summarised (1000) …
    pub threshold: usize,
    /// … to this many at each end of a dimension (3).
    pub edgeitems: usize,
    /// Characters per line (80).
    pub linewidth: usize,
    /// Scientific notation always or never; `None` (the default) where numbers ask for it.
    pub sci_mode: Option<bool>,
}

impl PrintOptions {
    const DEFAULT: PrintOptions =
        PrintOptions { precision: 4, threshold: 1000, edgeitems: 3, linewidth: 80, sci_mode: None };
}

impl Default for PrintOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

static OPTIONS: RwLock<PrintOptions> = RwLock::new(PrintOptions::DEFAULT);

/// Sets how tensors print from now on, in every thread (`torch.set_printoptions`).
///
/// ```
/// use taper_tensor::{printoptions, set_printoptions, tensor, PrintOptions};
/// let mut options = printoptions();
/// options.precision = 2;
/// set_printoptions(options);
/// assert_eq!(tensor([1.0 / 3.0]).to_string(), "tensor([0.33])");
/// set_printoptions(PrintOptions::default());
/// ```
pub fn set_printoptions(options: PrintOptions) {
    *OPTIONS.write().unwrap_or_else(|e| e.into_inner()) = options;
}

/// How tensors print (`torch.get_printoptions`).
pub fn printoptions() -> PrintOptions {
    *OPTIONS.read().unwrap_or_else(|e| e.into_inner())
}

const PREFIX: &str = "tensor(";

impl fmt::Display for Tensor {
    /// As Python's `repr(tensor)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = printoptions();
        let mut text = PREFIX.to_string();
        text += &if self.numel() == 0 { "[]".to_string() } else { Elements::of(self, options).nested() };
        let last_line = text.len() - text.rfind('\n').unwrap_or(0) + 1;
        f.write_str(&text)?;
        let mut used = last_line;
        for suffix in suffixes(self) {
            if used + suffix.len() + 2 > options.linewidth {
                write!(f, ",\n{:1$}{suffix}", "", PREFIX.len())?;
                used = PREFIX.len() + suffix.len();
            } else {
                write!(f, ", {suffix}")?;
                used += suffix.len() + 2;
            }
        }
        f.write_str(")")
    }
}

impl fmt::Debug for Tensor {
    /// The same as `Display`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What stands behind the elements, where it is not what one would guess.
fn suffixes(x: &Tensor) -> Vec<String> {
    let mut all = Vec::new();
    if x.device() != Device::Cpu {
        all.push(format!("device='{}'", x.device()));
    }
    let empty = x.numel() == 0;
    if empty && x.ndim() != 1 {
        let sizes: Vec<String> = x.shape().iter().map(usize::to_string).collect();
        all.push(format!("size=({})", sizes.join(", ")));
    }
    let expected = match x.dtype() {
        DType::F32 => true,
        DType::I64 | DType::Bool => !empty,
        _ => false,
    };
    if !expected {
        all.push(format!("dtype=torch.{}", x.dtype()));
    }
    match x.grad_fn() {
        Some(name) => all.push(format!("grad_fn=<{}>", backward_name(name))),
        None if x.requires_grad() => all.push("requires_grad=True".into()),
        None => {}
    }
    all
}

/// PyTorch's name of a node: the operation's in camel case, but for some that are called differently, or
/// are another overload of theirs. Where an operation here is made of others, it has the last one's name.
fn backward_name(op: &str) -> String {
    let known = match op {
        "reshape" => "View",
        "ln" => "Log",
        "to" => "ToCopy",
        "contiguous" => "Clone",
        "broadcast_to" => "Expand",
        "narrow" => "Slice",
        "square" => "Pow",
        "matmul" => "Mm",
        "linear" => "Addmm",
        "conv1d" | "conv2d" => "Convolution",
        "max_pool" | "max_pool1d" | "max_pool2d" => "MaxPool2DWithIndices",
        "avg_pool" | "avg_pool1d" | "avg_pool2d" => "AvgPool2D",
        "layer_norm" => "NativeLayerNorm",
        "batch_norm" => "NativeBatchNorm",
        "norm" => "LinalgVectorNorm",
        "pad" => "ConstantPadNd",
        "clamp_tensor" => "Clamp",
        "trunc_divide" => return "DivBackward2".into(),
        "round_decimals" => return "RoundBackward1".into(),
        "clamp" => return "ClampBackward1".into(),
        "fmod" => return "FmodBackward1".into(),
        "remainder" => return "RemainderBackward1".into(),
        "max" => return "MaxBackward1".into(),
        "min" => return "MinBackward1".into(),
        "squeeze" => return "SqueezeBackward1".into(),
        _ => "",
    };
    if !known.is_empty() {
        return format!("{known}Backward0");
    }
    let camel: String = op
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters)
        })
        .collect();
    format!("{camel}Backward0")
}

/// The elements to print, as text of one width.
struct Elements {
    texts: Vec<String>,
    width: usize,
    shape: Vec<usize>,
    /// Dimensions of which only the ends are there.
    cut: Vec<bool>,
    options: PrintOptions,
}

impl Elements {
    fn of(x: &Tensor, options: PrintOptions) -> Elements {
        let mut x = x.detach();
        let edge = options.edgeitems;
        let summarise = x.numel() > options.threshold;
        let cut: Vec<bool> = x.shape().iter().map(|&n| summarise && n > 2 * edge).collect();
        for (d, _) in cut.iter().enumerate().filter(|(_, cut)| **cut) {
            let d = d as isize;
            x = Tensor::cat(&[x.narrow(d, 0, edge), x.narrow(d, -(edge as isize), edge)], d);
        }
        let shape = x.shape().to_vec();
        let (texts, width) = match x.dtype() {
            DType::Bool => {
                let name = |b| if b { "True" } else { "False" };
                aligned(x.to_vec::<bool>().into_iter().map(|b| name(b).to_string()).collect())
            }
            d if d.is_float() => floats(&x.to_vec::<f64>(), options),
            _ => aligned(x.to_vec::<i64>().iter().map(i64::to_string).collect()),
        };
        Elements { texts, width, shape, cut, options }
    }

    fn nested(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0, &self.texts);
        out
    }

    /// The slice `texts`, which is an index of the first `depth` dimensions.
    fn write(&self, out: &mut String, depth: usize, texts: &[String]) {
        let (left, indent) = (self.shape.len() - depth, PREFIX.len() + depth);
        if left == 0 {
            out.push_str(&texts[0]);
            return;
        }
        if left == 1 {
            return self.write_row(out, indent, self.cut[depth], texts);
        }
        let separator = format!(",{}{:2$}", "\n".repeat(left - 1), "", indent + 1);
        out.push('[');
        for (i, slice) in texts.chunks(texts.len() / self.shape[depth]).enumerate() {
            if i > 0 {
                out.push_str(&separator);
            }
            if i == self.options.edgeitems && self.cut[depth] {
                out.push_str("...");
                out.push_str(&separator);
            }
            self.write(out, depth + 1, slice);
        }
        out.push(']');
    }

    /// Elements of the last dimension, in lines.
    fn write_row(&self, out: &mut String, indent: usize, cut: bool, texts: &[String]) {
        let mut entries: Vec<&str> = texts.iter().map(String::as_str).collect();
        if cut {
            entries.insert(self.options.edgeitems, " ...");
        }
        let per_line = (self.options.linewidth.saturating_sub(indent) / (self.width + 2)).max(1);
        let lines: Vec<String> = entries.chunks(per_line).map(|line| line.join(", ")).collect();
        out.push('[');
        out.push_str(&lines.join(&format!(",\n{:1$}", "", indent + 1)));
        out.push(']');
    }
}

/// Texts padded on the left to the widest.
fn aligned(texts: Vec<String>) -> (Vec<String>, usize) {
    let width = texts.iter().map(String::len).max().unwrap_or(1);
    (texts.into_iter().map(|t| format!("{t:>width$}")).collect(), width)
}

/// All as whole numbers with a point, all with four digits, or all in scientific notation; the width
/// is that of the finite numbers that are not 0.
fn floats(values: &[f64], options: PrintOptions) -> (Vec<String>, usize) {
    let precision = options.precision;
    let telling: Vec<f64> = values.iter().copied().filter(|v| v.is_finite() && *v != 0.0).collect();
    let whole = telling.iter().all(|v| v.fract() == 0.0);
    let (least, most) =
        telling.iter().fold((f64::INFINITY, 0f64), |(lo, hi), v| (lo.min(v.abs()), hi.max(v.abs())));
    let asked = !telling.is_empty() && (most / least > 1000.0 || most > 1e8 || least < 1e-4);
    let scientific = options.sci_mode.unwrap_or(asked);
    let text = |v: f64| match v {
        _ if v.is_nan() => "nan".to_string(),
        _ if v.is_infinite() => format!("{v:.0}"),
        _ if scientific => with_exponent(v, precision),
        _ if whole => format!("{v:.0}."),
        _ => format!("{v:.precision$}"),
    };
    let width = telling.iter().map(|v| text(*v).len()).max().unwrap_or(1);
    (values.iter().map(|v| format!("{:>width$}", text(*v))).collect(), width)
}

/// `1.5000e-05`: a sign and at least two digits in the exponent.
fn with_exponent(v: f64, precision: usize) -> String {
    let text = format!("{v:.precision$e}");
    let (digits, exponent) = text.split_once('e').expect("scientific notation has an exponent");
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(e) => ('-', e),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}
