//! Uniform numbers, integers and coin flips into a slice, in the order they are drawn.

use super::generator::{Generator, unit_f32, unit_f64};
use super::normal;
use crate::cpu::float16;
use crate::{Element, bf16, f16, simd};

/// Draws per step: a page of words, which stays in the first-level cache.
const CHUNK: usize = 512;

/// Maps a chunk of 32-bit draws to as many elements.
fn chunks_u32<T>(g: &mut Generator, out: &mut [T], mut f: impl FnMut(&[u32], &mut [T])) {
    let mut words = [0; CHUNK];
    for out in out.chunks_mut(CHUNK) {
        let words = &mut words[..out.len()];
        g.fill_u32(words);
        f(words, out);
    }
}

/// Maps a chunk of 64-bit draws, as pairs of 32 bits, to as many elements.
fn chunks_u64<T>(g: &mut Generator, out: &mut [T], mut f: impl FnMut(&[[u32; 2]], &mut [T])) {
    let mut words = [[0; 2]; CHUNK];
    for out in out.chunks_mut(CHUNK) {
        let words = &mut words[..out.len()];
        g.fill_u32(words.as_flattened_mut());
        f(words, out);
    }
}

#[inline(always)]
fn join([high, low]: [u32; 2]) -> u64 {
    (high as u64) << 32 | low as u64
}

#[inline(always)]
fn map<D: Copy, T>(draws: &[D], out: &mut [T], f: impl Fn(D) -> T) {
    out.iter_mut().zip(draws).for_each(|(o, &d)| *o = f(d));
}

/// Maps one 64-bit draw to each element.
pub(super) fn each_u64<T>(g: &mut Generator, out: &mut [T], f: impl Fn(u64) -> T) {
    chunks_u64(g, out, |draws, out| map(draws, out, |d| f(join(d))));
}

/// Elements that uniforms and normals can be drawn for.
pub(super) trait Real: Element {
    /// Uniform in `[lo, hi)`; a value that rounds to `hi` becomes `lo`.
    fn uniform(g: &mut Generator, lo: f64, hi: f64, out: &mut [Self]);
    /// Normals by blocks of 16, at least 16 of them.
    fn normal_blocks(g: &mut Generator, mean: f64, std: f64, out: &mut [Self]);
    /// A serial normal as this type, rounded through the compute dtype as PyTorch does.
    fn narrow(v: f64) -> Self;
}

macro_rules! real {
    ($($t:ident in $compute:ident, $chunks:ident: $unit:expr, $narrow:expr, $blocks:expr;)*) => { $(
        impl Real for $t {
            fn uniform(g: &mut Generator, lo: f64, hi: f64, out: &mut [$t]) {
                let (lo, hi) = (lo as $compute, hi as $compute);
                let (low, top): ($t, $t) = ($narrow(lo), $narrow(hi));
                $chunks(g, out, |draws, out| simd!(s => {
                    let _ = s;
                    map(draws, out, #[inline(always)] |d| {
                        let v: $t = $narrow($unit(d).mul_add(hi - lo, lo));
                        if v == top { low } else { v }
                    })
                }));
            }
            fn normal_blocks(g: &mut Generator, mean: f64, std: f64, out: &mut [$t]) {
                $blocks(g, mean as $compute, std as $compute, out);
            }
            fn narrow(v: f64) -> $t {
                $narrow(v as $compute)
            }
        }
    )* };
}
real! {
    f32 in f32, chunks_u32: unit_f32, |v| v, normal::blocks_f32;
    f64 in f64, chunks_u64: |d| unit_f64(join(d)), |v| v, normal::blocks_f64;
}

macro_rules! real_16 {
    ($($t:ident: $narrow:path;)*) => { $(
        impl Real for $t {
            fn uniform(g: &mut Generator, lo: f64, hi: f64, out: &mut [$t]) {
                let (lo, hi) = (lo as f32, hi as f32);
                let (low, top) = ($t::from_f32(lo), $t::from_f32(hi));
                let mut wide = [0.0; CHUNK];
                chunks_u32(g, out, |draws, out| {
                    let wide = &mut wide[..out.len()];
                    simd!(s => {
                        let _ = s;
                        map(draws, wide, #[inline(always)] |d| unit_f32(d).mul_add(hi - lo, lo))
                    });
                    $narrow(wide, out);
                    out.iter_mut().filter(|v| **v == top).for_each(|v| *v = low);
                });
            }
            fn normal_blocks(g: &mut Generator, mean: f64, std: f64, out: &mut [$t]) {
                normal::blocks_16(g, mean as f32, std as f32, out, $narrow);
            }
            fn narrow(v: f64) -> $t {
                $t::from_f32(v as f32)
            }
        }
    )* };
}
real_16! {
    f16: float16::narrow_f16;
    bf16: float16::narrow_bf16;
}

/// Integers in `[lo, hi)`: 64-bit draws where the range takes 28 bits or more, 32-bit ones otherwise.
pub(super) fn int<T: Element>(g: &mut Generator, lo: i64, hi: i64, out: &mut [T], to: impl Fn(i64) -> T) {
    let range = hi.wrapping_sub(lo) as u64;
    if range >= 1 << 28 {
        each_u64(g, out, |w| to(lo.wrapping_add((w % range) as i64)));
    } else {
        let range = range as u32;
        chunks_u32(g, out, |draws, out| map(draws, out, |w| to(lo.wrapping_add((w % range) as i64))));
    }
}

/// 1 with probability `p`, else 0: one 64-bit draw each, whatever the dtype.
pub(super) fn bernoulli<T: Element>(g: &mut Generator, p: f64, out: &mut [T]) {
    let (one, zero) = (T::from_i64(1), T::from_i64(0));
    each_u64(g, out, |w| if unit_f64(w) < p { one } else { zero });
}
