//! Matrix product.

pub(super) mod plain;
mod problem;

use crate::cpu::elementwise;
use crate::{backend::*, *};
use problem::Problem;

pub fn gemm(gemm: Gemm) -> Result {
    let Gemm { a, b, mut out, accumulate, bias, activation } = gemm;
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let dtype = out.dtype;
    let problem =
        Problem::new(a.layout, b.layout, out.layout, bias.as_ref().map(|b| b.layout), accumulate, activation);
    match dtype {
        DType::Bool => return Err(Error::Unsupported { op: "gemm", dtype, device: Device::Cpu }),
        d => {
            dispatch_dtype!(d, T => plain::run::<T>(&problem, a.data(), b.data(), bias.map(|b| b.data()), out.data()))
        }
    }
    finish(activation, out)
}

/// Applies the activations that the kernels' epilogues have not got.
pub(super) fn finish(activation: Activation, out: ViewMut) -> Result {
    let op = match activation {
        Activation::None | Activation::Relu => return Ok(()),
        Activation::Gelu => UnaryOp::Gelu,
        Activation::GeluTanh => UnaryOp::GeluTanh,
        Activation::Silu => UnaryOp::Silu,
        Activation::Sigmoid => UnaryOp::Sigmoid,
        Activation::Tanh => UnaryOp::Tanh,
    };
    elementwise::unary(op, Src::Out, out)
}
