//! Conversion of f16 and bf16 slices.

use super::simd::{Level, SimdLevel, simd_level};
use crate::{bf16, f16};
use half::slice::HalfFloatSliceExt;

/// f16 to f32.
pub(crate) fn widen_f16(src: &[f16], dst: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if matches!(simd_level(), SimdLevel::Avx2 | SimdLevel::Avx512)
        && let Some(level) = Level::new().as_avx2()
    {
        return f16c::widen(level, src, dst);
    }
    src.convert_to_f32_slice(dst);
}

/// f32 to f16, to nearest even.
pub(crate) fn narrow_f16(src: &[f32], dst: &mut [f16]) {
    #[cfg(target_arch = "x86_64")]
    if matches!(simd_level(), SimdLevel::Avx2 | SimdLevel::Avx512)
        && let Some(level) = Level::new().as_avx2()
    {
        return f16c::narrow(level, src, dst);
    }
    dst.convert_from_f32_slice(src);
}

/// bf16 to f32.
pub(crate) fn widen_bf16(src: &[bf16], dst: &mut [f32]) {
    src.iter().zip(dst).for_each(|(s, d)| *d = f32::from_bits((s.to_bits() as u32) << 16));
}

/// f32 to bf16, to nearest even.
pub(crate) fn narrow_bf16(src: &[f32], dst: &mut [bf16]) {
    // Without a branch, for the vectoriser.
    for (s, d) in src.iter().zip(dst) {
        let bits = s.to_bits();
        let near = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        let nan = bits >> 16 | 0x40;
        *d = bf16::from_bits(if s.is_nan() { nan } else { near } as u16);
    }
}

#[cfg(target_arch = "x86_64")]
mod f16c {
    use crate::f16;
    use std::arch::x86_64::*;

    fearless_simd::kernel!(
        pub(super) fn widen(avx2: Avx2, src: &[f16], dst: &mut [f32]) {
            let (src, src_end) = src.as_chunks::<8>();
            let (dst, dst_end) = dst.as_chunks_mut::<8>();
            for (s, d) in src.iter().zip(dst) {
                // SAFETY: eight elements on each side.
                unsafe {
                    let wide = _mm256_cvtph_ps(_mm_loadu_si128(s.as_ptr().cast()));
                    _mm256_storeu_ps(d.as_mut_ptr(), wide);
                }
            }
            src_end.iter().zip(dst_end).for_each(|(s, d)| *d = s.to_f32());
        }
    );

    fearless_simd::kernel!(
        pub(super) fn narrow(avx2: Avx2, src: &[f32], dst: &mut [f16]) {
            let (src, src_end) = src.as_chunks::<8>();
            let (dst, dst_end) = dst.as_chunks_mut::<8>();
            for (s, d) in src.iter().zip(dst) {
                // SAFETY: eight elements on each side.
                unsafe {
                    let near = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(_mm256_loadu_ps(s.as_ptr()));
                    _mm_storeu_si128(d.as_mut_ptr().cast(), near);
                }
            }
            src_end.iter().zip(dst_end).for_each(|(s, d)| *d = f16::from_f32(*s));
        }
    );
}
