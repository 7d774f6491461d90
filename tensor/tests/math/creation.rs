use crate::common::*;
use taper_tensor::{DType, Device, Tensor, tensor};

#[test]
fn literals_have_pythons_dtypes() {
    assert_eq!(tensor([[1.0, 2.0]]).dtype(), DType::F32);
    assert_eq!((tensor([1, 2]).dtype(), tensor(7i64).dtype()), (DType::I64, DType::I64));
    assert_eq!((tensor(true).dtype(), tensor([1u8]).dtype()), (DType::Bool, DType::U8));
    assert_eq!((tensor(1.5).shape(), tensor([[[0; 3]; 2]; 4]).shape()), (&[][..], &[4, 2, 3][..]));
    assert_eq!(tensor(vec![vec![1.0, 2.0], vec![3.0, 4.0]]).to_vec::<f64>(), [1.0, 2.0, 3.0, 4.0]);
    // `from` keeps what Rust says.
    assert_eq!(Tensor::from([1.0f64]).dtype(), DType::F64);
    assert_eq!(Tensor::from([1i32]).dtype(), DType::I32);
    assert_eq!(tensor(Vec::<f32>::new()).shape(), [0]);
    assert!(panic_of(|| tensor(vec![vec![1.0], vec![]])).contains("rows of a nested array differ in length"));
}

#[test]
fn filled_and_ranges() {
    assert_eq!(Tensor::zeros([2, 0]).numel(), 0);
    assert_eq!((Tensor::ones(3).to_vec::<f32>(), Tensor::ones(()).shape()), (vec![1.0; 3], &[][..]));
    assert_eq!((Tensor::full([2], true).dtype(), Tensor::full([2], 7).dtype()), (DType::Bool, DType::I64));
    for dtype in DType::ALL {
        let x = Tensor::full_with([3], 1, dtype);
        assert_eq!((x.dtype(), x.to_vec::<f64>()), (dtype, vec![1.0; 3]));
        assert_eq!(x.zeros_like().to_vec::<i64>(), [0; 3]);
        assert_eq!((Tensor::empty_with([2, 2], dtype).dtype(), x.empty_like().shape()), (dtype, &[3][..]));
    }
    assert_eq!(Tensor::eye(2).to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(Tensor::eye_with(1, 3, DType::I8).to_vec::<i8>(), [1, 0, 0]);
    assert_eq!(Tensor::eye_with(0, 3, DType::F32).shape(), [0, 3]);
    assert_eq!(Tensor::arange(5, 0, -2).to_vec::<i64>(), [5, 3, 1]);
    assert_eq!(Tensor::arange(3, 3, 1).shape(), [0]);
    assert_eq!(Tensor::arange(0.0, 1.0, 0.25).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75]);
    assert!(panic_of(|| Tensor::arange(0, 3, -1)).contains("a step of -1 does not lead from 0 to 3"));
    assert!(panic_of(|| Tensor::arange(0, 3, 0)).contains("never ends"));
    assert_eq!(Tensor::linspace(0.0, 1.0, 3).to_vec::<f32>(), [0.0, 0.5, 1.0]);
    let big = Tensor::arange(1i64 << 60, (1i64 << 60) + 2, 1);
    assert_eq!(big.to_vec::<i64>(), [1 << 60, (1 << 60) + 1]);
}

#[test]
fn memory_goes_in_and_comes_out() {
    let x = Tensor::from_vec(vec![1i16, -2, 3, 4], [2, 2]);
    assert_eq!(x.to_bytes(), [1, 0, 254, 255, 3, 0, 4, 0]);
    let back = Tensor::try_from_bytes(&x.to_bytes(), [2, 2], DType::I16).unwrap();
    assert!(back.equal(&x));
    assert_eq!(x.t().to_bytes(), [1, 0, 3, 0, 254, 255, 4, 0]);
    assert_eq!(x.narrow(0, 1, 1).to_bytes(), [3, 0, 4, 0]);
    assert_eq!(Tensor::try_from_bytes(&[0, 5], 2, DType::Bool).unwrap().to_bytes(), [0, 1]);
    assert!(
        panic_of(|| Tensor::from_vec(vec![1.0f32; 3], [2, 2]))
            .contains("3 elements do not fill shape [2, 2]")
    );
    assert!(Tensor::try_from_bytes(&[0; 3], 1, DType::F32).is_err());
    assert_eq!(Tensor::from_bools(&[true, false], 2).to_vec::<bool>(), [true, false]);
    assert_eq!((x.select(0, 0).select(0, 1).item(), x.max().item_as::<i16>()), (-2.0, 4));
    assert!(
        panic_of(|| x.item())
            .contains("a tensor with 4 elements (shape [2, 2]) cannot be read as one number")
    );
}

#[test]
fn casts() {
    let x = Tensor::from_vec(vec![-1.9f64, -0.5, 0.0, 2.5], 4);
    assert_eq!(x.to_dtype(DType::I32).to_vec::<i32>(), [-1, 0, 0, 2]);
    assert_eq!(x.to_dtype(DType::Bool).to_vec::<bool>(), [true, true, false, true]);
    assert!(x.to_dtype(DType::F64).shares_storage(&x));
    check_grads(&[x.clone()], |x| x[0].to_dtype(DType::F64) * 2.0);
    let leaf = x.to_dtype(DType::F16).requires_grad_(true);
    leaf.to_dtype(DType::F64).sum().backward();
    assert_eq!(leaf.grad().unwrap().dtype(), DType::F16);
    assert!(x.to_device(Device::Cpu).equal(&x));
    assert!(x.try_to_device(Device::Cuda(0)).is_err());
}
