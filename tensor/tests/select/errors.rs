//! What the messages of refused calls say.

use crate::common::panics;
use taper_tensor::{DType, Ellipsis, PadMode, Slice, Tensor, tensor};

macro_rules! refused {
    ($($call:expr => $message:literal;)*) => { $( assert_eq!(panics(|| { let _ = $call; }), $message); )* };
}

#[test]
fn messages() {
    let x = || Tensor::zeros([3, 4]);
    refused! {
        Tensor::cat::<Tensor>(&[], 0) => "cat: expected at least one tensor, got an empty list";
        Tensor::cat(&[x(), Tensor::zeros([3, 5])], 0)
            => "cat: shape [3, 5] of tensor 1 does not fit [3, 4]: sizes must be equal but for dimension 0";
        Tensor::cat(&[tensor(1.0)], 0) => "cat: tensor 0 is 0-d and cannot be joined; use stack";
        Tensor::stack(&[x(), Tensor::zeros(3)], 0) => "stack: shape [3] of tensor 1 differs from [3, 4]";
        x().split_with_sizes([1, 1], 0)
            => "split: sizes [1, 1] add up to 2, not to dimension 0 of shape [3, 4]";
        x().repeat(2) => "repeat: 1 repeats for the 2 dimensions of shape [3, 4]";
        x().pad([1], 0.0) => "pad: widths [1] for shape [3, 4]: expected one pair for each padded dimension";
        x().pad([4, 0], PadMode::Reflect)
            => "pad: widths [4, 0] for shape [3, 4]: Reflect can add at most 3 entries to dimension 1";
        x().pad([-3, -2], 0.0) => "pad: widths [-3, -2] for shape [3, 4]: dimension 1 would get a negative size";
        tensor([1.0]).tril(0) => "tril: expected matrices, got shape [1]";
        x().index((.., 4))
            => "index: index 4 is out of bounds for dimension 1 with size 4 (shape [3, 4])";
        x().index((Ellipsis, 0, -5))
            => "index: index -5 is out of bounds for dimension 1 with size 4 (shape [3, 4])";
        x().index((0, 0, 0)) => "index: 3 indices for the 2 dimensions of shape [3, 4]";
        x().index((Ellipsis, Ellipsis)) => "index: only one ellipsis can stand in an index";
        x().index(Slice::new(None, None, 0)) => "index: the step of a slice must not be 0";
        x().index(tensor([0, -4])) => "index: index -4 is out of bounds for dimension 0 with size 3 (shape [3, 4])";
        x().index(tensor([0.0])) => "index: positions must be int64 or int32, got float32";
        x().index(tensor([1, 0]).to_dtype(DType::U8))
            => "index: a uint8 tensor is ambiguous as an index; convert it to bool (a mask) or int64 (positions)";
        x().index((&tensor([0, 1]), &tensor([0, 1, 2]))) => "index: index tensors of shapes [[2], [3]] do not broadcast";
        x().index((.., &tensor([true, false, true])))
            => "index: a mask of shape [3] does not fit dimensions 1.. of shape [3, 4]";
        x().set(0, Tensor::zeros(3)) => "index: a value of shape [3] does not fit the part of shape [4]";
        x().requires_grad_(true).set(0, 1)
            => "set: a leaf tensor that requires grad cannot be changed in place; wrap the update in no_grad";
        x().gather(0, &tensor([[0, 3]]))
            => "gather: index 3 is out of bounds for dimension 0 with size 3 (entry 1 of the index tensor)";
        x().gather(0, &tensor([[-1]]))
            => "gather: index -1 is out of bounds for dimension 0 with size 3 (entry 0 of the index tensor)";
        x().gather(0, &tensor([[0.0]])) => "gather: positions must be int64 or int32, got float32";
        x().gather(1, &Tensor::zeros_with([4, 1], DType::I64))
            => "gather: index of shape [4, 1] does not fit the tensor of shape [3, 4]: it must have as many dimensions, none larger apart from dimension 1";
        x().scatter_add(0, &tensor([[0, 1]]), &Tensor::zeros([1, 1]))
            => "scatter_add: index of shape [1, 2] does not fit the source of shape [1, 1]: it must have as many dimensions, none larger";
        x().scatter(0, &tensor([[0]]), tensor([[1]]))
            => "scatter: expected a source of float32, as this tensor is, got int64";
        x().index_select(2, &tensor([0]))
            => "index_select: dimension 2 is out of range for 2 dimensions (expected -2..=1)";
        x().index_select(1, &tensor([[0]])) => "index_select: expected a one-dimensional index, got shape [1, 1]";
        x().index_select(1, &tensor([4]))
            => "index_select: index 4 is out of bounds for dimension 1 with size 4 (entry 0 of the index tensor)";
        x().index_add(1, &tensor([0]), &Tensor::zeros([3, 2]))
            => "index_add: a source of shape [3, 2] does not fit 1 positions in dimension 1 of shape [3, 4]";
        Tensor::embedding(&tensor([3]), &x(), None)
            => "embedding: index 3 is out of bounds for dimension 0 with size 3 (entry 0 of the index tensor)";
        Tensor::embedding(&tensor([0]), &x(), 3) => "embedding: padding_idx 3 is out of bounds for 3 rows";
        tensor([1, -1]).one_hot(None)
            => "one_hot: index -1 is out of bounds for dimension 1 with size 2 (entry 1 of the index tensor)";
        x().topk(5, -1, true) => "topk: k = 5 for dimension 1 of shape [3, 4]";
        x().masked_select(&x()) => "masked_select: the mask must be bool, it is float32";
    }
}

/// A refused call points at the line that made it.
#[test]
fn location() {
    use std::sync::{Arc, Mutex};
    let seen = Arc::new(Mutex::new(0));
    let (hook, sink) = (std::panic::take_hook(), seen.clone());
    // Other tests panic at the same time, on other threads.
    let this = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() != this {
            return;
        }
        if let Some(at) = info.location().filter(|at| at.file().ends_with("errors.rs")) {
            *sink.lock().unwrap() = at.line();
        }
    }));
    let mut lines = vec![];
    let _ = std::panic::catch_unwind(|| Tensor::zeros([3]).index(5));
    lines.push((line!() - 1, *seen.lock().unwrap()));
    let _ = std::panic::catch_unwind(|| Tensor::zeros([3]).set(0, Tensor::zeros(2)).numel());
    lines.push((line!() - 1, *seen.lock().unwrap()));
    let _ = std::panic::catch_unwind(|| Tensor::zeros([3]).gather(0, &tensor([3])));
    lines.push((line!() - 1, *seen.lock().unwrap()));
    let _ = std::panic::catch_unwind(|| Tensor::cat(&[tensor([1.0]), tensor([[1.0]])], 0));
    lines.push((line!() - 1, *seen.lock().unwrap()));
    std::panic::set_hook(hook);
    lines.into_iter().for_each(|(expected, got)| assert_eq!(got, expected));
}
