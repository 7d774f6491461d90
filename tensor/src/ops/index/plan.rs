//! An index resolved against a shape: a view, and positions along some of its dimensions.

use super::item::{IndexItem, Slice};
use crate::error::{Error, Result};
use crate::ops::gather::{NAME_INDEX as NAME, positions};
use crate::ops::view::resolve_slice;
use crate::tensor::Tensor;
use taper_kernels::{DType, Device, Dims, Layout, Strides, broadcast_shapes, working_for};

enum Step {
    Select(usize, usize),
    Slice(usize, usize, usize, isize),
    NewAxis(usize),
}

/// What an index selects of any tensor of the shape that it was made for.
pub struct Plan {
    /// From the tensor to the view that positions index.
    steps: Vec<Step>,
    /// The dimensions of that view with positions, and the positions: i64, in range, of one shape.
    indexed: Vec<(usize, Tensor)>,
    /// Where the dimensions of the positions stand in the result.
    at: usize,
    /// Shape of the positions.
    positions: Dims,
    /// Shape of the result.
    shape: Dims,
}

impl Plan {
    #[track_caller]
    pub fn new(x: &Tensor, items: &[IndexItem]) -> Result<Plan> {
        let used: usize = items
            .iter()
            .map(|item| match item {
                IndexItem::Int(_) | IndexItem::Slice(_) => 1,
                IndexItem::Tensor(t) if t.dtype() == DType::Bool => t.ndim(),
                IndexItem::Tensor(_) => 1,
                IndexItem::Ellipsis | IndexItem::NewAxis => 0,
            })
            .sum();
        if used > x.ndim() {
            let message = format!("{used} indices for the {} dimensions of shape {:?}", x.ndim(), x.shape());
            return Err(Error::index(NAME, message));
        }
        if items.iter().filter(|i| matches!(i, IndexItem::Ellipsis)).count() > 1 {
            return Err(Error::index(NAME, "only one ellipsis can stand in an index"));
        }
        let shape = x.shape().into();
        let mut r = Resolver { x, shape, dim: 0, source: 0, steps: vec![], indexed: vec![], unseen: vec![] };
        for item in items {
            match item {
                IndexItem::Int(i) => r.select(*i as i64)?,
                IndexItem::Slice(s) => r.slice(*s)?,
                IndexItem::NewAxis => r.new_axis(),
                IndexItem::Ellipsis => {
                    r.dim += x.ndim() - used;
                    r.source += x.ndim() - used;
                }
                IndexItem::Tensor(t) => r.tensor(t)?,
            }
        }
        r.finish()
    }

    /// Shape of what is selected.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether the selection is a view.
    pub fn is_view(&self) -> bool {
        self.indexed.is_empty()
    }

    /// The view before positions are looked up; the whole selection where there are none.
    pub fn view(&self, l: &Layout) -> Layout {
        self.steps.iter().fold(l.clone(), |l, step| match *step {
            Step::Select(d, i) => l.select(d, i),
            Step::Slice(d, from, len, step) => l.slice(d, from, len, step),
            Step::NewAxis(d) => l.unsqueeze(d),
        })
    }

    /// Whole slices to be read or written: a layout, the dimension along which they are chosen, and
    /// one-dimensional positions in it.
    ///
    /// Where several dimensions are indexed they become one, whose steps are single elements of the
    /// memory. In that layout many indices name the same element, but no two of the chosen slices do
    /// unless the positions repeat.
    #[track_caller]
    pub fn slices(&self, l: &Layout) -> (Layout, usize, Tensor) {
        let v = self.view(l);
        let others = || (0..v.ndim()).filter(|&d| self.indexed.iter().all(|(i, _)| *i != d));
        let mut shape: Dims = others().map(|d| v.shape()[d]).collect();
        let mut strides: Strides = others().map(|d| v.strides()[d]).collect();
        let (size, stride, low, positions) = match &self.indexed[..] {
            [(d, positions)] => (v.shape()[*d], v.strides()[*d], 0, positions.clone()),
            several => {
                let (mut reach, mut low) = (0, 0);
                let mut sum: Option<Tensor> = None;
                for (d, positions) in several {
                    let (n, stride) = (v.shape()[*d] as isize, v.strides()[*d]);
                    reach += (n - 1).max(0) * stride.abs();
                    low += (n - 1).max(0) * stride.min(0);
                    let term = positions * stride as i64;
                    sum = Some(sum.map_or(term.clone(), |s| s + &term));
                }
                let sum = sum.expect("several") - low as i64;
                (reach as usize + 1, 1, low, sum)
            }
        };
        shape.insert(self.at, size);
        strides.insert(self.at, stride);
        let layout = Layout::new(shape, strides, (v.offset() as isize + low) as usize);
        let flat = positions.broadcast_to(&self.positions).reshape_to(&[self.positions.iter().product()]);
        (layout, self.at, flat)
    }

    /// Shape of the selection with the positions in one dimension, as [`slices`](Self::slices) wants it.
    pub fn flat_shape(&self) -> Dims {
        let mut shape: Dims = self.shape[..self.at].into();
        shape.push(self.positions.iter().product());
        shape.extend_from_slice(&self.shape[self.at + self.positions.len()..]);
        shape
    }
}

/// A plan in the making.
struct Resolver<'a> {
    x: &'a Tensor,
    /// Shape of the view so far.
    shape: Dims,
    /// The next dimension of the view, and of the tensor.
    dim: usize,
    source: usize,
    steps: Vec<Step>,
    indexed: Vec<(usize, Tensor)>,
    /// Of `indexed`, what nobody has looked at (on other devices than the CPU), and of which dimension it is.
    unseen: Vec<(usize, usize)>,
}

impl Resolver<'_> {
    fn select(&mut self, i: i64) -> Result<()> {
        let n = self.shape[self.dim] as i64;
        if !(-n..n).contains(&i) {
            return Err(self.out_of_bounds(i, self.source));
        }
        self.steps.push(Step::Select(self.dim, (if i < 0 { i + n } else { i }) as usize));
        self.shape.remove(self.dim);
        self.source += 1;
        Ok(())
    }

    fn slice(&mut self, s: Slice) -> Result<()> {
        if s.step == 0 {
            return Err(Error::index(NAME, "the step of a slice must not be 0"));
        }
        let n = self.shape[self.dim];
        let (from, len) = resolve_slice(n, s.start, s.end, s.step);
        if (len, s.step) != (n, 1) {
            self.steps.push(Step::Slice(self.dim, from, len, s.step));
            self.shape[self.dim] = len;
        }
        self.dim += 1;
        self.source += 1;
        Ok(())
    }

    fn new_axis(&mut self) {
        self.steps.push(Step::NewAxis(self.dim));
        self.shape.insert(self.dim, 1);
        self.dim += 1;
    }

    #[track_caller]
    fn tensor(&mut self, t: &Tensor) -> Result<()> {
        let t = t.detach().try_to_device(self.x.device())?;
        if t.dtype() == DType::Bool {
            return self.mask(&t);
        }
        if t.dtype() == DType::U8 {
            let message =
                "a uint8 tensor is ambiguous as an index; convert it to bool (a mask) or int64 (positions)";
            return Err(Error::dtype(NAME, message));
        }
        let t = positions(NAME, &t)?;
        if t.ndim() == 0 {
            return self.select(t.item_as());
        }
        let n = self.shape[self.dim] as i64;
        if t.device() != Device::Cpu {
            // The kernel finds what is out of range, so that nothing waits for it here.
            let counted = Tensor::where_(&t.lt(0), &t + n, &t);
            self.unseen.push((self.indexed.len(), self.source));
            self.indexed.push((self.dim, counted));
            self.dim += 1;
            self.source += 1;
            return Ok(());
        }
        let wrong = t.lt(-n).logical_or(t.ge(n));
        if t.numel() > 0 && wrong.any().item() != 0.0 {
            let i = t.to_vec::<i64>().into_iter().find(|i| !(-n..n).contains(i)).expect("one is wrong");
            return Err(self.out_of_bounds(i, self.source));
        }
        // Python's remainder counts negative positions from the end.
        self.indexed.push((self.dim, if n > 0 { t.remainder(n) } else { t }));
        self.dim += 1;
        self.source += 1;
        Ok(())
    }

    #[track_caller]
    fn mask(&mut self, mask: &Tensor) -> Result<()> {
        let (n, sizes) = (mask.ndim(), &self.x.shape()[self.source..self.source + mask.ndim()]);
        if mask.shape() != sizes {
            let message = format!(
                "a mask of shape {:?} does not fit dimensions {}.. of shape {:?}",
                mask.shape(),
                self.source,
                self.x.shape()
            );
            return Err(Error::shape(NAME, message));
        }
        if n == 0 {
            // All or nothing, in a new dimension.
            self.new_axis();
            let zeros = Tensor::zeros_with([mask.item() as usize], (DType::I64, self.x.device()));
            self.indexed.push((self.dim - 1, zeros));
            return Ok(());
        }
        let found = mask.nonzero();
        for column in 0..n {
            self.indexed.push((self.dim + column, found.select(1, column as isize)));
        }
        self.dim += n;
        self.source += n;
        Ok(())
    }

    #[track_caller]
    fn finish(mut self) -> Result<Plan> {
        // Positions in several dimensions become one number each, which would hide that one of them is out of range:
        // so each is looked up among those that there are, and is 0 where it is none.
        if self.indexed.len() > 1 {
            for (k, source) in std::mem::take(&mut self.unseen) {
                let given = &self.indexed[k].1;
                let mut shape: Dims = Dims::from_elem(1, source);
                shape.push(self.x.shape()[source]);
                let there = Tensor::arange_with(0, shape[source] as i64, 1, (DType::I64, given.device()));
                let flat = given.reshape_to(&[given.numel()]);
                let look = || there.reshape_to(&shape).try_index_select(source as isize, &flat);
                self.indexed[k].1 = working_for(NAME, look)?.reshape_to(given.shape());
            }
        }
        let mut positions = Dims::new();
        for (_, t) in &self.indexed {
            positions = broadcast_shapes(&positions, t.shape()).ok_or_else(|| {
                let shapes: Vec<_> = self.indexed.iter().map(|(_, t)| t.shape()).collect();
                Error::shape(NAME, format!("index tensors of shapes {shapes:?} do not broadcast"))
            })?;
        }
        let adjacent = self.indexed.windows(2).all(|w| w[1].0 == w[0].0 + 1);
        let at = self.indexed.first().filter(|_| adjacent).map_or(0, |(d, _)| *d);
        let mut shape: Dims = (0..self.shape.len())
            .filter(|d| self.indexed.iter().all(|(i, _)| i != d))
            .map(|d| self.shape[d])
            .collect();
        shape.insert_many(at, positions.iter().copied());
        Ok(Plan { steps: self.steps, indexed: self.indexed, at, positions, shape })
    }

    fn out_of_bounds(&self, i: i64, dim: usize) -> Error {
        let (n, shape) = (self.x.shape()[dim], self.x.shape());
        let message =
            format!("index {i} is out of bounds for dimension {dim} with size {n} (shape {shape:?})");
        Error::index(NAME, message)
    }
}
