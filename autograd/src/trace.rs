//! The tape made visible.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;

use crate::{Node, Value};

/// A look at the tape behind a value.
pub struct Tape;

impl Tape {
    /// Lists everything `value` was computed from, oldest first, as far as gradients flow.
    ///
    /// ```
    /// use taper_autograd::{Tape, scalar::Scalar};
    /// let x = Scalar::leaf(2.0);
    /// let loss = (&x * 3.0).tanh();
    /// let trace = Tape::trace(&loss);
    /// println!("{trace}");
    /// let ops: Vec<_> = trace.entries.iter().map(|e| e.op).collect();
    /// assert_eq!(ops, ["leaf", "mul", "tanh"]);
    /// assert!(trace.to_dot().starts_with("digraph"));
    /// ```
    pub fn trace<V: Value>(value: &V) -> Trace {
        let mut seen: BTreeMap<u64, &Node<V>> = BTreeMap::new();
        let mut stack: Vec<&Node<V>> = value.node().map(|n| &**n).into_iter().collect();
        while let Some(node) = stack.pop() {
            if seen.insert(node.seq(), node).is_none() {
                stack.extend(node.inputs().iter().map(|n| &**n));
            }
        }
        Trace { entries: seen.into_values().map(TraceEntry::new).collect() }
    }
}

/// What [`Tape::trace`] found. `Display` prints a table, [`to_dot`](Trace::to_dot) a graph.
#[derive(Debug, Clone)]
pub struct Trace {
    /// In the order of creation.
    pub entries: Vec<TraceEntry>,
}

/// One line of a [`Trace`].
#[derive(Debug, Clone)]
pub struct TraceEntry {
    /// The sequence number.
    pub seq: u64,
    /// The op, or `"leaf"`.
    pub op: &'static str,
    /// Shape, dtype and device of the value.
    pub meta: String,
    /// The sequence numbers of the inputs that need a gradient.
    pub inputs: Vec<u64>,
    /// The user's line.
    pub location: &'static Location<'static>,
    /// Whether this is a leaf.
    pub leaf: bool,
    /// Whether a backward has used up what the op saved.
    pub freed: bool,
}

impl TraceEntry {
    fn new<V: Value>(node: &Node<V>) -> Self {
        TraceEntry {
            seq: node.seq(),
            op: node.op(),
            meta: node.meta().to_string(),
            inputs: node.inputs().iter().map(|n| n.seq()).collect(),
            location: node.location(),
            leaf: node.is_leaf(),
            freed: node.is_freed(),
        }
    }

    fn line(&self) -> String {
        format!("{}:{}", self.location.file(), self.location.line())
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return write!(f, "(not on the tape)");
        }
        let mut table = vec![["seq", "op", "value", "inputs", "line"].map(String::from)];
        table.extend(self.entries.iter().map(|e| {
            let inputs: Vec<_> = e.inputs.iter().map(|i| format!("%{i}")).collect();
            let line = e.line() + if e.freed { " (freed)" } else { "" };
            [format!("%{}", e.seq), e.op.to_string(), e.meta.clone(), inputs.join(" "), line]
        }));
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d] = [0, 1, 2, 3].map(width);
        for (i, [seq, op, value, inputs, line]) in table.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{seq:>a$}  {op:b$}  {value:c$}  {inputs:d$}  {line}")?;
        }
        Ok(())
    }
}

impl Trace {
    /// The graph in Graphviz's language; gradients flow against the arrows.
    pub fn to_dot(&self) -> String {
        use fmt::Write;
        let mut dot = String::from("digraph tape {\n  node [fontname=\"monospace\"];\n");
        for e in &self.entries {
            let shape = if e.leaf { "box" } else { "ellipse" };
            let style = if e.freed { ", style=dashed" } else { "" };
            let label = [e.op, &e.meta, &e.line()].map(escape).join("\\n");
            let _ = writeln!(dot, "  n{} [label=\"{label}\", shape={shape}{style}];", e.seq);
            for input in &e.inputs {
                let _ = writeln!(dot, "  n{input} -> n{};", e.seq);
            }
        }
        dot.push_str("}\n");
        dot
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
