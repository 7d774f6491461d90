//! Draws made one by one in f64, in place: exponential, geometric, log-normal, Cauchy, and integers
//! without bounds.

use super::{Generator, with};
use crate::tensor::Tensor;
use std::f64::consts::PI;
use taper_autograd::needs_grad;
use taper_kernels::{DType, Device, Element};

impl Tensor {
    /// Every element becomes a draw, in the order of memory.
    #[track_caller]
    fn draw_each<T: Element>(
        &mut self,
        name: &'static str,
        generator: Option<&mut Generator>,
        mut draw: impl FnMut(&mut Generator) -> T,
    ) -> &mut Self {
        self.check_writable(name);
        let n = self.numel();
        let draws: Vec<T> = with(generator, |g| (0..n).map(|_| draw(g)).collect());
        // The dimensions as they lie in memory, the longest step first. A backward step counts as a
        // fresh tensor, which is what PyTorch has in its place.
        let mut dims: Vec<usize> = (0..self.ndim()).collect();
        if self.strides().iter().zip(self.shape()).all(|(&step, &n)| step >= 0 || n == 1) {
            dims.sort_by_key(|&d| std::cmp::Reverse(self.strides()[d]));
        }
        let mut back = vec![0isize; dims.len()];
        dims.iter().enumerate().for_each(|(at, &d)| back[d] = at as isize);
        let shape: Vec<usize> = dims.iter().map(|&d| self.size(d as isize)).collect();
        let draws = Tensor::from_vec(draws, shape).permute(back.as_slice()).to_device(self.device());
        let draws = match self.dtype() {
            // PyTorch rounds twice on the way.
            DType::F16 | DType::BF16 => draws.to_dtype(DType::F32).to_dtype(self.dtype()),
            dtype => draws.to_dtype(dtype),
        };
        if needs_grad(self) {
            *self = draws;
            return self;
        }
        self.copy_(&draws)
    }

    /// As [`draw_each`](Self::draw_each) on another device, whose kernels draw what `draw` computes them from.
    #[track_caller]
    fn draw_there(
        &mut self,
        name: &'static str,
        generator: Option<&mut Generator>,
        draw: impl FnOnce(&[usize], (DType, Device), Option<&mut Generator>) -> Tensor,
    ) -> &mut Self {
        self.check_writable(name);
        let dtype = if self.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        let draws = draw(self.shape(), (dtype, self.device()), generator).to_dtype(self.dtype());
        if needs_grad(self) {
            *self = draws;
            return self;
        }
        self.copy_(&draws)
    }

    #[track_caller]
    fn check_float(&self, name: &str) {
        assert!(self.dtype().is_float(), "{name}: expected a floating-point tensor, got {}", self.dtype());
    }
}

/// Makes `name_(args)` and `name_with_(args, generator)`.
macro_rules! serial {
    ($(
        $(#[$doc:meta])*
        $name:ident $with:ident ($($arg:ident: $t:ty),*), check |$x:ident| $check:expr, |$g:ident| $draw:expr,
        there $source:ident($($from:expr),*) |$u:ident| $there:expr;
    )*) => {
        impl Tensor { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&mut self, $($arg: $t),*) -> &mut Self {
                self.$with($($arg,)* None)
            }
            #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), ") with a generator (`None` is the global one).")]
            #[track_caller]
            pub fn $with(&mut self, $($arg: $t,)* generator: Option<&mut Generator>) -> &mut Self {
                let $x = &*self;
                $check;
                match self.device() {
                    Device::Cpu => self.draw_each(stringify!($name), generator, |$g| $draw),
                    _ => self.draw_there(stringify!($name), generator, |shape, options, g| {
                        let $u = Tensor::$source($($from,)* shape, options, g);
                        $there
                    }),
                }
            }
        )* }
    };
}
serial! {
    /// Every element becomes an exponential number of rate `lambda`, from the global generator.
    ///
    /// # Panics
    /// For integers, for a rate that is not positive, and for a leaf that requires grad outside `no_grad`.
    exponential_ exponential_with_ (lambda: f64), check |x| {
        assert!(lambda > 0.0, "exponential_: expected a rate above 0, got {lambda}");
        x.check_float("exponential_");
    }, |g| -1.0 / lambda * (-g.unit_f64()).ln_1p(),
    // Never 0, as in PyTorch: others divide by it.
    there uniform_with(0.0, 1.0) |u| ((-u).log1p() * (-1.0 / lambda)).clamp(f64::from(f32::EPSILON) / 2.0 / lambda, None);

    /// Every element becomes the number of trials up to the first success, each of probability `p`: 1, 2, …;
    /// from the global generator.
    ///
    /// # Panics
    /// For bool, for a `p` that is not between 0 and 1, and for a leaf that requires grad outside `no_grad`.
    geometric_ geometric_with_ (p: f64), check |x| {
        assert!(p > 0.0 && p < 1.0, "geometric_: expected a probability between 0 and 1, got {p}");
        assert!(x.dtype() != DType::Bool, "geometric_: expected numbers, got a bool tensor");
    }, |g| (g.unit_f64().ln() / (-p).ln_1p()).ceil(),
    there uniform_with(0.0, 1.0) |u| ((-u).log1p() / (-p).ln_1p()).ceil().clamp(1.0, None);

    /// Every element becomes `exp` of a normal number of this mean and standard deviation, from the global
    /// generator. PyTorch's defaults: 1 and 2.
    ///
    /// # Panics
    /// For integers, for a deviation that is not positive, and for a leaf that requires grad outside `no_grad`.
    log_normal_ log_normal_with_ (mean: f64, std: f64), check |x| {
        assert!(std > 0.0, "log_normal_: expected a standard deviation above 0, got {std}");
        x.check_float("log_normal_");
    }, |g| g.normal().mul_add(std, mean).exp(),
    there normal_with(mean, std) |z| z.exp();

    /// Every element becomes a number of the Cauchy distribution with this median and half-width at half
    /// height, from the global generator. PyTorch's defaults: 0 and 1.
    ///
    /// # Panics
    /// For integers, for a width that is not positive, and for a leaf that requires grad outside `no_grad`.
    cauchy_ cauchy_with_ (median: f64, sigma: f64), check |x| {
        assert!(sigma > 0.0, "cauchy_: expected a width above 0, got {sigma}");
        x.check_float("cauchy_");
    }, |g| median + sigma * (PI * (g.unit_f64() - 0.5)).tan(),
    there uniform_with(0.0, 1.0) |u| ((u - 0.5) * PI).tan() * sigma + median;
}

impl Tensor {
    /// Every element becomes an integer uniform over what the dtype holds and is not negative
    /// (`torch.Tensor.random_` without bounds), from the global generator: `[0, 2⁶³)` for i64, `[0, 2ⁿ]`
    /// for floats of `n` binary digits.
    ///
    /// # Panics
    /// For a leaf that requires grad outside `no_grad`.
    #[track_caller]
    pub fn random_unbounded_(&mut self) -> &mut Self {
        self.random_unbounded_with_(None)
    }

    /// As [`random_unbounded_`](Self::random_unbounded_) with a generator (`None` is the global one).
    #[track_caller]
    pub fn random_unbounded_with_(&mut self, generator: Option<&mut Generator>) -> &mut Self {
        // 64 bits of the generator for the dtypes of 64 bits that PyTorch thinks of, 32 for others.
        let (wide, count) = match self.dtype() {
            DType::F64 => (true, (1 << 53) + 1),
            DType::I64 => (true, 1 << 63),
            DType::F32 => (false, (1 << 24) + 1),
            DType::F16 => (false, (1 << 11) + 1),
            DType::BF16 => (false, (1 << 8) + 1),
            DType::I32 => (false, 1 << 31),
            DType::I16 => (false, 1 << 15),
            DType::U8 => (false, 1 << 8),
            DType::I8 => (false, 1 << 7),
            DType::Bool => (false, 2u64),
        };
        if self.device() != Device::Cpu {
            // Ranges end before i64's end.
            let end = i64::try_from(count).unwrap_or(i64::MAX);
            return self.random_with_(0, end, generator);
        }
        let draw = |g: &mut Generator| if wide { g.u64() } else { g.u32() as u64 };
        self.draw_each("random_unbounded_", generator, |g| (draw(g) % count) as i64)
    }
}
