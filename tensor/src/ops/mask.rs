//! Elements chosen by truth values.

use crate::error::{Error, Result, ok};
use crate::tensor::Tensor;
use std::sync::Arc;
use taper_kernels::{DType, Layout, broadcast_shapes};

impl Tensor {
    /// Positions of the non-zero elements in row-major order: i64 of shape `[count, ndim]` (`torch.nonzero`).
    #[track_caller]
    pub fn nonzero(&self) -> Tensor {
        let found = self.device().backend().and_then(|b| b.nonzero(self.as_view()));
        let (storage, count) = ok(found.map_err(Error::kernel("nonzero")));
        Tensor::from_parts(Arc::new(storage), Layout::contiguous(&[count, self.ndim()]), DType::I64)
    }

    /// The elements where `mask` (bool) holds, in one dimension; both broadcast (`torch.masked_select`).
    ///
    /// # Panics
    /// Where the mask is not bool, or shapes do not broadcast.
    #[track_caller]
    pub fn masked_select(&self, mask: &Tensor) -> Tensor {
        let (x, mask) = ok(self.beside_mask("masked_select", mask));
        x.index(&mask)
    }

    /// This tensor with the elements where `mask` (bool, broadcast) holds taken one after the other from
    /// `source` (`torch.masked_scatter`).
    ///
    /// # Panics
    /// Where the mask is not bool, shapes do not broadcast, dtypes differ or the source has too few elements.
    #[track_caller]
    pub fn masked_scatter(&self, mask: &Tensor, source: &Tensor) -> Tensor {
        let (x, mask) = ok(self.beside_mask("masked_scatter", mask));
        assert!(
            source.dtype() == self.dtype(),
            "masked_scatter: a source of {} for a tensor of {}",
            source.dtype(),
            self.dtype()
        );
        let count = mask.sum().item() as usize;
        assert!(
            source.numel() >= count,
            "masked_scatter: a source of {} elements for {count} places",
            source.numel()
        );
        let values = source.reshape_to(&[source.numel()]).narrow(0, 0, count);
        x.index_put(&mask, values, false)
    }

    /// This tensor and a mask, broadcast to each other.
    #[track_caller]
    fn beside_mask(&self, name: &'static str, mask: &Tensor) -> Result<(Tensor, Tensor)> {
        if mask.dtype() != DType::Bool {
            return Err(Error::dtype(name, format!("the mask must be bool, it is {}", mask.dtype())));
        }
        let Some(shape) = broadcast_shapes(self.shape(), mask.shape()) else {
            let message =
                format!("a mask of shape {:?} does not broadcast with {:?}", mask.shape(), self.shape());
            return Err(Error::shape(name, message));
        };
        // Positions of a mask need a dimension to be listed along.
        let shape = if shape.is_empty() { [1].as_slice().into() } else { shape };
        Ok((self.broadcast_to(&shape), mask.broadcast_to(&shape)))
    }
}
