//! Layer and batch norm against formulas in f64, their gradients against finite differences.

use crate::common::{FLOATS, assert_near, assert_untouched, output};
use crate::operand::{COMPARED, Numbers, Operand, cases, epsilon, fixed_level, indices, on_threads};
use proptest::prelude::*;
use taper_kernels::{Backend, DType, NormOp, cpu::Cpu};

const EPS: f64 = 1e-5;

/// Which elements are normalised together, and which weight each has: rows of `[rows, n]`, or
/// channels of `[N, C, L]`.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Layer,
    Batch,
}

impl Kind {
    fn group(self, i: &[usize]) -> usize {
        if self == Kind::Layer { i[0] } else { i[1] }
    }
    fn groups(self, shape: &[usize]) -> usize {
        if self == Kind::Layer { shape[0] } else { shape[1] }
    }
}

/// Mean and biased variance of each group.
fn statistics(kind: Kind, shape: &[usize], x: &[f64]) -> Vec<(f64, f64)> {
    let mut all = vec![vec![]; kind.groups(shape)];
    indices(shape).zip(x).for_each(|(i, &v)| all[kind.group(&i)].push(v));
    all.iter()
        .map(|v| {
            let n = v.len() as f64;
            let mean = v.iter().sum::<f64>() / n;
            (mean, v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n)
        })
        .collect()
}

fn forward(kind: Kind, shape: &[usize], x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let stats = statistics(kind, shape, x);
    indices(shape)
        .zip(x)
        .map(|(i, &v)| {
            let (mean, var) = stats[kind.group(&i)];
            (v - mean) / (var + EPS).sqrt() * w[i[1]] + b[i[1]]
        })
        .collect()
}

/// `Σ g·forward`, differentiated by one number of `x`, `w` or `b`.
fn difference(f: impl Fn(f64) -> Vec<f64>, g: &[f64]) -> f64 {
    let h = 1e-5;
    let at = |d: f64| f(d).iter().zip(g).map(|(y, g)| y * g).sum::<f64>();
    (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
}

fn bumped(v: &[f64], k: usize, d: f64) -> Vec<f64> {
    let mut v = v.to_vec();
    v[k] += d;
    v
}

struct Ran {
    y: Operand,
    mean: Vec<f64>,
    dx: Operand,
    dw: Vec<f64>,
    db: Vec<f64>,
}

/// Forward and gradients; statistics and weights in dtype `p`.
fn run(
    rng: &mut Numbers,
    kind: Kind,
    x: &Operand,
    g: &Operand,
    w: Option<&Operand>,
    b: Option<&Operand>,
    p: DType,
) -> Ran {
    let shape = x.layout.shape();
    let (groups, n) = (kind.groups(shape), shape[1]);
    let (mut y, mut dx) = (output(rng, shape, x.dtype), output(rng, shape, x.dtype));
    let (mut mean, mut rstd) = (output(rng, &[groups], p), output(rng, &[groups], p));
    let (mut dw, mut db) = (output(rng, &[n], p), output(rng, &[n], p));
    let before = [&y, &dx, &mean, &rstd, &dw, &db].map(|o| o.clone());
    let (weight, bias) = (w.map(|w| w.view()), b.map(|b| b.view()));
    match kind {
        Kind::Layer => {
            let (m, r) = (mean.view_mut(), rstd.view_mut());
            let op = NormOp::Layer { x: x.view(), weight, bias, eps: EPS, mean: m, rstd: r };
            Cpu.norm(op, Some(y.view_mut())).unwrap();
        }
        Kind::Batch => {
            let op = NormOp::BatchStats { x: x.view(), mean: mean.view_mut(), var: rstd.view_mut() };
            Cpu.norm(op, None).unwrap();
            for c in 0..groups {
                let var = rstd.get(&[c]);
                rstd.set(&[c], 1.0 / (var + EPS).sqrt());
            }
            let op = NormOp::BatchApply { x: x.view(), mean: mean.view(), rstd: rstd.view(), weight, bias };
            Cpu.norm(op, Some(y.view_mut())).unwrap();
        }
    }
    let (mean_v, rstd_v) = (mean.view(), rstd.view());
    let (dweight, dbias) = (w.map(|_| dw.view_mut()), b.map(|_| db.view_mut()));
    let (g, x) = (g.view(), x.view());
    let op = match kind {
        Kind::Layer => NormOp::LayerGrad { g, x, weight, mean: mean_v, rstd: rstd_v, dweight, dbias },
        Kind::Batch => NormOp::BatchGrad { g, x, weight, mean: mean_v, rstd: rstd_v, dweight, dbias },
    };
    Cpu.norm(op, Some(dx.view_mut())).unwrap();
    for (before, after) in before.iter().zip([&y, &dx, &mean, &rstd, &dw, &db]) {
        assert_untouched(before, after);
    }
    Ran { mean: mean.values(), dw: dw.values(), db: db.values(), y, dx }
}

fn case(rng: &mut Numbers, kind: Kind) -> Vec<usize> {
    let long = if cfg!(miri) { 6 } else { 40 };
    let mut size = |n: usize| 1 + rng.below(n);
    match kind {
        Kind::Layer => vec![size(5), size(long) + 1],
        Kind::Batch => {
            let (n, c, l) = (size(4), size(6), size(long));
            // Channels last and [N, C] too.
            if size(3) == 1 { vec![n + 1, c, 1] } else { vec![n, c, l + 1] }
        }
    }
}

proptest! {
    #![proptest_config(cases(60))]
    #[test]
    fn norms_equal_their_formulas(seed: u64) {
        let _level = fixed_level();
        let mut rng = Numbers(seed);
        for kind in [Kind::Layer, Kind::Batch] {
            let shape = case(&mut rng, kind);
            let groups = kind.groups(&shape);
            for dtype in FLOATS {
                let p = if rng.chance(2) { dtype } else { dtype.compute() };
                let x = Operand::random(&mut rng, &shape, dtype, false);
                let g = Operand::random(&mut rng, &shape, dtype, true);
                let w = Operand::random(&mut rng, &[shape[1]], p, true);
                let b = Operand::random(&mut rng, &[shape[1]], p, false);
                let (has_w, has_b) = (!rng.chance(4), !rng.chance(4));
                let ran = run(&mut rng, kind, &x, &g, has_w.then_some(&w), has_b.then_some(&b), p);
                if !COMPARED {
                    continue;
                }
                let wv = if has_w { w.values() } else { vec![1.0; shape[1]] };
                let bv = if has_b { b.values() } else { vec![0.0; shape[1]] };
                let (xv, gv) = (x.values(), g.values());
                let stats = statistics(kind, &shape, &xv);
                // What rounding of the statistics does is scaled up by 1/σ.
                let spread = stats.iter().map(|s| 1.0 / (s.1 + EPS).sqrt()).fold(1.0, f64::max);
                let off = 40.0 * epsilon(if p == dtype { dtype } else { dtype.compute() }) * spread + 4.0 * epsilon(dtype);
                for (k, &mean) in ran.mean.iter().enumerate() {
                    assert_near(mean, stats[k].0, 8.0 * epsilon(p), ("mean", groups));
                }
                for (got, want) in ran.y.values().iter().zip(forward(kind, &shape, &xv, &wv, &bv)) {
                    assert_near(*got, want, off * (1.0 + want.abs()), ("y", dtype, p, &shape));
                }
                if dtype != DType::F64 || (spread > 30.0) {
                    continue;
                }
                for (k, got) in ran.dx.values().iter().enumerate() {
                    let want = difference(|d| forward(kind, &shape, &bumped(&xv, k, d), &wv, &bv), &gv);
                    assert_near(*got, want, 1e-7 * spread.powi(3), ("dx", &shape, &x.layout));
                }
                for k in 0..shape[1] {
                    if has_w {
                        let want = difference(|d| forward(kind, &shape, &xv, &bumped(&wv, k, d), &bv), &gv);
                        assert_near(ran.dw[k], want, 1e-7 * spread, ("dw", &shape));
                    }
                    if has_b {
                        let want = difference(|d| forward(kind, &shape, &xv, &wv, &bumped(&bv, k, d)), &gv);
                        assert_near(ran.db[k], want, 1e-7 * spread, ("db", &shape));
                    }
                }
            }
        }
    }
}

/// A variance that `Σx² − (Σx)²/n` would lose, in every layout.
#[test]
#[cfg_attr(miri, ignore = "about values")]
fn large_means_do_not_cancel() {
    let _level = fixed_level();
    let mut rng = Numbers(8);
    for order in [[0, 1, 2], [0, 2, 1], [2, 1, 0]] {
        let shape = [300, 3, 33];
        let stored: Vec<usize> = order.map(|d| shape[d]).to_vec();
        let mut x = Operand::dense(&stored, DType::F32, || 1e4 + rng.value());
        let mut back = [0; 3];
        (0..3).for_each(|i| back[order[i]] = i);
        x.layout = x.layout.permute(&back);
        let stats = statistics(Kind::Batch, &shape, &x.values());
        let mut mean = Operand::dense(&[3], DType::F64, || 0.0);
        let mut var = mean.clone();
        Cpu.norm(NormOp::BatchStats { x: x.view(), mean: mean.view_mut(), var: var.view_mut() }, None)
            .unwrap();
        for (c, (m, v)) in stats.iter().enumerate() {
            assert_near(mean.get(&[c]), *m, 1e-4, order);
            assert_near(var.get(&[c]), *v, 1e-5 * v, order);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "large")]
fn same_bits_at_any_thread_count() {
    let _level = fixed_level();
    for dtype in [DType::F32, DType::BF16] {
        for (kind, shape) in [
            (Kind::Layer, vec![300, 200]),
            (Kind::Batch, vec![16, 2, 5000]),
            (Kind::Batch, vec![1500, 40, 1]),
            (Kind::Batch, vec![40, 30, 50]),
        ] {
            let all = |threads| {
                on_threads(threads, || {
                    let mut rng = Numbers(9);
                    let x = Operand::dense(&shape, dtype, || rng.value());
                    let g = Operand::dense(&shape, dtype, || rng.value());
                    let w = Operand::dense(&[shape[1]], dtype, || rng.value());
                    let r = run(&mut rng, kind, &x, &g, Some(&w), Some(&w), dtype);
                    (r.y.bytes().to_vec(), r.dx.bytes().to_vec(), r.dw, r.db)
                })
            };
            let one = all(1);
            assert!(all(2) == one && all(3) == one, "{dtype} {shape:?}");
        }
    }
}
