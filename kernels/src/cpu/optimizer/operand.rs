//! Operands of an update: memory of any float dtype, seen in blocks of the computing type.

use super::{Block, LANES};
use crate::cpu::math::Math;
use crate::{DType, Element as _, View, ViewMut, dispatch_dtype};
use std::marker::PhantomData;

/// Memory of a float dtype that several threads use in different places.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    ptr: *mut u8,
    dtype: DType,
    life: PhantomData<&'a mut [u8]>,
}
// SAFETY: all access is through unsafe methods whose callers promise disjoint places.
unsafe impl Send for Operand<'_> {}
// SAFETY: as above.
unsafe impl Sync for Operand<'_> {}

impl<'a> Operand<'a> {
    /// An operand that is read and written.
    pub fn new(view: &'a mut ViewMut) -> Self {
        let dtype = view.dtype;
        let ptr = dispatch_dtype!(dtype, floats T => {
            // SAFETY: only the start is taken.
            unsafe { view.shared::<T>().at(0).cast() }
        }, else panic!("an optimizer cannot update {dtype}"));
        Operand { ptr, dtype, life: PhantomData }
    }

    /// An operand that is only read.
    pub fn read_only(view: View<'a>) -> Self {
        let dtype = view.dtype;
        let (ptr, len) = dispatch_dtype!(dtype, floats T => {
            let data = view.data::<T>();
            (data.as_ptr().cast_mut().cast(), data.len())
        }, else panic!("an optimizer cannot use a gradient of {dtype}"));
        assert!(view.layout.span().end <= len, "a layout reaches out of its storage");
        Operand { ptr, dtype, life: PhantomData }
    }

    /// True where it holds the computing type.
    pub fn is<F: Math>(&self) -> bool {
        self.dtype == F::DTYPE
    }

    /// Where an element is.
    ///
    /// # Safety
    /// The memory holds `F` and reaches to there.
    #[inline(always)]
    pub unsafe fn place<F: Math>(&self, at: usize) -> *mut F {
        // SAFETY: as promised.
        unsafe { self.ptr.cast::<F>().add(at) }
    }

    /// `n` elements, `step` apart, converted; the rest of the block is zero.
    ///
    /// # Safety
    /// The elements lie in the memory, and no other thread writes them.
    pub unsafe fn load<F: Math>(&self, at: usize, step: isize, n: usize) -> Block<F> {
        let mut block = [F::ZERO; LANES];
        dispatch_dtype!(self.dtype, floats T => for (i, v) in block[..n].iter_mut().enumerate() {
            // SAFETY: as promised.
            *v = F::from_f64(unsafe { *self.ptr.cast::<T>().offset(at as isize + i as isize * step) }.to_f64());
        }, else unreachable!("checked when made"));
        block
    }

    /// Writes `n` elements, `step` apart, rounded to the operand's dtype.
    ///
    /// # Safety
    /// As for [`load`](Operand::load), no other thread reads them either, and the operand is not
    /// read-only.
    pub unsafe fn store<F: Math>(&self, at: usize, step: isize, n: usize, block: Block<F>) {
        dispatch_dtype!(self.dtype, floats T => for (i, v) in block[..n].iter().enumerate() {
            // SAFETY: as promised.
            unsafe { *self.ptr.cast::<T>().offset(at as isize + i as isize * step) = T::from_f64(v.to_f64()) };
        }, else unreachable!("checked when made"))
    }
}
