//! The innermost kernel: a tile of sums in registers.

use super::plain::Arith;
use super::real::*;
use super::sizes::VECTORS;
use crate::cpu::simd::{Simd, SimdFloat};

/// Numbers of `a` for the rows of a tile, at one step of k after the other.
pub trait Left<T>: Copy {
    /// # Safety
    /// Row `r` and the current step exist.
    unsafe fn get(&self, r: usize) -> T;
    fn step(&mut self);
}

/// Panel of `R` rows, packed step by step.
#[derive(Clone, Copy)]
pub struct PackedRows<T, const R: usize>(pub *const T);
impl<T: Real, const R: usize> Left<T> for PackedRows<T, R> {
    #[inline(always)]
    unsafe fn get(&self, r: usize) -> T {
        // SAFETY: the caller's promise.
        unsafe { *self.0.add(r) }
    }
    #[inline(always)]
    fn step(&mut self) {
        self.0 = self.0.wrapping_add(R);
    }
}

/// Rows where they lie. Four rows share a pointer, so that few registers address them all.
#[derive(Clone, Copy)]
pub struct StridedRows<T> {
    quads: [*const T; 3],
    row: isize,
    step: isize,
}
impl<T> StridedRows<T> {
    #[inline(always)]
    pub fn new(a: Mat<T>) -> Self {
        StridedRows { quads: [a.at(0, 0), a.at(4, 0), a.at(8, 0)], row: a.row, step: a.col }
    }
}
impl<T: Real> Left<T> for StridedRows<T> {
    #[inline(always)]
    unsafe fn get(&self, r: usize) -> T {
        // SAFETY: the caller's promise.
        unsafe { *self.quads[r / 4].wrapping_offset((r % 4) as isize * self.row) }
    }
    #[inline(always)]
    fn step(&mut self) {
        self.quads.iter_mut().for_each(|p| *p = p.wrapping_offset(self.step));
    }
}

/// Rows that lie side by side, as the columns of a transposed matrix do.
#[derive(Clone, Copy)]
pub struct SideRows<T> {
    pub at: *const T,
    pub step: usize,
}
impl<T: Real> Left<T> for SideRows<T> {
    #[inline(always)]
    unsafe fn get(&self, r: usize) -> T {
        // SAFETY: the caller's promise.
        unsafe { *self.at.add(r) }
    }
    #[inline(always)]
    fn step(&mut self) {
        self.at = self.at.wrapping_add(self.step);
    }
}

/// Vectors of `b` for the columns of a tile, at one step of k after the other.
pub trait Right<T>: Copy {
    /// Pointer to vector `v` of the current step.
    fn get(&self, v: usize) -> *const T;
    /// Where in a target's row vector `v` goes.
    fn goes(&self, v: usize) -> isize;
    /// # Safety
    /// The current step exists.
    unsafe fn step(&mut self);
}

/// Rows of contiguous columns: packed, or where they lie.
#[derive(Clone, Copy)]
pub struct Rows<T> {
    pub at: *const T,
    pub lanes: usize,
    pub step: isize,
}
impl<T: Real> Right<T> for Rows<T> {
    #[inline(always)]
    fn get(&self, v: usize) -> *const T {
        self.at.wrapping_add(v * self.lanes)
    }
    #[inline(always)]
    fn goes(&self, v: usize) -> isize {
        (v * self.lanes) as isize
    }
    #[inline(always)]
    unsafe fn step(&mut self) {
        self.at = self.at.wrapping_offset(self.step);
    }
}

/// Each vector has its own place, and each step of k its offset from there: patches of an image.
#[derive(Clone, Copy)]
pub struct Patches<T> {
    pub places: [*const T; VECTORS],
    pub goes: [isize; VECTORS],
    pub offsets: *const usize,
}
impl<T: Real> Right<T> for Patches<T> {
    #[inline(always)]
    fn get(&self, v: usize) -> *const T {
        // SAFETY: the tile calls `get` only for steps that exist.
        self.places[v].wrapping_add(unsafe { *self.offsets })
    }
    #[inline(always)]
    fn goes(&self, v: usize) -> isize {
        self.goes[v]
    }
    #[inline(always)]
    unsafe fn step(&mut self) {
        self.offsets = self.offsets.wrapping_add(1);
    }
}

/// Which of a tile's columns are stored, and how wide it is.
#[derive(Clone, Copy)]
pub struct Columns {
    /// Columns before this one were stored by the tile to the left.
    pub skip: usize,
    pub end: usize,
}

/// Computes `R` rows by `V` vectors over `k` steps, and stores them.
///
/// # Safety
/// `left` has `R` rows and `k` steps; `right` gives `V` readable vectors for `k` steps; the target has
/// `R` rows and the columns that are stored, and no other thread uses them. Where a bias steps by
/// columns, vectors go side by side.
#[inline(always)]
pub unsafe fn tile<S: Simd, T: Real, const R: usize, const V: usize>(
    s: S,
    k: usize,
    mut left: impl Left<T>,
    mut right: impl Right<T>,
    target: Target<T>,
    columns: Columns,
) {
    let lanes = lanes::<S, T>();
    let goes: [isize; V] = std::array::from_fn(
        #[inline(always)]
        |v| right.goes(v),
    );
    let place = |r: usize, v: usize| target.start.wrapping_offset(r as isize * target.row + goes[v]);
    let mut sums = [[splat::<S, T>(s, T::ZERO); V]; R];
    for _ in 0..k {
        // SAFETY: step `_` of `k` exists for both sides.
        unsafe {
            let b: [T::V<S>; V] = std::array::from_fn(
                #[inline(always)]
                |v| load::<S, T>(s, right.get(v)),
            );
            for r in 0..R {
                let x = splat::<S, T>(s, left.get(r));
                for v in 0..V {
                    sums[r][v] = b[v].mul_add(x, sums[r][v]);
                }
            }
            left.step();
            right.step();
        }
    }
    let whole = columns.skip == 0 && columns.end == V * lanes && target.col == 1;
    let bias = target.bias.map_or((0, 1), |b| (1, b.col));
    if !whole || !matches!(bias.1, 0 | 1) {
        let mut spill = [[T::ZERO; MAX_LANES * VECTORS]; R];
        for r in 0..R {
            for v in 0..V {
                // SAFETY: a row of the spill has room for all vectors.
                unsafe { store::<S, T>(sums[r][v], spill[r].as_mut_ptr().add(v * lanes)) };
            }
        }
        // SAFETY: the caller's promise about the target.
        unsafe { store_some(&spill, &target, columns) };
        return;
    }
    // SAFETY: whole rows of contiguous columns, the caller's promise about the target.
    unsafe {
        if target.add {
            for r in 0..R {
                for v in 0..V {
                    sums[r][v] = load::<S, T>(s, place(r, v)) + sums[r][v];
                }
            }
        }
        if let Some(bias) = target.bias {
            if bias.col == 1 {
                for r in 0..R {
                    for v in 0..V {
                        sums[r][v] += load::<S, T>(s, bias.at(r, v * lanes));
                    }
                }
            } else {
                for r in 0..R {
                    let x = splat::<S, T>(s, *bias.at(r, 0));
                    for v in 0..V {
                        sums[r][v] += x;
                    }
                }
            }
        }
        if target.relu {
            for r in 0..R {
                for v in 0..V {
                    sums[r][v] = relu::<S, T>(s, sums[r][v]);
                }
            }
        }
        for r in 0..R {
            for v in 0..V {
                store::<S, T>(sums[r][v], place(r, v));
            }
        }
    }
}

/// Stores some columns of a tile to any layout.
///
/// # Safety
/// As for [`tile`].
#[inline(never)]
unsafe fn store_some<T: Real>(sums: &[[T; MAX_LANES * VECTORS]], target: &Target<T>, columns: Columns) {
    for (r, sums) in sums.iter().enumerate() {
        for (j, &sum) in sums[..columns.end].iter().enumerate().skip(columns.skip) {
            // SAFETY: the caller's promise.
            unsafe { finish_one(sum, target, r, j) };
        }
    }
}

/// Takes one sum through the epilogue.
///
/// # Safety
/// The target (and its bias) has that element, and no other thread uses it.
#[inline(always)]
pub unsafe fn finish_one<T: Real>(sum: T, target: &Target<T>, i: usize, j: usize) {
    let out = target.start.wrapping_offset(i as isize * target.row + j as isize * target.col);
    // SAFETY: the caller's promise.
    unsafe {
        let mut v = if target.add { <T as Arith>::add(*out, sum) } else { sum };
        if let Some(bias) = target.bias {
            v = <T as Arith>::add(v, *bias.at(i, j));
        }
        *out = if target.relu && v < T::ZERO { T::ZERO } else { v };
    }
}
