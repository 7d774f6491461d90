//! What a pickle builds: data, in one flat list of nodes.
//!
//! A pickle is a program for a machine with a stack; Python's can call anything. The [`machine`] here
//! knows the opcodes and may "call" what [`globals`](super::globals) lists: each entry of that list makes
//! data. Values refer to nodes by number and to text by its place in the file, so nothing is copied,
//! nothing is recursive, and a value that contains itself is harmless until somebody walks it.

mod machine;
mod reader;
mod text;

pub(super) use machine::run;

use super::dtypes::DTypeId;
use super::globals::Global;
use taper_tensor::State;

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub message: String,
}

pub(super) type Result<T> = std::result::Result<T, Fault>;

/// Bytes of the pickle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    pub fn of<'a>(&self, pickle: &'a [u8]) -> &'a [u8] {
        &pickle[self.start as usize..][..self.length as usize]
    }
    pub fn len(&self) -> usize {
        self.length as usize
    }
}

/// A value on the machine's stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// UTF-8, checked.
    Str(Span),
    Bytes(Span),
    /// An integer beyond 64 bits: little-endian, two's complement.
    Long(Span),
    Global(Global),
    /// A node of the graph.
    Node(u32),
}

/// A value that does not fit in two words, or that changes.
#[derive(Debug)]
pub(super) enum Node {
    /// Text that is not in the pickle as it is.
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Tuple(Vec<Value>),
    Set(Vec<Value>),
    Map(Map),
    /// An index of the graph's storages.
    Storage(usize),
    Tensor(Box<TensorRef>),
    /// Something that has no place in a state; the reason.
    Opaque(&'static str),
}

/// A dict of any kind. Keys that come twice are sorted out by who walks it.
#[derive(Debug, Default)]
pub(super) struct Map {
    pub entries: Vec<(Value, Value)>,
    /// The attributes of an `OrderedDict`, such as `_metadata`.
    pub attributes: Option<Value>,
}

/// A storage as a pickle names it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StorageRef {
    pub key: String,
    pub dtype: DTypeId,
    /// Elements of `dtype`.
    pub numel: usize,
    pub location: String,
    /// In old files, the elements of the storage that are meant: the first, and how many.
    pub view: Option<(usize, usize)>,
    pub at: usize,
}

/// A tensor as a pickle describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TensorRef {
    pub storage: usize,
    pub dtype: DTypeId,
    pub shape: Vec<usize>,
    pub strides: Vec<isize>,
    pub offset: usize,
    pub requires_grad: bool,
    pub parameter: bool,
    /// Why it cannot be built, whatever its dtype.
    pub problem: Option<&'static str>,
    pub at: usize,
}

/// How much memory and work a file may cost. A small file can ask for much of both: by values that are
/// shared many times.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    whole: usize,
}

impl Budget {
    /// For a pickle of so many bytes in the file.
    pub fn new(bytes: usize) -> Budget {
        // Nearly all files take a tenth of this. A list of bools has the shortest items, a byte each, and
        // a `State` for each in the tree.
        let whole = bytes.saturating_mul(size_of::<State>() + 48).saturating_add(1 << 20);
        Budget { left: whole, whole }
    }
    /// Takes bytes from it.
    pub fn charge(&mut self, bytes: usize) -> std::result::Result<(), String> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!(
                "the values take more than {} bytes, which is more than a file of this size holds: \
                 shared values that multiply?",
                self.whole
            )),
        }
    }
    /// The same again, for another walk.
    pub fn again(&self) -> Budget {
        Budget { left: self.whole, whole: self.whole }
    }
}

/// All that a pickle has built.
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    pub storages: Vec<StorageRef>,
    pub budget: Budget,
}

impl Graph {
    pub fn new(budget: Budget) -> Graph {
        Graph { nodes: Vec::new(), storages: Vec::new(), budget }
    }

    /// Adds a node that owns `extra` bytes.
    pub fn add(&mut self, node: Node, extra: usize) -> std::result::Result<Value, String> {
        self.budget.charge(size_of::<Node>() + extra)?;
        let index = u32::try_from(self.nodes.len()).map_err(|_| "too many values")?;
        self.nodes.push(node);
        Ok(Value::Node(index))
    }

    pub fn node(&self, value: Value) -> Option<&Node> {
        match value {
            Value::Node(i) => Some(&self.nodes[i as usize]),
            _ => None,
        }
    }
    pub fn node_mut(&mut self, value: Value) -> Option<&mut Node> {
        match value {
            Value::Node(i) => Some(&mut self.nodes[i as usize]),
            _ => None,
        }
    }
    pub fn tuple(&self, value: Value) -> Option<&[Value]> {
        match self.node(value) {
            Some(Node::Tuple(items)) => Some(items),
            _ => None,
        }
    }
    /// A list's or tuple's items.
    pub fn sequence(&self, value: Value) -> Option<&[Value]> {
        match self.node(value) {
            Some(Node::Tuple(items) | Node::List(items)) => Some(items),
            _ => None,
        }
    }
    /// Text; bytes that are text are as good, because Python 2 knew no difference.
    pub fn text<'a>(&'a self, pickle: &'a [u8], value: Value) -> Option<&'a str> {
        match value {
            Value::Str(span) | Value::Bytes(span) => std::str::from_utf8(span.of(pickle)).ok(),
            Value::Node(_) => match self.node(value)? {
                Node::Text(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// A value's kind, for messages.
    pub fn kind(&self, value: Value) -> &'static str {
        match value {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::Long(_) => "an int",
            Value::Float(_) => "a float",
            Value::Str(_) => "a str",
            Value::Bytes(_) => "bytes",
            Value::Global(_) => "a class or function",
            Value::Node(i) => match &self.nodes[i as usize] {
                Node::Text(_) => "a str",
                Node::Bytes(_) => "bytes",
                Node::List(_) => "a list",
                Node::Tuple(_) => "a tuple",
                Node::Set(_) => "a set",
                Node::Map(_) => "a dict",
                Node::Storage(_) => "a storage",
                Node::Tensor(_) => "a tensor",
                Node::Opaque(what) => what,
            },
        }
    }
}
