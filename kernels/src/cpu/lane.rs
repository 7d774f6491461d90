//! How a dtype's elements get from strided memory into the blocks that kernels run on, and back.

use super::float16;
use crate::{DType, Element, bf16, f16};

/// Elements per block: a few blocks of the widest type stay in the L1 cache.
pub(crate) const BLOCK: usize = if cfg!(miri) { 32 } else { 512 };

type Load = unsafe fn(src: *const u8, stride: isize, dst: *mut u8, n: usize);
type Store = unsafe fn(src: *const u8, dst: *mut u8, stride: isize, n: usize);

/// One dtype's way in and out of blocks.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Bytes of an element in memory.
    pub size: usize,
    /// Bytes of an element in a block.
    pub wide: usize,
    /// Memory can be used as a block: nothing to convert.
    pub direct: bool,
    /// Gathers `n` elements, `stride` elements apart (0 repeats one), into a block.
    pub load: Load,
    /// Scatters a block.
    pub store: Store,
}

impl Lane {
    /// Blocks in the compute dtype: f32 for f16 and bf16.
    pub fn compute(dtype: DType) -> &'static Lane {
        match dtype {
            DType::F16 => &Lane { size: 2, wide: 4, direct: false, load: load_f16, store: store_f16 },
            DType::BF16 => &Lane { size: 2, wide: 4, direct: false, load: load_bf16, store: store_bf16 },
            d => Lane::raw(d.size()),
        }
    }

    /// Blocks of the same bytes as memory.
    pub fn raw(size: usize) -> &'static Lane {
        match size {
            1 => const { &Lane::plain::<u8>() },
            2 => const { &Lane::plain::<i16>() },
            4 => const { &Lane::plain::<i32>() },
            _ => const { &Lane::plain::<i64>() },
        }
    }

    const fn plain<T: Element>() -> Lane {
        Lane { size: size_of::<T>(), wide: size_of::<T>(), direct: true, load: load::<T>, store: store::<T> }
    }
}

/// # Safety
/// `n` elements can be read at `src`, `stride` elements apart, and (initialised memory) written at
/// `dst`; no overlap.
unsafe fn load<T: Element>(src: *const u8, stride: isize, dst: *mut u8, n: usize) {
    let (src, dst) = (src.cast::<T>(), dst.cast::<T>());
    // SAFETY: as promised by the caller.
    unsafe {
        match stride {
            1 => dst.copy_from_nonoverlapping(src, n),
            0 => {
                let v = *src;
                (0..n).for_each(|i| *dst.add(i) = v);
            }
            // Steps that the compiler knows are read in vectors.
            -1 => (0..n).for_each(|i| *dst.add(i) = *src.sub(i)),
            2 => (0..n).for_each(|i| *dst.add(i) = *src.add(2 * i)),
            _ => (0..n).for_each(|i| *dst.add(i) = *src.offset(i as isize * stride)),
        }
    }
}

/// # Safety
/// `n` elements can be read at `src`, and written at `dst`, `stride` elements apart; no overlap.
unsafe fn store<T: Element>(src: *const u8, dst: *mut u8, stride: isize, n: usize) {
    let (src, dst) = (src.cast::<T>(), dst.cast::<T>());
    // SAFETY: as promised by the caller.
    unsafe {
        match stride {
            1 => dst.copy_from_nonoverlapping(src, n),
            _ => (0..n).for_each(|i| *dst.offset(i as isize * stride) = *src.add(i)),
        }
    }
}

macro_rules! half_lane {
    ($load:ident, $store:ident, $T:ty, $widen:ident, $narrow:ident) => {
        /// # Safety
        /// As [`load`], with f32 at `dst`.
        unsafe fn $load(src: *const u8, stride: isize, dst: *mut u8, n: usize) {
            let (src, dst) = (src.cast::<$T>(), dst.cast::<f32>());
            // SAFETY: as promised by the caller.
            unsafe {
                match stride {
                    1 => float16::$widen(
                        std::slice::from_raw_parts(src, n),
                        std::slice::from_raw_parts_mut(dst, n),
                    ),
                    0 => {
                        let v = (*src).to_f32();
                        (0..n).for_each(|i| *dst.add(i) = v);
                    }
                    _ => (0..n).for_each(|i| *dst.add(i) = (*src.offset(i as isize * stride)).to_f32()),
                }
            }
        }
        /// # Safety
        /// As [`store`], with f32 at `src`.
        unsafe fn $store(src: *const u8, dst: *mut u8, stride: isize, n: usize) {
            let (src, dst) = (src.cast::<f32>(), dst.cast::<$T>());
            // SAFETY: as promised by the caller.
            unsafe {
                match stride {
                    1 => float16::$narrow(
                        std::slice::from_raw_parts(src, n),
                        std::slice::from_raw_parts_mut(dst, n),
                    ),
                    _ => (0..n).for_each(|i| *dst.offset(i as isize * stride) = <$T>::from_f32(*src.add(i))),
                }
            }
        }
    };
}
half_lane!(load_f16, store_f16, f16, widen_f16, narrow_f16);
half_lane!(load_bf16, store_bf16, bf16, widen_bf16, narrow_bf16);
