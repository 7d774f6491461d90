//! The loops that are timed, once for each kind of vector the processor may have.

use std::hint::black_box;

/// The timed loops of one kind of vector.
#[derive(Clone, Copy)]
pub struct Level {
    pub name: &'static str,
    /// f32 numbers in a vector.
    pub lanes: usize,
    /// `iters` times [`CHAINS`] independent multiply-adds of one vector.
    pub fma: unsafe fn(iters: usize) -> f32,
    /// `c = a`, `n` elements; the flag: past the caches.
    pub copy: unsafe fn(a: *const f32, c: *mut f32, n: usize, nt: bool),
    /// `c = a + 3 b`.
    pub triad: unsafe fn(a: *const f32, b: *const f32, c: *mut f32, n: usize, nt: bool),
    /// The sum, from front to back.
    pub read: unsafe fn(a: *const f32, n: usize) -> f32,
    /// The sum, from eight places at once with software prefetch: more requests in flight.
    pub read_streams: unsafe fn(a: *const f32, n: usize) -> f32,
}

/// Two units of latency 4 (x86) or four of latency 4 (large Arm cores) need 8 or 16 chains.
pub const CHAINS: usize = if cfg!(target_arch = "x86_64") { 12 } else { 24 };

/// `n` of every loop is a multiple of this, and every place aligned to 64 bytes.
pub const STEP: usize = 128;

/// What this processor has, narrowest first.
pub fn present() -> Vec<Level> {
    #[allow(unused_mut)]
    let mut v = vec![plain::LEVEL];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            v = vec![avx2::LEVEL];
        }
        if is_x86_feature_detected!("avx512f") {
            v.push(avx512::LEVEL);
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        v = vec![neon::LEVEL];
    }
    v
}

/// The loops, written once: `V`, `LANES` and the operations on `V` come from the surrounding module.
macro_rules! loops {
    ($name:literal, $(#[$feature:meta])?) => {
        pub const LEVEL: Level = Level { name: $name, lanes: LANES, fma, copy, triad, read, read_streams };

        $(#[$feature])?
        unsafe fn fma(iters: usize) -> f32 {
            let (m, a) = (splat(black_box(0.999_999)), splat(black_box(1e-6)));
            let mut r = [splat(black_box(1.0)); CHAINS];
            for _ in 0..iters {
                for x in r.iter_mut() {
                    *x = mul_add(*x, m, a);
                }
            }
            total(&r)
        }

        /// # Safety
        /// Every place of `r` may be summed: no memory is touched but a local.
        $(#[$feature])?
        unsafe fn total(r: &[V]) -> f32 {
            let mut out = [0f32; LANES];
            let mut sum = 0.0;
            for &x in r {
                store(out.as_mut_ptr(), x);
                sum += out.iter().sum::<f32>();
            }
            sum
        }

        $(#[$feature])?
        unsafe fn copy(a: *const f32, c: *mut f32, n: usize, nt: bool) {
            if nt {
                for i in (0..n).step_by(2 * LANES) {
                    let (x, y) = (load(a.add(i)), load(a.add(i + LANES)));
                    stream(c.add(i), x);
                    stream(c.add(i + LANES), y);
                }
                fence();
            } else {
                for i in (0..n).step_by(2 * LANES) {
                    let (x, y) = (load(a.add(i)), load(a.add(i + LANES)));
                    store(c.add(i), x);
                    store(c.add(i + LANES), y);
                }
            }
        }

        $(#[$feature])?
        unsafe fn triad(a: *const f32, b: *const f32, c: *mut f32, n: usize, nt: bool) {
            let s = splat(black_box(3.0));
            if nt {
                for i in (0..n).step_by(LANES) {
                    stream(c.add(i), mul_add(load(b.add(i)), s, load(a.add(i))));
                }
                fence();
            } else {
                for i in (0..n).step_by(LANES) {
                    store(c.add(i), mul_add(load(b.add(i)), s, load(a.add(i))));
                }
            }
        }

        $(#[$feature])?
        unsafe fn read(a: *const f32, n: usize) -> f32 {
            let mut r = [splat(0.0); 8];
            for i in (0..n).step_by(8 * LANES) {
                for (k, x) in r.iter_mut().enumerate() {
                    *x = add(*x, load(a.add(i + LANES * k)));
                }
            }
            total(&r)
        }

        $(#[$feature])?
        unsafe fn read_streams(a: *const f32, n: usize) -> f32 {
            let step = n / 8;
            let mut r = [splat(0.0); 8];
            // a cache line at a time from each place
            for i in (0..step).step_by(16) {
                for (k, x) in r.iter_mut().enumerate() {
                    let p = a.add(k * step + i);
                    prefetch(p.wrapping_add(256));
                    let mut j = 0;
                    while j < 16 {
                        *x = add(*x, load(p.add(j)));
                        j += LANES;
                    }
                }
            }
            total(&r)
        }
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86 {
    ($module:ident, $name:literal, $features:literal, $v:ident, $lanes:literal,
     $set:ident, $load:ident, $store:ident, $stream:ident, $add:ident, $fma:ident) => {
        mod $module {
            use super::*;
            use std::arch::x86_64::*;
            use {$add as add, $fma as mul_add, $load as load, $set as splat, $store as store, $stream as stream};
            type V = $v;
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn prefetch(p: *const f32) {
                _mm_prefetch(p as *const i8, _MM_HINT_T0)
            }
            #[inline(always)]
            unsafe fn fence() {
                _mm_sfence()
            }
            loops!($name, #[target_feature(enable = $features)]);
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86!(
    avx2,
    "AVX2",
    "avx2,fma",
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_stream_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps
);
#[cfg(target_arch = "x86_64")]
x86!(
    avx512,
    "AVX-512",
    "avx512f",
    __m512,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_stream_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps
);

#[cfg(target_arch = "aarch64")]
mod neon {
    use super::*;
    use std::arch::aarch64::*;
    use {
        vaddq_f32 as add, vdupq_n_f32 as splat, vld1q_f32 as load, vst1q_f32 as store, vst1q_f32 as stream,
    };
    type V = float32x4_t;
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn mul_add(x: V, m: V, a: V) -> V {
        vfmaq_f32(a, x, m)
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    #[inline(always)]
    unsafe fn fence() {}
    loops!("NEON",);
}

/// Without vectors of a known kind: what the compiler makes of plain numbers, a product and a sum each.
mod plain {
    use super::*;
    type V = [f32; LANES];
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(x: f32) -> V {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> V {
        (p as *const V).read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: V) {
        (p as *mut V).write_unaligned(x)
    }
    #[inline(always)]
    unsafe fn stream(p: *mut f32, x: V) {
        store(p, x)
    }
    #[inline(always)]
    fn add(x: V, y: V) -> V {
        std::array::from_fn(|i| x[i] + y[i])
    }
    #[inline(always)]
    fn mul_add(x: V, m: V, a: V) -> V {
        std::array::from_fn(|i| x[i] * m[i] + a[i])
    }
    #[inline(always)]
    fn prefetch(_: *const f32) {}
    #[inline(always)]
    fn fence() {}
    loops!("no vectors",);
}
