//! A matrix product without its memory: sizes, strides and what happens to the result.

use crate::layout::{Layout, Strides};
use crate::{Activation, cpu::walk::Walk};

/// Row and column step of a matrix.
pub type Steps = [isize; 2];

/// `out[m, n] (+)= a[m, k] · b[k, n]`, then bias and activation, for each of a batch.
#[derive(Clone, Debug)]
pub struct Problem<'a> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Steps,
    pub b: Steps,
    pub out: Steps,
    pub bias: Option<Steps>,
    pub accumulate: bool,
    pub relu: bool,
    /// Sizes of the batch dimensions that are left.
    batch: &'a [usize],
    /// Batch strides (at least as many; where there is no bias, none) and offset of a, b, out and bias.
    operands: [(&'a [isize], usize); 4],
}

/// Where each operand of one product of the batch starts.
#[derive(Clone, Copy, Debug)]
pub struct Starts {
    pub a: usize,
    pub b: usize,
    pub out: usize,
    pub bias: usize,
}

impl<'a> Problem<'a> {
    pub fn new(
        a: &'a Layout,
        b: &'a Layout,
        out: &'a Layout,
        bias: Option<&'a Layout>,
        accumulate: bool,
        activation: Activation,
    ) -> Self {
        let nb = out.ndim() - 2;
        let batch = |l: &'a Layout| (&l.strides()[..nb], l.offset());
        let steps = |l: &Layout| [l.strides()[nb], l.strides()[nb + 1]];
        let mut problem = Problem {
            m: out.shape()[nb],
            n: out.shape()[nb + 1],
            k: a.shape()[nb + 1],
            a: steps(a),
            b: steps(b),
            out: steps(out),
            bias: bias.map(steps),
            accumulate,
            relu: activation == Activation::Relu,
            batch: &out.shape()[..nb],
            operands: [batch(a), batch(b), batch(out), bias.map_or((&[], 0), batch)],
        };
        problem.fold_batch();
        problem
    }

    /// An operand's step along a batch dimension.
    fn step(&self, operand: usize, dim: usize) -> isize {
        self.operands[operand].0.get(dim).copied().unwrap_or(0)
    }

    /// Takes trailing batch dimensions into the rows where `b` is shared, or into the columns where `a` is.
    fn fold_batch(&mut self) {
        while let Some((&count, rest)) = self.batch.split_last() {
            let [a, b, out, bias] = std::array::from_fn(|i| self.step(i, rest.len()));
            let (m, n) = (self.m as isize, self.n as isize);
            let bias_steps = self.bias.unwrap_or([0, 0]);
            // A dimension of one row or column may take any step.
            let rows = if self.m == 1 { [a, out, bias] } else { [self.a[0], self.out[0], bias_steps[0]] };
            let cols = if self.n == 1 { [b, out, bias] } else { [self.b[1], self.out[1], bias_steps[1]] };
            if count == 1 {
            } else if b == 0 && [a, out, bias] == rows.map(|s| s * m) {
                self.m *= count;
                (self.a[0], self.out[0]) = (rows[0], rows[1]);
                self.bias = self.bias.map(|s| [rows[2], s[1]]);
            } else if a == 0 && [b, out, bias] == cols.map(|s| s * n) {
                self.n *= count;
                (self.b[1], self.out[1]) = (cols[0], cols[1]);
                self.bias = self.bias.map(|s| [s[0], cols[2]]);
            } else {
                return;
            }
            self.batch = rest;
        }
    }

    /// Multiply-adds of one product.
    pub fn work(&self) -> usize {
        self.m * self.n * self.k
    }

    /// Where the operands of the only product start; `None` where there are more.
    pub fn only_start(&self) -> Option<Starts> {
        let [a, b, out, bias] = self.operands.map(|(_, offset)| offset);
        self.batch.is_empty().then_some(Starts { a, b, out, bias })
    }

    /// Where the operands of each product start.
    pub fn starts(&self) -> Vec<Starts> {
        if let Some(start) = self.only_start() {
            return vec![start];
        }
        let layouts: [Layout; 4] = std::array::from_fn(|i| {
            let strides: Strides = (0..self.batch.len()).map(|dim| self.step(i, dim)).collect();
            Layout::new(self.batch, strides, self.operands[i].1)
        });
        let walk: Walk<4> = Walk::new(std::array::from_fn(|i| &layouts[i]));
        let steps = walk.inner_strides();
        let mut starts = Vec::with_capacity(walk.numel());
        walk.runs(0..walk.numel(), |at, len| {
            starts.extend((0..len as isize).map(|i| {
                let [a, b, out, bias] = std::array::from_fn(|o| (at[o] as isize + i * steps[o]) as usize);
                Starts { a, b, out, bias }
            }));
        });
        starts
    }
}
