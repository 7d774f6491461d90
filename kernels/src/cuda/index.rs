//! Reading and writing through indices (`kernels/cuda/index.cu`). The device checks the indices: one out of
//! range is reported with the next result that the host reads, and nothing is read or written for it.

use super::context::Context;
use super::driver::THREADS;
use super::fault::{Fault, Word};
use super::launch::{Map, Operand, Order, Parameter, Walk, arg, blocks, size_tag, tag};
use super::temp::Fitting;
use crate::{DType, GatherOp, Layout, Result, ScatterOp, Src, Strides, View, ViewMut};

/// `Indexed` of `index.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Indexed {
    step: i64,
    size: i64,
    fault: u64,
}
// SAFETY: the members of index.cu in its order.
unsafe impl Parameter for Indexed {}

impl Indexed {
    /// Dimension `dim` of a layout, indexed by `index`; with the word for faults, which is held until the kernel is
    /// launched.
    fn new(
        cx: &'static Context,
        op: &'static str,
        of: &Layout,
        dim: usize,
        index: &Layout,
    ) -> Result<(Self, Word<'static>)> {
        let (size, op) = (of.shape()[dim], crate::naming::operation(op));
        let word = cx.fault(Fault::Index { op, dim, size, index: index.clone() })?;
        let fault = word.address();
        Ok((Indexed { step: of.strides()[dim] as i64, size: size as i64, fault }, word))
    }
}

/// An index whose entries lie behind its first, copied where they do not: a fault's place counts from there.
fn forward<'a>(cx: &'static Context, index: View<'a>) -> Result<Fitting<'a>> {
    Fitting::new(cx, index, DType::I64, |l| l.strides().iter().all(|&s| s >= 0))
}

/// A layout of another shape with no step along `dim`: where the lines that an index chooses from begin.
fn base(layout: &Layout, shape: &[usize], dim: usize) -> Layout {
    let mut strides: Strides = layout.strides().into();
    strides[dim] = 0;
    Layout::new(shape, strides, layout.offset())
}

/// A one-dimensional index seen as one of a shape, the same for all entries along other dimensions.
fn spread_out(index: &Layout, shape: &[usize], dim: usize) -> Layout {
    let mut strides: Strides = Strides::from_elem(0, shape.len());
    strides[dim] = index.strides()[0];
    Layout::new(shape, strides, index.offset())
}

pub(super) fn gather(cx: &'static Context, op: GatherOp, out: ViewMut) -> Result {
    if out.layout.numel() == 0 {
        return Ok(());
    }
    match op {
        GatherOp::Gather { x, index, dim } => {
            let index = forward(cx, index)?;
            let index = index.view();
            elements(cx, "gather", x, index, index.layout, dim, out)
        }
        GatherOp::Select { x, index, dim } => {
            let index = forward(cx, index)?;
            let index = index.view();
            let positions = spread_out(index.layout, out.layout.shape(), dim);
            elements(cx, "index_select", x, index, &positions, dim, out)
        }
    }
}

/// `positions` is the index laid out over the output's shape.
fn elements(
    cx: &'static Context,
    op: &'static str,
    x: View,
    index: View,
    positions: &Layout,
    dim: usize,
    out: ViewMut,
) -> Result {
    let (along, _word) = Indexed::new(cx, op, x.layout, dim, index.layout)?;
    let start = base(x.layout, out.layout.shape(), dim);
    let size = x.dtype.size();
    let inputs = [
        Operand::At { address: cx.address(&x)?, layout: &start, size },
        Operand::At { address: cx.address(&index)?, layout: positions, size: 8 },
    ];
    Walk::<2, 3>::new(Operand::output(cx, &out)?, inputs, Order::Any).launches(1, |map, _| {
        // SAFETY: index.cu takes a Map<2> of views of this device's memory, and the dimension of the first
        // that is indexed: it checks the index against its size.
        unsafe {
            cx.launch(("index", "gather", size_tag(size)), blocks(map.count, 4), &[arg(map), arg(&along)])
        }
    })
}

/// `Scatter` of `index.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Params {
    lines: Map<2, 3>,
    source_step: i64,
    index_step: i64,
    dim: Indexed,
    length: u32,
    spread: u32,
}
// SAFETY: the members of index.cu in its order.
unsafe impl Parameter for Params {}

/// A scatter; `positions` is the index laid out over the source's shape.
struct Scatter<'a> {
    op: &'static str,
    index: View<'a>,
    positions: &'a Layout,
    src: Src<'a>,
    dim: usize,
    add: bool,
}

pub(super) fn scatter(cx: &'static Context, op: ScatterOp, out: ViewMut) -> Result {
    let (ScatterOp::Scatter { index, .. }
    | ScatterOp::ScatterAdd { index, .. }
    | ScatterOp::IndexAdd { index, .. }
    | ScatterOp::IndexCopy { index, .. }) = op;
    let index = forward(cx, index)?;
    let index = index.view();
    let spread = |src: &View, dim| spread_out(index.layout, src.layout.shape(), dim);
    let (op, positions, src, dim, add) = match op {
        ScatterOp::Scatter { src, dim, .. } => ("scatter", index.layout.clone(), src, dim, false),
        ScatterOp::ScatterAdd { src, dim, .. } => {
            ("scatter_add", index.layout.clone(), src.into(), dim, true)
        }
        ScatterOp::IndexAdd { src, dim, .. } => ("index_add", spread(&src, dim), src.into(), dim, true),
        ScatterOp::IndexCopy { src, dim, .. } => ("index_copy", spread(&src, dim), src.into(), dim, false),
    };
    Scatter { op, index, positions: &positions, src, dim, add }.run(cx, out)
}

impl Scatter<'_> {
    fn run(self, cx: &'static Context, out: ViewMut) -> Result {
        let (dim, dtype) = (self.dim, out.dtype);
        if self.positions.numel() == 0 {
            return Ok(());
        }
        let (along, _word) = Indexed::new(cx, self.op, out.layout, dim, self.index.layout)?;
        // Lines: all elements that differ in `dim` only.
        let start = base(out.layout, self.positions.shape(), dim).select(dim, 0);
        let index_head = self.positions.select(dim, 0);
        let length = self.positions.shape()[dim];
        if length >= 1 << 31 {
            return Err(cx.unsupported("a scatter along 2³¹ entries or more", dtype));
        }
        let source_head;
        let (source, source_step) = match self.src {
            Src::View(v) => {
                source_head = v.layout.select(dim, 0);
                let address = cx.address(&v)?;
                (
                    Operand::At { address, layout: &source_head, size: dtype.size() },
                    v.layout.strides()[dim] as i64,
                )
            }
            Src::Scalar(s) => (Operand::number(s, dtype), 0),
            Src::Out => panic!("a scatter's source cannot be its output"),
        };
        let to = Operand::At { address: cx.address_mut(&out)?, layout: &start, size: dtype.size() };
        let index = Operand::At { address: cx.address(&self.index)?, layout: &index_head, size: 8 };
        let index_step = self.positions.strides()[dim] as i64;
        Walk::<2, 3>::new(to, [source, index], Order::Any).launches(1, |lines, _| {
            let all = lines.count.div_ceil(THREADS);
            let spread = spread(all, length, out.layout.shape()[dim], cx.driver.multiprocessors());
            let p =
                Params { lines: *lines, source_step, index_step, dim: along, length: length as u32, spread };
            let truth = (dtype == DType::Bool) as u32;
            let all = all * spread;
            // SAFETY: index.cu takes these; the views are this device's memory, and it checks the index.
            unsafe {
                match self.add {
                    false => cx.launch(("index", "scatter", size_tag(dtype.size())), all, &[arg(&p)]),
                    true => cx.launch(("index", "scatter_add", tag(dtype)), all, &[arg(&p), arg(&truth)]),
                }
            }
        })
    }
}

/// How many threads share a line, each taking the places that are its number modulo so many. Each reads the
/// whole index, so that is worth it only for long lines, and only while multiprocessors are idle.
fn spread(blocks: u32, length: usize, places: usize, multiprocessors: u32) -> u32 {
    const WORTH: usize = 32;
    let idle = (2 * multiprocessors / blocks).max(1);
    idle.min((length / WORTH).max(1) as u32).min(places.clamp(1, 1 << 16) as u32)
}
