//! What a pickle may name, and what becomes of it when it is "called": data, always.

use super::dtypes::DTypeId;
use super::pickle::{Graph, Map, Node, StorageRef, Value};
use super::rebuild;

type Step<T> = std::result::Result<T, String>;

/// A class or function that a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `dict` and what is made as it is.
    Dict,
    OrderedDict,
    DefaultDict,
    List,
    Tuple,
    Set,
    ByteArray,
    Bytes,
    Complex,
    /// A class that makes plain values; only named, as what a `defaultdict` makes.
    Plain,
    Encode,
    Size,
    Device,
    Layout,
    /// The class of tensors; only named.
    Tensor,
    Parameter,
    Storage(DTypeId),
    DType(DTypeId),
    RebuildTensor,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    RebuildParameterWithState,
    RebuildFromType,
    RebuildFromCpu,
    /// A function that makes what taper has not got; what that is.
    Foreign(&'static str),
    /// A constant of PyTorch's; its full name.
    Constant(&'static str),
}

const QSCHEMES: [&str; 5] = [
    "torch.per_tensor_affine",
    "torch.per_tensor_symmetric",
    "torch.per_channel_affine",
    "torch.per_channel_symmetric",
    "torch.per_channel_affine_float_qparams",
];

/// The global of a name.
pub(super) fn find(module: &str, name: &str) -> Step<Global> {
    use Global::*;
    let global = match (module, name) {
        ("collections", "OrderedDict") => OrderedDict,
        ("collections", "defaultdict") => DefaultDict,
        ("collections", "Counter") => Dict,
        ("builtins" | "__builtin__", name) => match name {
            "dict" => Dict,
            "list" => List,
            "tuple" => Tuple,
            "set" | "frozenset" => Set,
            "bytearray" => ByteArray,
            "bytes" => Bytes,
            "complex" => Complex,
            "int" | "float" | "str" | "bool" | "long" | "unicode" => Plain,
            _ => return refuse(module, name),
        },
        ("_codecs", "encode") => Encode,
        ("torch", "Size") => Size,
        ("torch", "device") => Device,
        ("torch.serialization", "_get_layout") => Layout,
        ("torch" | "torch._tensor", "Tensor") => Tensor,
        ("torch.nn.parameter", "Parameter" | "Buffer") => Parameter,
        ("torch._tensor", "_rebuild_from_type_v2") => RebuildFromType,
        ("torch._utils", name) => match name {
            "_rebuild_tensor" => RebuildTensor,
            "_rebuild_tensor_v2" => RebuildTensorV2,
            "_rebuild_tensor_v3" => RebuildTensorV3,
            "_rebuild_parameter" => RebuildParameter,
            "_rebuild_parameter_with_state" => RebuildParameterWithState,
            "_rebuild_device_tensor_from_cpu_tensor" => RebuildFromCpu,
            "_rebuild_sparse_tensor" | "_rebuild_sparse_csr_tensor" => Foreign("a sparse tensor"),
            "_rebuild_qtensor" => Foreign("a quantized tensor"),
            "_rebuild_meta_tensor_no_storage" => Foreign("a tensor without data (of the device meta)"),
            "_rebuild_nested_tensor" => Foreign("a nested tensor"),
            "_rebuild_wrapper_subclass" => Foreign("a tensor of another class"),
            "_rebuild_device_tensor_from_numpy" => Foreign("a tensor of an array of numpy's"),
            _ => return refuse(module, name),
        },
        ("torch.storage", "UntypedStorage" | "_UntypedStorage") | ("torch", "UntypedStorage") => {
            Storage(DTypeId::UINT8)
        }
        ("torch" | "torch.cuda", name) => {
            let storage = DTypeId::of_storage(name);
            let dtype = DTypeId::of_name(name).filter(|_| module == "torch");
            let constant = QSCHEMES.into_iter().find(|q| q.strip_prefix("torch.") == Some(name));
            match (storage, dtype, constant) {
                (Some(storage), _, _) => Storage(storage),
                (_, Some(dtype), _) => DType(dtype),
                (_, _, Some(constant)) => Constant(constant),
                _ => return refuse(module, name),
            }
        }
        _ => return refuse(module, name),
    };
    Ok(global)
}

/// The error for a name that is not listed.
fn refuse(module: &str, name: &str) -> Step<Global> {
    let (module, name) = (shorten(module), shorten(name));
    let root = module.split('.').next().unwrap_or_default();
    let model = name.starts_with(|c: char| c.is_ascii_uppercase())
        && !matches!(root, "builtins" | "__builtin__" | "numpy" | "collections" | "argparse" | "pathlib");
    let hint = if module.contains("jit") || name.contains("ScriptModule") {
        "; this looks like TorchScript: save `model.state_dict()` in PyTorch and load that"
    } else if model {
        "; this looks like a whole model or another object of a class, which only the program that has the \
         class can load: save `model.state_dict()` in PyTorch and load that"
    } else if root == "numpy" {
        "; numbers of numpy's can be saved as Python's own (`float(x)`), arrays as tensors \
         (`torch.from_numpy(x)`)"
    } else {
        "; only tensors and plain values are loaded, and nothing is run"
    };
    Err(format!("it names {module}.{name}{hint}"))
}

/// Names come from files, messages are read by people.
pub(super) fn shorten(name: &str) -> String {
    let mut short: String = name.chars().take(200).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}

/// What a call makes.
pub(super) fn call(
    graph: &mut Graph,
    pickle: &[u8],
    at: usize,
    global: Global,
    arguments: Value,
) -> Step<Value> {
    use Global::*;
    let Some(items) = graph.tuple(arguments) else {
        return Err(format!("a call with {} in the place of arguments", graph.kind(arguments)));
    };
    // Arguments are few, but for containers, which are one argument.
    let mut few = [Value::None; 16];
    let count = items.len();
    if count > few.len() {
        return Err(format!("a call with {count} arguments"));
    }
    few[..count].copy_from_slice(items);
    let arguments = &few[..count];
    let wrong = || Err(format!("{global:?} is called with {count} arguments of the wrong kinds"));
    match (global, arguments) {
        (Dict | OrderedDict, []) | (DefaultDict, [] | [Value::None | Value::Global(_)]) => {
            graph.add(Node::Map(Map::default()), 0)
        }
        (Dict | OrderedDict, &[items]) | (DefaultDict, &[_, items]) => map_of(graph, items),
        (List | Tuple | Set, []) => graph.add(container(global, Vec::new()), 0),
        (List | Tuple | Set, &[items]) => {
            let Value::Node(index) = items else { return wrong() };
            let items = match &graph.nodes[index as usize] {
                Node::List(items) | Node::Tuple(items) | Node::Set(items) => items,
                _ => return wrong(),
            };
            graph.budget.charge(size_of_val(&items[..]))?;
            let items = items.clone();
            graph.add(container(global, items), 0)
        }
        (Bytes | ByteArray, []) => graph.add(Node::Bytes(Vec::new()), 0),
        (Bytes | ByteArray, &[bytes]) if graph.kind(bytes) == "bytes" => Ok(bytes),
        (Encode | ByteArray, &[text, codec]) => encode(graph, pickle, text, codec),
        (Complex, [_, _]) => graph.add(Node::Opaque("a complex number"), 0),
        (Size, &[]) => graph.add(Node::Tuple(Vec::new()), 0),
        (Size, &[sizes]) if graph.tuple(sizes).is_some() => Ok(sizes),
        (Device, &[kind, ref index @ ..]) if index.len() <= 1 => {
            let Some(kind) = graph.text(pickle, kind) else { return wrong() };
            if kind.len() > 64 {
                return wrong();
            }
            let name = match index {
                [] | [Value::None] => kind.to_string(),
                [Value::Int(index)] => format!("{kind}:{index}"),
                _ => return wrong(),
            };
            graph.add(Node::Text(name), 64)
        }
        (Layout, &[name]) if graph.text(pickle, name).is_some() => Ok(name),
        (RebuildTensor, &[storage, offset, size, stride]) => {
            let dtype = None;
            rebuild::tensor(graph, at, storage, offset, size, stride, dtype, false, Value::None)
        }
        (RebuildTensorV2, &[storage, offset, size, stride, ref rest @ ..]) => {
            let (&[Value::Bool(grad), _] | &[Value::Bool(grad), _, _]) = rest else { return wrong() };
            let metadata = rest.get(2).copied().unwrap_or(Value::None);
            rebuild::tensor(graph, at, storage, offset, size, stride, None, grad, metadata)
        }
        (RebuildTensorV3, &[storage, offset, size, stride, Value::Bool(grad), _, dtype, ref rest @ ..]) => {
            let Value::Global(DType(dtype)) = dtype else { return wrong() };
            let metadata = rest.first().copied().unwrap_or(Value::None);
            rebuild::tensor(graph, at, storage, offset, size, stride, Some(dtype), grad, metadata)
        }
        (RebuildParameter, &[data, Value::Bool(grad), ..])
        | (RebuildParameterWithState, &[data, Value::Bool(grad), ..]) => {
            rebuild::parameter(graph, data, grad)
        }
        (Parameter, &[data]) => rebuild::parameter(graph, data, true),
        (Parameter, &[data, Value::Bool(grad)]) => rebuild::parameter(graph, data, grad),
        (RebuildFromCpu, &[data, ..]) if graph.kind(data) == "a tensor" => Ok(data),
        // The function, the class, the function's arguments, the attributes, which are left out.
        (RebuildFromType, &[Value::Global(inner), Value::Global(Tensor | Parameter), inside, _])
            if inner != RebuildFromType =>
        {
            call(graph, pickle, at, inner, inside)
        }
        (Foreign(what), _) => graph.add(Node::Opaque(what), 0),
        _ => wrong(),
    }
}

fn container(global: Global, items: Vec<Value>) -> Node {
    match global {
        Global::List => Node::List(items),
        Global::Tuple => Node::Tuple(items),
        _ => Node::Set(items),
    }
}

/// A map of a map, or of a list of pairs, as Python 2 wrote `OrderedDict`.
fn map_of(graph: &mut Graph, items: Value) -> Step<Value> {
    let wrong = |graph: &Graph| Err(format!("a dict of {}", graph.kind(items)));
    let Value::Node(index) = items else { return wrong(graph) };
    let entries = match &graph.nodes[index as usize] {
        Node::Map(map) => {
            graph.budget.charge(size_of_val(&map.entries[..]))?;
            map.entries.clone()
        }
        Node::List(pairs) | Node::Tuple(pairs) => {
            graph.budget.charge(2 * size_of_val(&pairs[..]))?;
            let pair = |&pair: &Value| match graph.sequence(pair) {
                Some(&[key, value]) => Ok((key, value)),
                _ => Err(format!("{} in the place of a key and a value", graph.kind(pair))),
            };
            pairs.iter().map(pair).collect::<Step<_>>()?
        }
        _ => return wrong(graph),
    };
    graph.add(Node::Map(Map { entries, attributes: None }), 0)
}

/// Bytes that were written as text: `_codecs.encode(text, "latin1")`.
fn encode(graph: &mut Graph, pickle: &[u8], text: Value, codec: Value) -> Step<Value> {
    if !matches!(graph.text(pickle, codec), Some("latin1" | "latin-1")) {
        return Err("text that is encoded otherwise than as latin1".into());
    }
    let Some(text) = graph.text(pickle, text) else { return Err("bytes of what is not text".into()) };
    let bytes = text.chars().map(|c| u8::try_from(c).map_err(|_| "text that is not latin1".to_string()));
    let bytes: Vec<u8> = bytes.collect::<Step<_>>()?;
    let length = bytes.len();
    graph.add(Node::Bytes(bytes), length)
}

/// Gives an object its attributes.
pub(super) fn build(graph: &mut Graph, object: Value, state: Value) -> Step<()> {
    let empty = match graph.node(state) {
        Some(Node::Map(map)) => map.entries.is_empty(),
        _ => matches!(state, Value::None),
    };
    let is_map = matches!(graph.node(state), Some(Node::Map(_)));
    match graph.node_mut(object) {
        Some(Node::Map(map)) if is_map => map.attributes = Some(state),
        Some(Node::Map(_) | Node::Tensor(_)) if empty => {}
        _ => {
            let (object, state) = (graph.kind(object), graph.kind(state));
            return Err(format!("{object} gets {state} as its attributes"));
        }
    }
    Ok(())
}

/// The storage of a persistent id: `("storage", class, key, location, elements)`, and in the legacy
/// format a view or None.
pub(super) fn storage(graph: &mut Graph, pickle: &[u8], at: usize, id: Value) -> Step<Value> {
    let wrong = |what: &str| Err(format!("a storage's description has {what}"));
    let Some(parts) = graph.tuple(id) else { return wrong("no parts") };
    let (tag, class, key, location, numel, view) = match *parts {
        [tag, class, key, location, numel] => (tag, class, key, location, numel, Value::None),
        [tag, class, key, location, numel, view] => (tag, class, key, location, numel, view),
        _ => {
            let module = parts.first().and_then(|&tag| graph.text(pickle, tag)) == Some("module");
            return wrong(if module { "a module's source" } else { "another number of parts" });
        }
    };
    if graph.text(pickle, tag) != Some("storage") {
        return wrong("another tag than \"storage\"");
    }
    let Value::Global(Global::Storage(dtype)) = class else { return wrong("no class of storages") };
    let (Some(key), Some(location)) = (graph.text(pickle, key), graph.text(pickle, location)) else {
        return wrong("no key or place that is text");
    };
    let Value::Int(numel) = numel else { return wrong("no number of elements") };
    let Ok(numel) = usize::try_from(numel) else { return wrong("a negative number of elements") };
    let view = match (view, graph.sequence(view)) {
        (Value::None, _) => None,
        (_, Some(&[_, Value::Int(start), Value::Int(count)])) if start >= 0 && count >= 0 => {
            Some((start as usize, count as usize))
        }
        _ => return wrong("a view that is not understood"),
    };
    if key.len() > 200 || location.len() > 200 {
        return wrong("a name of more than 200 bytes");
    }
    let storage = StorageRef { key: key.into(), dtype, numel, location: location.into(), view, at };
    graph.budget.charge(size_of::<StorageRef>() + storage.key.len() + storage.location.len())?;
    graph.storages.push(storage);
    graph.add(Node::Storage(graph.storages.len() - 1), 0)
}

impl Global {
    /// What is data by itself, as its name.
    pub fn constant(self) -> Option<String> {
        match self {
            Global::DType(dtype) => Some(format!("torch.{}", dtype.name())),
            Global::Constant(name) => Some(name.into()),
            _ => None,
        }
    }
}
