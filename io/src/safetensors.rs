//! The safetensors format: a JSON header and raw tensors. Nothing in it can run code.

use crate::atomic::write_atomic;
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::path::Path;
use taper_tensor::{DType, StateDict, Tensor};

/// The entry of a header that is no tensor.
const RESERVED: &str = "__metadata__";

fn to_file(dtype: DType) -> Dtype {
    match dtype {
        DType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::I8 => Dtype::I8,
        DType::I16 => Dtype::I16,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
    }
}

fn from_file(dtype: Dtype) -> Option<DType> {
    DType::ALL.into_iter().find(|&d| to_file(d) == dtype)
}

/// Saves named tensors, atomically. The same tensors give the same bytes.
///
/// # Errors
/// Where the file cannot be written, and for a tensor named `__metadata__`; what was there before stays.
pub fn save(dict: &StateDict, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    if dict.contains_key(RESERVED) {
        return Err(Error::tensor(path, RESERVED, "safetensors keeps this name for itself"));
    }
    let bytes: Vec<Vec<u8>> = dict.values().map(Tensor::to_bytes).collect();
    let views = dict.iter().zip(&bytes).map(|((name, t), data)| {
        TensorView::new(to_file(t.dtype()), t.shape().to_vec(), data)
            .map(|v| (name.as_str(), v))
            .map_err(|e| Error::tensor(path, name, e.to_string()))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let file = safetensors::serialize(views, None).map_err(|e| Error::format(path, e.to_string()))?;
    write_atomic(path, |out| out.write_all(&file))
}

/// Loads named tensors, in the order they lie in the file.
///
/// # Errors
/// Where the file cannot be read, is damaged or cut off, or holds a dtype that taper has not got.
pub fn load(path: impl AsRef<Path>) -> Result<StateDict> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(Error::io(path, "cannot read"))?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|e| Error::format(path, format!("not a whole safetensors file: {e}")))?;
    let mut views: Vec<(&str, TensorView)> = file.iter().collect();
    // Tensors without elements share a place.
    views.sort_by_key(|(name, v)| (v.data().as_ptr() as usize, v.data().len(), *name));
    views
        .into_iter()
        .map(|(name, v)| {
            let dtype = from_file(v.dtype()).ok_or_else(|| {
                Error::tensor(path, name, format!("dtype {:?} is not supported", v.dtype()))
            })?;
            let t = Tensor::try_from_bytes(v.data(), v.shape(), dtype)
                .map_err(|e| Error::tensor(path, name, e.to_string()))?;
            Ok((name.to_string(), t))
        })
        .collect()
}
