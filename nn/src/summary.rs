//! A table of a model's layers.

use crate::module::{Forward, Module, Slot, Visitor, walk};
use crate::parameter::Parameter;
use crate::recorder::{Record, address, recording};
use std::fmt;
use taper_tensor::autograd::no_grad;
use taper_tensor::{DType, IntoShape, Options, Tensor, get_rng_state, set_rng_state};

/// What [`summary`] found; `Display` prints it as a table.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The model, then the modules inside, each after the one that holds it.
    pub layers: Vec<LayerSummary>,
    /// Shape of the input.
    pub input: Vec<usize>,
    /// Bytes of the input.
    pub input_bytes: usize,
    /// Bytes of all layers' outputs, without those of modules that only pass on what a layer inside them gave.
    pub output_bytes: usize,
    /// Number of elements of parameters that are trained.
    pub trainable: usize,
    /// Number of elements of parameters that are frozen.
    pub frozen: usize,
    /// Bytes of all parameters.
    pub parameter_bytes: usize,
    /// Bytes of all buffers.
    pub buffer_bytes: usize,
}

/// One module of a [`Summary`].
#[derive(Clone, Debug)]
pub struct LayerSummary {
    /// The name in the module that holds it; empty for the model.
    pub name: String,
    /// The module's type.
    pub kind: String,
    /// How deep inside the model.
    pub depth: usize,
    /// Shape of the output; `None` where the module was not called, or is a model's own type inside it.
    pub output: Option<Vec<usize>>,
    /// Number of elements of its own parameters, without those of modules inside and those that came before.
    pub parameters: usize,
}

/// Runs the model on zeros of `input_shape` (batch included; in the dtype of the first parameter) and lists
/// its layers, their output shapes, parameters and bytes.
///
/// The pass runs in evaluation mode without gradients; modes, running statistics and the random generator
/// are afterwards as before.
///
/// ```
/// use taper_nn::{Linear, ReLU, sequential, summary};
/// let net = sequential![Linear::new(4, 8), ReLU::new(), Linear::new(8, 2)];
/// let summary = summary(&net, [1, 4]);
/// assert_eq!(summary.trainable, 4 * 8 + 8 + 8 * 2 + 2);
/// assert_eq!(summary.layers[1].output, Some(vec![1, 8]));
/// println!("{summary}");
/// ```
///
/// # Panics
/// Where the model does not take such an input.
#[track_caller]
pub fn summary<M: Forward + ?Sized>(model: &M, input_shape: impl IntoShape) -> Summary {
    let options = match model.parameters().first() {
        Some(p) => Options::from(&p.value()),
        None => Options::from(DType::F32),
    };
    summary_of(model, &Tensor::zeros_with(input_shape, options))
}

/// As [`summary`], with an input of one's own (positions for an embedding, say).
#[track_caller]
pub fn summary_of<M: Forward + ?Sized>(model: &M, input: &Tensor) -> Summary {
    let before = Before::new(model);
    model.eval();
    // The model's own `check_input` speaks at the caller's line; a panic below restores modes as well.
    if let Err(why) = model.check_input(input) {
        panic!("{why}");
    }
    let (output, records) = recording(|| no_grad(|| model.forward(input)));
    drop(before);

    let mut found =
        Found { rows: Vec::new(), depth: 1, seen: Vec::new(), records: &records, used: Vec::new() };
    let own = found.parameters(model);
    found.row("", model.kind(), 0, Some(output.shape().to_vec()), own);
    model.visit(&mut Children(&mut found));

    let bytes = |t: &Tensor| t.numel() * t.dtype().size();
    let parameters = model.parameters();
    let count = |on: bool| parameters.iter().filter(|p| p.requires_grad() == on).map(Parameter::numel).sum();
    Summary {
        layers: found.rows,
        input: input.shape().to_vec(),
        input_bytes: bytes(input),
        output_bytes: records.iter().filter(|r| r.kind != "Sequential").map(|r| r.bytes).sum(),
        trainable: count(true),
        frozen: count(false),
        parameter_bytes: parameters.iter().map(|p| bytes(&p.value())).sum(),
        buffer_bytes: model.named_buffers().iter().map(|(_, b)| bytes(&b.value())).sum(),
    }
}

/// Modes and generator as they were, restored when dropped.
struct Before<'m, M: Module + ?Sized> {
    model: &'m M,
    modes: Vec<bool>,
    generator: Vec<u8>,
}

impl<'m, M: Module + ?Sized> Before<'m, M> {
    fn new(model: &'m M) -> Self {
        let mut modes = Vec::new();
        walk(model, |_, slot| {
            if let Slot::Training(t) = slot {
                modes.push(t.get());
            }
        });
        Before { model, modes, generator: get_rng_state() }
    }
}

impl<M: Module + ?Sized> Drop for Before<'_, M> {
    fn drop(&mut self) {
        let mut modes = self.modes.iter();
        walk(self.model, |_, slot| {
            if let (Slot::Training(t), Some(&on)) =
                (&slot, if matches!(slot, Slot::Training(_)) { modes.next() } else { None })
            {
                t.set(on);
            }
        });
        set_rng_state(&self.generator).expect("the state was just read");
    }
}

/// Rows in the making.
struct Found<'r> {
    rows: Vec<LayerSummary>,
    depth: usize,
    seen: Vec<Parameter>,
    records: &'r [Record],
    /// Records that a row has taken.
    used: Vec<usize>,
}

impl Found<'_> {
    fn row(&mut self, name: &str, kind: &str, depth: usize, output: Option<Vec<usize>>, parameters: usize) {
        self.rows.push(LayerSummary { name: name.into(), kind: kind.into(), depth, output, parameters });
    }

    /// Elements of a module's own parameters that no row has counted.
    fn parameters<M: Module + ?Sized>(&mut self, module: &M) -> usize {
        struct Own<'a>(&'a mut Vec<Parameter>, usize);
        impl Visitor for Own<'_> {
            fn slot(&mut self, _: &str, slot: Slot) {
                if let Slot::Parameter(p) = slot
                    && !self.0.iter().any(|q| q.is(p))
                {
                    self.0.push(p.clone());
                    self.1 += p.numel();
                }
            }
        }
        let mut own = Own(&mut self.seen, 0);
        module.visit(&mut own);
        own.1
    }

    /// The first output of a module that no row has taken, or else its last.
    fn output(&mut self, module: &dyn Module) -> Option<Vec<usize>> {
        let of_it = |r: &Record| r.address == address(module) && r.kind == module.kind();
        let calls: Vec<usize> = (0..self.records.len()).filter(|&i| of_it(&self.records[i])).collect();
        let call = calls.iter().find(|i| !self.used.contains(i)).or(calls.last())?;
        self.used.push(*call);
        Some(self.records[*call].shape.clone())
    }
}

struct Children<'a, 'r>(&'a mut Found<'r>);

impl Visitor for Children<'_, '_> {
    fn slot(&mut self, name: &str, slot: Slot) {
        let Slot::Module(m) = slot else { return };
        let found = &mut *self.0;
        let (output, parameters, depth) = (found.output(m), found.parameters(m), found.depth);
        found.row(name, m.kind(), depth, output, parameters);
        found.depth += 1;
        m.visit(&mut Children(found));
        found.depth -= 1;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = |l: &LayerSummary| match l.name.as_str() {
            "" => l.kind.clone(),
            name => format!("{}{name}: {}", "  ".repeat(l.depth), l.kind),
        };
        let rows: Vec<[String; 3]> = self
            .layers
            .iter()
            .map(|l| {
                let output = l.output.as_ref().map_or("-".into(), |s| format!("{s:?}"));
                let parameters = if l.parameters == 0 { "-".into() } else { thousands(l.parameters) };
                [title(l), output, parameters]
            })
            .collect();
        let head = ["Layer", "Output shape", "Parameters"].map(String::from);
        let width = |c: usize| rows.iter().chain([&head]).map(|r| r[c].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2)];
        let line = "─".repeat(widths.iter().sum::<usize>() + 6);
        let print = |f: &mut fmt::Formatter<'_>, [a, b, c]: &[String; 3]| {
            let [wa, wb, wc] = widths;
            writeln!(f, "{a:wa$}   {b:wb$}   {c:>wc$}")
        };
        print(f, &head)?;
        writeln!(f, "{line}")?;
        rows.iter().try_for_each(|row| print(f, row))?;
        writeln!(f, "{line}")?;
        let total = self.trainable + self.frozen;
        writeln!(
            f,
            "Parameters: {} ({} trainable, {} frozen)",
            thousands(total),
            thousands(self.trainable),
            thousands(self.frozen)
        )?;
        write!(
            f,
            "Input {:?}: {}; outputs: {}; parameters: {}; buffers: {}",
            self.input,
            megabytes(self.input_bytes),
            megabytes(self.output_bytes),
            megabytes(self.parameter_bytes),
            megabytes(self.buffer_bytes)
        )
    }
}

fn megabytes(bytes: usize) -> String {
    format!("{:.2} MB", bytes as f64 / 1e6)
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(d);
    }
    out
}
