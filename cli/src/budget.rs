//! Views can be far larger than the memory they show: a file of some bytes can describe a tensor of
//! terabytes, by strides of 0. What walks all elements asks here first.

use std::collections::HashMap;
use taper_tensor::Tensor;

/// How many bytes of elements may still be looked at.
pub struct Budget {
    left: u128,
    seen: HashMap<usize, ()>,
}

/// Views as large as this are no trouble.
const FREE: u128 = 1 << 28;
/// How often each byte of a storage may be looked at.
const TIMES: u128 = 16;

impl Budget {
    pub fn new() -> Budget {
        Budget { left: FREE, seen: HashMap::new() }
    }

    /// Whether a tensor's elements may all be looked at.
    pub fn allows(&mut self, tensor: &Tensor) -> bool {
        let storage = tensor.untyped_storage();
        if self.seen.insert(storage.id(), ()).is_none() {
            self.left += TIMES * storage.nbytes() as u128;
        }
        let wanted = tensor.numel() as u128 * tensor.dtype().size() as u128;
        let enough = wanted <= self.left;
        if enough {
            self.left -= wanted;
        }
        enough
    }

    /// The message for a tensor that is refused.
    pub fn refusal(tensor: &Tensor) -> String {
        format!(
            "its {} are views of {} of memory; refused",
            crate::text::plural(tensor.numel() as u64, "element"),
            crate::text::size(tensor.untyped_storage().nbytes() as u64)
        )
    }
}
