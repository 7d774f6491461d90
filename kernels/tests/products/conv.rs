use crate::operand::*;
use proptest::prelude::*;
use taper_kernels::cpu::Cpu;
use taper_kernels::cpu::simd::{available_levels, set_simd_level, simd_level};
use taper_kernels::{Activation, Backend, ConvOp, ConvParams, DType};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Product {
    Forward,
    InputGrad,
    WeightGrad,
}
pub use Product::*;

/// A convolution with all its operands; each product overwrites one of x, w and y.
pub struct Case {
    pub x: Operand,
    pub w: Operand,
    pub y: Operand,
    bias: Option<Operand>,
    relu: bool,
    params: ConvParams,
}

#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub n: usize,
    pub c: usize,
    pub o: usize,
    pub image: [usize; 2],
    pub kernel: [usize; 2],
    pub params: ConvParams,
}

impl Sizes {
    /// `c` and `o` per group.
    fn random(rng: &mut Numbers, most: usize) -> Self {
        let mut below = |n: usize| rng.below(if cfg!(miri) { n.min(2) } else { n });
        let params = ConvParams {
            stride: [1 + below(3), 1 + below(3)],
            padding: [below(4), below(4)],
            dilation: if below(3) == 0 { [1 + below(3), 1 + below(3)] } else { [1, 1] },
            groups: if below(3) == 0 { 1 + below(4) } else { 1 },
        };
        let params = if rng.chance(2) { ConvParams { stride: [1, 1], ..params } } else { params };
        let kernel: [usize; 2] = std::array::from_fn(|_| 1 + rng.below(if cfg!(miri) { 3 } else { 4 }));
        let image = std::array::from_fn(|d| {
            let least =
                (params.dilation[d] * (kernel[d] - 1) + 1).saturating_sub(2 * params.padding[d]).max(1);
            least + rng.below(most)
        });
        let one = rng.chance(4);
        let mut count = |most: usize| if one { 1 } else { 1 + rng.below(if cfg!(miri) { 2 } else { most }) };
        Sizes { n: count(4), c: count(6), o: count(9), image, kernel, params }
    }
}

impl Case {
    pub fn new(rng: &mut Numbers, s: Sizes, dtype: DType) -> Self {
        let p = s.params;
        let out: [usize; 2] = std::array::from_fn(|d| {
            (s.image[d] + 2 * p.padding[d] - p.dilation[d] * (s.kernel[d] - 1) - 1) / p.stride[d] + 1
        });
        let (c, o) = (s.c * p.groups, s.o * p.groups);
        Case {
            x: Operand::random(rng, &[s.n, c, s.image[0], s.image[1]], dtype, false),
            w: Operand::random(rng, &[o, s.c, s.kernel[0], s.kernel[1]], dtype, false),
            y: Operand::random(rng, &[s.n, o, out[0], out[1]], dtype, false),
            bias: rng.chance(2).then(|| Operand::random(rng, &[o], dtype, true)),
            relu: rng.chance(3),
            params: p,
        }
    }

    fn target(&self, product: Product) -> &Operand {
        match product {
            Forward => &self.y,
            InputGrad => &self.x,
            WeightGrad => &self.w,
        }
    }

    pub fn run(&self, product: Product) -> Operand {
        let mut out = self.target(product).clone();
        let (x, w, g) = (self.x.view(), self.w.view(), self.y.view());
        let op = match product {
            Forward => ConvOp::Forward {
                x,
                w,
                bias: self.bias.as_ref().map(|b| b.view()),
                activation: if self.relu { Activation::Relu } else { Activation::None },
            },
            InputGrad => ConvOp::InputGrad { g, w },
            WeightGrad => ConvOp::WeightGrad { g, x },
        };
        Cpu.conv(op, self.params, out.view_mut()).unwrap();
        out
    }

    /// The exact result, and for each element the sum of its terms' sizes and their number.
    fn exact(&self, product: Product) -> Vec<[f64; 3]> {
        let out = self.target(product);
        let mut sums = vec![[0.0; 3]; out.layout.numel()];
        let flat = |index: [usize; 4]| index.iter().zip(out.layout.shape()).fold(0, |at, (i, n)| at * n + i);
        let (ws, p) = (self.w.layout.shape(), &self.params);
        for y in indices(self.y.layout.shape()) {
            for tap in indices(&ws[1..]) {
                let at: [usize; 2] = std::array::from_fn(|d| {
                    (y[2 + d] * p.stride[d] + tap[1 + d] * p.dilation[d]).wrapping_sub(p.padding[d])
                });
                if at[0] >= self.x.layout.shape()[2] || at[1] >= self.x.layout.shape()[3] {
                    continue;
                }
                let channel = y[1] / (ws[0] / p.groups) * ws[1] + tap[0];
                let x = [y[0], channel, at[0], at[1]];
                let w = [y[1], tap[0], tap[1], tap[2]];
                let (to, product) = match product {
                    Forward => (flat([y[0], y[1], y[2], y[3]]), self.x.get(&x) * self.w.get(&w)),
                    InputGrad => (flat(x), self.y.get(&y) * self.w.get(&w)),
                    WeightGrad => (flat(w), self.y.get(&y) * self.x.get(&x)),
                };
                sums[to] = [sums[to][0] + product, sums[to][1] + product.abs(), sums[to][2] + 1.0];
            }
        }
        if product == Forward {
            for (i, y) in indices(self.y.layout.shape()).enumerate() {
                let b = self.bias.as_ref().map_or(0.0, |b| b.get(&[y[1]]));
                let sum = sums[i][0] + b;
                sums[i] =
                    [if self.relu { sum.max(0.0) } else { sum }, sums[i][1] + b.abs(), sums[i][2] + 1.0];
            }
        }
        sums
    }

    pub fn check(&self, product: Product) -> Result<(), TestCaseError> {
        let out = self.run(product);
        if !COMPARED {
            return Ok(());
        }
        let (eps, inner) = (epsilon(out.dtype), epsilon(out.dtype.compute()));
        for (i, ([sum, size, terms], got)) in self.exact(product).into_iter().zip(out.values()).enumerate() {
            let bound = eps * sum.abs() + (terms + 2.0) * inner * size + tiniest(out.dtype);
            prop_assert!((got - sum).abs() <= bound, "{product:?}: {got} for {sum} at {i}, bound {bound:e}");
        }
        Ok(())
    }
}

const DTYPES: [DType; 5] = [DType::F32, DType::F64, DType::F32, DType::F16, DType::BF16];

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn products(seed: u64, which in 0..DTYPES.len()) {
        let _guard = fixed_level();
        let rng = &mut Numbers(seed);
        let sizes = Sizes::random(rng, if cfg!(miri) { 3 } else { 12 });
        let case = Case::new(rng, sizes, DTYPES[which]);
        for product in [Forward, InputGrad, WeightGrad] {
            case.check(product)?;
        }
    }

    #[test]
    fn wide_images(seed: u64, width in 8..if cfg!(miri) { 14usize } else { 70 }, kernel in 1usize..6, padding in 0usize..3, which in 0..3usize) {
        let _guard = fixed_level();
        let rng = &mut Numbers(seed);
        let params = ConvParams {
            stride: [1, 1 + rng.below(2)],
            padding: [1, padding],
            dilation: [1, 1],
            groups: 1 + rng.below(2),
        };
        let (n, c) = if cfg!(miri) { (1, 1) } else { (2, 3) };
        let sizes = Sizes { n, c, o: 1 + rng.below(20), image: [5, width], kernel: [3, kernel], params };
        let case = Case::new(rng, sizes, DTYPES[which]);
        for product in [Forward, InputGrad, WeightGrad] {
            case.check(product)?;
        }
    }

    #[test]
    fn threads_and_layouts_do_not_show(seed: u64) {
        let _guard = fixed_level();
        let rng = &mut Numbers(seed);
        let mut sizes = Sizes::random(rng, if cfg!(miri) { 2 } else { 20 });
        sizes.n += 3;
        let dtype = DTYPES[rng.below(5)];
        let mut case = Case::new(rng, sizes, dtype);
        for product in [Forward, InputGrad, WeightGrad] {
            let one = on_threads(1, || case.run(product));
            for &t in THREADS {
                prop_assert!(on_threads(t, || case.run(product)).bytes() == one.bytes(), "{t} threads, {product:?}");
            }
        }
        let strided = [Forward, InputGrad, WeightGrad].map(|p| case.run(p).values());
        (case.x, case.w, case.y) = (case.x.to_dense(), case.w.to_dense(), case.y.to_dense());
        for (product, strided) in [Forward, InputGrad, WeightGrad].into_iter().zip(strided) {
            prop_assert!(case.run(product).values() == strided, "dense operands, {product:?}");
        }
    }
}

#[test]
fn all_levels() {
    let _guard = own_level();
    let before = simd_level();
    for level in available_levels() {
        set_simd_level(level);
        for seed in 0..if cfg!(miri) { 1 } else { 12 } {
            let rng = &mut Numbers(seed);
            let sizes = Sizes::random(rng, if cfg!(miri) { 2 } else { 20 });
            let case = Case::new(rng, sizes, DTYPES[seed as usize % 5]);
            for product in [Forward, InputGrad, WeightGrad] {
                case.check(product).unwrap();
            }
        }
    }
    set_simd_level(before);
}

/// What a tap does not see must not reach it, not even as 0·NaN.
#[test]
#[cfg_attr(miri, ignore = "about values")]
fn nans_stay_where_they_are_seen() {
    let _guard = fixed_level();
    for stride in [1, 2] {
        let rng = &mut Numbers(stride as u64);
        let params = ConvParams { stride: [stride; 2], padding: [1, 1], dilation: [1, 1], groups: 1 };
        let sizes = Sizes { n: 2, c: 2, o: 3, image: [6, 21], kernel: [3, 3], params };
        let mut case = Case::new(rng, sizes, DType::F32);
        case.relu = false;
        for at in [[0, 1, 0, 0], [1, 0, 5, 20], [0, 0, 0, 20], [1, 1, 3, 20]] {
            case.x.set(&at, f64::NAN);
        }
        for product in [Forward, WeightGrad] {
            let exact: Vec<bool> = case.exact(product).iter().map(|v| v[1].is_nan()).collect();
            let got: Vec<bool> = case.run(product).values().iter().map(|v| v.is_nan()).collect();
            assert!(exact == got, "{product:?}");
        }
    }
}

#[cfg(not(miri))]
#[test]
fn network_shapes() {
    let _guard = fixed_level();
    for (c, o, size, padding) in
        [(3, 32, 32, 1), (32, 64, 14, 1), (1, 32, 28, 0), (64, 48, 7, 1), (16, 16, 4, 1)]
    {
        let params = ConvParams { stride: [1, 1], padding: [padding; 2], dilation: [1, 1], groups: 1 };
        let sizes = Sizes { n: 2, c, o, image: [size; 2], kernel: [3, 3], params };
        let case = Case::new(&mut Numbers(1), sizes, DType::F32);
        for product in [Forward, InputGrad, WeightGrad] {
            case.check(product).unwrap();
        }
    }
}
