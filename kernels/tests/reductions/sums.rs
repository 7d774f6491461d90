//! Sums against the bits of PyTorch's, at every SIMD level and thread count.

use crate::operand::{on_threads, own_level};
use taper_kernels::cpu::simd::{available_levels, set_simd_level, simd_level};
use taper_kernels::{Backend, Buffer, DType, Layout, ReduceOp, Storage, View, ViewMut, cpu::Cpu};

/// Element `i` as the script makes it: all bits of the mantissa of `[-1, 1)`.
fn value(i: usize, dtype: DType) -> f64 {
    let mut z = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z ^= z >> 27;
    match dtype {
        DType::F32 => (z >> 40) as f64 / 8388608.0 - 1.0,
        _ => (z >> 11) as f64 / 2f64.powi(52) - 1.0,
    }
}

fn fingerprint(out: &Storage, dtype: DType) -> u64 {
    let mut h = 0xCBF2_9CE4_8422_2325u64;
    let size = dtype.size();
    for word in out.as_cpu().unwrap().bytes().chunks_exact(size) {
        let mut bits = [0; 8];
        bits[..size].copy_from_slice(word);
        h = (h ^ u64::from_le_bytes(bits)).wrapping_mul(0x100_0000_01B3);
    }
    h
}

struct Case {
    op: ReduceOp,
    base: Vec<usize>,
    layout: Layout,
    axes: Vec<usize>,
    dtype: DType,
    hash: u64,
}

fn case(line: &str) -> Case {
    let words: Vec<&str> = line.split(' ').collect();
    let list = |s: &str| -> Vec<usize> { s.split(',').map(|v| v.parse().unwrap()).collect() };
    let base = list(words[2]);
    let mut layout = Layout::contiguous(&base).permute(&list(words[3]));
    for (d, step) in list(words[4]).into_iter().enumerate() {
        layout = layout.slice(d, 0, layout.shape()[d].div_ceil(step), step as isize);
    }
    Case {
        op: if words[1] == "sum" { ReduceOp::Sum } else { ReduceOp::Mean },
        base,
        layout,
        axes: list(words[5]),
        dtype: if words[0] == "f32" { DType::F32 } else { DType::F64 },
        hash: u64::from_str_radix(words[6], 16).unwrap(),
    }
}

fn reduced(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().map(|(d, &n)| if axes.contains(&d) { 1 } else { n }).collect()
}

#[test]
fn sums_have_pytorchs_bits() {
    let _own = own_level();
    let before = simd_level();
    for (i, line) in include_str!("../fixtures/sums.txt").lines().enumerate() {
        let c = case(line);
        let n: usize = c.base.iter().product();
        if cfg!(miri) && (n > 600 || i % 97 > 0) {
            continue;
        }
        let mut x = Storage::Cpu(Buffer::new(n * c.dtype.size()));
        let flat = Layout::contiguous(&[n]);
        let mut all = ViewMut::new(&mut x, c.dtype, &flat);
        match c.dtype {
            DType::F32 => {
                all.data::<f32>().iter_mut().enumerate().for_each(|(i, v)| *v = value(i, c.dtype) as f32)
            }
            _ => all.data::<f64>().iter_mut().enumerate().for_each(|(i, v)| *v = value(i, c.dtype)),
        }
        let out = Layout::contiguous(&reduced(c.layout.shape(), &c.axes));
        let run = || {
            let mut y = Storage::Cpu(Buffer::new(out.numel() * c.dtype.size()));
            Cpu.reduce(c.op, View::new(&x, c.dtype, &c.layout), &c.axes, ViewMut::new(&mut y, c.dtype, &out))
                .unwrap();
            fingerprint(&y, c.dtype)
        };
        for level in available_levels() {
            set_simd_level(level);
            assert_eq!(run(), c.hash, "{line} at {level:?}");
        }
        if n > 5000 {
            for threads in [1, 2, 3] {
                assert_eq!(on_threads(threads, run), c.hash, "{line} on {threads} threads");
            }
        }
    }
    set_simd_level(before);
}
