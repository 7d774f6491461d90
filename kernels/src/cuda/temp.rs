//! Memory of a kernel's own: operands as a kernel wants them, copied where they are not.

use super::context::Context;
use super::copy::copy;
use crate::{DType, Layout, Result, Storage, View, ViewMut};

/// A view, or a copy of it that is contiguous or of another dtype.
pub(super) enum Fitting<'a> {
    AsItIs(View<'a>),
    Copied { storage: Storage, dtype: DType, layout: Layout },
}

impl<'a> Fitting<'a> {
    /// `x` where it is of `dtype` and `fits`, else a contiguous copy in it.
    pub fn new(
        cx: &'static Context,
        x: View<'a>,
        dtype: DType,
        fits: impl FnOnce(&Layout) -> bool,
    ) -> Result<Self> {
        if x.dtype == dtype && fits(x.layout) {
            return Ok(Fitting::AsItIs(x));
        }
        let layout = Layout::contiguous(x.layout.shape());
        let mut storage = Storage::Cuda(cx.alloc(layout.numel() * dtype.size())?);
        copy(cx, x, ViewMut::new(&mut storage, dtype, &layout))?;
        Ok(Fitting::Copied { storage, dtype, layout })
    }

    pub fn view(&self) -> View<'_> {
        match self {
            Fitting::AsItIs(v) => *v,
            Fitting::Copied { storage, dtype, layout } => View::new(storage, *dtype, layout),
        }
    }

    pub fn address(&self, cx: &Context) -> Result<u64> {
        cx.address(&self.view())
    }
}

/// Memory that a kernel writes: an output's own, or some of a dtype that is copied there afterwards.
pub(super) enum Landing<'a> {
    There(ViewMut<'a>),
    Apart { out: ViewMut<'a>, storage: Storage, dtype: DType, layout: Layout },
}

impl<'a> Landing<'a> {
    /// `out` where it is of `dtype` and `fits`, else contiguous memory of that dtype.
    pub fn new(
        cx: &'static Context,
        out: ViewMut<'a>,
        dtype: DType,
        fits: impl FnOnce(&Layout) -> bool,
    ) -> Result<Self> {
        if out.dtype == dtype && fits(out.layout) {
            return Ok(Landing::There(out));
        }
        let layout = Layout::contiguous(out.layout.shape());
        let storage = Storage::Cuda(cx.alloc(layout.numel() * dtype.size())?);
        Ok(Landing::Apart { out, storage, dtype, layout })
    }

    pub fn view_mut(&mut self) -> ViewMut<'_> {
        match self {
            Landing::There(out) => out.reborrow(),
            Landing::Apart { storage, dtype, layout, .. } => ViewMut::new(storage, *dtype, layout),
        }
    }

    pub fn address(&mut self, cx: &Context) -> Result<u64> {
        cx.address_mut(&self.view_mut())
    }

    /// The results are where they belong after this.
    pub fn finish(self, cx: &Context) -> Result {
        match self {
            Landing::There(_) => Ok(()),
            Landing::Apart { out, storage, dtype, layout } => {
                copy(cx, View::new(&storage, dtype, &layout), out)
            }
        }
    }
}

/// True for a row of numbers side by side.
pub(super) fn side_by_side(l: &Layout) -> bool {
    l.is_contiguous()
}
