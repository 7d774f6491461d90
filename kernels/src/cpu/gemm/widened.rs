//! f16 and bf16 through f32: operands are widened, the result is rounded once.

use crate::cpu::copy;
use crate::layout::{Dims, Strides, contiguous_strides};
use crate::{Buffer, DType, Layout, Result, Storage, View, ViewMut};

/// A copy of an operand in f32; repeated entries stay repeated.
pub struct Widened {
    pub storage: Storage,
    pub layout: Layout,
}

impl Widened {
    /// Memory for a layout's elements, dense, with arbitrary contents.
    pub fn empty(layout: &Layout) -> Self {
        let shape: Dims = layout
            .shape()
            .iter()
            .zip(layout.strides())
            .map(|(&n, &s)| if s == 0 { n.min(1) } else { n })
            .collect();
        let strides: Strides = contiguous_strides(&shape)
            .iter()
            .zip(layout.strides())
            .map(|(&new, &old)| if old == 0 { 0 } else { new })
            .collect();
        let storage = Storage::Cpu(Buffer::new(shape.iter().product::<usize>() * size_of::<f32>()));
        Widened { storage, layout: Layout::new(layout.shape(), strides, 0) }
    }

    pub fn of(x: View) -> Result<Self> {
        let mut wide = Self::empty(x.layout);
        // Each repeated entry is copied once.
        let once = |l: &Layout| {
            let shape: Dims =
                l.shape().iter().zip(l.strides()).map(|(&n, &s)| if s == 0 { n.min(1) } else { n }).collect();
            Layout::new(shape, l.strides(), l.offset())
        };
        let (from, to) = (once(x.layout), once(&wide.layout));
        copy::copy(View::new(x.storage, x.dtype, &from), ViewMut::new(&mut wide.storage, DType::F32, &to))?;
        Ok(wide)
    }

    /// Rounds the values into another operand of the same shape.
    pub fn rounded(&self, out: ViewMut) -> Result {
        copy::copy(self.view(), out)
    }

    pub fn view(&self) -> View<'_> {
        View::new(&self.storage, DType::F32, &self.layout)
    }

    pub fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::new(&mut self.storage, DType::F32, &self.layout)
    }
}
