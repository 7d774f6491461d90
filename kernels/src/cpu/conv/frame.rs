//! A copy of an image in which every tap of a kernel reads contiguous rows.
//!
//! Borders are filled with zeros, and for steps above 1 the image is split into its phases (every
//! `step`-th row and column, from each start), so that neighbouring outputs read neighbours.

use crate::cpu::gemm::real::Real;

/// How the copy of one channel lies.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Rows and columns of the source.
    pub source: [usize; 2],
    pub step: [usize; 2],
    pub pad: [usize; 2],
    /// The phases that taps use, ascending.
    pub phases: [Vec<usize>; 2],
    /// Rows and columns of each phase.
    pub size: [usize; 2],
}

impl Frame {
    /// For taps at distances `reach[d]` from an output's first row (and column) in steps of the source.
    pub fn new(
        source: [usize; 2],
        step: [usize; 2],
        pad: [usize; 2],
        reach: &[Vec<usize>; 2],
        outputs: [usize; 2],
    ) -> Self {
        let phases = std::array::from_fn(|d| {
            let mut used: Vec<usize> = reach[d].iter().map(|r| r % step[d]).collect();
            used.sort_unstable();
            used.dedup();
            used
        });
        let size =
            std::array::from_fn(|d| outputs[d] + reach[d].iter().map(|r| r / step[d]).max().unwrap_or(0));
        Frame { source, step, pad, phases, size }
    }

    /// Elements of one channel's copy.
    pub fn len(&self) -> usize {
        self.phases[0].len() * self.phases[1].len() * self.size[0] * self.size[1]
    }

    /// Where, from an output's place, the tap at a distance lies.
    pub fn offset(&self, reach: [usize; 2]) -> usize {
        let [a, b]: [usize; 2] = std::array::from_fn(|d| {
            self.phases[d].binary_search(&(reach[d] % self.step[d])).expect("made for these taps")
        });
        let plane = a * self.phases[1].len() + b;
        (plane * self.size[0] + reach[0] / self.step[0]) * self.size[1] + reach[1] / self.step[1]
    }

    /// Copies one channel; `rows` and `cols` are its steps in `source`, `start` its first element.
    pub fn fill<T: Real>(&self, source: &[T], start: usize, [rows, cols]: [isize; 2], to: &mut [T]) {
        let [height, width] = self.size;
        let phases = self.phases[0].iter().flat_map(|&a| self.phases[1].iter().map(move |&b| [a, b]));
        for (phase, to) in phases.zip(to.chunks_exact_mut(height * width)) {
            // The part of a row that is not border.
            let inside = |d: usize, n: usize| {
                let first = self.pad[d].saturating_sub(phase[d]).div_ceil(self.step[d]).min(n);
                let end =
                    (self.source[d] + self.pad[d]).saturating_sub(phase[d]).div_ceil(self.step[d]).min(n);
                first..end.max(first)
            };
            let (in_rows, in_cols) = (inside(0, height), inside(1, width));
            for (r, to) in to.chunks_exact_mut(width).enumerate() {
                if !in_rows.contains(&r) || in_cols.is_empty() {
                    to.fill(T::ZERO);
                    continue;
                }
                let h = r * self.step[0] + phase[0] - self.pad[0];
                let w = in_cols.start * self.step[1] + phase[1] - self.pad[1];
                let from = start.wrapping_add_signed(h as isize * rows + w as isize * cols);
                to[..in_cols.start].fill(T::ZERO);
                to[in_cols.end..].fill(T::ZERO);
                let (to, step) = (&mut to[in_cols.clone()], self.step[1] as isize * cols);
                if step == 1 {
                    to.copy_from_slice(&source[from..from + to.len()]);
                } else {
                    for (i, t) in to.iter_mut().enumerate() {
                        *t = source[from.wrapping_add_signed(i as isize * step)];
                    }
                }
            }
        }
    }
}
