//! Convolution and its gradients.

mod direct;

use crate::cpu::gemm::finish;
use crate::{backend::*, *};

pub fn conv(op: ConvOp, params: ConvParams, mut out: ViewMut) -> Result {
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let dtype = out.dtype;
    dispatch_dtype!(
        dtype,
        floats T => direct::run::<T>(&op, &params, out.layout, out.data()),
        else return Err(Error::Unsupported { op: "conv2d", dtype, device: Device::Cpu })
    );
    match op {
        ConvOp::Forward { activation, .. } => finish(activation, out),
        _ => Ok(()),
    }
}
