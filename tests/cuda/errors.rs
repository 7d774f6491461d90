//! What is wrong is said, with the operation and the devices; and the device goes on.

use crate::{ALONE, device};
use std::panic::{AssertUnwindSafe, catch_unwind};
use taper::prelude::*;

/// What a panic says.
pub fn message(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("a panic");
    panic
        .downcast_ref::<String>()
        .cloned()
        .or(panic.downcast_ref::<&str>().map(|s| s.to_string()))
        .unwrap_or_default()
}

#[test]
fn operands_on_two_devices() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let here = Tensor::ones([2, 2]);
    let there = here.to_device(cuda);
    let index = tensor([0, 1]);
    let cond = here.gt(0.0);
    let cases: [(&str, &dyn Fn()); 12] = [
        ("add", &|| drop(&here + &there)),
        ("lt", &|| drop(there.lt(&here))),
        ("matmul", &|| drop(here.matmul(&there))),
        ("linear", &|| drop(there.linear(&there, Some(&Tensor::ones(2))))),
        ("cat", &|| drop(Tensor::cat(&[here.clone(), there.clone()], 0))),
        ("where", &|| drop(Tensor::where_(&cond, &there, 0.0))),
        ("index_select", &|| drop(there.index_select(0, &index))),
        ("gather", &|| drop(there.gather(0, &tensor([[0, 1]])))),
        ("conv2d", &|| {
            let x = there.reshape([1, 1, 2, 2]);
            drop(x.conv2d(here.reshape([1, 1, 2, 2]), None, Default::default()))
        }),
        ("layer_norm", &|| drop(F::layer_norm(&there, [2], Some(&Tensor::ones(2)), None, 1e-5))),
        ("add_", &|| {
            let mut x = there.clone();
            x.add_(&here);
        }),
        ("masked_fill", &|| drop(there.masked_fill(&cond, 0.0))),
    ];
    for (name, f) in cases {
        let text = message(f);
        assert!(text.contains("cpu") && text.contains("cuda:0"), "{name}: {text}");
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[test]
fn what_only_the_device_sees_is_reported_when_the_host_waits() {
    let Some(cuda) = device() else { return };
    let _alone = ALONE.write();
    let x = Tensor::arange(0, 10, 1).to_device(cuda);
    let zeros = Tensor::zeros_with([10], (DType::I64, cuda));
    let y = x.floor_divide(&zeros);
    let text = message(|| drop(y.to_vec::<i64>()));
    assert!(text.contains("ZeroDivisionError") && text.contains("floor_divide"), "{text}");

    let scores = Tensor::zeros_with([3, 5], cuda);
    let wrong = tensor([1, 7, 2]).to_device(cuda);
    let loss = F::cross_entropy(&scores, &wrong);
    let text = message(|| {
        loss.item();
    });
    assert!(text.contains("index 7") && text.contains("size 5") && text.contains("entry 1"), "{text}");

    let rows = Tensor::zeros_with([4, 2], cuda);
    let picked = rows.index_select(0, &tensor([0, 4]).to_device(cuda));
    let text = message(|| drop(picked.to_vec::<f32>()));
    assert!(text.contains("index 4") && text.contains("size 4") && text.contains("entry 1"), "{text}");
    // Once only.
    assert_eq!(x.sum().item(), 45.0);
}

#[test]
fn no_memory_and_no_device_are_errors() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let text = message(|| drop(Tensor::zeros_with([1 << 46], cuda)));
    assert!(text.contains("out of memory on cuda:0"), "{text}");
    let error = Tensor::ones(2).try_to_device(Device::Cuda(40)).unwrap_err().to_string();
    assert!(error.contains("cuda:40 is not available"), "{error}");
    assert_eq!(Tensor::ones_with(3, cuda).sum().item(), 3.0);
}

/// Every operation that looks something up says which index was wrong, and of how many.
#[test]
fn indices_out_of_range_name_their_operation() {
    let Some(cuda) = device() else { return };
    let _alone = ALONE.write();
    let x = Tensor::zeros_with([4, 3], cuda);
    let at = |v: &[i64]| Tensor::from_slice(v, [v.len()]).to_device(cuda);
    let weight = Tensor::ones_with([3], cuda);
    let read = |t: Tensor| drop(t.to_bytes());
    // A call, the kernel that finds it, the index and the size.
    type Case<'a> = (&'a str, &'a str, i64, usize, &'a dyn Fn());
    let cases: [Case; 18] = [
        ("gather", "gather", 5, 3, &|| read(x.gather(1, &at(&[0, 5]).unsqueeze(0)))),
        ("take_along_dim", "gather", 3, 3, &|| read(x.take_along_dim(&at(&[3]).unsqueeze(0), 1))),
        ("index_select", "index_select", -1, 4, &|| read(x.index_select(0, &at(&[1, -1])))),
        ("embedding", "embedding", 9, 4, &|| read(Tensor::embedding(&at(&[0, 9]), &x, None))),
        ("index", "index", 4, 4, &|| read(x.index(at(&[4])))),
        ("take", "index", 12, 12, &|| read(x.take(&at(&[12])))),
        ("scatter", "scatter", 3, 3, &|| read(x.scatter(1, &at(&[3]).unsqueeze(0), 1.0))),
        ("scatter_add", "scatter_add", 4, 4, &|| {
            read(x.scatter_add(0, &at(&[4, 0, 0]).unsqueeze(0), &Tensor::ones_with([1, 3], cuda)))
        }),
        ("index_add", "index_add", 7, 4, &|| {
            read(x.index_add(0, &at(&[7]), &Tensor::ones_with([1, 3], cuda)))
        }),
        ("index_copy", "index_copy", -2, 4, &|| {
            read(x.index_copy(0, &at(&[-2]), &Tensor::ones_with([1, 3], cuda)))
        }),
        ("index_fill", "index_copy", 4, 4, &|| read(x.index_fill(0, &at(&[4]), 1.0))),
        ("one_hot", "one_hot", 6, 5, &|| read(at(&[1, 6]).one_hot(5))),
        ("cross_entropy", "cross_entropy", 3, 3, &|| read(F::cross_entropy(&x, &at(&[0, 1, 3, 2])))),
        ("nll_loss", "nll_loss", -5, 3, &|| read(F::nll_loss(&x, &at(&[0, 1, -5, 2])))),
        // Which is no place outside of the memory.
        ("index of two", "index", 5, 3, &|| read(x.index((&at(&[1, 0]), &at(&[0, 5]))))),
        ("index of two, negative", "index", -5, 3, &|| read(x.index((&at(&[1, 3]), &at(&[0, -8]))))),
        ("index_put of two", "index", 4, 4, &|| {
            read(x.index_put((&at(&[4]), &at(&[0])), Tensor::ones_with([1], cuda), false))
        }),
        ("index_put", "index_copy", 4, 4, &|| read(x.index_put(at(&[4]), &weight, false))),
    ];
    for (name, kernel, index, size, f) in cases {
        let text = message(f);
        let wanted = [format!(" {kernel} on cuda:0"), format!("index {index} is"), format!("size {size}")];
        assert!(wanted.iter().all(|w| text.contains(w)), "{name}: {text}");
        // Told once, and the device goes on.
        assert_eq!((&weight + 1.0).to_vec::<f64>(), [2.0; 3], "{name}");
    }
}
