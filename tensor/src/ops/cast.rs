//! Copies, casts and moves.

use crate::elementwise::layout_for;
use crate::error::{Error, Result, ok};
use crate::tensor::Tensor;
use std::sync::Arc;
use taper_autograd::op;
use taper_kernels::{DType, Device};

impl Tensor {
    /// The elements converted to `dtype` (`Tensor.to(dtype)`); the same tensor where it has it already.
    /// Floats go to integers by truncation, everything to bool by `!= 0`.
    #[track_caller]
    pub fn to_dtype(&self, dtype: DType) -> Tensor {
        if dtype == self.dtype() {
            return self.clone();
        }
        let y = ok(self.produce_alike("to", dtype, |b, out| b.copy(self.as_view(), out)));
        if !dtype.is_float() {
            return y;
        }
        op("to", y).wrt_same(self).done()
    }

    /// The same elements on a device (`Tensor.to(device)`); the same tensor where it is there already.
    ///
    /// # Panics
    /// Where the device is not available; see [`try_to_device`](Self::try_to_device).
    #[track_caller]
    pub fn to_device(&self, device: Device) -> Tensor {
        ok(self.try_to_device(device))
    }

    /// As [`to_device`](Self::to_device), or an error.
    #[track_caller]
    pub fn try_to_device(&self, device: Device) -> Result<Tensor> {
        if device == self.device() {
            return Ok(self.clone());
        }
        // Without gaps, its dimensions in the same order.
        let layout = layout_for(self.shape(), &[self.layout()]);
        let packed = self.layout().strides() == layout.strides();
        let x = match packed {
            true => self.detach(),
            false => {
                Tensor::produce_in("to_device", layout.clone(), self.dtype(), self.device(), |b, out| {
                    b.copy(self.as_view(), out)
                })?
            }
        };
        let moved = || {
            let target = device.backend()?;
            let start = x.layout().offset() * x.dtype().size();
            let part = start..start + x.numel() * x.dtype().size();
            let storage = match x.storage().as_cpu() {
                Some(memory) => target.upload(&memory.bytes()[part])?,
                None => target.upload(&x.device().backend()?.download_range(x.storage(), part)?)?,
            };
            Ok(Tensor::from_parts(Arc::new(storage), layout, x.dtype()))
        };
        let y = moved().map_err(Error::kernel("to_device"))?;
        let home = self.device();
        Ok(op("to_device", y).wrt(self, || move |g: &Tensor| g.to_device(home)).done())
    }

    /// A row-major tensor with these elements: itself where it is one. Never needed for an operation.
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() {
            return self.clone();
        }
        op("contiguous", self.copied()).wrt_same(self).done()
    }
}
