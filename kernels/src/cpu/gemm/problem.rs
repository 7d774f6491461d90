//! A matrix product without its memory: sizes, strides and what happens to the result.

use crate::layout::{Dims, Layout, Strides};
use crate::{Activation, cpu::walk::Walk};

/// Row and column step of a matrix.
pub type Steps = [isize; 2];

/// `out[m, n] (+)= a[m, k] · b[k, n]`, then bias and activation, for each of a batch.
#[derive(Clone, Debug)]
pub struct Problem {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: Steps,
    pub b: Steps,
    pub out: Steps,
    pub bias: Option<Steps>,
    pub accumulate: bool,
    pub relu: bool,
    batch: Dims,
    /// Batch strides and offset of a, b, out and bias.
    operands: [(Strides, usize); 4],
}

/// Where each operand of one product of the batch starts.
#[derive(Clone, Copy, Debug)]
pub struct Starts {
    pub a: usize,
    pub b: usize,
    pub out: usize,
    pub bias: usize,
}

impl Problem {
    pub fn new(
        a: &Layout,
        b: &Layout,
        out: &Layout,
        bias: Option<&Layout>,
        accumulate: bool,
        activation: Activation,
    ) -> Self {
        let nb = out.ndim() - 2;
        let split = |l: &Layout| {
            ((Strides::from(&l.strides()[..nb]), l.offset()), [l.strides()[nb], l.strides()[nb + 1]])
        };
        let ((a_batch, a_steps), (b_batch, b_steps), (out_batch, out_steps)) =
            (split(a), split(b), split(out));
        let (bias_batch, bias_steps) = match bias {
            Some(l) => {
                let (batch, steps) = split(l);
                (batch, Some(steps))
            }
            None => ((Strides::from_elem(0, nb), 0), None),
        };
        let mut problem = Problem {
            m: out.shape()[nb],
            n: out.shape()[nb + 1],
            k: a.shape()[nb + 1],
            a: a_steps,
            b: b_steps,
            out: out_steps,
            bias: bias_steps,
            accumulate,
            relu: activation == Activation::Relu,
            batch: out.shape()[..nb].into(),
            operands: [a_batch, b_batch, out_batch, bias_batch],
        };
        problem.fold_batch();
        problem
    }

    /// Takes trailing batch dimensions into the rows where `b` is shared, or into the columns where `a` is.
    fn fold_batch(&mut self) {
        while let Some(&count) = self.batch.last() {
            let step: [isize; 4] = std::array::from_fn(|i| *self.operands[i].0.last().unwrap());
            let [a, b, out, bias] = step;
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
            self.batch.pop();
            self.operands.iter_mut().for_each(|o| {
                o.0.pop();
            });
        }
    }

    /// Multiply-adds of one product.
    pub fn work(&self) -> usize {
        self.m * self.n * self.k
    }

    /// Where the operands of each product start.
    pub fn starts(&self) -> Vec<Starts> {
        let layouts: [Layout; 4] =
            self.operands.clone().map(|(strides, offset)| Layout::new(self.batch.clone(), strides, offset));
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
