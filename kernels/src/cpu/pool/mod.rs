//! Pooling over windows of planes.

mod average;
mod max;
mod plane;
mod sliding;

use crate::{backend::*, *};

pub fn pool(op: PoolOp, params: PoolParams, mut out: ViewMut) -> Result {
    if out.layout.numel() == 0 {
        return Ok(());
    }
    let dtype = out.dtype;
    let unsupported = Err(Error::Unsupported { op: "pool2d", dtype, device: Device::Cpu });
    match op {
        PoolOp::Max { x, mut indices } => match dtype {
            DType::Bool => return unsupported,
            d if d.is_float()
                && !max::by_two(&params)
                && sliding::fits(&plane::Planes::new(x.layout), &params) =>
            {
                dispatch_dtype!(d, floats T => sliding::forward::<T>(x, &mut indices, &params, &mut out), else return unsupported)
            }
            d => dispatch_dtype!(d, T => max::forward::<T>(x, &mut indices, &params, &mut out)),
        },
        PoolOp::MaxGrad { g, indices } => {
            dispatch_dtype!(dtype, floats T => max::grad::<T>(g, indices, &mut out), else return unsupported)
        }
        PoolOp::Avg { x } => {
            dispatch_dtype!(dtype, floats T => average::forward::<T>(x, &params, &mut out), else return unsupported)
        }
        PoolOp::AvgGrad { g } => {
            dispatch_dtype!(dtype, floats T => average::grad::<T>(g, &params, &mut out), else return unsupported)
        }
        PoolOp::AdaptiveAvg { x } => {
            dispatch_dtype!(dtype, floats T => average::adaptive::<T>(x, &mut out), else return unsupported)
        }
        PoolOp::AdaptiveAvgGrad { g } => {
            dispatch_dtype!(dtype, floats T => average::adaptive_grad::<T>(g, &mut out), else return unsupported)
        }
    }
    Ok(())
}
