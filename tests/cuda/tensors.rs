//! Making, moving, reading and printing tensors of a device.

use crate::{ALONE, device};
use taper::prelude::*;

#[test]
fn there_and_back() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    for view in [x.clone(), x.t(), x.flip(1), x.narrow(1, 1, 2), x.select(0, 1), x.narrow(0, 1, 0)] {
        let there = view.to_device(cuda);
        assert_eq!((there.device(), there.shape(), there.dtype()), (cuda, view.shape(), view.dtype()));
        assert_eq!(there.to_vec::<f32>(), view.to_vec::<f32>());
        let back = there.to_device(Device::Cpu);
        assert_eq!(back.device(), Device::Cpu);
        assert_eq!(back.to_vec::<f32>(), view.to_vec::<f32>());
    }
    // Views of the device's memory, too.
    let there = x.to_device(cuda);
    assert_eq!(there.t().to_device(Device::Cpu).to_vec::<f32>(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(there.select(1, 2).to_vec::<f64>(), [3.0, 6.0]);
    assert_eq!(there.select(0, 1).select(0, 0).item(), 4.0);
    assert_eq!(there.t().to_device(cuda).strides(), there.t().strides(), "the same tensor");
    assert_eq!(x.t().to_device(cuda).strides(), [1, 3], "dimensions stay in memory's order");
}

#[test]
fn gradients_come_home() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let x = tensor([1.0, -2.0]).requires_grad_(true);
    let y = (x.to_device(cuda) * 3.0).square().sum();
    assert_eq!(y.item(), 45.0);
    y.backward();
    let g = x.grad().unwrap();
    assert_eq!((g.device(), g.to_vec::<f32>()), (Device::Cpu, vec![18.0, -36.0]));
}

#[test]
fn made_there() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let same = |a: &Tensor, b: &Tensor| {
        assert_eq!((a.device(), b.device()), (cuda, Device::Cpu));
        assert_eq!((a.to_vec::<f64>(), a.shape()), (b.to_vec::<f64>(), b.shape()));
    };
    same(&Tensor::zeros_with([2, 3], cuda), &Tensor::zeros([2, 3]));
    same(&Tensor::full_with([4], 2.5, cuda), &Tensor::full([4], 2.5));
    same(&Tensor::arange_with(0, 7, 2, (DType::I64, cuda)), &Tensor::arange(0, 7, 2));
    same(&Tensor::eye_with(3, 3, cuda), &Tensor::eye(3));
    same(&Tensor::linspace_with(0.0, 1.0, 5, cuda), &Tensor::linspace(0.0, 1.0, 5));
    let x = tensor([1.5, 2.5]).to_device(cuda);
    same(&x.ones_like(), &Tensor::ones(2));
    // Values: a clone does not see a write.
    let mut y = x.clone();
    y.add_(1.0);
    same(&x, &tensor([1.5, 2.5]));
    same(&y, &tensor([2.5, 3.5]));
}

#[test]
fn numbers_join_tensors_of_a_device() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    // A 0-d tensor of the CPU counts as a number, as in PyTorch.
    let x = tensor([1.0, 2.0]).to_device(cuda);
    let y = &x * &tensor(3.0);
    assert_eq!((y.device(), y.to_vec::<f32>()), (cuda, vec![3.0, 6.0]));
    let mut z = x.clone();
    z.copy_(&tensor([7.0, 8.0]));
    assert_eq!((z.device(), z.to_vec::<f32>()), (cuda, vec![7.0, 8.0]));
}

#[test]
fn printing_names_the_device() {
    let Some(cuda) = device() else { return };
    let _shared = ALONE.read();
    let x = tensor([1.0, 2.0]).to_device(cuda);
    assert_eq!(x.to_string(), "tensor([1., 2.], device='cuda:0')");
}
