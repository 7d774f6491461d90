//! Random numbers: against Philox written anew, in the layout of PyTorch's CUDA generator, and against
//! numbers that PyTorch gave on a GPU.

use crate::both::upload;
use crate::operand::{Numbers, Operand};
use crate::support::{asked, device, numbers, shared};
use taper_kernels::random::{Generator, Philox};
use taper_kernels::{Backend, DType, Error, Layout, RandomOp, Result};

/// Blocks of 256 threads that the device holds.
fn blocks_at_once() -> usize {
    let p = taper_kernels::cuda::properties(0).expect("a device");
    (p.multiprocessors * (p.threads_per_multiprocessor / 256)) as usize
}

/// Philox 4×32-10 after Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, 2011.
fn philox(seed: u64, counter: [u64; 2]) -> [u32; 4] {
    let low = |x: u64| x as u32;
    let high = |x: u64| (x >> 32) as u32;
    let mut c = [low(counter[0]), high(counter[0]), low(counter[1]), high(counter[1])];
    let mut key = [low(seed), high(seed)];
    for _ in 0..10 {
        let a = 0xD251_1F53u64 * c[0] as u64;
        let b = 0xCD9E_8D57u64 * c[2] as u64;
        c = [high(b) ^ c[1] ^ key[0], low(b), high(a) ^ c[3] ^ key[1], low(a)];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

/// The draw and the part of it that belongs to element `i` of `n`, and the numbers the stream moves on by.
struct Place {
    draw: [u32; 4],
    part: usize,
    used: u64,
}
fn place(i: usize, n: usize, stream: Philox, per_draw: usize, adjacent: bool) -> Place {
    let threads = n.div_ceil(256).min(blocks_at_once()) * 256;
    let round = threads * per_draw;
    let (turn, at) = (i / round, i % round);
    let (thread, part) = if adjacent { (at / per_draw, at % per_draw) } else { (at % threads, at / threads) };
    let draw = philox(stream.seed, [stream.offset / 4 + turn as u64, thread as u64]);
    Place { draw, part, used: 4 * n.div_ceil(round) as u64 }
}

fn unit_f32(x: u32) -> f32 {
    (x as f32).mul_add(2f32.powi(-32), 2f32.powi(-33))
}
fn unit_f64(x: u32, y: u32) -> f64 {
    ((x as u64 ^ (y as u64) << 21) as f64).mul_add(2f64.powi(-53), 2f64.powi(-54))
}
fn unit(p: &Place, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => unit_f64(p.draw[2 * p.part], p.draw[2 * p.part + 1]),
        _ => unit_f32(p.draw[p.part]) as f64,
    }
}
fn per_draw(dtype: DType) -> usize {
    if dtype == DType::F64 { 2 } else { 4 }
}

/// What a device draws into `n` elements.
fn draw(be: &dyn Backend, op: RandomOp, g: &mut Generator, dtype: DType, n: usize) -> Vec<f64> {
    drawn(be, op, g, &Operand::dense(&[n], dtype, || 0.0)).unwrap()
}
fn drawn(be: &dyn Backend, op: RandomOp, g: &mut Generator, into: &Operand) -> Result<Vec<f64>> {
    let _device = shared();
    let mut out = upload(into, be);
    be.random(op, g, out.view_mut())?;
    Ok(numbers(into.dtype, &be.download(&out.storage)?))
}

const RAND: RandomOp = RandomOp::Uniform { lo: 0.0, hi: 1.0 };
const RANDN: RandomOp = RandomOp::Normal { mean: 0.0, std: 1.0 };

/// torch.manual_seed(s); torch.rand(n, device="cuda")
#[test]
fn uniforms_of_pytorch() {
    let Some(be) = device() else { return };
    for (seed, want) in
        [(0, &[0.3990, 0.5167, 0.0249, 0.9401, 0.9459][..]), (42, &[0.6130, 0.0101, 0.3984, 0.0403])]
    {
        let got = draw(be, RAND, &mut Generator::new(seed), DType::F32, want.len());
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 5e-5), "seed {seed}: {got:?}");
    }
}

#[test]
fn uniforms_follow_the_stream() {
    let Some(be) = device() else { return };
    for (dtype, n) in [(DType::F32, 1000), (DType::F64, 777), (DType::F32, 4 * 256 * blocks_at_once() + 5)] {
        let g = &mut Generator::new(0x1234_5678_9ABC_DEF0);
        for _ in 0..2 {
            let stream = g.device_stream();
            let got = draw(be, RandomOp::Uniform { lo: -1.0, hi: 3.0 }, g, dtype, n);
            let step = (n / 1000).max(1);
            for i in (0..n).step_by(step) {
                let u = unit(&place(i, n, stream, per_draw(dtype), false), dtype);
                let want = match dtype {
                    DType::F64 => u.mul_add(4.0, -1.0),
                    _ => (u as f32).mul_add(4.0, -1.0) as f64,
                };
                assert_eq!(got[i], if want == 3.0 { -1.0 } else { want }, "{dtype} {i} of {n}");
            }
            let used = place(0, n, stream, per_draw(dtype), false).used;
            assert_eq!(g.device_stream(), Philox { offset: stream.offset + used, ..stream });
        }
    }
}

#[test]
fn normals_follow_the_stream() {
    let Some(be) = device() else { return };
    for dtype in asked([DType::F32, DType::F64]) {
        let g = &mut Generator::new(3);
        let (n, stream) = (1000, g.device_stream());
        let got = draw(be, RandomOp::Normal { mean: 1.0, std: 2.0 }, g, dtype, n);
        for (i, got) in got.into_iter().enumerate() {
            let p = place(i, n, stream, per_draw(dtype), false);
            let d = p.draw;
            let (radius, angle, second) = match dtype {
                DType::F64 => {
                    (unit_f64(d[0], d[1]), 2.0 * std::f64::consts::PI * unit_f64(d[2], d[3]), p.part == 1)
                }
                _ => {
                    let pair = 2 * (p.part / 2);
                    let turn = d[pair + 1] as f64 / 2f64.powi(32) + 2f64.powi(-33);
                    (unit_f32(d[pair]) as f64, 2.0 * std::f64::consts::PI * turn, p.part % 2 == 1)
                }
            };
            let r = (-2.0 * radius.ln()).sqrt();
            let want = 1.0 + 2.0 * r * if second { angle.cos() } else { angle.sin() };
            let near = if dtype == DType::F64 { 1e-14 } else { 3e-6 };
            assert!((got - want).abs() < near * (1.0 + want.abs()), "{dtype} {i}: {got}, {want}");
        }
    }
    // The mean and deviation of 16-bit floats.
    for dtype in asked([DType::F16, DType::BF16]) {
        let x = draw(be, RANDN, &mut Generator::new(4), dtype, 4000);
        let mean = x.iter().sum::<f64>() / 4000.0;
        let var = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 4000.0;
        assert!(mean.abs() < 0.05 && (var - 1.0).abs() < 0.08, "{dtype}: {mean} {var}");
    }
}

#[test]
fn coins_and_masks() {
    let Some(be) = device() else { return };
    for dtype in asked(DType::ALL) {
        for n in [1000, 1002] {
            let g = &mut Generator::new(9);
            for keep in [false, true] {
                let stream = g.device_stream();
                let op = if keep { RandomOp::Keep { p: 0.3 } } else { RandomOp::Bernoulli { p: 0.3 } };
                let got = draw(be, op, g, dtype, n);
                // A mask is drawn in f32, four neighbours at once where there are whole fours.
                let coin = if keep { DType::F32 } else { dtype };
                for (i, got) in got.into_iter().enumerate() {
                    let u = unit(&place(i, n, stream, per_draw(coin), keep && n % 4 == 0), coin);
                    let hit = if coin == DType::F64 { u < 0.3 } else { (u as f32) < 0.3 };
                    assert_eq!(got, hit as u8 as f64, "{dtype} {i} of {n}");
                }
            }
        }
    }
}

#[test]
fn integers() {
    let Some(be) = device() else { return };
    for (lo, hi, dtype) in [
        (-5, 7, DType::I64),
        (0, 200, DType::U8),
        (-100, 100, DType::I8),
        (0, 1 << 27, DType::I32),
        (-7, 1 << 40, DType::I64),
        (0, 2, DType::Bool),
        (0, 300, DType::Bool),
        (-3, 4, DType::F32),
    ] {
        let g = &mut Generator::new(11);
        let (n, stream, range) = (500, g.device_stream(), (hi - lo) as u64);
        let got = draw(be, RandomOp::Int { lo, hi }, g, dtype, n);
        let wide = range >= 1 << 28;
        for (i, got) in got.into_iter().enumerate() {
            let p = place(i, n, stream, if wide { 2 } else { 4 }, false);
            let v = match wide {
                true => (p.draw[2 * p.part] as u64) << 32 | p.draw[2 * p.part + 1] as u64,
                false => p.draw[p.part] as u64,
            };
            let v = lo + (v % range) as i64;
            let want = if dtype == DType::Bool { (v != 0) as i64 } else { v };
            assert_eq!(got, want as f64, "{dtype} {i}");
        }
    }
}

/// Elements are numbered as they lie in memory, and memory outside of a view stays.
#[test]
fn views() {
    let Some(be) = device() else { return };
    let plain = draw(be, RAND, &mut Generator::new(5), DType::F32, 12);
    let mut o = Operand::dense(&[4, 3], DType::F32, || 7.0);
    o.layout = o.layout.transpose(0, 1);
    assert_eq!(drawn(be, RAND, &mut Generator::new(5), &o).unwrap(), plain);
    o.layout = Layout::new(&[2usize, 3][..], &[6isize, 2][..], 0);
    let got = drawn(be, RAND, &mut Generator::new(5), &o).unwrap();
    let six = draw(be, RAND, &mut Generator::new(5), DType::F32, 6);
    for (i, got) in got.iter().enumerate() {
        assert_eq!(*got, if i % 2 == 0 && i < 12 { six[i / 2] } else { 7.0 }, "{i}");
    }
}

#[test]
fn each_with_its_own_probability() {
    let Some(be) = device() else { return };
    let p: Vec<f64> = (0..3000).map(|i| (i % 3) as f64 / 2.0).collect();
    for dtype in asked([DType::F32, DType::F64, DType::Bool]) {
        let op = RandomOp::BernoulliEach { p: &p, dtype };
        let got = draw(be, op, &mut Generator::new(6), dtype, 3000);
        assert!((0..1000).all(|i| got[3 * i] == 0.0 && got[3 * i + 2] == 1.0), "{dtype}");
        let ones: f64 = (0..1000).map(|i| got[3 * i + 1]).sum();
        assert!((430.0..570.0).contains(&ones), "{dtype}: {ones}");
    }
}

#[test]
fn permutations() {
    let Some(be) = device() else { return };
    for (n, dtype) in
        [(0, DType::I64), (1, DType::I64), (2, DType::I32), (1500, DType::I64), (70_000, DType::I32)]
    {
        let g = &mut Generator::new(7);
        let mut got = draw(be, RandomOp::Permutation, g, dtype, n);
        assert_ne!(g.device_stream().offset == 0, n > 0);
        let moved = got.iter().enumerate().filter(|(i, v)| **v != *i as f64).count();
        assert!(n < 100 || moved > n * 9 / 10);
        let again = draw(be, RandomOp::Permutation, &mut Generator::new(7), dtype, n);
        assert_eq!(got, again);
        got.sort_by(f64::total_cmp);
        assert!(got.iter().enumerate().all(|(i, v)| *v == i as f64), "{n}");
    }
}

#[test]
fn nothing_is_drawn_where_there_is_no_kernel() {
    let Some(be) = device() else { return };
    let g = &mut Generator::new(8);
    let mut rng = Numbers(1);
    let ints = Operand::random(&mut rng, &[3], DType::I64, false);
    for op in [RAND, RANDN] {
        let error = drawn(be, op, g, &ints).unwrap_err();
        assert!(matches!(error, Error::Unsupported { dtype: DType::I64, .. }), "{error}");
    }
    assert_eq!(*g, Generator::new(8));
    draw(be, RAND, g, DType::F32, 0);
    assert_eq!(*g, Generator::new(8));
}
