//! Times of kernels, beside what the card could do at the most.

use crate::check::caught;
use std::time::Instant;
use taper::ConvOptions;
use taper::nn::functional::scaled_dot_product_attention;
use taper::optim::Adam;
use taper::prelude::*;

/// The least work that a kernel's definition allows.
pub enum Work {
    Flops(f64),
    /// The same of f64.
    Doubles(f64),
    /// Each input read once, each result written once.
    Bytes(f64),
}

pub struct Timing {
    pub name: String,
    pub work: Work,
    /// None where it ran without a clock.
    pub seconds: Result<Option<f64>, String>,
}

/// How large the problems are.
#[derive(Clone, Copy, PartialEq)]
pub enum Size {
    /// Large enough to keep a card busy.
    Full,
    /// A thousandth of the work, for a dry run.
    Small,
    /// Each problem once, as small as it can be, without a clock: whether all of them run, on an emulator.
    Tiny,
}

struct Bench {
    device: Device,
    size: Size,
    timings: Vec<Timing>,
    done: fn(&Timing),
}

impl Bench {
    fn synchronize(&self) {
        let backend = self.device.backend().expect("the device was there");
        backend.synchronize().expect("work that ends well");
    }

    /// The median of seven runs, each of so many calls that it takes 20 ms, with one wait at its end.
    fn time(&self, f: &mut dyn FnMut()) -> Option<f64> {
        if self.size == Size::Tiny {
            f();
            self.synchronize();
            return None;
        }
        let mut run = |n: usize| {
            let began = Instant::now();
            (0..n).for_each(|_| f());
            self.synchronize();
            began.elapsed().as_secs_f64() / n as f64
        };
        // Modules are compiled and memory is found.
        run(3);
        let n = (0.02 / run(1).max(1e-6)).ceil().min(2000.0) as usize;
        let mut times: Vec<f64> = (0..7).map(|_| run(n)).collect();
        times.sort_by(f64::total_cmp);
        Some(times[3])
    }

    fn bench<F: FnMut()>(&mut self, name: impl Into<String>, work: Work, make: impl FnOnce(Device) -> F) {
        let seconds = caught(|| {
            let mut f = make(self.device);
            self.time(&mut f)
        });
        let timing = Timing { name: name.into(), work, seconds };
        (self.done)(&timing);
        self.timings.push(timing);
    }

    /// A function without gradients.
    fn plain<const N: usize>(
        &mut self,
        name: impl Into<String>,
        work: Work,
        inputs: [(&[usize], DType); N],
        f: impl Fn(&[Tensor; N]) -> Tensor,
    ) {
        let make = |(shape, dtype): (&[usize], DType)| Tensor::randn(shape).to_dtype(dtype);
        self.bench(name, work, |device| {
            let x = inputs.map(|input| make(input).to_device(device));
            move || drop(f(&x))
        });
    }
}

pub fn run(device: Device, memory: Option<usize>, size: Size, done: fn(&Timing)) -> Vec<Timing> {
    use DType::{BF16, F16, F32, F64};
    use Work::{Bytes, Doubles, Flops};
    let mut b = Bench { device, size, timings: Vec::new(), done };
    let (shrink, flat) = match size {
        Size::Full => (1, 1 << 26),
        Size::Small => (8, 1 << 16),
        Size::Tiny => (64, 1 << 12),
    };
    let side = |n: usize| (n / shrink).max(2);
    // Of the largest problems, all tensors together have some 24 bytes an element: half of a small card.
    let flat = memory.map_or(flat, |m| flat.min((m / 48).next_power_of_two() / 2));

    for dtype in [F32, F16, BF16, F64] {
        for n in [1024, 4096].map(side) {
            let matrix: &[usize] = &[n, n];
            let flops = 2.0 * (n as f64).powi(3);
            let work = if dtype == F64 { Doubles(flops) } else { Flops(flops) };
            b.plain(format!("matmul {n}³, {dtype}"), work, [(matrix, dtype), (matrix, dtype)], |[x, y]| {
                x.matmul(y)
            });
        }
    }
    let (n, k) = (side(64), side(4096));
    b.plain(
        format!("linear, {n} rows, {k} to {k}"),
        Flops(2.0 * (n * k * k) as f64),
        [(&[n, k], F32), (&[k, k], F32)],
        |[x, w]| x.linear(w, None),
    );
    b.plain(
        format!("one row times {k}²"),
        Bytes(4.0 * (k * k) as f64),
        [(&[1, k], F32), (&[k, k], F32)],
        |[x, w]| x.matmul(w),
    );
    let (heads, length, width) = (side(128), side(1024), 64);
    let shape: &[usize] = &[1, heads, length, width];
    b.plain(
        format!("attention, {heads} × {length} × {width}"),
        Flops(4.0 * (heads * length * length * width) as f64),
        [(shape, F32), (shape, F32), (shape, F32)],
        |[q, k, v]| scaled_dot_product_attention(q, k, v, None, 0.0, false, None),
    );

    let (images, channels, sides) = (side(64), side(64), side(56));
    let flops = 2.0 * (images * channels * channels * 9 * sides * sides) as f64;
    let name = format!("conv2d 3×3, {images} × {channels} × {sides}²");
    let options = || ConvOptions::default().padding(1);
    let (picture, kernel) = ([images, channels, sides, sides], [channels, channels, 3, 3]);
    b.plain(&name, Flops(flops), [(&picture[..], F32), (&kernel[..], F32)], |[x, w]| {
        x.conv2d(w, None, options())
    });
    b.bench(format!("{name}, with gradients"), Flops(3.0 * flops), |device| {
        let x = Tensor::randn(&picture[..]).to_device(device).requires_grad_(true);
        let w = Tensor::randn(&kernel[..]).to_device(device).requires_grad_(true);
        move || {
            x.zero_grad();
            w.zero_grad();
            x.conv2d(&w, None, options()).sum().backward();
        }
    });
    let area = (images * channels * sides * sides) as f64;
    b.plain("max_pool2d 2×2", Bytes(4.0 * area * 1.25), [(&picture[..], F32)], |[x]| x.max_pool2d(2));

    let f = flat as f64;
    b.plain(format!("add, {flat}"), Bytes(12.0 * f), [(&[flat], F32), (&[flat], F32)], |[x, y]| x + y);
    b.plain(format!("add, {flat}, float16"), Bytes(6.0 * f), [(&[flat], F16), (&[flat], F16)], |[x, y]| {
        x + y
    });
    // What the driver itself does, for comparison.
    b.bench(format!("copy by the driver, {flat}"), Bytes(8.0 * f), |device| {
        let x = Tensor::randn([flat]).to_device(device);
        let mut y = x.zeros_like();
        move || _ = y.copy_(&x)
    });
    b.plain(format!("gelu, {flat}"), Bytes(8.0 * f), [(&[flat], F32)], |[x]| x.gelu());
    b.plain(format!("sum, {flat}"), Bytes(4.0 * f), [(&[flat], F32)], |[x]| x.sum());
    let (rows, columns) = (flat / 1024, 1024);
    let matrix: &[usize] = &[rows, columns];
    b.plain(format!("sum over rows, {rows} × {columns}"), Bytes(4.0 * f), [(matrix, F32)], |[x]| {
        x.sum_dim(0, false)
    });
    b.plain(format!("softmax, {rows} × {columns}"), Bytes(8.0 * f), [(matrix, F32)], |[x]| x.softmax(1));
    b.plain(format!("layer_norm, {rows} × {columns}"), Bytes(8.0 * f), [(matrix, F32)], |[x]| {
        F::layer_norm::<Tensor>(x, 1024, None, None, 1e-5)
    });
    b.plain(format!("transposed copy, {rows} × {columns}"), Bytes(8.0 * f), [(matrix, F32)], |[x]| {
        x.t().contiguous()
    });
    b.bench(format!("Adam, {flat} parameters"), Bytes(28.0 * f), |device| {
        let parameter = Parameter::new(Tensor::zeros([flat]).to_device(device));
        parameter.value().set_grad(Some(Tensor::ones([flat]).to_device(device)));
        let mut adam = Adam::new(vec![parameter], 1e-3);
        move || adam.step()
    });
    b.timings
}
