//! Tensors as pickles describe them: a storage, sizes, steps and the place of the first element.

use super::dtypes::DTypeId;
use super::pickle::{Graph, Node, TensorRef, Value};

type Step<T> = std::result::Result<T, String>;

/// PyTorch's limit is 64 in many operations.
const MAX_DIMS: usize = 64;

/// `_rebuild_tensor` and its successors.
#[allow(clippy::too_many_arguments, reason = "PyTorch's function has them")]
pub(super) fn tensor(
    graph: &mut Graph,
    at: usize,
    storage: Value,
    offset: Value,
    size: Value,
    stride: Value,
    dtype: Option<DTypeId>,
    requires_grad: bool,
    metadata: Value,
) -> Step<Value> {
    let Some(&Node::Storage(index)) = graph.node(storage) else {
        return Err(format!("a tensor of {} in the place of a storage", graph.kind(storage)));
    };
    let Value::Int(first) = offset else {
        return Err(format!("a tensor whose offset is {}", graph.kind(offset)));
    };
    let first = usize::try_from(first).map_err(|_| format!("a tensor whose offset is {first}"))?;
    let shape: Vec<usize> = numbers(graph, "sizes", size)?;
    let strides: Vec<isize> = numbers(graph, "strides", stride)?;
    if shape.len() != strides.len() {
        return Err(format!("a tensor with {} sizes and {} strides", shape.len(), strides.len()));
    }
    // Views whose values are the conjugate or the negative of what is stored.
    let lazy = match graph.node(metadata) {
        Some(Node::Map(map)) => {
            map.entries.iter().any(|(_, v)| !matches!(v, Value::Bool(false) | Value::None))
        }
        _ => false,
    };
    let dtype = dtype.unwrap_or(graph.storages[index].dtype);
    let problem = lazy.then_some("a conjugated or negated view, which holds other numbers than are stored");
    let bytes = size_of::<TensorRef>() + shape.len() * 16;
    let parameter = false;
    let tensor = TensorRef {
        storage: index,
        dtype,
        shape,
        strides,
        offset: first,
        requires_grad,
        parameter,
        problem,
        at,
    };
    graph.add(Node::Tensor(Box::new(tensor)), bytes)
}

/// `_rebuild_parameter`.
pub(super) fn parameter(graph: &mut Graph, data: Value, requires_grad: bool) -> Step<Value> {
    match graph.node(data) {
        Some(Node::Tensor(tensor)) => {
            let tensor = TensorRef { requires_grad, parameter: true, ..(**tensor).clone() };
            let bytes = size_of::<TensorRef>() + tensor.shape.len() * 16;
            graph.add(Node::Tensor(Box::new(tensor)), bytes)
        }
        Some(Node::Opaque(_)) => Ok(data),
        _ => Err(format!("a parameter of {} in the place of a tensor", graph.kind(data))),
    }
}

fn numbers<T: TryFrom<i64>>(graph: &Graph, what: &str, value: Value) -> Step<Vec<T>> {
    let Some(items) = graph.sequence(value) else {
        return Err(format!("a tensor whose {what} are {}", graph.kind(value)));
    };
    if items.len() > MAX_DIMS {
        return Err(format!("a tensor of {} dimensions", items.len()));
    }
    let number = |&item: &Value| match item {
        Value::Int(n) => T::try_from(n).map_err(|_| format!("a tensor with {n} among its {what}")),
        _ => Err(format!("a tensor with {} among its {what}", graph.kind(item))),
    };
    items.iter().map(number).collect()
}
