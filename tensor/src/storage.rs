//! The memory under tensors: for files, which keep what is shared shared.

use crate::error::{Error, Result};
use crate::tensor::Tensor;
use crate::{DType, Device};
use std::ops::Range;
use std::sync::Arc;
use taper_kernels::{Buffer, Layout, Owner, Storage};

/// Bytes that tensors are views of (`torch.UntypedStorage`). A clone is the same memory.
///
/// ```
/// use taper_tensor::{DType, Tensor, UntypedStorage, tensor};
/// let x = tensor([[1.0, 2.0], [3.0, 4.0]]);
/// let storage = x.untyped_storage();
/// let column = Tensor::try_from_storage(&storage, DType::F32, &[2], &[2], 1)?;
/// assert_eq!(column.to_vec::<f32>(), [2.0, 4.0]);
/// assert!(column.shares_storage(&x) && storage.is(&column.untyped_storage()));
/// # Ok::<(), taper_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct UntypedStorage(Arc<Storage>);

impl UntypedStorage {
    /// A copy of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut buffer = Buffer::new(bytes.len());
        buffer.bytes_mut().copy_from_slice(bytes);
        UntypedStorage(Arc::new(Storage::Cpu(buffer)))
    }

    /// A range of somebody's bytes, such as a mapped file's: not copied, where they lie at an address
    /// for elements of 8 bytes, until a tensor of them is written.
    ///
    /// # Panics
    /// Where the range is not the owner's.
    #[track_caller]
    pub fn from_owner(owner: Owner, range: Range<usize>) -> Self {
        match Buffer::foreign(owner.clone(), range.clone()) {
            Some(buffer) => UntypedStorage(Arc::new(Storage::Cpu(buffer))),
            None => Self::from_bytes(&(*owner).as_ref()[range]),
        }
    }

    /// Whether both are the same memory.
    pub fn is(&self, other: &UntypedStorage) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
    /// A number that only this memory has while it lives.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
    /// Length in bytes.
    pub fn nbytes(&self) -> usize {
        self.0.len()
    }
    /// Where the memory lives.
    pub fn device(&self) -> Device {
        self.0.device()
    }

    /// The memory where each of its bytes is 0 or 1, as those of a bool tensor are; otherwise a copy in
    /// which the others are 1.
    pub fn as_bools(&self) -> UntypedStorage {
        self.with_bytes(|bytes| {
            if bytes.iter().all(|&b| b <= 1) {
                return self.clone();
            }
            UntypedStorage::from_bytes(&bytes.iter().map(|&b| (b != 0) as u8).collect::<Vec<_>>())
        })
    }

    /// Shows `f` the bytes; on the CPU they are not copied.
    #[track_caller]
    pub fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self.0.as_cpu() {
            Some(memory) => f(memory.bytes()),
            None => {
                let download = || self.device().backend()?.download(&self.0);
                f(&crate::error::ok(download().map_err(Error::kernel("with_bytes"))))
            }
        }
    }
}

impl Tensor {
    /// The memory that this tensor is a view of (`torch.Tensor.untyped_storage`).
    pub fn untyped_storage(&self) -> UntypedStorage {
        UntypedStorage(self.storage().clone())
    }

    /// Position of the first element in the storage, in elements (`torch.Tensor.storage_offset`).
    pub fn storage_offset(&self) -> usize {
        self.layout().offset()
    }

    /// A tensor of a storage's elements: sizes, steps in elements, and the position of the first
    /// (`torch.Tensor.set_`). Bool bytes that are not 0 become 1, in a copy.
    ///
    /// # Errors
    /// Where an element would lie outside of the storage, and for sizes that no memory has.
    pub fn try_from_storage(
        storage: &UntypedStorage,
        dtype: DType,
        shape: &[usize],
        strides: &[isize],
        offset: usize,
    ) -> Result<Tensor> {
        let fail = |message: String| Err(Error::shape("from_storage", message));
        if shape.len() != strides.len() {
            return fail(format!("shape {:?} has not as many entries as strides {:?}", shape, strides));
        }
        let numel = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let (mut low, mut high) = (offset as i128, offset as i128);
        for (&n, &step) in shape.iter().zip(strides) {
            let reach = step as i128 * (n.max(1) - 1) as i128;
            if reach < 0 { low += reach } else { high += reach }
        }
        // Sizes beside a 0 cost no memory, but arithmetic with them must not overflow.
        let padded = shape.iter().try_fold(1isize, |n, &d| n.checked_mul(isize::try_from(d.max(1)).ok()?));
        let (Some(numel), Some(_)) = (numel, padded) else {
            return fail(format!("shape {:?} is too large", shape));
        };
        let elements = (storage.nbytes() / dtype.size()) as i128;
        let inside = if numel == 0 { offset as i128 <= elements } else { low >= 0 && high < elements };
        if !inside {
            let message = format!(
                "shape {:?} with strides {:?} from {offset} reaches outside of the storage's {elements} \
                 elements of {dtype}",
                shape, strides
            );
            return fail(message);
        }
        let memory = if dtype == DType::Bool { storage.as_bools() } else { storage.clone() };
        // A tensor without elements may have any strides; fresh ones cannot overflow later.
        let layout = if numel == 0 { Layout::contiguous(shape) } else { Layout::new(shape, strides, offset) };
        Ok(Tensor::from_parts(memory.0, layout, dtype))
    }
}
