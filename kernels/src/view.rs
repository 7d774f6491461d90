//! Operands of kernels: memory with a dtype and a layout.

use crate::{DType, Element, Layout, Scalar, Storage};

/// An operand that is read.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The memory.
    pub storage: &'a Storage,
    /// Its element type.
    pub dtype: DType,
    /// Which elements, in which order.
    pub layout: &'a Layout,
}

/// An operand that is written. Its layout must not map two indices to one element.
#[derive(Debug)]
pub struct ViewMut<'a> {
    /// The memory.
    pub storage: &'a mut Storage,
    /// Its element type.
    pub dtype: DType,
    /// Which elements, in which order.
    pub layout: &'a Layout,
}

/// An input of an elementwise kernel.
#[derive(Clone, Copy, Debug)]
pub enum Src<'a> {
    /// A tensor of the output's shape (broadcast by stride 0).
    View(View<'a>),
    /// The output itself: the kernel runs in place.
    Out,
    /// One number for all elements.
    Scalar(Scalar),
}

impl<'a> From<View<'a>> for Src<'a> {
    fn from(v: View<'a>) -> Self {
        Src::View(v)
    }
}

impl<'a> View<'a> {
    /// A view of a storage.
    pub fn new(storage: &'a Storage, dtype: DType, layout: &'a Layout) -> Self {
        View { storage, dtype, layout }
    }

    /// The whole storage as elements, not shifted by the layout's offset.
    ///
    /// # Panics
    /// Where the memory is not on the CPU, or `T` sees another size of element.
    pub fn data<T: Element>(&self) -> &'a [T] {
        assert_eq!(T::DTYPE.size(), self.dtype.size(), "memory of {} read as {}", self.dtype, T::DTYPE);
        self.storage.as_cpu().expect("a CPU kernel got memory of another device").as_slice()
    }
}

impl<'a> ViewMut<'a> {
    /// A view of a storage.
    pub fn new(storage: &'a mut Storage, dtype: DType, layout: &'a Layout) -> Self {
        ViewMut { storage, dtype, layout }
    }

    /// The whole storage as elements, not shifted by the layout's offset.
    ///
    /// # Panics
    /// Where the memory is not on the CPU, or `T` sees another size of element.
    pub fn data<T: Element>(&mut self) -> &mut [T] {
        assert_eq!(T::DTYPE.size(), self.dtype.size(), "memory of {} written as {}", self.dtype, T::DTYPE);
        self.storage.as_cpu_mut().expect("a CPU kernel got memory of another device").as_mut_slice()
    }

    /// A shorter borrow of the same view.
    pub fn reborrow(&mut self) -> ViewMut<'_> {
        ViewMut { storage: self.storage, dtype: self.dtype, layout: self.layout }
    }

    /// The same memory, to read.
    pub fn as_view(&self) -> View<'_> {
        View { storage: self.storage, dtype: self.dtype, layout: self.layout }
    }
}
