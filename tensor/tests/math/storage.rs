//! Memory that several tensors see, and memory of somebody else's.

use std::sync::Arc;
use taper_tensor::{DType, Tensor, UntypedStorage, tensor};

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn tensors_of_one_storage() {
    let x = tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let column = x.narrow(1, 1, 1);
    let storage = column.untyped_storage();
    assert_eq!((storage.nbytes(), column.storage_offset(), storage.id()), (24, 1, x.untyped_storage().id()));
    let again = Tensor::try_from_storage(
        &storage,
        DType::F32,
        column.shape(),
        column.strides(),
        column.storage_offset(),
    );
    assert_eq!(again.unwrap().to_vec::<f32>(), [2.0, 5.0]);
    let backwards = Tensor::try_from_storage(&storage, DType::F32, &[3], &[-2], 4).unwrap();
    assert_eq!(backwards.to_vec::<f32>(), [5.0, 3.0, 1.0]);
    let as_ints = Tensor::try_from_storage(&storage, DType::I32, &[], &[], 0).unwrap();
    assert_eq!(as_ints.to_vec::<i32>(), [1f32.to_bits() as i32]);
    let nothing = Tensor::try_from_storage(&storage, DType::F32, &[3, 0], &[-7, 9], 6).unwrap();
    assert_eq!(nothing.shape(), [3, 0]);
}

#[test]
fn elements_outside_are_refused() {
    let storage = UntypedStorage::from_bytes(&bytes(&[1.0, 2.0, 3.0]));
    let fails = |dtype, shape: &[usize], strides: &[isize], offset| {
        Tensor::try_from_storage(&storage, dtype, shape, strides, offset).unwrap_err().to_string()
    };
    for (dtype, shape, strides, offset) in [
        (DType::F32, &[4][..], &[1][..], 0),
        (DType::F32, &[2], &[1], 2),
        (DType::F32, &[2], &[-1], 0),
        (DType::F32, &[2], &[isize::MAX], 1),
        (DType::F32, &[usize::MAX / 8, 1], &[isize::MIN, 1], 0),
        (DType::F64, &[2], &[1], 0),
        (DType::F32, &[], &[], 3),
        (DType::F32, &[0], &[1], 4),
        (DType::F32, &[], &[], usize::MAX),
    ] {
        assert!(fails(dtype, shape, strides, offset).contains("outside"), "{shape:?} {strides:?} {offset}");
    }
    assert!(fails(DType::F32, &[2], &[1, 1], 0).contains("as many"));
    assert!(fails(DType::F32, &[1 << 40, 1 << 40], &[0, 0], 0).contains("too large"));
    assert!(fails(DType::F32, &[0, 1 << 40, 1 << 40], &[0, 0, 0], 0).contains("too large"));
}

#[test]
fn foreign_bytes_are_values_too() {
    let owner = Arc::new(bytes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]));
    let at = owner.as_ptr().align_offset(8);
    let storage = UntypedStorage::from_owner(owner.clone(), at..at + 16);
    let first = f32::from_le_bytes(owner[at..at + 4].try_into().unwrap());
    let mut x = Tensor::try_from_storage(&storage, DType::F32, &[4], &[1], 0).unwrap();
    drop(storage);
    assert_eq!(Arc::strong_count(&owner), 2);
    let y = x.clone();
    x.add_(1.0);
    assert_eq!((x.to_vec::<f32>()[0], y.to_vec::<f32>()[0]), (first + 1.0, first));
    let mut y = y;
    y.mul_(2.0);
    assert_eq!(y.to_vec::<f32>()[1], 2.0 * (first + 1.0));
    assert_eq!(Arc::strong_count(&owner), 1, "both are copies now");
    assert_eq!(owner[..], bytes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]));
    let shifted = UntypedStorage::from_owner(owner.clone(), at + 1..at + 17);
    assert_eq!(Arc::strong_count(&owner), 1, "copied: not aligned");
    shifted.with_bytes(|b| assert_eq!(b, &owner[at + 1..at + 17]));
}

#[test]
fn overlapping_elements_are_copied_before_a_write() {
    let storage = UntypedStorage::from_bytes(&bytes(&[1.0, 2.0, 3.0, 4.0]));
    let mut windows = Tensor::try_from_storage(&storage, DType::F32, &[3, 2], &[1, 1], 0).unwrap();
    drop(storage);
    windows.add_(tensor([[10.0, 20.0]]));
    assert_eq!(windows.to_vec::<f32>(), [11.0, 22.0, 12.0, 23.0, 13.0, 24.0]);
}

#[test]
fn strange_truth_values_become_true() {
    let storage = UntypedStorage::from_bytes(&[0, 1, 2, 255]);
    let x = Tensor::try_from_storage(&storage, DType::Bool, &[4], &[1], 0).unwrap();
    assert_eq!(x.to_bytes(), [0, 1, 1, 1]);
}
