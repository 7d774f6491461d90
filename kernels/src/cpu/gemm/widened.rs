//! f16 and bf16 through f32: operands are widened, the result is rounded once.

use crate::cpu::walk::Walk;
use crate::layout::{Dims, Strides, contiguous_strides};
use crate::{Buffer, DType, Element, Layout, Result, Storage, View, ViewMut, bf16, f16};

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
        convert(View::new(x.storage, x.dtype, &from), ViewMut::new(&mut wide.storage, DType::F32, &to));
        Ok(wide)
    }

    /// Rounds the values into another operand of the same shape.
    pub fn rounded(&self, out: ViewMut) -> Result {
        convert(self.view(), out);
        Ok(())
    }

    pub fn view(&self) -> View<'_> {
        View::new(&self.storage, DType::F32, &self.layout)
    }

    pub fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::new(&mut self.storage, DType::F32, &self.layout)
    }
}

fn convert(x: View, out: ViewMut) {
    match (x.dtype, out.dtype) {
        (DType::F16, _) => typed::<f16, f32>(x, out, f16::to_f32),
        (DType::BF16, _) => typed::<bf16, f32>(x, out, bf16::to_f32),
        (_, DType::F16) => typed::<f32, f16>(x, out, f16::from_f32),
        _ => typed::<f32, bf16>(x, out, bf16::from_f32),
    }
}

fn typed<A: Element, B: Element>(x: View, mut out: ViewMut, f: impl Fn(A) -> B) {
    let walk = Walk::new([x.layout, out.layout]);
    let [sx, so] = walk.inner_strides();
    let (xs, os) = (x.data::<A>(), out.data::<B>());
    walk.runs(0..walk.numel(), |[x, o], len| {
        for i in 0..len as isize {
            os[o.wrapping_add_signed(i * so)] = f(xs[x.wrapping_add_signed(i * sx)]);
        }
    });
}
