//! The element types that products are computed in, with their vectors.

use super::plain::Arith;
use crate::cpu::simd::{Simd, SimdBase, SimdFloat, prelude::*};
use fearless_simd::SimdFloatElement;

/// f32 and f64.
pub trait Real: Arith<Acc = Self> + SimdFloatElement {
    /// The vector of an instruction set.
    type V<S: Simd>: SimdFloat<S, Element = Self>;
    const ZERO: Self;
}
impl Real for f32 {
    type V<S: Simd> = S::f32s;
    const ZERO: f32 = 0.0;
}
impl Real for f64 {
    type V<S: Simd> = S::f64s;
    const ZERO: f64 = 0.0;
}

/// Lanes of a vector.
pub const fn lanes<S: Simd, T: Real>() -> usize {
    <T::V<S> as SimdBase<S>>::LEN
}

/// Most lanes of any vector.
pub const MAX_LANES: usize = 16;

/// # Safety
/// `p` points to a vector's worth of elements.
#[inline(always)]
pub unsafe fn load<S: Simd, T: Real>(s: S, p: *const T) -> T::V<S> {
    // SAFETY: readable by the caller's promise; an array of elements has their alignment.
    unsafe { <T::V<S>>::load_array(s, p.cast::<<T::V<S> as SimdBase<S>>::Array>().read()) }
}

/// # Safety
/// `p` points to room for a vector.
#[inline(always)]
pub unsafe fn store<S: Simd, T: Real>(v: T::V<S>, p: *mut T) {
    // SAFETY: writable by the caller's promise; an array of elements has their alignment.
    unsafe { p.cast::<<T::V<S> as SimdBase<S>>::Array>().write(v.to_array()) }
}

#[inline(always)]
pub fn splat<S: Simd, T: Real>(s: S, x: T) -> T::V<S> {
    <T::V<S>>::splat(s, x)
}

/// `max(v, 0)`, NaN stays.
#[inline(always)]
pub fn relu<S: Simd, T: Real>(s: S, v: T::V<S>) -> T::V<S> {
    let zero = splat::<S, T>(s, T::ZERO);
    v.simd_lt(zero).select(zero, v)
}

/// Sum of a vector's lanes, halves first.
#[inline(always)]
pub fn total<S: Simd, T: Real>(v: T::V<S>) -> T {
    let mut v = v;
    let mut n = lanes::<S, T>();
    while n > 1 {
        let (low, high) = v.interleave(v);
        v = low + high;
        n /= 2;
    }
    v.as_slice()[0]
}

/// A matrix somewhere in memory, and its row and column step.
#[derive(Clone, Copy, Debug)]
pub struct Mat<T> {
    pub start: *const T,
    pub row: isize,
    pub col: isize,
}
// SAFETY: only a place; whoever reads through it answers for that.
unsafe impl<T: Sync> Send for Mat<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Mat<T> {}

impl<T> Mat<T> {
    pub fn transposed(self) -> Self {
        Mat { start: self.start, row: self.col, col: self.row }
    }

    /// The place of an element; to read it, it must be one of the matrix.
    #[inline(always)]
    pub fn at(&self, i: usize, j: usize) -> *const T {
        self.start.wrapping_offset(i as isize * self.row + j as isize * self.col)
    }

    /// The matrix from an element on.
    #[inline(always)]
    pub fn from(&self, i: usize, j: usize) -> Self {
        Mat { start: self.at(i, j), ..*self }
    }

    /// The matrix some elements further in memory.
    pub fn further(&self, by: usize) -> Self {
        Mat { start: self.start.wrapping_add(by), ..*self }
    }
}

/// Where a product goes, and what else is done to it on the way.
#[derive(Clone, Copy, Debug)]
pub struct Target<T> {
    pub start: *mut T,
    pub row: isize,
    pub col: isize,
    /// Add to what is there.
    pub add: bool,
    /// Added last.
    pub bias: Option<Mat<T>>,
    pub relu: bool,
}
// SAFETY: only a place; kernels write disjoint parts of it.
unsafe impl<T: Send> Send for Target<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Target<T> {}

impl<T> Target<T> {
    #[inline(always)]
    pub fn from(&self, i: usize, j: usize) -> Self
    where
        T: Copy,
    {
        Target {
            start: self.start.wrapping_offset(i as isize * self.row + j as isize * self.col),
            bias: self.bias.map(|b| b.from(i, j)),
            ..*self
        }
    }

    /// The target some elements further in memory, with another bias.
    pub fn further(&self, by: usize, bias: Option<Mat<T>>) -> Self {
        Target { start: self.start.wrapping_add(by), bias, ..*self }
    }

    pub fn transposed(self) -> Self {
        Target { row: self.col, col: self.row, bias: self.bias.map(Mat::transposed), ..self }
    }

    /// For one block of a sum cut along k: later blocks add to the first, the last one finishes.
    #[inline(always)]
    pub fn for_block(mut self, first: bool, last: bool) -> Self {
        self.add |= !first;
        if !last {
            (self.bias, self.relu) = (None, false);
        }
        self
    }
}

/// One product without batch.
#[derive(Clone, Copy, Debug)]
pub struct Product<T> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Mat<T>,
    pub b: Mat<T>,
    pub out: Target<T>,
}

impl<T> Product<T> {
    /// `outᵀ = bᵀ · aᵀ`, the same sums in the same order.
    pub fn transposed(self) -> Self {
        Product {
            m: self.n,
            n: self.m,
            k: self.k,
            a: self.b.transposed(),
            b: self.a.transposed(),
            out: self.out.transposed(),
        }
    }

    pub fn work(&self) -> usize {
        self.m * self.n * self.k
    }
}
