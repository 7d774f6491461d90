//! Tensors of independent draws, new and in place.

use super::{Generator, with};
use crate::error::{Error, ok};
use crate::operand::{IntoShape, Operand};
use crate::tensor::{Options, Tensor};
use taper_autograd::{needs_grad, op};
use taper_kernels::{DType, Device, Dims, RandomOp, broadcast_shapes};

const UNIT: RandomOp = RandomOp::Uniform { lo: 0.0, hi: 1.0 };
const STANDARD: RandomOp = RandomOp::Normal { mean: 0.0, std: 1.0 };

#[track_caller]
fn uniform(name: &str, lo: f64, hi: f64) -> RandomOp<'static> {
    assert!(lo <= hi && (hi - lo).is_finite(), "{name}: expected lo <= hi, got {lo} and {hi}");
    RandomOp::Uniform { lo, hi }
}
#[track_caller]
fn normal(name: &str, mean: f64, std: f64) -> RandomOp<'static> {
    assert!(std >= 0.0, "{name}: expected a standard deviation >= 0, got {std}");
    RandomOp::Normal { mean, std }
}
#[track_caller]
fn int(name: &str, lo: i64, hi: i64) -> RandomOp<'static> {
    assert!(lo < hi, "{name}: expected lo < hi, got {lo} and {hi}");
    RandomOp::Int { lo, hi }
}
#[track_caller]
fn bernoulli(name: &str, p: f64) -> RandomOp<'static> {
    assert!((0.0..=1.0).contains(&p), "{name}: expected a probability from 0 to 1, got {p}");
    RandomOp::Bernoulli { p }
}

impl Tensor {
    /// Overwrites every element with a draw. Nobody else may own the memory.
    #[track_caller]
    fn fill_random(
        mut self,
        name: &'static str,
        what: RandomOp,
        generator: Option<&mut Generator>,
    ) -> Tensor {
        let backend = ok(self.device().backend().map_err(Error::kernel(name)));
        let out = self.as_view_mut();
        ok(with(generator, |g| backend.random(what, g, out)).map_err(Error::kernel(name)));
        self
    }

    #[track_caller]
    fn drawn(
        name: &'static str,
        shape: impl IntoShape,
        options: impl Into<Options>,
        what: RandomOp,
        generator: Option<&mut Generator>,
    ) -> Tensor {
        Tensor::empty_with(shape, options).fill_random(name, what, generator)
    }

    /// A tensor of draws with this one's shape, dtype and device, laid out alike: numbers are drawn in
    /// the order of memory.
    #[track_caller]
    pub(super) fn drawn_like(
        &self,
        name: &'static str,
        what: RandomOp,
        generator: Option<&mut Generator>,
    ) -> Tensor {
        self.empty_alike().fill_random(name, what, generator)
    }

    /// As [`drawn_like`](Self::drawn_like), in place.
    #[track_caller]
    fn redraw(&mut self, name: &'static str, what: RandomOp, generator: Option<&mut Generator>) -> &mut Self {
        self.check_writable(name);
        if needs_grad(self) {
            *self = self.empty_strided_alike().fill_random(name, what, generator);
            return self;
        }
        if !self.owns_memory() {
            // The numbers depend on the steps, so these stay.
            self.set_memory(self.empty_strided_alike());
        }
        let backend = ok(self.device().backend().map_err(Error::kernel(name)));
        let out = self.as_view_mut();
        ok(with(generator, |g| backend.random(what, g, out)).map_err(Error::kernel(name)));
        self
    }
}

/// Makes `name(shape)`, `name_with(shape, options, generator)` and `name_like(other)`.
macro_rules! draws {
    ($($name:ident $with:ident $like:ident ($($arg:ident: $t:ty),*) $what:expr, $options:expr, $doc:literal;)*) => {
        impl Tensor { $(
            #[doc = concat!("A tensor of ", $doc, ", from the global generator.")]
            #[track_caller]
            pub fn $name($($arg: $t,)* shape: impl IntoShape) -> Tensor {
                Tensor::$with($($arg,)* shape, $options, None)
            }
            #[doc = concat!("A tensor of ", $doc, ", with a dtype, a device or both, and a generator (`None` is the global one).")]
            #[track_caller]
            pub fn $with(
                $($arg: $t,)*
                shape: impl IntoShape,
                options: impl Into<Options>,
                generator: Option<&mut Generator>,
            ) -> Tensor {
                Tensor::drawn(stringify!($name), shape, options, $what, generator)
            }
            #[doc = concat!("A tensor of ", $doc, ", with this one's shape, dtype and device.")]
            #[track_caller]
            pub fn $like(&self, $($arg: $t,)*) -> Tensor {
                self.drawn_like(stringify!($like), $what, None)
            }
        )* }
    };
}
draws! {
    rand rand_with rand_like () UNIT, DType::F32, "numbers uniform in `[0, 1)`";
    randn randn_with randn_like () STANDARD, DType::F32, "standard normal numbers";
    randint randint_with randint_like (lo: i64, hi: i64) int("randint", lo, hi), DType::I64,
        "integers uniform in `[lo, hi)` (i64 by default)";
    uniform uniform_with uniform_like (lo: f64, hi: f64) uniform("uniform", lo, hi), DType::F32,
        "numbers uniform in `[lo, hi)`";
    normal normal_with normal_like (mean: f64, std: f64) normal("normal", mean, std), DType::F32,
        "normal numbers (`torch.normal`)";
}

/// Makes `name_(args)` and `name_with_(args, generator)`.
macro_rules! in_place {
    ($($name:ident $with:ident ($($arg:ident: $t:ty),*) $what:expr, $doc:literal;)*) => {
        impl Tensor { $(
            #[doc = concat!("Every element becomes ", $doc, ", from the global generator.")]
            ///
            /// # Panics
            /// For arguments out of range, and for a leaf that requires grad outside `no_grad`.
            #[track_caller]
            pub fn $name(&mut self, $($arg: $t),*) -> &mut Self {
                self.$with($($arg,)* None)
            }
            #[doc = concat!("As [`", stringify!($name), "`](Self::", stringify!($name), ") with a generator (`None` is the global one).")]
            #[track_caller]
            pub fn $with(&mut self, $($arg: $t,)* generator: Option<&mut Generator>) -> &mut Self {
                self.redraw(stringify!($name), $what, generator)
            }
        )* }
    };
}
in_place! {
    uniform_ uniform_with_ (lo: f64, hi: f64) uniform("uniform_", lo, hi), "a number uniform in `[lo, hi)`";
    normal_ normal_with_ (mean: f64, std: f64) normal("normal_", mean, std), "a normal number";
    random_ random_with_ (lo: i64, hi: i64) int("random_", lo, hi), "an integer uniform in `[lo, hi)`";
    bernoulli_ bernoulli_with_ (p: f64) bernoulli("bernoulli_", p), "1 with probability `p`, else 0";
}

impl Tensor {
    /// A random order of `0..n`, i64 (`torch.randperm`).
    #[track_caller]
    pub fn randperm(n: usize) -> Tensor {
        Tensor::randperm_with(n, DType::I64, None)
    }

    /// As [`randperm`](Self::randperm) with a dtype, a device or both, and a generator.
    #[track_caller]
    pub fn randperm_with(n: usize, options: impl Into<Options>, generator: Option<&mut Generator>) -> Tensor {
        Tensor::drawn("randperm", n, options, RandomOp::Permutation, generator)
    }

    /// 1 with the probability that stands in this tensor, else 0, in its dtype (`torch.bernoulli`).
    /// The gradient is 0.
    ///
    /// # Panics
    /// For integers, and (on the CPU) for what is no probability.
    #[track_caller]
    pub fn bernoulli(&self) -> Tensor {
        self.bernoulli_with(None)
    }

    /// As [`bernoulli`](Self::bernoulli) with a generator.
    #[track_caller]
    pub fn bernoulli_with(&self, generator: Option<&mut Generator>) -> Tensor {
        let name = "bernoulli";
        assert!(
            self.dtype().is_float(),
            "{name}: expected floating-point probabilities, got {}",
            self.dtype()
        );
        if self.device() != Device::Cpu {
            // Nothing waits for the probabilities, so nobody looks at them.
            let dtype = if self.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
            let u = Tensor::rand_with(self.shape(), (dtype, self.device()), generator);
            let hits = u.lt(self.detach().to_dtype(dtype)).to_dtype(self.dtype());
            return op(name, hits).wrt(self, || |g: &Tensor| g.zeros_like()).done();
        }
        let p = self.to_vec::<f64>();
        if let Some(p) = p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            panic!("{name}: expected probabilities from 0 to 1, got {p}");
        }
        let what = RandomOp::BernoulliEach { p: &p, dtype: self.dtype() };
        op(name, self.drawn_like(name, what, generator)).wrt(self, || |g: &Tensor| g.zeros_like()).done()
    }

    /// Normal numbers whose mean and standard deviation are tensors, or one of them a number
    /// (`torch.normal(mean, std)`): `mean + z·std` over the shapes broadcast together. Gradients are 0.
    ///
    /// # Panics
    /// For two numbers ([`normal`](Self::normal) takes a shape as well), for integers, for negative
    /// deviations, and for shapes that do not fit.
    #[track_caller]
    pub fn normal_each(mean: impl Into<Operand>, std: impl Into<Operand>) -> Tensor {
        Tensor::normal_each_with(mean, std, None)
    }

    /// As [`normal_each`](Self::normal_each) with a generator (`None` is the global one).
    #[track_caller]
    pub fn normal_each_with(
        mean: impl Into<Operand>,
        std: impl Into<Operand>,
        generator: Option<&mut Generator>,
    ) -> Tensor {
        let name = "normal";
        let (mean, std): (Operand, Operand) = (mean.into(), std.into());
        let tensors: Vec<&Tensor> = [&mean, &std]
            .into_iter()
            .filter_map(|o| match o {
                Operand::Tensor(t) => Some(t),
                Operand::Scalar(_) => None,
            })
            .collect();
        let like = *tensors.first().expect("normal_each: expected a tensor; for two numbers there is normal");
        let mut shape = Dims::from(like.shape());
        for t in &tensors {
            assert!(t.dtype().is_float(), "{name}: expected floating-point tensors, got {}", t.dtype());
            shape = broadcast_shapes(&shape, t.shape()).unwrap_or_else(|| {
                panic!("{name}: shapes {:?} and {:?} do not broadcast", like.shape(), t.shape())
            });
        }
        let least = match &std {
            Operand::Tensor(t) if t.numel() == 0 => 0.0,
            Operand::Tensor(t) => t.detach().min().item(),
            Operand::Scalar(s) => s.to_f64(),
        };
        assert!(least >= 0.0, "{name}: expected standard deviations >= 0, got {least}");
        let mean_of = |z: Tensor| match &mean {
            Operand::Tensor(t) => z + t.detach(),
            number => z + number.clone(),
        };
        // A number is a factor while drawing, a tensor afterwards: the roundings are PyTorch's.
        let y = match &std {
            Operand::Tensor(t) => mean_of(Tensor::drawn(name, shape, like, STANDARD, generator) * t.detach()),
            Operand::Scalar(s) => {
                let what = RandomOp::Normal { mean: 0.0, std: s.to_f64() };
                mean_of(Tensor::drawn(name, shape, like, what, generator))
            }
        };
        let mut y = op(name, y);
        for t in tensors {
            y = y.wrt(t, || |g: &Tensor| g.zeros_like());
        }
        y.done()
    }
}
