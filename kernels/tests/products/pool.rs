use crate::operand::*;
use proptest::prelude::*;
use taper_kernels::cpu::Cpu;
use taper_kernels::{Backend, DType, PoolOp, PoolParams};

struct Case {
    params: PoolParams,
    x: Operand,
    y: Operand,
    indices: Operand,
}

impl Case {
    fn new(rng: &mut Numbers, dtype: DType, pooled_by_two: bool) -> Self {
        let kernel: [usize; 2] = std::array::from_fn(|_| 1 + rng.below(3));
        let mut params = PoolParams {
            kernel,
            stride: std::array::from_fn(|_| 1 + rng.below(3)),
            padding: kernel.map(|k| rng.below(k / 2 + 1)),
            dilation: if rng.chance(3) { [2, 1] } else { [1, 1] },
            count_include_pad: rng.chance(2),
        };
        if pooled_by_two {
            params =
                PoolParams { kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1], ..params };
        }
        let size: [usize; 2] = std::array::from_fn(|d| {
            params.dilation[d] * (params.kernel[d] - 1) + 1 + rng.below(if cfg!(miri) { 5 } else { 20 })
        });
        let out: [usize; 2] = std::array::from_fn(|d| {
            let span = size[d] + 2 * params.padding[d] - params.dilation[d] * (params.kernel[d] - 1) - 1;
            let mut n = span / params.stride[d] + 1;
            // Ceil mode: one more where that window starts inside.
            if !pooled_by_two
                && !span.is_multiple_of(params.stride[d])
                && n * params.stride[d] < size[d] + params.padding[d]
            {
                n += rng.below(2);
            }
            n
        });
        let most = if cfg!(miri) { 2 } else { 3 };
        let (n, c) = (1 + rng.below(most), 1 + rng.below(most));
        let dense = pooled_by_two && rng.chance(2);
        let lay = |op: Operand| if dense { op.to_dense() } else { op };
        Case {
            params,
            x: lay(Operand::random(rng, &[n, c, size[0], size[1]], dtype, false)),
            y: lay(Operand::random(rng, &[n, c, out[0], out[1]], dtype, false)),
            indices: lay(Operand::random(rng, &[n, c, out[0], out[1]], DType::I64, false)),
        }
    }

    /// The places of the taps inside the plane of one output, row by row.
    fn taps(&self, y: &[usize], dilation: [usize; 2]) -> Vec<[usize; 2]> {
        let (p, size) = (&self.params, &self.x.layout.shape()[2..]);
        indices(&p.kernel)
            .map(|t| {
                std::array::from_fn(|d| {
                    (y[2 + d] * p.stride[d] + t[d] * dilation[d]).wrapping_sub(p.padding[d])
                })
            })
            .filter(|at: &[usize; 2]| at[0] < size[0] && at[1] < size[1])
            .collect()
    }

    fn divisor(&self, y: &[usize]) -> f64 {
        let (p, size) = (&self.params, &self.x.layout.shape()[2..]);
        if !p.count_include_pad {
            return self.taps(y, [1, 1]).len() as f64;
        }
        (0..2)
            .map(|d| {
                let start = y[2 + d] * p.stride[d];
                ((start + p.kernel[d]).min(size[d] + 2 * p.padding[d]) - start) as f64
            })
            .product()
    }
}

fn close(got: f64, want: f64, size: f64, dtype: DType) -> bool {
    (got - want).abs()
        <= epsilon(dtype) * want.abs() + 40.0 * epsilon(dtype.compute()) * size + tiniest(dtype)
}

/// Cells of an adaptive pool in a dimension are fewer.
const MOST: usize = if cfg!(miri) { 4 } else { 9 };

const FLOATS: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::BF16];

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn max(seed: u64, which in 0..7usize, by_two: bool) {
        let _guard = fixed_level();
        let dtype = [DType::F32, DType::F64, DType::F16, DType::BF16, DType::I32, DType::U8, DType::I64][which];
        let rng = &mut Numbers(seed);
        let mut case = Case::new(rng, dtype, by_two);
        // Ties and NaNs.
        for i in indices(case.x.layout.shape()) {
            if rng.chance(8) {
                case.x.set(&i, if dtype.is_float() && rng.chance(3) { f64::NAN } else { 1.0 });
            }
        }
        let (mut y, mut at) = (case.y.clone(), case.indices.clone());
        Cpu.pool(PoolOp::Max { x: case.x.view(), indices: at.view_mut() }, case.params, y.view_mut()).unwrap();
        let width = case.x.layout.shape()[3];
        for o in indices(case.y.layout.shape()) {
            let mut best: Option<(f64, [usize; 2])> = None;
            for t in case.taps(&o, case.params.dilation) {
                let v = case.x.get(&[o[0], o[1], t[0], t[1]]);
                // PyTorch's rule: `(v > max) || isnan(v)`.
                if best.is_none_or(|(b, _)| v > b || v.is_nan()) {
                    best = Some((v, t));
                }
            }
            let (v, t) = best.unwrap();
            let got = y.get(&o);
            prop_assert!(got == v || got.is_nan() && v.is_nan(), "{got} for {v}");
            prop_assert_eq!(at.get(&o) as usize, t[0] * width + t[1]);
        }
        if dtype.is_float() {
            let mut dx = case.x.clone();
            Cpu.pool(PoolOp::MaxGrad { g: case.y.view(), indices: at.view() }, case.params, dx.view_mut()).unwrap();
            let shape = case.x.layout.shape();
            let mut want = vec![[0.0; 2]; dx.layout.numel()];
            for o in indices(case.y.layout.shape()) {
                let w = &mut want[(o[0] * shape[1] + o[1]) * shape[2] * shape[3] + at.get(&o) as usize];
                *w = [w[0] + case.y.get(&o), w[1] + case.y.get(&o).abs()];
            }
            for (got, [want, size]) in dx.values().into_iter().zip(want) {
                prop_assert!(close(got, want, size, dtype), "{got} for {want}");
            }
        }
    }

    #[test]
    fn average(seed: u64, which in 0..4usize, by_two: bool) {
        let _guard = fixed_level();
        let dtype = FLOATS[which];
        let case = Case::new(&mut Numbers(seed), dtype, by_two);
        let (mut y, mut dx) = (case.y.clone(), case.x.clone());
        Cpu.pool(PoolOp::Avg { x: case.x.view() }, case.params, y.view_mut()).unwrap();
        Cpu.pool(PoolOp::AvgGrad { g: case.y.view() }, case.params, dx.view_mut()).unwrap();
        let shape = case.x.layout.shape();
        let mut want_dx = vec![[0.0; 2]; dx.layout.numel()];
        for o in indices(case.y.layout.shape()) {
            let by = case.divisor(&o);
            let (mut sum, mut size) = (0.0, 0.0);
            for t in case.taps(&o, [1, 1]) {
                let v = case.x.get(&[o[0], o[1], t[0], t[1]]);
                (sum, size) = (sum + v, size + v.abs());
                let w = &mut want_dx[((o[0] * shape[1] + o[1]) * shape[2] + t[0]) * shape[3] + t[1]];
                let g = case.y.get(&o) / by;
                *w = [w[0] + g, w[1] + g.abs()];
            }
            let want = if size == 0.0 { 0.0 } else { sum / by };
            prop_assert!(close(y.get(&o), want, size, dtype), "{} for {want}", y.get(&o));
        }
        for (got, [want, size]) in dx.values().into_iter().zip(want_dx) {
            prop_assert!(close(got, want, size, dtype), "{got} for {want}");
        }
    }

    #[test]
    fn adaptive(seed: u64, which in 0..4usize, h in 1..MOST, w in 1..MOST) {
        let _guard = fixed_level();
        let dtype = FLOATS[which];
        let rng = &mut Numbers(seed);
        let size = [1 + rng.below(MOST + 3), 1 + rng.below(MOST + 3)];
        let x = Operand::random(rng, &[2, 3, size[0], size[1]], dtype, false);
        let y = Operand::random(rng, &[2, 3, h, w], dtype, false);
        let params = PoolParams { kernel: [1; 2], stride: [1; 2], padding: [0; 2], dilation: [1; 2], count_include_pad: true };
        let (mut mean, mut dx) = (y.clone(), x.clone());
        Cpu.pool(PoolOp::AdaptiveAvg { x: x.view() }, params, mean.view_mut()).unwrap();
        Cpu.pool(PoolOp::AdaptiveAvgGrad { g: y.view() }, params, dx.view_mut()).unwrap();
        let mut want_dx = vec![[0.0; 2]; dx.layout.numel()];
        for o in indices(&[2, 3, h, w]) {
            let cell = |d: usize, cells: usize| {
                (o[2 + d] * size[d] / cells)..((o[2 + d] + 1) * size[d]).div_ceil(cells)
            };
            let (rows, cols) = (cell(0, h), cell(1, w));
            let by = (rows.len() * cols.len()) as f64;
            let (mut sum, mut sizes) = (0.0, 0.0);
            for i in rows {
                for j in cols.clone() {
                    let v = x.get(&[o[0], o[1], i, j]);
                    (sum, sizes) = (sum + v, sizes + v.abs());
                    let e = &mut want_dx[((o[0] * 3 + o[1]) * size[0] + i) * size[1] + j];
                    let g = y.get(&o) / by;
                    *e = [e[0] + g, e[1] + g.abs()];
                }
            }
            prop_assert!(close(mean.get(&o), sum / by, sizes, dtype));
        }
        for (got, [want, size]) in dx.values().into_iter().zip(want_dx) {
            prop_assert!(close(got, want, size, dtype), "{got} for {want}");
        }
    }

    #[test]
    fn threads_do_not_show(seed: u64, by_two: bool) {
        let _guard = fixed_level();
        let case = Case::new(&mut Numbers(seed), DType::F32, by_two);
        let run = || {
            let (mut y, mut avg, mut at, mut dx) =
                (case.y.clone(), case.y.clone(), case.indices.clone(), case.x.clone());
            Cpu.pool(PoolOp::Max { x: case.x.view(), indices: at.view_mut() }, case.params, y.view_mut()).unwrap();
            Cpu.pool(PoolOp::Avg { x: case.x.view() }, case.params, avg.view_mut()).unwrap();
            Cpu.pool(PoolOp::AvgGrad { g: case.y.view() }, case.params, dx.view_mut()).unwrap();
            [y, avg, at, dx].map(|o| o.bytes().to_vec())
        };
        prop_assert!(on_threads(1, run) == on_threads(3, run));
    }
}

/// From `torch.nn.functional.max_pool2d`: the last NaN of a window wins, the first of equal values,
/// and -inf does not lose to the border.
#[test]
fn ties_as_in_pytorch() {
    let inf = f64::INFINITY;
    let n = f64::NAN;
    let mut v = [1., 3., 3., n, n, 2., n, n, -inf, -inf, 0., 0., -inf, -inf, -0., 0.].into_iter();
    let x = Operand::dense(&[1, 1, 4, 4], DType::F32, || v.next().unwrap());
    let run = |kernel: usize, stride: usize, padding: usize, out: usize| {
        let params = PoolParams {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            dilation: [1, 1],
            count_include_pad: true,
        };
        let mut y = Operand::dense(&[1, 1, out, out], DType::F32, || 0.0);
        let mut at = Operand::dense(&[1, 1, out, out], DType::I64, || 0.0);
        Cpu.pool(PoolOp::Max { x: x.view(), indices: at.view_mut() }, params, y.view_mut()).unwrap();
        (y.values(), at.values())
    };
    let (y, at) = run(2, 2, 0, 2);
    assert!(y[0].is_nan() && y[1].is_nan() && y[2..] == [-inf, 0.0]);
    assert_eq!(at, [4., 7., 8., 10.]);
    let (y, at) = run(3, 1, 1, 4);
    assert!(y[..12].iter().all(|v| v.is_nan()) && y[12..] == [-inf, 0., 0., 0.]);
    assert_eq!(at, [4., 6., 7., 7., 4., 6., 7., 7., 4., 6., 7., 7., 8., 10., 10., 10.]);
}
