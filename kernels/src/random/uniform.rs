//! Uniform numbers, integers and coin flips into a slice, in the order they are drawn.

use super::generator::{Generator, unit_f32, unit_f64};
use crate::{Element, bf16, f16, simd};

/// Draws per step: a page of words, which stays in the first-level cache.
const CHUNK: usize = 512;

/// Maps one 32-bit draw to each element.
pub(super) fn each_u32<T>(g: &mut Generator, out: &mut [T], f: impl Fn(u32) -> T) {
    let mut words = [0; CHUNK];
    for out in out.chunks_mut(CHUNK) {
        let words = &mut words[..out.len()];
        g.fill_u32(words);
        out.iter_mut().zip(&*words).for_each(|(o, &w)| *o = f(w));
    }
}

/// Maps one 64-bit draw to each element.
pub(super) fn each_u64<T>(g: &mut Generator, out: &mut [T], f: impl Fn(u64) -> T) {
    let mut words = [0; 2 * CHUNK];
    for out in out.chunks_mut(CHUNK) {
        let words = &mut words[..2 * out.len()];
        g.fill_u32(words);
        let pairs = words.as_chunks::<2>().0;
        out.iter_mut().zip(pairs).for_each(|(o, &[high, low])| *o = f((high as u64) << 32 | low as u64));
    }
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

impl Real for f32 {
    fn uniform(g: &mut Generator, lo: f64, hi: f64, out: &mut [f32]) {
        let (lo, hi) = (lo as f32, hi as f32);
        let mut words = [0; CHUNK];
        for out in out.chunks_mut(CHUNK) {
            let words = &mut words[..out.len()];
            g.fill_u32(words);
            simd!(s => {
                let _ = s;
                scale_f32(words, lo, hi, out)
            });
        }
    }
    fn normal_blocks(g: &mut Generator, mean: f64, std: f64, out: &mut [f32]) {
        super::normal::blocks_f32(g, mean as f32, std as f32, out);
    }
    fn narrow(v: f64) -> f32 {
        v as f32
    }
}

#[inline(always)]
fn scale_f32(words: &[u32], lo: f32, hi: f32, out: &mut [f32]) {
    for (o, &w) in out.iter_mut().zip(words) {
        let v = unit_f32(w).mul_add(hi - lo, lo);
        *o = if v == hi { lo } else { v };
    }
}

impl Real for f64 {
    fn uniform(g: &mut Generator, lo: f64, hi: f64, out: &mut [f64]) {
        each_u64(g, out, |w| {
            let v = unit_f64(w).mul_add(hi - lo, lo);
            if v == hi { lo } else { v }
        });
    }
    fn normal_blocks(g: &mut Generator, mean: f64, std: f64, out: &mut [f64]) {
        super::normal::blocks_f64(g, mean, std, out);
    }
    fn narrow(v: f64) -> f64 {
        v
    }
}

macro_rules! real_16 {
    ($($t:ident),*) => { $(
        impl Real for $t {
            fn uniform(g: &mut Generator, lo: f64, hi: f64, out: &mut [$t]) {
                let (lo, hi) = (lo as f32, hi as f32);
                let (low, top) = ($t::from_f32(lo), $t::from_f32(hi));
                each_u32(g, out, |w| {
                    let v = $t::from_f32(unit_f32(w).mul_add(hi - lo, lo));
                    if v == top { low } else { v }
                });
            }
            fn normal_blocks(g: &mut Generator, mean: f64, std: f64, out: &mut [$t]) {
                super::normal::blocks_16(g, mean as f32, std as f32, out, $t::from_f32);
            }
            fn narrow(v: f64) -> $t {
                $t::from_f32(v as f32)
            }
        }
    )* };
}
real_16!(f16, bf16);

/// Integers in `[lo, hi)`: 64-bit draws where the range takes 28 bits or more, 32-bit ones otherwise.
pub(super) fn int<T: Element>(g: &mut Generator, lo: i64, hi: i64, out: &mut [T], to: impl Fn(i64) -> T) {
    let range = hi.wrapping_sub(lo) as u64;
    if range >= 1 << 28 {
        each_u64(g, out, |w| to(lo.wrapping_add((w % range) as i64)));
    } else {
        let range = range as u32;
        each_u32(g, out, |w| to(lo.wrapping_add((w % range) as i64)));
    }
}

/// 1 with probability `p`, else 0: one 64-bit draw each, whatever the dtype.
pub(super) fn bernoulli<T: Element>(g: &mut Generator, p: f64, out: &mut [T]) {
    let (one, zero) = (T::from_i64(1), T::from_i64(0));
    each_u64(g, out, |w| if unit_f64(w) < p { one } else { zero });
}
