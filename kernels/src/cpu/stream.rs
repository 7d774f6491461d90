//! Stores that go past the caches.
//!
//! A plain store to a line that is in no cache first reads it from memory. Results far larger than the
//! caches, which push out what was there and are gone themselves before anyone reads them, are written
//! straight to memory: a third of a copy's traffic is saved.

use super::simd::{Level, Simd, SimdBase};

/// Results of more bytes than this are streamed: about what one program gets of a shared cache.
const LIMIT: usize = if cfg!(miri) { 1 << 10 } else { 16 << 20 };

/// Bytes of a cache line, which is best written whole.
pub const LINE: usize = 64;

/// True where a result of so many bytes is better streamed.
pub fn pays(bytes: usize) -> bool {
    bytes > LIMIT
}

/// Stores a vector past the caches (plainly where there is no such instruction). After the last one
/// of a piece of work, [`finish`] must be called by the same thread.
///
/// # Safety
/// The vector's bytes can be written at `p`, which is aligned to them.
#[inline(always)]
pub unsafe fn store<S: Simd, V: SimdBase<S>>(s: S, p: *mut V::Element, v: V) {
    debug_assert!(p.addr().is_multiple_of(size_of::<V>()));
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::*;
        // SAFETY: a vector is plain bytes of the size that is matched; the level that the token stands
        // for has the instruction (SSE is always there); writable and aligned by the caller's promise.
        unsafe {
            match (s.level(), size_of::<V>()) {
                (Level::Avx512(_), 64) => return _mm512_stream_ps(p.cast(), std::mem::transmute_copy(&v)),
                (Level::Avx512(_) | Level::Avx2(_), 32) => {
                    return _mm256_stream_ps(p.cast(), std::mem::transmute_copy(&v));
                }
                (_, 16) => return _mm_stream_ps(p.cast(), std::mem::transmute_copy(&v)),
                _ => {}
            }
        }
    }
    let _ = s;
    // SAFETY: as above.
    unsafe { p.cast::<V>().write(v) }
}

/// Puts the streamed stores of this thread before all that it does afterwards: to other threads they
/// are otherwise not in order.
pub fn finish() {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every x86-64 has SSE.
    unsafe {
        std::arch::x86_64::_mm_sfence()
    }
}

/// Asks for the line at an address, which need not be one of the program's.
#[inline(always)]
pub fn prefetch<T>(p: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch of any address is harmless.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(p.cast());
    }
    let _ = p;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{available_levels, set_simd_level, simd_level};
    use crate::cpu::test_support::{apply_binary, apply_unary, at_level};
    use crate::{BinaryOp, Buffer, UnaryOp, simd};

    #[inline(always)]
    fn fill<S: Simd>(s: S, out: &mut [f32]) {
        let len = S::f32s::LEN;
        for i in 0..out.len() / len {
            let v = S::f32s::from_fn(s, |k| (i * len + k) as f32);
            // SAFETY: within the slice, from a buffer's start on in steps of a vector.
            unsafe { store(s, out[i * len..][..len].as_mut_ptr(), v) }
        }
        finish();
    }

    #[test]
    fn large_results_are_those_of_small_ones() {
        let n = LIMIT / 4 + 77;
        let a: Vec<f32> = (0..n).map(|i| (i % 8191) as f32).collect();
        let b: Vec<f32> = (0..n).map(|i| (i % 127) as f32 * 0.5).collect();
        for level in available_levels() {
            let [sum, root] =
                at_level(level, || [apply_binary(BinaryOp::Add, &a, &b), apply_unary(UnaryOp::Sqrt, &a)]);
            assert!((0..n).all(|i| sum[i] == a[i] + b[i] && root[i] == a[i].sqrt()), "{level:?}");
        }
    }

    #[test]
    fn every_level_stores_its_vectors() {
        let before = simd_level();
        for level in available_levels() {
            set_simd_level(level);
            let mut b = Buffer::zeroed(4 * 64);
            simd!(s => fill(s, b.as_mut_slice()));
            assert!(b.as_slice::<f32>().iter().enumerate().all(|(i, &v)| v == i as f32), "{level:?}");
        }
        set_simd_level(before);
    }
}
