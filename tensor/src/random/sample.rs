//! Choice by weight.

use super::{Generator, with};
use crate::tensor::Tensor;
use taper_kernels::{DType, Device};

impl Tensor {
    /// `n` positions of each row, drawn in proportion to its weights (`torch.multinomial`): from `[k]`
    /// weights `[n]` positions, from `[rows, k]` weights `[rows, n]`; i64. Without replacement no
    /// position comes twice in a row.
    ///
    /// # Panics
    /// For weights that are not floating-point, negative, not finite or all 0, and for more draws
    /// without replacement than there are positive weights.
    #[track_caller]
    pub fn multinomial(&self, n: usize, replacement: bool) -> Tensor {
        self.multinomial_with(n, replacement, None)
    }

    /// As [`multinomial`](Self::multinomial) with a generator.
    #[track_caller]
    pub fn multinomial_with(&self, n: usize, replacement: bool, generator: Option<&mut Generator>) -> Tensor {
        let name = "multinomial";
        assert!(self.dtype().is_float(), "{name}: expected floating-point weights, got {}", self.dtype());
        assert!(
            (1..=2).contains(&self.ndim()) && n > 0,
            "{name}: expected weights of 1 or 2 dimensions and at least one draw, got shape {:?} and {n}",
            self.shape()
        );
        let k = self.size(-1);
        assert!(k > 0, "{name}: there are no weights");
        if self.device() != Device::Cpu {
            return self.multinomial_there(n, replacement, generator);
        }
        let weights = self.to_vec::<f64>();
        for row in weights.chunks_exact(k.max(1)) {
            assert!(
                row.iter().all(|w| w.is_finite() && *w >= 0.0),
                "{name}: weights must be finite and not negative"
            );
            let positive = row.iter().filter(|w| **w > 0.0).count();
            assert!(positive > 0, "{name}: the weights of a row are all 0");
            assert!(
                replacement || n <= positive,
                "{name}: {n} draws without replacement from {positive} positive weights"
            );
        }
        let picked: Vec<i64> = if replacement && n > 1 {
            with(generator, |g| weights.chunks_exact(k).flat_map(|row| self.pick_again(row, n, g)).collect())
        } else {
            let mut q = self.detach().contiguous().empty_like();
            q.exponential_with_(1.0, generator);
            let race = (self.detach() / q).to_vec::<f64>();
            race.chunks_exact(k).flat_map(|row| largest(row, n)).collect()
        };
        let shape: Vec<usize> = self.shape()[..self.ndim() - 1].iter().copied().chain([n]).collect();
        Tensor::from_vec(picked, shape)
    }

    /// The same on another device: the host only looks at the weights once, whether they can be drawn by.
    #[track_caller]
    fn multinomial_there(&self, n: usize, replacement: bool, generator: Option<&mut Generator>) -> Tensor {
        let name = "multinomial";
        let dtype = if self.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let weights = self.detach().to_dtype(dtype);
        let k = weights.size(-1);
        let fine = weights.ge(0.0).logical_and(weights.isfinite()).all();
        let fewest = weights.gt(0.0).sum_dim(-1, false).min();
        let seen = Tensor::stack(&[fine.to_dtype(DType::I64), fewest], 0).to_vec::<i64>();
        assert!(seen[0] == 1, "{name}: weights must be finite and not negative");
        assert!(seen[1] > 0, "{name}: the weights of a row are all 0");
        assert!(
            replacement || n <= seen[1] as usize,
            "{name}: {n} draws without replacement from {} positive weights",
            seen[1]
        );
        if !replacement || n == 1 {
            let mut q = weights.contiguous().empty_like();
            q.exponential_with_(1.0, generator);
            return (weights / q).topk(n, -1, true).1;
        }
        // The place of a uniform number among the running sums: how many of them it has passed.
        let sums = weights.cumsum(-1);
        let sums = (&sums / sums.narrow(-1, k as isize - 1, 1)).unsqueeze(-2);
        let mut shape = self.shape().to_vec();
        *shape.last_mut().expect("a dimension") = n;
        let u = Tensor::rand_with(shape, (dtype, self.device()), generator).unsqueeze(-1);
        // Not too many comparisons at a time.
        let at_once = ((1 << 24) / sums.numel()).max(1);
        let parts: Vec<Tensor> = u.split(at_once, -2).iter().map(|u| sums.le(u).sum_dim(-1, false)).collect();
        Tensor::cat(&parts, -1)
    }

    /// Positions by the running sum of weights, which is rounded in their dtype.
    fn pick_again(&self, row: &[f64], n: usize, g: &mut Generator) -> Vec<i64> {
        let round = |v: f64| match self.dtype() {
            DType::F32 => v as f32 as f64,
            DType::F16 => taper_kernels::f16::from_f64(v).to_f64(),
            DType::BF16 => taper_kernels::bf16::from_f64(v).to_f64(),
            _ => v,
        };
        let mut sum = 0.0;
        let mut sums: Vec<f64> = row
            .iter()
            .map(|w| {
                sum = round(sum + w);
                sum
            })
            .collect();
        sums.iter_mut().for_each(|s| *s = round(*s / sum));
        *sums.last_mut().expect("at least one weight") = 1.0;
        (0..n)
            .map(|_| {
                let u = g.unit_f64();
                sums.partition_point(|s| *s < u) as i64
            })
            .collect()
    }
}

/// Positions of the `n` largest, in descending order.
fn largest(row: &[f64], n: usize) -> Vec<i64> {
    let mut order: Vec<i64> = (0..row.len() as i64).collect();
    order.sort_by(|a, b| row[*b as usize].total_cmp(&row[*a as usize]));
    order.truncate(n);
    order
}
