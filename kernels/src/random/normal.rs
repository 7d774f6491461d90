//! Box–Muller on blocks of 16 uniforms: the first eight give radii, the last eight angles.
//!
//! PyTorch's f32 kernel computes the logarithm, sine and cosine by the Cephes polynomials with fused
//! multiply-adds; the same steps in the same order give the same bits on every machine.

use super::generator::{Generator, unit_f32, unit_f64};
use crate::simd;
use std::f64::consts::PI;

const HALF: usize = 8;
const BLOCK: usize = 2 * HALF;
/// Pairs that are transformed together.
const PAIRS: usize = 256;

/// f32: a uniform for each element; where the length is no multiple of 16, the last 16 elements
/// are drawn anew at the end.
pub(super) fn blocks_f32(g: &mut Generator, mean: f32, std: f32, out: &mut [f32]) {
    let (n, rest) = (out.len(), out.len() % BLOCK);
    let copy = |from: &[f32], to: &mut [f32]| to.copy_from_slice(from);
    whole_blocks(g, mean, std, &mut out[..n - rest], copy);
    if rest > 0 {
        // Drawn, though nothing sees them.
        g.fill_u32(&mut [0; BLOCK][..rest]);
        whole_blocks(g, mean, std, &mut out[n - BLOCK..], copy);
    }
}

/// f16 and bf16, narrowed by `to`: as `blocks_f32`, but nothing is drawn for an incomplete block.
pub(super) fn blocks_16<T>(
    g: &mut Generator,
    mean: f32,
    std: f32,
    out: &mut [T],
    to: impl Fn(&[f32], &mut [T]),
) {
    let (n, rest) = (out.len(), out.len() % BLOCK);
    whole_blocks(g, mean, std, &mut out[..n - rest], &to);
    if rest > 0 {
        whole_blocks(g, mean, std, &mut out[n - BLOCK..], &to);
    }
}

fn whole_blocks<T>(g: &mut Generator, mean: f32, std: f32, out: &mut [T], to: impl Fn(&[f32], &mut [T])) {
    let mut words = [0; PAIRS * 2];
    let (mut cos, mut sin) = ([0.0; PAIRS], [0.0; PAIRS]);
    let mut normals = [0.0; PAIRS * 2];
    for out in out.chunks_mut(PAIRS * 2) {
        g.fill_u32(&mut words[..out.len()]);
        // First and second halves of all blocks together, so that vectors are full.
        for (block, (u1, u2)) in
            words.as_chunks::<BLOCK>().0.iter().zip(cos.chunks_mut(HALF).zip(sin.chunks_mut(HALF)))
        {
            (0..HALF).for_each(|j| (u1[j], u2[j]) = (unit_f32(block[j]), unit_f32(block[j + HALF])));
        }
        simd!(s => {
            let _ = s;
            box_muller(&mut cos, &mut sin, mean, std)
        });
        let halves = cos.chunks(HALF).zip(sin.chunks(HALF));
        for (block, (cos, sin)) in normals.chunks_mut(BLOCK).zip(halves) {
            block[..HALF].copy_from_slice(cos);
            block[HALF..].copy_from_slice(sin);
        }
        to(&normals[..out.len()], out);
    }
}

/// f64: as `blocks_f32`, by the platform's functions.
pub(super) fn blocks_f64(g: &mut Generator, mean: f64, std: f64, out: &mut [f64]) {
    let (n, rest) = (out.len(), out.len() % BLOCK);
    for block in out[..n - rest].chunks_exact_mut(BLOCK) {
        super::uniform::each_u64(g, block, unit_f64);
        for j in 0..HALF {
            let r = (-2.0 * (1.0 - block[j]).ln()).sqrt();
            let theta = 2.0 * PI * block[j + HALF];
            block[j] = (r * theta.cos()).mul_add(std, mean);
            block[j + HALF] = (r * theta.sin()).mul_add(std, mean);
        }
    }
    if rest > 0 {
        g.fill_u32(&mut [0; 2 * BLOCK][..2 * rest]);
        blocks_f64(g, mean, std, &mut out[n - BLOCK..]);
    }
}

/// Pairs of uniforms to pairs of normals.
#[inline(always)]
fn box_muller(a: &mut [f32; PAIRS], b: &mut [f32; PAIRS], mean: f32, std: f32) {
    for (a, b) in a.iter_mut().zip(b) {
        let r = (-2.0 * ln(1.0 - *a)).sqrt();
        let (sin, cos) = sin_cos(std::f32::consts::TAU * *b);
        *a = (r * cos).mul_add(std, mean);
        *b = (r * sin).mul_add(std, mean);
    }
}

/// Natural logarithm of `x` in `(0, 1]`.
#[inline(always)]
#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "the constants as published")]
fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    let m = f32::from_bits(bits & 0x807F_FFFF | 0x3F00_0000);
    let small = m < 0.707106781186547524;
    let e = ((bits >> 23) as i32).wrapping_sub(126) as f32 - if small { 1.0 } else { 0.0 };
    let m = (m - 1.0) + if small { m } else { 0.0 };
    let z = m * m;
    let mut y = 7.0376836292e-2f32;
    for c in [
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    ] {
        y = y.mul_add(m, c);
    }
    let y = (y * m).mul_add(z, e * -2.12194440e-4);
    let y = (-z).mul_add(0.5, y);
    e.mul_add(0.693359375, m + y)
}

/// Sine and cosine of `x ≥ 0`.
#[inline(always)]
#[allow(clippy::excessive_precision, clippy::approx_constant, reason = "the constants as published")]
fn sin_cos(x: f32) -> (f32, f32) {
    // SAFETY: x is an angle of at most 2π, so the product is in range.
    let j = unsafe { (x * 1.27323954473516).to_int_unchecked::<i32>() };
    // Wrapping, or the overflow checks of debug builds keep the loop scalar.
    let j = j.wrapping_add(1) & !1;
    let y = j as f32;
    let x = y.mul_add(-0.78515625, x);
    let x = y.mul_add(-2.4187564849853515625e-4, x);
    let x = y.mul_add(-3.77489497744594108e-8, x);
    let z = x * x;
    let c = 2.443315711809948e-5f32.mul_add(z, -1.388731625493765e-3);
    let c = c.mul_add(z, 4.166664568298827e-2) * z;
    let c = c.mul_add(z, -(z * 0.5)) + 1.0;
    let s = (-1.9515295891e-4f32).mul_add(z, 8.3321608736e-3);
    let s = s.mul_add(z, -1.6666654611e-1) * z;
    let s = s.mul_add(x, x);
    let (sin, cos) = if j & 2 == 0 { (s, c) } else { (c, s) };
    let sin_sign = ((j & 4) as u32) << 29;
    let cos_sign = ((!j.wrapping_sub(2) & 4) as u32) << 29;
    (f32::from_bits(sin.to_bits() ^ sin_sign), f32::from_bits(cos.to_bits() ^ cos_sign))
}
