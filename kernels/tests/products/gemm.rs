use crate::operand::*;
use proptest::prelude::*;
use taper_kernels::cpu::Cpu;
use taper_kernels::cpu::simd::{available_levels, set_simd_level, simd_level};
use taper_kernels::{Activation, Backend, DType, Gemm};

struct Case {
    a: Operand,
    b: Operand,
    out: Operand,
    bias: Option<Operand>,
    accumulate: bool,
    relu: bool,
}

impl Case {
    fn new(rng: &mut Numbers, batch: &[usize], size: [usize; 3], dtype: DType) -> Self {
        Self::with(rng, batch, size, dtype, true)
    }

    /// `broadcast`: factors may repeat entries by stride 0.
    fn with(
        rng: &mut Numbers,
        batch: &[usize],
        [m, n, k]: [usize; 3],
        dtype: DType,
        broadcast: bool,
    ) -> Self {
        let shape = |r: usize, c: usize| [batch, &[r, c]].concat();
        let relu = rng.chance(3);
        Case {
            a: Operand::random(rng, &shape(m, k), dtype, broadcast),
            b: Operand::random(rng, &shape(k, n), dtype, broadcast),
            out: Operand::random(rng, &shape(m, n), dtype, false),
            bias: rng.chance(2).then(|| Operand::random(rng, &shape(m, n), dtype, true)),
            accumulate: rng.chance(3),
            relu,
        }
    }

    fn run(&self) -> Operand {
        let mut out = self.out.clone();
        let (accumulate, bias) = (self.accumulate, self.bias.as_ref().map(|b| b.view()));
        let activation = if self.relu { Activation::Relu } else { Activation::None };
        Cpu.gemm(Gemm {
            a: self.a.view(),
            b: self.b.view(),
            out: out.view_mut(),
            accumulate,
            bias,
            activation,
        })
        .unwrap();
        out
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let out = self.run();
        if !COMPARED {
            return Ok(());
        }
        let nd = out.layout.ndim();
        let k = self.a.layout.shape()[nd - 1];
        let eps = epsilon(out.dtype);
        let inner = epsilon(out.dtype.compute());
        for index in indices(out.layout.shape()) {
            let (mut sum, mut size) = (0.0, 0.0);
            let (mut ia, mut ib) = (index.clone(), index.clone());
            for kk in 0..k {
                (ia[nd - 1], ib[nd - 2]) = (kk, kk);
                let p = self.a.get(&ia) * self.b.get(&ib);
                sum += p;
                size += p.abs();
            }
            let extra = [
                if self.accumulate { self.out.get(&index) } else { 0.0 },
                self.bias.as_ref().map_or(0.0, |b| b.get(&index)),
            ];
            sum += extra[0] + extra[1];
            size += extra[0].abs() + extra[1].abs();
            if eps == 0.0 {
                sum = wrap(sum, out.dtype);
            }
            if self.relu {
                sum = sum.max(0.0);
            }
            let got = out.get(&index);
            if eps == 0.0 {
                prop_assert_eq!(got, sum);
            } else {
                let bound = eps * sum.abs() + (k + 4) as f64 * inner * size + tiniest(out.dtype);
                prop_assert!((got - sum).abs() <= bound, "{got} for {sum} at {index:?}, bound {bound:e}");
            }
        }
        self.check_untouched(&out)
    }

    /// Memory between the output's elements keeps its bytes.
    fn check_untouched(&self, out: &Operand) -> Result<(), TestCaseError> {
        let mut inside = vec![false; out.bytes().len()];
        let size = out.dtype.size();
        for i in indices(out.layout.shape()) {
            let at = out.layout.position(&i) * size;
            inside[at..at + size].fill(true);
        }
        for (i, inside) in inside.iter().enumerate() {
            prop_assert!(*inside || out.bytes()[i] == self.out.bytes()[i]);
        }
        Ok(())
    }
}

/// A whole number as an integer dtype wraps it.
fn wrap(v: f64, dtype: DType) -> f64 {
    let v = v as i64;
    match dtype {
        DType::U8 => v as u8 as f64,
        DType::I8 => v as i8 as f64,
        DType::I16 => v as i16 as f64,
        DType::I32 => v as i32 as f64,
        _ => v as f64,
    }
}

/// The end of a range of sizes; Miri has small blocks and goes every way with less.
fn most(n: usize) -> usize {
    if cfg!(miri) { 12 + n / 25 } else { n }
}

const DTYPES: [DType; 9] = [
    DType::F32,
    DType::F64,
    DType::F32,
    DType::F16,
    DType::BF16,
    DType::U8,
    DType::I8,
    DType::I32,
    DType::I64,
];

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn small(seed: u64, m in 0..most(40), n in 0..most(50), k in 0..most(40), which in 0..DTYPES.len()) {
        let _guard = fixed_level();
        let rng = &mut Numbers(seed);
        let batch: &[usize] = [&[][..], &[2], &[2, 3], &[1, 2]][rng.below(4)];
        Case::new(rng, batch, [m, n, k], DTYPES[which]).check()?;
    }

    #[test]
    fn vectors(seed: u64, len in 1..most(400), k in 0..most(600), row: bool, which in 0..4usize) {
        let _guard = fixed_level();
        let [m, n] = if row { [1, len] } else { [len, 1] };
        Case::new(&mut Numbers(seed), &[], [m, n, k], DTYPES[which]).check()?;
    }

}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn threads_and_layouts_do_not_show(seed: u64, m in 1..most(200), n in 1..most(200), k in 1..most(700)) {
        let _guard = fixed_level();
        let rng = &mut Numbers(seed);
        let dtype = DTYPES[rng.below(5)];
        let batch: &[usize] = [&[][..], &[3]][rng.below(2)];
        let shape = if rng.chance(4) { [1, n, k] } else { [m, n, k] };
        // A factor shared by stride 0 turns a batch of rows into one matrix, which sums in another order.
        let mut case = Case::with(rng, batch, shape, dtype, false);
        let one = on_threads(1, || case.run());
        for &t in THREADS {
            prop_assert!(on_threads(t, || case.run()).bytes() == one.bytes(), "{t} threads");
        }
        let values = one.values();
        case.a = case.a.to_dense();
        case.b = case.b.to_dense();
        case.out = case.out.to_dense();
        prop_assert!(case.run().values() == values, "dense operands");
    }
}

#[cfg(not(miri))]
#[test]
fn large() {
    let _guard = fixed_level();
    let rng = &mut Numbers(7);
    for (shape, dtype) in [
        ([300, 290, 530], DType::F32),
        ([150, 700, 300], DType::F64),
        ([130, 140, 600], DType::BF16),
        ([1, 3000, 900], DType::F32),
        ([2000, 1, 700], DType::F32),
    ] {
        Case::new(rng, &[], shape, dtype).check().unwrap();
        Case::new(rng, &[2], shape, dtype).check().unwrap();
    }
}

/// 1024 columns of f32 are 4 KiB: such rows of `b`, and such columns of a transposed `a`, go another way.
#[cfg(not(miri))]
#[test]
fn steps_of_whole_pages() {
    let _guard = fixed_level();
    let rng = &mut Numbers(11);
    for [m, n, k] in [[140, 1024, 70], [1024, 140, 70]] {
        let mut case = Case::with(rng, &[], [m, n, k], DType::F32, false);
        case.a = Operand::dense(&[k, m], DType::F32, || rng.value());
        case.a.layout = case.a.layout.transpose(0, 1);
        case.b = case.b.to_dense();
        case.check().unwrap();
        let one = on_threads(1, || case.run());
        for &t in THREADS {
            assert!(on_threads(t, || case.run()).bytes() == one.bytes(), "{t} threads");
        }
        case.a = case.a.to_dense();
        assert!(case.run().bytes() == one.bytes(), "dense operands");
    }
}

#[test]
fn all_levels() {
    let _guard = own_level();
    let before = simd_level();
    for level in available_levels() {
        set_simd_level(level);
        let shapes = [[33, 47, 20], [5, 64, 9], [1, 70, 33], [64, 1, 40]];
        for (i, shape) in shapes.into_iter().map(|s| s.map(most)).enumerate() {
            for (j, dtype) in [DType::F32, DType::F64, DType::F16].into_iter().enumerate() {
                if cfg!(miri) && i % 3 != j {
                    continue;
                }
                Case::new(&mut Numbers(i as u64), &[], shape, dtype).check().unwrap();
            }
        }
    }
    set_simd_level(before);
}

#[test]
#[cfg_attr(miri, ignore = "about values")]
fn infinities_and_nans_stay_in_their_rows() {
    let _guard = fixed_level();
    let mut rng = Numbers(3);
    let mut case = Case::new(&mut rng, &[], [20, 37, 18], DType::F32);
    case.a = case.a.to_dense();
    (case.bias, case.relu, case.accumulate) = (None, true, false);
    case.a.set(&[4, 2], f64::NAN);
    let out = case.run();
    for i in indices(&[20, 37]) {
        assert_eq!(out.get(&i).is_nan(), i[0] == 4, "{i:?}");
    }
}
