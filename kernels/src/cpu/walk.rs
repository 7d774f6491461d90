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

    /// As [`new`](Walk::new), for kernels to which the order does not matter: dimensions are walked
    /// so that the first operand's steps are longest first.
    pub fn any_order(layouts: [&Layout; N]) -> Self {
        let mut dims: Vec<usize> = (0..layouts[0].ndim()).collect();
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

    /// True if an operand's elements follow each other in memory for the whole walk.
    pub fn is_flat(&self, k: usize) -> bool {
        let mut step = 1;
        self.shape.iter().zip(&self.strides[k]).rev().all(|(&n, &s)| {
            let fits = s == step || n == 1;
            step *= n as isize;
            fits
        })
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
    pub fn runs(&self, range: Range<usize>, mut f: impl FnMut([usize; N], usize)) {
        if range.is_empty() {
            return;
        }
        let n = self.shape.len();
        let inner = self.shape[n - 1];
        let mut index = Dims::from_elem(0, n);
        let mut rest = range.start;
        for d in (0..n).rev() {
            index[d] = rest % self.shape[d];
            rest /= self.shape[d];
        }
        let mut at: [isize; N] = std::array::from_fn(|k| {
            self.offsets[k] as isize
                + index.iter().zip(&self.strides[k]).map(|(&i, &s)| i as isize * s).sum::<isize>()
        });
        let mut left = range.len();
        loop {
            let len = (inner - index[n - 1]).min(left);
            f(at.map(|p| p as usize), len);
            left -= len;
            if left == 0 {
                return;
            }
            // To the start of the next run.
            (0..N).for_each(|k| at[k] -= index[n - 1] as isize * self.strides[k][n - 1]);
            index[n - 1] = 0;
            let mut d = n - 1;
            while d > 0 {
                d -= 1;
                index[d] += 1;
                (0..N).for_each(|k| at[k] += self.strides[k][d]);
                if index[d] < self.shape[d] {
                    break;
                }
                (0..N).for_each(|k| at[k] -= self.shape[d] as isize * self.strides[k][d]);
                index[d] = 0;
            }
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
