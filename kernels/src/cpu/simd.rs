//! Choice of the instruction set at run time.
//!
//! Kernels are written once, generic over `S: Simd` of `fearless_simd`, and compiled for the levels
//! below; every helper they call must be `#[inline(always)]`, or it falls out of the level's code.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

pub use fearless_simd::{Level, Simd, SimdBase, SimdFloat, SimdInt, prelude};

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SimdLevel {
    /// Plain Rust, vectorised as far as the compiler does it. Everywhere, and under Miri.
    Scalar = 1,
    /// 128-bit vectors of 64-bit ARM.
    Neon,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors (Ice Lake and Zen 4 on).
    Avx512,
}

static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// The level in use: the best the machine has, unless `TAPER_SIMD` (`scalar`, `neon`, `avx2`,
/// `avx512`) or [`set_simd_level`] asks for a lower one.
pub fn simd_level() -> SimdLevel {
    match CHOSEN.load(Relaxed) {
        0 => {
            let wanted = std::env::var("TAPER_SIMD").ok();
            let level = available_levels()
                .into_iter()
                .rev()
                .find(|l| wanted.as_deref().is_none_or(|w| w.eq_ignore_ascii_case(&format!("{l:?}"))))
                .unwrap_or(best_level());
            CHOSEN.store(level as u8, Relaxed);
            level
        }
        n => [SimdLevel::Scalar, SimdLevel::Neon, SimdLevel::Avx2, SimdLevel::Avx512][n as usize - 1],
    }
}

/// Forces a level for the whole process (tests compare levels with it).
///
/// # Panics
/// Where the machine has not got it.
pub fn set_simd_level(level: SimdLevel) {
    assert!(available_levels().contains(&level), "this machine has no {level:?}");
    CHOSEN.store(level as u8, Relaxed);
}

/// The levels this machine can run, the best last.
pub fn available_levels() -> Vec<SimdLevel> {
    let mut levels = vec![SimdLevel::Scalar];
    if cfg!(miri) {
        return levels;
    }
    #[cfg(target_arch = "x86_64")]
    {
        let best = Level::new();
        levels.extend(best.as_avx2().map(|_| SimdLevel::Avx2));
        levels.extend(best.as_avx512().map(|_| SimdLevel::Avx512));
    }
    #[cfg(target_arch = "aarch64")]
    levels.extend(Level::new().as_neon().map(|_| SimdLevel::Neon));
    levels
}

fn best_level() -> SimdLevel {
    *available_levels().last().expect("scalar is always there")
}

/// Calls a closure that is not inlined: code that is there for completeness stays out of the way.
#[inline(never)]
pub fn apart<R>(f: impl FnOnce() -> R) -> R {
    f()
}

/// Runs an expression with a token of the level in use: `simd!(s => kernel(s, x, out))`.
///
/// The expression is compiled once per level; it should be a call of one `#[inline(always)]` function.
#[macro_export]
#[doc(hidden)]
macro_rules! simd {
    ($s:ident => $e:expr) => {{
        use $crate::cpu::simd::{Level, Simd as _, SimdLevel, simd_level};
        match simd_level() {
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx512 => {
                let $s = Level::new().as_avx512().expect("checked when chosen");
                $s.vectorize(#[inline(always)] || $e)
            }
            #[cfg(target_arch = "x86_64")]
            SimdLevel::Avx2 => {
                let $s = Level::new().as_avx2().expect("checked when chosen");
                $s.vectorize(#[inline(always)] || $e)
            }
            #[cfg(target_arch = "aarch64")]
            SimdLevel::Neon => {
                let $s = Level::new().as_neon().expect("checked when chosen");
                $s.vectorize(#[inline(always)] || $e)
            }
            _ => {
                let Level::Fallback($s) = Level::fallback() else { unreachable!("the fallback is compiled in") };
                $crate::cpu::simd::apart(|| $e)
            }
        }
    }};
}
