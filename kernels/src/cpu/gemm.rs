//! Matrix product.

use crate::{backend::*, *};

pub fn gemm(_gemm: Gemm) -> Result {
    unimplemented!()
}
