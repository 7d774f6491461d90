//! Walking several operands of one shape in step.

use crate::layout::{Dims, Layout, Strides, collapse};
use std::ops::Range;

/// `N` operands of one shape with their strides, in as few dimensions as possible.
pub struct Walk<const N: usize> {
    shape: Dims,
    strides: [Strides; N],
    offsets: [usize; N],
    numel: usize,
}

impl<const N: usize> Walk<N> {
    /// Operands in row-major order. Shapes must be equal.
    pub fn new(layouts: [&Layout; N]) -> Self {
        let shape = layouts[0].shape();
        debug_assert!(layouts.iter().all(|l| l.shape() == shape), "operands of one kernel differ in shape");
        let (mut shape, mut strides) = collapse(shape, layouts.map(|l| l.strides()));
        if shape.is_empty() {
            shape.push(1);
            strides.iter_mut().for_each(|s| s.push(1));
        }
        let numel = shape.iter().product();
        Walk { shape, strides, offsets: layouts.map(|l| l.offset()), numel }
    }

    /// Operands of `numel` contiguous elements from these offsets; where `constant`, one element repeated.
    pub fn dense(numel: usize, offsets: [usize; N], constant: [bool; N]) -> Self {
        let strides = constant.map(|c| Strides::from_slice(&[!c as isize]));
        Walk { shape: Dims::from_slice(&[numel]), strides, offsets, numel }
    }

    /// As [`new`](Walk::new), for kernels to which the order does not matter: dimensions are walked
    /// so that the first operand's steps are longest first.
    pub fn any_order(layouts: [&Layout; N]) -> Self {
        let mut dims: Dims = (0..layouts[0].ndim()).collect();
        let steps = layouts[0].strides();
        dims.sort_by_key(|&d| std::cmp::Reverse(steps[d].unsigned_abs()));
        let permuted = layouts.map(|l| l.permute(&dims));
        Walk::new(std::array::from_fn(|k| &permuted[k]))
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        self.numel
    }

    /// Each operand's step inside a run.
    pub fn inner_strides(&self) -> [isize; N] {
        std::array::from_fn(|k| *self.strides[k].last().unwrap())
    }

    /// Storage position of each operand's first element.
    pub fn offsets(&self) -> [usize; N] {
        self.offsets
    }

    /// Sizes of the walk's dimensions, the last being the runs.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// An operand's steps along the walk's dimensions.
    pub fn strides(&self, k: usize) -> &[isize] {
        &self.strides[k]
    }

    /// True if an operand's elements follow each other in memory for the whole walk.
    pub fn is_flat(&self, k: usize) -> bool {
        let mut step = 1;
        self.shape.iter().zip(&self.strides[k]).rev().all(|(&n, &s)| {
            let fits = s == step || n == 1;
            step *= n as isize;
            fits
        })
    }

    /// The number of elements after which an operand starts again, if it is contiguous up to there:
    /// the dimensions outside are broadcast.
    pub fn period(&self, k: usize) -> Option<usize> {
        let mut dims = self.shape.iter().zip(&self.strides[k]).rev().peekable();
        let mut step = 1;
        while let Some((&n, _)) = dims.next_if(|&(&n, &s)| s == step as isize || n == 1) {
            step *= n;
        }
        (dims.all(|(_, &s)| s == 0) && step > 1).then_some(step)
    }

    /// True if an operand is one element, repeated.
    pub fn is_constant(&self, k: usize) -> bool {
        self.strides[k].iter().all(|&s| s == 0)
    }

    /// Length of a whole run.
    pub fn inner_len(&self) -> usize {
        *self.shape.last().unwrap()
    }

    /// Calls `f(positions, len)` for each run of a range of elements in the walk's order:
    /// the storage position of every operand's first element, and how many follow at
    /// [`inner_strides`](Walk::inner_strides).
    #[inline(always)]
    pub fn runs(&self, range: Range<usize>, mut f: impl FnMut([usize; N], usize)) {
        let mut cursor = Cursor::new(self, range);
        while let Some((at, len)) = cursor.next() {
            f(at, len);
        }
    }
}

/// A place in a walk. Its code is kept out of the callers, or it would be compiled into every kernel.
struct Cursor<'a, const N: usize> {
    walk: &'a Walk<N>,
    index: Dims,
    at: [isize; N],
    left: usize,
    /// Length of the run that was handed out last; it is stepped over before the next.
    done: usize,
}

impl<'a, const N: usize> Cursor<'a, N> {
    #[inline(never)]
    fn new(walk: &'a Walk<N>, range: Range<usize>) -> Self {
        let mut index = Dims::from_elem(0, walk.shape.len());
        let mut rest = range.start;
        for d in (0..walk.shape.len()).rev() {
            index[d] = rest % walk.shape[d].max(1);
            rest /= walk.shape[d].max(1);
        }
        let at = std::array::from_fn(|k| {
            let steps = index.iter().zip(&walk.strides[k]).map(|(&i, &s)| i as isize * s);
            walk.offsets[k] as isize + steps.sum::<isize>()
        });
        Cursor { walk, index, at, left: range.len(), done: 0 }
    }

    #[inline(never)]
    fn next(&mut self) -> Option<([usize; N], usize)> {
        if self.left == 0 {
            return None;
        }
        // The positions stay in registers. Two numbers that were just stored, read as one vector, are not
        // to be had before all stores ahead of them are done, those of the last run among them.
        let mut at = self.at;
        if self.done > 0 {
            self.next_run(&mut at);
            self.at = at;
        }
        let last = self.index.len() - 1;
        let len = (self.walk.shape[last] - self.index[last]).min(self.left);
        self.left -= len;
        self.done = len;
        Some((at.map(|p| p as usize), len))
    }

    /// From anywhere in a run to the start of the one that follows.
    #[inline(always)]
    fn next_run(&mut self, at: &mut [isize; N]) {
        let Walk { shape, strides, .. } = self.walk;
        let index = &mut self.index;
        let last = index.len() - 1;
        (0..N).for_each(|k| at[k] -= index[last] as isize * strides[k][last]);
        index[last] = 0;
        for d in (0..last).rev() {
            index[d] += 1;
            (0..N).for_each(|k| at[k] += strides[k][d]);
            if index[d] < shape[d] {
                break;
            }
            (0..N).for_each(|k| at[k] -= shape[d] as isize * strides[k][d]);
            index[d] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_visit_every_element_in_order() {
        let l = Layout::contiguous(&[3, 4, 5]).permute(&[2, 0, 1]).slice(1, 2, 3, -1);
        let w = Walk::new([&l]);
        for split in 0..=w.numel() {
            let mut seen = vec![];
            let [step] = w.inner_strides();
            for r in [0..split, split..w.numel()] {
                w.runs(r, |[p], n| seen.extend((0..n).map(|i| (p as isize + i as isize * step) as usize)));
            }
            let mut want = vec![];
            for i in 0..5 {
                for j in 0..3 {
                    for k in 0..4 {
                        want.push(l.position(&[i, j, k]));
                    }
                }
            }
            assert_eq!(seen, want);
        }
    }
}
