//! Which dimensions a reduction keeps and which it folds.

use crate::{Dims, Layout, Strides, layout::collapse};

/// A reduction that is not a float sum: kept dimensions in any order, folded ones in row-major order.
pub struct Plan {
    /// Kept dimensions of the input, those with long steps first.
    pub kept: Layout,
    /// The same dimensions of the output.
    pub out: Layout,
    /// Innermost folded dimension: size and step.
    pub run: (usize, isize),
    /// Where each run starts, relative to the output's first element.
    pub heads: Vec<isize>,
}

impl Plan {
    pub fn new(x: &Layout, axes: &[usize], out: &Layout) -> Plan {
        let mut keep: Vec<usize> = (0..x.ndim()).filter(|d| !axes.contains(d)).collect();
        keep.sort_by_key(|&d| std::cmp::Reverse(x.strides()[d].unsigned_abs()));
        let pick = |l: &Layout, dims: &[usize]| -> (Dims, Strides) {
            (dims.iter().map(|&d| l.shape()[d]).collect(), dims.iter().map(|&d| l.strides()[d]).collect())
        };
        let (shape, of_x) = pick(x, &keep);
        let (_, of_out) = pick(out, &keep);
        let (shape, [of_x, of_out]) = collapse(&shape, [&of_x, &of_out]);
        let mut fold: Vec<usize> = axes.to_vec();
        fold.sort_unstable();
        let (n, steps) = pick(x, &fold);
        let (mut n, [mut steps]) = collapse(&n, [&steps]);
        let run = (n.pop().unwrap_or(1), steps.pop().unwrap_or(1));
        let mut heads = vec![0];
        for (&n, &step) in n.iter().zip(&steps) {
            heads = heads.iter().flat_map(|&h| (0..n as isize).map(move |i| h + i * step)).collect();
        }
        Plan {
            kept: Layout::new(shape.clone(), of_x, x.offset()),
            out: Layout::new(shape, of_out, out.offset()),
            run,
            heads,
        }
    }

    /// Elements per output.
    pub fn folded(&self) -> usize {
        self.run.0 * self.heads.len()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.kept.numel()
    }

    /// True where columns lie closer together than what is folded.
    pub fn by_columns(&self) -> bool {
        match self.kept.strides().last() {
            Some(&s) => self.run.0 == 1 || s.unsigned_abs() < self.run.1.unsigned_abs(),
            None => false,
        }
    }

    /// Calls `f(start, len, at)` for the runs of a range of folded elements: the position relative
    /// to the output's first element, and the row-major number of the first.
    #[inline(always)]
    pub fn runs(&self, range: std::ops::Range<usize>, mut f: impl FnMut(isize, usize, usize)) {
        let (inner, step) = self.run;
        let mut at = range.start;
        while at < range.end {
            let (head, i) = (at / inner, at % inner);
            let len = (inner - i).min(range.end - at);
            f(self.heads[head] + i as isize * step, len, at);
            at += len;
        }
    }
}

/// A float sum as PyTorch's `TensorIterator` sees it: dimensions fastest first, the folded ones
/// before the kept ones.
pub struct SumPlan {
    /// Sizes of the folded dimensions.
    pub fold: Dims,
    /// Their steps.
    pub fold_steps: Strides,
    /// Sizes of the kept dimensions, the output's last one first.
    pub kept: Dims,
    /// Their steps.
    pub kept_steps: Strides,
}

impl SumPlan {
    pub fn new(x: &Layout, axes: &[usize]) -> SumPlan {
        let dims = |folded: bool| -> Vec<usize> {
            (0..x.ndim()).rev().filter(|&d| axes.contains(&d) == folded && x.shape()[d] != 1).collect()
        };
        let mut order = dims(true);
        // PyTorch's insertion sort; a step of 0 compares with nothing.
        for i in 1..order.len() {
            let mut j = i;
            for k in (0..i).rev() {
                let (a, b) = (order[k], order[j]);
                let (sa, sb) = (x.strides()[a], x.strides()[b]);
                let swap = if sa == 0 || sb == 0 {
                    None
                } else if sa != sb {
                    Some(sa > sb)
                } else {
                    (x.shape()[a] > x.shape()[b]).then_some(true)
                };
                match swap {
                    Some(true) => {
                        order.swap(k, j);
                        j = k;
                    }
                    Some(false) => break,
                    None => {}
                }
            }
        }
        let (fold, fold_steps) = merge(order.iter().map(|&d| (x.shape()[d], x.strides()[d])));
        let (kept, kept_steps) = merge(dims(false).iter().map(|&d| (x.shape()[d], x.strides()[d])));
        SumPlan { fold, fold_steps, kept, kept_steps }
    }
}

/// Merges neighbours that are stepped through as one, fastest first. (Kept dimensions are those of a
/// row-major output, which always merge there.)
fn merge(dims: impl Iterator<Item = (usize, isize)>) -> (Dims, Strides) {
    let (mut shape, mut steps) = (Dims::new(), Strides::new());
    for (n, step) in dims {
        match (shape.last_mut(), steps.last()) {
            (Some(last), Some(&s)) if *last as isize * s == step => *last *= n,
            _ => {
                shape.push(n);
                steps.push(step);
            }
        }
    }
    (shape, steps)
}
