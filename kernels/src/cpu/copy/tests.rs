//! Copies, casts, fills and ranges on random layouts.

use crate::cpu::Cpu;
use crate::cpu::elementwise::cases;
use crate::cpu::test_support::{Operand, Rng};
use crate::{Backend, DType, Element, Scalar, bf16, dispatch_dtype, f16};
use proptest::prelude::*;

fn any_value(rng: &mut Rng) -> Scalar {
    match rng.below(12) {
        0 => Scalar::Float(f64::NAN),
        1 => Scalar::Float([f64::INFINITY, f64::NEG_INFINITY, 1e10, -1e10, 3e9, 70000.0, 1e20][rng.below(7)]),
        2 => Scalar::Int(rng.next() as i64),
        3 => Scalar::Float(rng.next() as f64 / u64::MAX as f64),
        _ => Scalar::Float(rng.below(700) as f64 / 2.0 - 175.0),
    }
}

fn operand(rng: &mut Rng, shape: &[usize], dtype: DType, broadcast: bool) -> Operand {
    if dtype == DType::Bool {
        return Operand::random(rng, shape, dtype, broadcast, |rng| Scalar::Int(rng.below(2) as i64));
    }
    Operand::random(rng, shape, dtype, broadcast, any_value)
}

/// The bits that a float becomes, as PyTorch on x86 has it.
fn from_float(v: f64, to: DType) -> u64 {
    let to_i32 =
        if v.is_nan() || v.trunc() < -2147483648.0 || v >= 2147483648.0 { i32::MIN } else { v as i32 };
    let to_i64 = if !(-9.3e18..9223372036854775808.0).contains(&v) { i64::MIN } else { v as i64 };
    match to {
        DType::Bool => (v != 0.0) as u64,
        // Only f64 has such numbers with low bits beyond i32.
        DType::U8 => to_i64 as u8 as u64,
        DType::I8 => to_i32 as u8 as u64,
        DType::I16 => to_i32 as i16 as u64,
        DType::I32 => to_i32 as u64,
        DType::I64 => to_i64 as u64,
        DType::F16 => f16::from_f32(v as f32).to_bits() as i16 as u64,
        DType::BF16 => bf16::from_f32(v as f32).to_bits() as i16 as u64,
        DType::F32 => (v as f32).to_bits() as i32 as u64,
        DType::F64 => v.to_bits(),
    }
}

/// The bits that an integer becomes.
fn from_int(v: i64, to: DType) -> u64 {
    match to {
        DType::Bool => (v != 0) as u64,
        DType::F16 => f16::from_f32(v as f32).to_bits() as i16 as u64,
        DType::BF16 => bf16::from_f32(v as f32).to_bits() as i16 as u64,
        DType::F32 => (v as f32).to_bits() as i32 as u64,
        DType::F64 => (v as f64).to_bits(),
        DType::U8 | DType::I8 => v as u8 as u64,
        DType::I16 => v as i16 as u64,
        DType::I32 => v as i32 as u64,
        DType::I64 => v as u64,
    }
}

/// Copies and checks that nothing beside the elements is written.
fn copied(rng: &mut Rng, x: &Operand, to: DType) -> Operand {
    let shape = x.layout.shape();
    let mut out = operand(rng, shape, to, false);
    let before = out.clone();
    Cpu.copy(x.view(), out.view_mut()).unwrap();
    let mut beside = before.bytes().to_vec();
    for i in crate::cpu::test_support::indices(shape) {
        let at = out.layout.position(&i) * to.size();
        beside[at..at + to.size()].copy_from_slice(&out.bytes()[at..at + to.size()]);
    }
    assert!(beside == out.bytes(), "wrote beside the output's elements");
    out
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn casts_are_pytorchs(seed: u64) {
        for from in DType::ALL {
            for to in DType::ALL {
                if cfg!(miri) && !(seed as usize + from as usize + 3 * to as usize).is_multiple_of(9) {
                    continue;
                }
                let rng = &mut Rng(seed + from as u64);
                let shape = rng.shape();
                let x = operand(rng, &shape, from, true);
                let got = copied(rng, &x, to).bits();
                let want: Vec<u64> = if from == to {
                    x.bits()
                } else if from.is_float() {
                    x.floats().into_iter().map(|v| from_float(v, to)).collect()
                } else {
                    x.ints().into_iter().map(|v| from_int(v, to)).collect()
                };
                for (i, (got, want)) in got.iter().zip(&want).enumerate() {
                    let nan = to.is_float() && is_nan(*want, to) && is_nan(*got, to);
                    assert!(got == want || nan, "{from} {:?} to {to}: {got:x}, not {want:x}", x.floats()[i]);
                }
            }
        }
    }

    #[test]
    fn transposes_and_flips_are_exact(seed: u64, wide in 1usize..4) {
        let rng = &mut Rng(seed);
        let most = if cfg!(miri) { 7 } else { 300 };
        let (rows, columns) = (1 + rng.below(most), 1 + rng.below(most));
        for dtype in [DType::U8, DType::F16, DType::F32, DType::F64] {
            let mut x = operand(rng, &[wide, columns, rows], dtype, false);
            x.layout = crate::Layout::contiguous(&[wide, columns, rows]).permute(&[0, 2, 1]);
            let len = wide * rows * columns;
            x.storage = dispatch_dtype!(dtype, T => crate::cpu::test_support::storage(
                &(0..len).map(|_| T::from_i64(rng.next() as i64 >> 40)).collect::<Vec<T>>()));
            prop_assert_eq!(copied(rng, &x, dtype).bits(), x.bits());
            if rng.chance(50) {
                x.layout = x.layout.slice(1, rows - 1, rows, -1);
            }
            let mut out = x.clone();
            out.layout = crate::Layout::contiguous(&[wide, rows, columns]);
            Cpu.copy(x.view(), out.view_mut()).unwrap();
            prop_assert_eq!(out.bits(), x.bits());
        }
    }

    #[test]
    fn fills_and_ranges(seed: u64) {
        for dtype in DType::ALL {
            let rng = &mut Rng(seed);
            let shape = rng.shape();
            let mut out = operand(rng, &shape, dtype, false);
            let value = if dtype.is_float() { Scalar::Float(-2.5) } else { Scalar::Int(-3) };
            Cpu.fill(out.view_mut(), value).unwrap();
            let want = if dtype.is_float() { from_float(-2.5, dtype) } else { from_int(-3, dtype) };
            assert!(out.bits().iter().all(|&b| b == want), "fill of {dtype}");
            Cpu.arange(out.view_mut(), Scalar::Int(-4), Scalar::Int(3)).unwrap();
            for (i, got) in out.bits().into_iter().enumerate() {
                let want = from_int(-4 + 3 * i as i64, dtype);
                let near = dtype.is_float() && got.abs_diff(want) <= 2;
                assert!(got == want || near, "arange of {dtype} at {i}: bits {got:#x}, expected {want:#x}");
            }
            Cpu.arange(out.view_mut(), Scalar::Float(0.25), Scalar::Float(0.1)).unwrap();
            for (i, got) in out.bits().into_iter().enumerate() {
                // Beyond a small integer's range it saturates.
                let v = 0.25 + 0.1 * i as f64;
                let v = if dtype == DType::U8 { v.min(255.0) } else if dtype == DType::I8 { v.min(127.0) } else { v };
                let want = from_float(v, dtype);
                // Vectors count from their own rounded first element: a float may be a step away.
                let near = dtype.is_float() && got.abs_diff(want) <= 2;
                assert!(got == want || near, "arange of {dtype} at {i}: bits {got:#x}, expected {want:#x}");
            }
        }
    }

    /// f32 by PyTorch's rule, spelled out: eight at a time from their own first element.
    #[test]
    fn ranges_round_as_pytorch(n in 0usize..40, start in -3.0..3.0f64, step in -0.5..0.5f64) {
        let layout = crate::Layout::contiguous(&[n]);
        let mut storage = Cpu.alloc(4 * n).unwrap();
        let out = crate::ViewMut::new(&mut storage, DType::F32, &layout);
        Cpu.arange(out, Scalar::Float(start), Scalar::Float(step)).unwrap();
        let got = &storage.as_cpu().unwrap().as_slice::<f32>()[..n];
        for (i, &v) in got.iter().enumerate() {
            let want = if i < n / 8 * 8 {
                let first = step.mul_add((i / 8 * 8) as f64, start) as f32;
                step.mul_add((i % 8) as f64, first as f64) as f32
            } else {
                step.mul_add(i as f64, start) as f32
            };
            assert_eq!(v, want, "element {i} of {n}");
        }
    }
}

/// Large enough to go past the caches; rows that begin in the middle of a line, at every level.
#[test]
#[cfg_attr(miri, ignore = "17 MiB")]
fn large_transposes_are_exact() {
    use crate::cpu::simd::{available_levels, set_simd_level, simd_level};
    let (rows, columns, pitch) = (1061, 4110, 4112);
    let before = simd_level();
    let numbers: Vec<f32> = (0..rows * columns).map(|i| f32::from_bits(i as u32)).collect();
    let x = crate::cpu::test_support::storage(&numbers);
    let of_x = crate::Layout::contiguous(&[columns, rows]).permute(&[1, 0]);
    for (level, offset) in available_levels().into_iter().zip([0, 3, 9]) {
        set_simd_level(level);
        let mut out = Cpu.alloc(4 * (rows * pitch + 16)).unwrap();
        let of_out = crate::Layout::new(vec![rows, columns], vec![pitch as isize, 1], offset);
        let to = crate::ViewMut::new(&mut out, DType::F32, &of_out);
        Cpu.copy(crate::View::new(&x, DType::F32, &of_x), to).unwrap();
        let out = out.as_cpu().unwrap().as_slice::<f32>();
        for r in 0..rows {
            let got = out[offset + r * pitch..][..columns].iter().map(|v| v.to_bits() as usize);
            assert!(got.eq((0..columns).map(|c| c * rows + r)), "row {r} at {level:?}");
        }
    }
    set_simd_level(before);
}

fn is_nan(bits: u64, dtype: DType) -> bool {
    match dtype {
        DType::F16 => f16::from_bits(bits as u16).is_nan(),
        DType::BF16 => bf16::from_bits(bits as u16).is_nan(),
        DType::F32 => f32::from_bits(bits as u32).is_nan(),
        _ => f64::from_bits(bits).is_nan(),
    }
}
