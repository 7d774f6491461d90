//! Kernels that work line by line along one dimension.

use super::context::Context;
use super::driver::THREADS;
use super::launch::{Lines, Operand, Order, Walk};
use crate::{Layout, Result, View, ViewMut};

/// Elements of a line that lies along memory which a thread keeps in registers, so that it is read once.
fn share(size: usize) -> usize {
    if size == 8 { 4 } else { 8 }
}
/// Lines up to this length have a thread for each element.
const SHORT: usize = 32;

/// Threads for a line, of elements of a size. Where neighbouring lines lie side by side, a thread reads
/// what lies beside its neighbour's, unless there are too few lines to keep a device busy so.
pub(super) fn team(lines: usize, length: usize, size: usize, beside: bool, multiprocessors: u32) -> u32 {
    let enough = length <= SHORT || lines >= multiprocessors as usize * THREADS as usize;
    let threads = match length {
        _ if beside && enough => 1,
        ..=SHORT => length,
        _ => length.div_ceil(share(size)),
    };
    (threads.next_power_of_two() as u32).min(THREADS)
}

/// Calls `f` with the parameters of each launch over the lines of `out` and the inputs along `axis`, and the
/// number of the first line in `order`. There are elements.
pub(super) fn each_launch<const K: usize, const N: usize>(
    cx: &Context,
    out: &ViewMut,
    inputs: [View; K],
    axis: usize,
    order: Order,
    mut f: impl FnMut(&Lines<K, N>, usize) -> Result,
) -> Result {
    let layouts: [&Layout; N] =
        std::array::from_fn(|k| if k == 0 { out.layout } else { inputs[k - 1].layout });
    let heads = layouts.map(|l| l.select(axis, 0));
    let along = layouts.map(|l| l.strides()[axis] as i64);
    let length = layouts[1].shape()[axis];
    let at = |k: usize, address: u64, size: usize| Operand::At { address, layout: &heads[k], size };
    let to = at(0, cx.address_mut(out)?, out.dtype.size());
    let mut from = [Operand::Number(0); K];
    for (k, x) in inputs.iter().enumerate() {
        from[k] = at(k + 1, cx.address(x)?, x.dtype.size());
    }
    let walk = Walk::<K, N>::new(to, from, order);
    let beside = walk.strides(1).last() == Some(&1) && along[1] != 1;
    let team = team(walk.numel(), length, out.dtype.size(), beside, cx.driver.multiprocessors());
    walk.launches(1, |map, first| f(&Lines { map: *map, along, length: length as u32, team }, first))
}

#[cfg(test)]
mod tests {
    use super::team;

    #[test]
    fn teams() {
        // Along memory: whole lines in registers.
        assert_eq!(team(1 << 20, 10, 4, false, 100), 16);
        assert_eq!(team(8, 1000, 4, false, 100), 128);
        assert_eq!(team(8, 1000, 8, false, 100), 256);
        assert_eq!(team(8, 1, 4, false, 100), 1);
        assert_eq!(team(8, 50_000, 4, false, 100), 256);
        // Side by side.
        assert_eq!(team(1 << 20, 100, 4, true, 100), 1);
        assert_eq!(team(40, 10, 4, true, 100), 1);
        assert_eq!(team(40, 1000, 4, true, 100), 128);
    }
}
