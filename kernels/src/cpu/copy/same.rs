//! Copies without conversion.

use crate::cpu::lane::Lane;
use crate::cpu::map::map;
use crate::*;

/// Copies elements as they are.
pub(super) fn copy(x: View, out: ViewMut) {
    let lane = Lane::raw(x.dtype.size());
    map::<1, 2>(out, lane, [x.into()], [lane], |_| [0; 8], 0.2, &|[x], out, n| {
        // SAFETY: `map` gives kernels `n` elements of the lane's size; a copy's operands are apart.
        unsafe { out.copy_from_nonoverlapping(x, n * lane.size) }
    });
}
