//! Views can be far larger than the memory they show: a file of some bytes can describe a tensor of
//! terabytes, by strides of 0. What walks all elements asks here first.

use crate::text;
use std::collections::HashSet;
use taper_tensor::Tensor;

/// How many bytes of elements may still be looked at.
pub struct Budget {
    left: u128,
    seen: HashSet<usize>,
}

/// Views as large as this are no trouble.
const FREE: u128 = 1 << 28;
/// How often each byte of a storage may be looked at.
const TIMES: u128 = 16;

impl Budget {
    pub fn new() -> Budget {
        Budget { left: FREE, seen: HashSet::new() }
    }

    /// Whether a tensor's elements may all be looked at. `storage` is a number that is the storage's alone
    /// for the life of the budget, as its `id` is only while it lives.
    pub fn allows(&mut self, storage: usize, tensor: &Tensor) -> bool {
        if self.seen.insert(storage) {
            self.left += TIMES * tensor.untyped_storage().nbytes() as u128;
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
            text::plural(tensor.numel() as u64, "element"),
            text::size(tensor.untyped_storage().nbytes() as u64)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_beyond_their_memory() {
        let one = Tensor::ones([1]);
        let huge = one.expand([1isize << 40]);
        let mut budget = Budget::new();
        assert!(budget.allows(0, &one) && !budget.allows(0, &huge));
        assert!(Budget::refusal(&huge).starts_with("its 1,099,511,627,776 elements are views of 4 B"));
        // Many views, each small enough.
        let view = one.expand([1 << 20]);
        assert_eq!((0..1000).filter(|_| budget.allows(0, &view)).count(), 64);
        // Memory of their own is always enough.
        let own = Tensor::zeros([1 << 20]);
        assert!((1..1000).all(|i| budget.allows(i, &own)));
    }
}
