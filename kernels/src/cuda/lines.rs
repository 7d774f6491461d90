//! Kernels that work line by line along one dimension.

use super::context::Context;
use super::driver::THREADS;
use super::launch::{Lines, Operand, Order, Walk};
use crate::{Layout, Result, View, ViewMut};

/// Lines up to this length are worked by one thread each, where neighbouring lines lie side by side or
/// the lines are so short that a warp would mostly wait.
const SHORT: usize = 8;
/// Longer lines than this are worked by a block each: a warp would take its share of 32 elements one after
/// the other 64 times.
const LONG: usize = 2048;

/// Threads for a line: 1, 32 or a block.
pub(super) fn team(lines: usize, length: usize, lie_side_by_side: bool, multiprocessors: u32) -> u32 {
    let threads = multiprocessors as usize * 1024;
    if length <= SHORT || lie_side_by_side && lines >= threads {
        1
    } else if length > LONG || length >= 256 && lines * 32 < threads {
        // Too few lines for a warp each to keep the device busy.
        THREADS
    } else {
        32
    }
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
    let team = team(walk.numel(), length, beside, cx.driver.multiprocessors());
    walk.launches(1, |map, first| f(&Lines { map: *map, along, length: length as u32, team }, first))
}

#[cfg(test)]
mod tests {
    use super::team;

    #[test]
    fn teams() {
        assert_eq!(team(1 << 20, 10, false, 100), 32);
        assert_eq!(team(1 << 20, 4, false, 100), 1);
        assert_eq!(team(1 << 20, 100, true, 100), 1);
        assert_eq!(team(64, 1000, false, 100), 256);
        assert_eq!(team(1 << 16, 1000, false, 100), 32);
        assert_eq!(team(1 << 16, 50_000, true, 100), 256);
    }
}
