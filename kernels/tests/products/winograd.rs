//! 3×3 convolutions that are computed by tiles: beside loops in f64, and beside the direct sums.

use crate::conv::{Case, Forward, InputGrad, Product, Sizes, WeightGrad};
use crate::operand::*;
use proptest::prelude::*;
use taper_kernels::cpu::simd::{available_levels, set_simd_level, simd_level};
use taper_kernels::cpu::{Cpu, set_winograd, winograd};
use taper_kernels::{Activation, Backend, ConvOp, ConvParams, DType};

const PRODUCTS: [Product; 3] = [Forward, InputGrad, WeightGrad];

const fn params(padding: [usize; 2]) -> ConvParams {
    ConvParams { stride: [1, 1], padding, dilation: [1, 1], groups: 1 }
}

/// Sizes that are large enough to be computed by tiles.
fn sizes(rng: &mut Numbers) -> Sizes {
    let mut from = |least: usize, n: usize| least + rng.below(n);
    if cfg!(miri) {
        return Sizes { n: 2, c: 2, o: 3, image: [5, 6], kernel: [3, 3], params: params([1, 0]) };
    }
    Sizes {
        n: from(2, 3),
        c: from(16, 20),
        o: from(16, 20),
        image: [from(11, 6), from(11, 6)],
        kernel: [3, 3],
        params: params([from(0, 4), from(0, 4)]),
    }
}

/// Runs something with the algorithm forbidden; the caller has the level to itself.
fn direct<R>(f: impl FnOnce() -> R) -> R {
    let before = winograd();
    set_winograd(false);
    let result = f();
    set_winograd(before);
    result
}

proptest! {
    #![proptest_config(cases(6))]

    #[test]
    fn threads_and_layouts_do_not_show(seed: u64) {
        let _guard = fixed_level();
        let rng = &mut Numbers(seed);
        let sizes = sizes(rng);
        let mut case = Case::new(rng, sizes, DType::F32);
        let results = PRODUCTS.map(|p| on_threads(1, || case.run(p)));
        for (product, one) in PRODUCTS.into_iter().zip(&results) {
            case.check(product)?;
            for &t in THREADS {
                prop_assert!(on_threads(t, || case.run(product)).bytes() == one.bytes(), "{t} threads, {product:?}");
            }
        }
        (case.x, case.w, case.y) = (case.x.to_dense(), case.w.to_dense(), case.y.to_dense());
        for (product, strided) in PRODUCTS.into_iter().zip(results) {
            prop_assert!(case.run(product).values() == strided.values(), "dense operands, {product:?}");
        }
    }
}

#[test]
fn all_levels() {
    let _guard = own_level();
    let before = simd_level();
    for level in available_levels() {
        set_simd_level(level);
        let rng = &mut Numbers(level as u64);
        let sizes = sizes(rng);
        let case = Case::new(rng, sizes, DType::F32);
        for product in PRODUCTS {
            case.check(product).unwrap();
        }
    }
    set_simd_level(before);
}

/// The root mean square of the errors, as a part of that of the exact results.
#[cfg(not(miri))]
#[test]
fn errors_are_those_of_direct_sums() {
    let _guard = own_level();
    for (c, o, size) in [(64, 64, 20), (16, 32, 28), (200, 24, 13)] {
        let rng = &mut Numbers(c as u64);
        let mut operand = |shape: &[usize]| Operand::dense(shape, DType::F32, || rng.value());
        let (x, w) = (operand(&[4, c, size, size]), operand(&[o, c, 3, 3]));
        let g = operand(&[4, o, size, size]);
        let wide = |of: &Operand| {
            let mut values = of.values().into_iter();
            Operand::dense(of.layout.shape(), DType::F64, || values.next().unwrap())
        };
        let exact = [&x, &w, &g].map(wide);
        let all = |[x, w, g]: [&Operand; 3]| {
            let (activation, bias) = (Activation::None, None);
            [
                (ConvOp::Forward { x: x.view(), w: w.view(), bias, activation }, g),
                (ConvOp::InputGrad { g: g.view(), w: w.view() }, x),
                (ConvOp::WeightGrad { g: g.view(), x: x.view() }, w),
            ]
            .map(|(op, like)| {
                let mut out = like.clone();
                Cpu.conv(op, params([1, 1]), out.view_mut()).unwrap();
                out.values()
            })
        };
        let [exact, tiles] = [all([&exact[0], &exact[1], &exact[2]]), all([&x, &w, &g])];
        let direct = direct(|| all([&x, &w, &g]));
        for (i, most) in [1.0, 1.0, 3.0].into_iter().enumerate() {
            let error =
                |of: &[f64]| of.iter().zip(&exact[i]).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
            let (by_tiles, by_sums) = (error(&tiles[i]), error(&direct[i]));
            assert!(tiles[i] != direct[i], "{:?} of {c} to {o} was not computed by tiles", PRODUCTS[i]);
            assert!(by_tiles <= most * by_sums, "{:?} of {c} to {o}: {by_tiles:e}, {by_sums:e}", PRODUCTS[i]);
        }
    }
}

/// What is not finite takes the direct sums, which keep it where it is seen.
#[cfg(not(miri))]
#[test]
fn non_finite_numbers_are_summed_directly() {
    let _guard = own_level();
    for bad in [f64::NAN, f64::INFINITY, f32::MAX as f64] {
        for place in 0..3 {
            let rng = &mut Numbers(place);
            let sizes = sizes(rng);
            let mut case = Case::new(rng, sizes, DType::F32);
            let operand = match place {
                0 => &mut case.x,
                1 => &mut case.w,
                _ => &mut case.y,
            };
            operand.set(&[1, 2, 1, 1], bad);
            operand.set(&[0, 3, 0, 2], -bad);
            for product in PRODUCTS {
                let (tiles, sums) = (case.run(product), direct(|| case.run(product)));
                let (tiles, sums) = (tiles.values(), sums.values());
                if sums.iter().any(|v| !v.is_finite()) {
                    let same = tiles.iter().zip(&sums).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{product:?} with {bad} in operand {place}");
                }
                let lost = tiles.iter().zip(&sums).any(|(a, b)| b.is_finite() && !a.is_finite());
                assert!(!lost, "{product:?} with {bad} in operand {place}");
            }
        }
    }
}
