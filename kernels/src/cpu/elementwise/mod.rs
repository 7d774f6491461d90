//! Unary and binary kernels: the choice of a contiguous kernel by op and dtype.

mod float_binary;
mod float_unary;
mod int_binary;
mod int_unary;
pub(crate) mod loops;
mod table;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::cases;

use super::lane::Lane;
use super::map::map;
use super::stream;
use crate::{backend::*, *};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A scalar's bytes as an element of a dtype's blocks, in memory that is aligned for all of them.
pub(crate) fn scalar_bytes(block: DType, s: Scalar) -> u64 {
    let mut bytes = [0; 8];
    macro_rules! put {
        ($v:expr) => {{
            let v = $v.to_ne_bytes();
            bytes[..v.len()].copy_from_slice(&v);
        }};
    }
    match block {
        DType::Bool => bytes[0] = (s.to_f64() != 0.0) as u8,
        d => dispatch_dtype!(d, T => put!(s.to::<T>())),
    }
    u64::from_ne_bytes(bytes)
}

fn unsupported(op: &'static str, dtype: DType) -> Error {
    Error::Unsupported { op, dtype, device: Device::Cpu }
}

/// Whether a kernel should write its output past the caches: it is larger than they are, kernels write it where
/// it lies, and it was not just read.
fn streamed(out: &ViewMut, lane: &Lane, inputs: &[Src]) -> bool {
    let in_place = inputs.iter().any(|i| matches!(i, Src::Out));
    lane.direct && !in_place && out.layout.is_contiguous() && stream::pays(out.layout.numel() * lane.size)
}

pub fn unary(op: UnaryOp, x: Src, out: ViewMut) -> Result {
    let dtype = out.dtype;
    let block = dtype.compute();
    let lane = Lane::compute(dtype);
    let kernel: float_unary::Kernel = match block {
        DType::F32 => float_unary::kernel::<f32>,
        DType::F64 => float_unary::kernel::<f64>,
        d => int_unary::kernel(op, d).ok_or_else(|| unsupported(op.name(), dtype))?,
    };
    let cost = op.cost() * if block == DType::F64 { 2.0 } else { 1.0 };
    let streamed = streamed(&out, lane, &[x]);
    map::<1, 2>(out, lane, [x], [lane], |s| scalar_bytes(block, s), cost, &|[x], out, n| {
        // SAFETY: `map` gives kernels `n` elements of the block's dtype.
        unsafe { kernel(op, x, out, n, streamed) }
    });
    Ok(())
}

pub fn binary(op: BinaryOp, a: Src, b: Src, out: ViewMut) -> Result {
    let dtype = out.dtype;
    let block = dtype.compute();
    let lane = Lane::compute(dtype);
    use BinaryOp::*;
    let kernel: float_binary::Kernel = match block {
        DType::F32 | DType::F64 if matches!(op, BitAnd | BitOr | BitXor | Shl | Shr) => {
            return Err(unsupported(op.name(), dtype));
        }
        DType::F32 => float_binary::kernel::<f32>,
        DType::F64 => float_binary::kernel::<f64>,
        d => int_binary::kernel(op, d).ok_or_else(|| unsupported(op.name(), dtype))?,
    };
    let zero_divisor = AtomicBool::new(false);
    let cost = op.cost() * if block == DType::F64 { 2.0 } else { 1.0 };
    let streamed = streamed(&out, lane, &[a, b]);
    map::<2, 3>(out, lane, [a, b], [lane, lane], |s| scalar_bytes(block, s), cost, &|[a, b], out, n| {
        // SAFETY: `map` gives kernels `n` elements of the block's dtype.
        if unsafe { kernel(op, a, b, out, n, streamed) } {
            zero_divisor.store(true, Relaxed);
        }
    });
    if zero_divisor.into_inner() { Err(Error::ZeroDivision { op: op.name() }) } else { Ok(()) }
}
