//! Sort and top-k.
//!
//! Elements become integer keys of the same order, packed with their positions; keys then differ
//! all, so that the fastest sort, stable or not, on one thread or many, gives one result. Long lines are
//! sorted by the digits of their keys ([`digits`]).

mod digits;

use crate::cpu::par::for_each_range;
use crate::cpu::walk::Walk;
use crate::{Element, Result, View, ViewMut, bf16, dispatch_dtype, f16};
use rayon::prelude::*;

/// Lines from this length on are sorted by all threads.
const PARALLEL: usize = 1 << 15;

/// Stable sort of every line along `axis`: values, and positions as i64. NaN counts as the largest;
/// -0.0 equals 0.0.
pub fn sort(x: View, axis: usize, descending: bool, values: ViewMut, indices: ViewMut) -> Result {
    dispatch_dtype!(x.dtype, T => lines::<T>(x, axis, descending, values, indices));
    Ok(())
}

/// The first `k` elements of the stable sort of every line, `k` being the outputs' size there.
/// Of equal elements the ones with the lowest positions are taken and come first. (PyTorch leaves
/// that open.)
pub fn topk(x: View, axis: usize, largest: bool, values: ViewMut, indices: ViewMut) -> Result {
    sort(x, axis, largest, values, indices)
}

/// An element that can be ordered through an integer key.
trait Sort: Element {
    /// A key with a position.
    type Packed: Ord + Copy + Send;
    /// Key order is ascending order, or descending order with `flip`.
    fn key(self, flip: bool) -> u64;
    /// Key order, then position order.
    fn pack(self, flip: bool, at: usize) -> Self::Packed;
    /// The position.
    fn unpack(packed: Self::Packed) -> usize;
}

macro_rules! sort_keys {
    ($($t:ty as $key:ty, $packed:ty: $x:ident => $e:expr;)*) => { $(
        impl Sort for $t {
            type Packed = $packed;
            #[inline(always)]
            fn key(self, flip: bool) -> u64 {
                let $x = self;
                let key: $key = $e;
                (if flip { !key } else { key }) as u64
            }
            #[inline(always)]
            fn pack(self, flip: bool, at: usize) -> $packed {
                (self.key(flip) as $packed) << <$key>::BITS | at as $packed
            }
            #[inline(always)]
            fn unpack(packed: $packed) -> usize {
                packed as $key as usize
            }
        }
    )* };
}
sort_keys! {
    u8 as u32, u64: x => x as u32;
    i8 as u32, u64: x => x as u32 ^ 1 << 31;
    i16 as u32, u64: x => x as u32 ^ 1 << 31;
    i32 as u32, u64: x => x as u32 ^ 1 << 31;
    i64 as u64, u128: x => x as u64 ^ 1 << 63;
    f16 as u32, u64: x => key_f32(x.to_f32());
    bf16 as u32, u64: x => key_f32(x.to_f32());
    f32 as u32, u64: x => key_f32(x);
    f64 as u64, u128: x => key_f64(x);
}

macro_rules! float_key {
    ($name:ident: $t:ty => $key:ty, $signed:ty) => {
        /// Bits in the order of the numbers: NaN above all, one zero. Without a branch, as signs are any.
        #[inline(always)]
        fn $name(x: $t) -> $key {
            let bits = (x + 0.0).to_bits();
            let below_zero = (bits as $signed >> (<$key>::BITS - 1)) as $key;
            let key = bits ^ (below_zero | 1 << (<$key>::BITS - 1));
            if x.is_nan() { <$key>::MAX } else { key }
        }
    };
}
float_key!(key_f32: f32 => u32, i32);
float_key!(key_f64: f64 => u64, i64);

fn lines<T: Sort>(x: View, axis: usize, flip: bool, mut values: ViewMut, mut indices: ViewMut) {
    let (n, k) = (x.layout.shape()[axis], values.layout.shape()[axis]);
    if x.layout.numel() == 0 || k == 0 {
        return;
    }
    assert!(n as u64 <= u32::MAX as u64, "lines of more than 2³² - 1 elements cannot be sorted");
    let [sx, sv, si] = [x.layout, values.layout, indices.layout].map(|l| l.strides()[axis]);
    let first = [x.layout, values.layout, indices.layout].map(|l| l.select(axis, 0));
    let walk = Walk::new([&first[0], &first[1], &first[2]]);
    let steps = walk.inner_strides();
    let x = x.data::<T>();
    let values = values.shared::<T>();
    let indices = indices.shared::<i64>();
    // A few nanoseconds per element and level of comparison.
    let cost = n as f64 * (4.0 + 2.0 * (k as f64 + 1.0).log2());
    for_each_range(walk.numel(), 1, cost, |range| {
        let (mut found, mut places) = (Vec::new(), Vec::new());
        walk.runs(range, |at, len| {
            for line in 0..len as isize {
                let [px, pv, pi] = std::array::from_fn(|j| at[j] as isize + line * steps[j]);
                let element = |i: usize| x[(px + i as isize * sx) as usize];
                let whole = n >= digits::FROM && 4 * k >= n;
                if !(whole && digits::sort(n, |i| element(i).key(flip), &mut places)) {
                    first_sorted((0..n).map(|i| element(i).pack(flip, i)), k, &mut found);
                    places.clear();
                    places.extend(found.iter().map(|&p| T::unpack(p) as u64));
                }
                for (rank, &from) in places[..k].iter().enumerate() {
                    let rank = rank as isize;
                    // SAFETY: positions of the outputs' layouts, and no two lines share one.
                    unsafe {
                        *values.at((pv + rank * sv) as usize) = element(from as usize);
                        *indices.at((pi + rank * si) as usize) = from as i64;
                    }
                }
            }
        });
    });
}

/// The `k` smallest, sorted; `found` is scratch memory.
fn first_sorted<K: Ord + Copy + Send>(all: impl ExactSizeIterator<Item = K>, k: usize, found: &mut Vec<K>) {
    found.clear();
    if 4 * k >= all.len() {
        found.extend(all);
    } else {
        // Candidates are kept until there are twice as many as wanted; after the first such round
        // most elements are refused at once.
        let most = (2 * k).max(64);
        let mut limit = None;
        for key in all {
            if limit.is_none_or(|l| key < l) {
                found.push(key);
                if found.len() == most {
                    found.select_nth_unstable(k - 1);
                    found.truncate(k);
                    limit = Some(found[k - 1]);
                }
            }
        }
    }
    if k < found.len() {
        found.select_nth_unstable(k);
        found.truncate(k);
    }
    if k >= PARALLEL { found.par_sort_unstable() } else { found.sort_unstable() }
}
