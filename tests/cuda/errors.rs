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
        assert!(text.contains(name) || name == "masked_fill", "{name}: {text}");
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
